/* A growing buffer of bytes with a limit and a sticky error: append freely, check once at the end.
 *
 * After the first failure every further append is ignored and strbuf_error keeps the code. The
 * content is always zero-terminated, so `data` may be printed; it may hold zero bytes too.
 */
#ifndef SONDE_BASE_STRBUF_H
#define SONDE_BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* The limit where the caller names none. */
#define STRBUF_LIMIT_DEFAULT ((size_t)1 << 30)

struct strbuf {
    char *data; /* never NULL after the first append that worked */
    size_t size;
    size_t cap;
    size_t limit;
    int error;
};

#define STRBUF_INIT                                                                                \
    {                                                                                              \
        .limit = STRBUF_LIMIT_DEFAULT                                                              \
    }

void strbuf_init(struct strbuf *b, size_t limit);
/* Frees the memory; the buffer may be used again. */
void strbuf_release(struct strbuf *b);
/* Empties, keeps memory and limit, forgets the error. */
void strbuf_reset(struct strbuf *b);
/* Shortens to `size`, which must not exceed the current one. */
void strbuf_truncate(struct strbuf *b, size_t size);
/* 0, ERR_NOMEM or ERR_LIMIT; ERR_INVALID when printf refused a format. */
int strbuf_error(const struct strbuf *b);
struct str strbuf_str(const struct strbuf *b);
/* Ownership of the bytes leaves to the caller (mem_free); the buffer is empty after. NULL on a
 * sticky error. */
char *strbuf_take(struct strbuf *b, size_t *size_out);

/* Makes room for `more` bytes and returns where to write them, NULL on error; follow with
 * strbuf_commit of what was written. */
char *strbuf_reserve(struct strbuf *b, size_t more);
void strbuf_commit(struct strbuf *b, size_t written);

void strbuf_add(struct strbuf *b, const void *bytes, size_t size);
void strbuf_add_str(struct strbuf *b, struct str s);
void strbuf_add_c(struct strbuf *b, const char *text);
void strbuf_add_char(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *b, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
void strbuf_add_u64(struct strbuf *b, uint64_t value);
void strbuf_add_i64(struct strbuf *b, int64_t value);
/* RFC 4648, section 4, with padding. */
void strbuf_add_base64(struct strbuf *b, struct str bytes);
/* What such text stands for; the alphabet of section 5 (URLs) and absent padding are accepted too. 0,
 * ERR_INVALID (nothing is added), or the buffer's error. */
int strbuf_add_unbase64(struct strbuf *b, struct str text);

#endif
