/* Slices: searching, cutting, and numbers without the locale. */
#include "base/str.h"

#include "base/err.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_space(s.ptr[0])) {
        s = str_skip(s, 1);
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

ptrdiff_t str_find(struct str s, char c)
{
    const char *hit = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
    return hit != NULL ? hit - s.ptr : -1;
}

struct str str_split(struct str *rest, char separator)
{
    ptrdiff_t at = str_find(*rest, separator);
    struct str part = *rest;
    if (at < 0) {
        *rest = (struct str){NULL, 0};
        return part;
    }
    part.len = (size_t)at;
    *rest = str_skip(*rest, (size_t)at + 1);
    return part;
}

int str_to_u64(struct str s, uint64_t *value_out)
{
    if (s.len == 0) {
        return ERR_INVALID;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (digit > 9) {
            return ERR_INVALID;
        }
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value)) {
            return ERR_RANGE;
        }
    }
    *value_out = value;
    return 0;
}

int str_to_i64(struct str s, int64_t *value_out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        s = str_skip(s, 1);
    }
    uint64_t magnitude;
    int status = str_to_u64(s, &magnitude);
    if (status != 0) {
        return status;
    }
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (magnitude > limit) {
        return ERR_RANGE;
    }
    *value_out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

/* Continuation bytes that must follow a lead byte, with the smallest code point they may encode. */
static int utf8_tail(unsigned char lead, uint32_t *minimum)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        *minimum = 0x80;
        return 1;
    }
    if ((lead & 0xf0) == 0xe0) {
        *minimum = 0x800;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *minimum = 0x10000;
        return 3;
    }
    return -1;
}

bool str_is_utf8(struct str s)
{
    for (size_t i = 0; i < s.len;) {
        unsigned char lead = (unsigned char)s.ptr[i];
        if (lead < 0x80) {
            i++;
            continue;
        }
        uint32_t minimum = 0;
        int tail = utf8_tail(lead, &minimum);
        if (tail < 0 || s.len - i <= (size_t)tail) {
            return false;
        }
        uint32_t code = lead & (0x3fu >> tail);
        for (int k = 1; k <= tail; k++) {
            unsigned char next = (unsigned char)s.ptr[i + (size_t)k];
            if ((next & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (next & 0x3f);
        }
        if (code < minimum || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        i += (size_t)tail + 1;
    }
    return true;
}
