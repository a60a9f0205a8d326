/* Lines, fields and numbers. Fields are cut by hand because these loops are most of what the agent
 * does between two system calls. */
#include "procfs/field.h"

#include "base/err.h"

int field_next_line(struct str *rest, struct str *line_out)
{
    if (rest->len == 0) {
        return 0;
    }
    const char *newline = memchr(rest->ptr, '\n', rest->len);
    if (newline == NULL) {
        return ERR_CORRUPT;
    }
    size_t length = (size_t)(newline - rest->ptr);
    *line_out = str_make(rest->ptr, length);
    *rest = str_skip(*rest, length + 1);
    return 1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool field_next(struct str *line, struct str *field_out)
{
    if (line->len == 0) {
        return false;
    }
    const char *p = line->ptr;
    const char *end = p + line->len;
    while (p < end && is_blank(*p)) {
        p++;
    }
    if (p == end) {
        *line = str_make(end, 0);
        return false;
    }
    const char *start = p;
    while (p < end && !is_blank(*p)) {
        p++;
    }
    *field_out = str_make(start, (size_t)(p - start));
    *line = str_make(p, (size_t)(end - p));
    return true;
}

int field_u64(struct str field, uint64_t *value_out)
{
    return str_to_u64(field, value_out) == 0 ? 0 : ERR_CORRUPT;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int field_hex(struct str field, uint64_t *value_out)
{
    if (field.len > 2 && field.ptr[0] == '0' && (field.ptr[1] | 0x20) == 'x') {
        field = str_skip(field, 2);
    }
    if (field.len == 0) {
        return ERR_CORRUPT;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < field.len; i++) {
        int digit = hex_digit(field.ptr[i]);
        if (digit < 0 || value >> 60 != 0) {
            return ERR_CORRUPT;
        }
        value = value << 4 | (uint64_t)digit;
    }
    *value_out = value;
    return 0;
}

int field_number(struct str field, double *value_out)
{
    bool negative = field.len > 0 && field.ptr[0] == '-';
    uint64_t magnitude;
    if (str_to_u64(negative ? str_skip(field, 1) : field, &magnitude) != 0) {
        return ERR_CORRUPT;
    }
    *value_out = negative ? -(double)magnitude : (double)magnitude;
    return 0;
}

int field_next_u64(struct str *line, uint64_t *value_out)
{
    struct str field;
    return field_next(line, &field) ? field_u64(field, value_out) : ERR_CORRUPT;
}

int field_next_hex(struct str *line, uint64_t *value_out)
{
    struct str field;
    return field_next(line, &field) ? field_hex(field, value_out) : ERR_CORRUPT;
}

int field_next_u64s(struct str *line, uint64_t *values, int cap)
{
    int count = 0;
    struct str field;
    while (count < cap && field_next(line, &field)) {
        if (field_u64(field, &values[count]) != 0) {
            return ERR_CORRUPT;
        }
        count++;
    }
    return count;
}

bool field_take_prefix(struct str *s, struct str prefix)
{
    if (!str_starts_with(*s, prefix)) {
        return false;
    }
    *s = str_skip(*s, prefix.len);
    return true;
}
