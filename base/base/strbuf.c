/* Growing buffer with a sticky error. */
#include "base/strbuf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void strbuf_init(struct strbuf *b, size_t limit)
{
    *b = (struct strbuf){.limit = limit};
}

void strbuf_release(struct strbuf *b)
{
    size_t limit = b->limit;
    mem_free(b->data);
    *b = (struct strbuf){.limit = limit};
}

void strbuf_reset(struct strbuf *b)
{
    b->size = 0;
    b->error = 0;
    if (b->data != NULL) {
        b->data[0] = '\0';
    }
}

void strbuf_truncate(struct strbuf *b, size_t size)
{
    assert(size <= b->size);
    b->size = size;
    if (b->data != NULL) {
        b->data[size] = '\0';
    }
}

int strbuf_error(const struct strbuf *b)
{
    return b->error;
}

struct str strbuf_str(const struct strbuf *b)
{
    return (struct str){b->data != NULL ? b->data : "", b->size};
}

char *strbuf_take(struct strbuf *b, size_t *size_out)
{
    if (b->error != 0 || (b->data == NULL && strbuf_reserve(b, 0) == NULL)) {
        return NULL;
    }
    char *data = b->data;
    if (size_out != NULL) {
        *size_out = b->size;
    }
    *b = (struct strbuf){.limit = b->limit};
    return data;
}

char *strbuf_reserve(struct strbuf *b, size_t more)
{
    if (b->error != 0) {
        return NULL;
    }
    if (b->size < b->cap && more < b->cap - b->size) {
        return b->data + b->size; /* nearly always: what is there is within the limit */
    }
    size_t limit = b->limit != 0 ? b->limit : STRBUF_LIMIT_DEFAULT;
    limit = limit < SIZE_MAX ? limit : SIZE_MAX - 1; /* one byte is the terminating zero's */
    if (more < b->cap - b->size && b->size + more <= limit) {
        return b->data + b->size; /* there is room, and a zero */
    }
    if (more > limit || b->size > limit - more) {
        b->error = ERR_LIMIT;
        return NULL;
    }
    int status = mem_array_grow((void **)&b->data, &b->cap, b->size + more + 1, 1, limit + 1);
    if (status != 0) {
        b->error = status;
        return NULL;
    }
    b->data[b->size] = '\0';
    return b->data + b->size;
}

void strbuf_commit(struct strbuf *b, size_t written)
{
    assert(b->error == 0 && b->size + written < b->cap);
    b->size += written;
    b->data[b->size] = '\0';
}

void strbuf_add(struct strbuf *b, const void *bytes, size_t size)
{
    if (b->error == 0 && b->size < b->cap && size < b->cap - b->size && size > 0) {
        memcpy(b->data + b->size, bytes, size); /* nearly always there is room */
        b->size += size;
        b->data[b->size] = '\0';
        return;
    }
    char *room = strbuf_reserve(b, size);
    if (room != NULL) {
        if (size > 0) {
            memcpy(room, bytes, size);
        }
        strbuf_commit(b, size);
    }
}

void strbuf_add_str(struct strbuf *b, struct str s)
{
    strbuf_add(b, s.ptr, s.len);
}

void strbuf_add_c(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

void strbuf_add_char(struct strbuf *b, char c)
{
    if (b->error != 0 || b->size + 1 >= b->cap) { // no room, as far as the capacity tells
        strbuf_add(b, &c, 1);
        return;
    }
    b->data[b->size++] = c;
    b->data[b->size] = '\0';
}

void strbuf_vaddf(struct strbuf *b, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0 && b->error == 0) {
        b->error = ERR_INVALID; /* a format or a wide character that the C library refuses */
    }
    char *room = length < 0 ? NULL : strbuf_reserve(b, (size_t)length);
    if (room != NULL) {
        vsnprintf(room, (size_t)length + 1, format, again);
        strbuf_commit(b, (size_t)length);
    }
    va_end(again);
}

void strbuf_addf(struct strbuf *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    strbuf_vaddf(b, format, arguments);
    va_end(arguments);
}

void strbuf_add_u64(struct strbuf *b, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    strbuf_add(b, digits + n, sizeof(digits) - n);
}

void strbuf_add_i64(struct strbuf *b, int64_t value)
{
    if (value < 0) {
        strbuf_add_char(b, '-');
    }
    strbuf_add_u64(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void strbuf_add_base64(struct strbuf *b, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t group = 0;
        size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
        for (size_t k = 0; k < 3; k++) {
            group = group << 8 | (k < left ? (uint8_t)bytes.ptr[i + k] : 0);
        }
        for (size_t k = 0; k < 4; k++) {
            strbuf_add_char(b, k <= left ? digits[group >> (18 - 6 * k) & 63] : '=');
        }
    }
}

/* 0 … 63, or -1. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int strbuf_add_unbase64(struct strbuf *b, struct str text)
{
    size_t before = b->size;
    uint32_t bits = 0;
    unsigned have = 0;
    for (int padding = 0; padding < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; padding++) {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0) {
            strbuf_truncate(b, before);
            return ERR_INVALID;
        }
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            strbuf_add_char(b, (char)(bits >> have));
        }
    }
    if (have == 6) { /* one digit alone stands for no byte */
        strbuf_truncate(b, before);
        return ERR_INVALID;
    }
    return strbuf_error(b);
}
