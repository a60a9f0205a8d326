/* A borrowed slice of text. Whoever hands one out says how long it lives. Not zero-terminated. */
#ifndef SONDE_BASE_STR_H
#define SONDE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).len, (s).ptr
/* A slice of a string literal. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_make(const char *ptr, size_t len)
{
    return (struct str){ptr, len};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

/* Bytewise order, the order of label names and of results. */
static inline int str_cmp(struct str a, struct str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static inline bool str_starts_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq((struct str){s.ptr, prefix.len}, prefix);
}

static inline bool str_ends_with(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           str_eq((struct str){s.ptr + s.len - suffix.len, suffix.len}, suffix);
}

/* `s` without its first `n` bytes (all of them when shorter). */
static inline struct str str_skip(struct str s, size_t n)
{
    n = n < s.len ? n : s.len;
    return (struct str){s.ptr + n, s.len - n};
}

/* Without spaces, tabs and line ends at both sides. */
struct str str_trim(struct str s);
/* Index of the first `c`, or -1. */
ptrdiff_t str_find(struct str s, char c);
/* Cuts `*rest` at the first `separator`: returns the part before, leaves the part after in `*rest`
 * (empty with ptr NULL when there was none). */
struct str str_split(struct str *rest, char separator);

/* Whole-slice number parsers: no sign of locale, no leading or trailing junk, no overflow.
 * 0 or ERR_INVALID / ERR_RANGE. */
int str_to_u64(struct str s, uint64_t *value_out);
int str_to_i64(struct str s, int64_t *value_out);
/* Decimal and exponent forms, and Inf, +Inf, -Inf, NaN in any case, as Prometheus' exposition format
 * takes them (neither hexadecimal nor underscores). Correctly rounded; what is too large for a
 * double is ERR_RANGE, what is too small is 0. NaN has the bits 0x7ff8000000000001. */
int str_to_double(struct str s, double *value_out);

/* True when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);

#endif
