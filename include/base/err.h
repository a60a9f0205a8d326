/* Error codes and the sentence that goes with them.
 *
 * Fallible functions return 0 or one of the negative codes below. Functions that speak to people
 * also take a `struct err *` and fill it with a sentence: what happened, where, and what would have
 * been accepted. The code and the sentence always agree.
 */
#ifndef SONDE_BASE_ERR_H
#define SONDE_BASE_ERR_H

#include <stdarg.h>
#include <stdint.h>

/* name, value, short text for logs. Values are internal: they never go to disk or to the wire. */
#define ERR_LIST(X)                                                                                \
    X(NOMEM, -1, "out of memory")                                                                  \
    X(LIMIT, -2, "a configured limit was reached")                                                 \
    X(IO, -3, "input or output failed")                                                            \
    X(CORRUPT, -4, "stored or received bytes are corrupt")                                         \
    X(INVALID, -5, "invalid input")                                                                \
    X(NOT_FOUND, -6, "not found")                                                                  \
    X(EXISTS, -7, "exists already")                                                                \
    X(BUSY, -8, "busy, try again")                                                                 \
    X(TIMEOUT, -9, "deadline passed")                                                              \
    X(CANCELED, -10, "canceled")                                                                   \
    X(CLOSED, -11, "closed")                                                                       \
    X(NO_SPACE, -12, "no space left on the device")                                                \
    X(UNSUPPORTED, -13, "not supported")                                                           \
    X(RANGE, -14, "out of the accepted range")                                                     \
    X(LOCKED, -15, "locked by another process")                                                    \
    X(PERMISSION, -16, "permission denied")                                                        \
    X(INTERNAL, -17, "internal error")

enum err_code {
    ERR_OK = 0,
#define X(name, value, text) ERR_##name = value,
    ERR_LIST(X)
#undef X
};

/* Longest sentence, terminating zero included; longer ones are cut. */
#define ERR_MESSAGE_MAX 512

struct err {
    int code;         /* ERR_OK or a negative code */
    int64_t position; /* byte offset in the input it speaks of, or -1 */
    char message[ERR_MESSAGE_MAX];
};

/* The empty error: nothing happened yet. */
#define ERR_INIT                                                                                   \
    {                                                                                              \
        .code = ERR_OK, .position = -1, .message = ""                                              \
    }

/* Fills `e` (which may be NULL) and returns `code`, so that `return err_set(...)` reads well.
 * `position` is -1 where the input has none. */
int err_set(struct err *e, int code, int64_t position, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int err_vset(struct err *e, int code, int64_t position, const char *format, va_list arguments)
    __attribute__((format(printf, 4, 0)));

/* Puts "prefix: " before the sentence already in `e`; returns e->code. */
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "CORRUPT" for ERR_CORRUPT; "UNKNOWN" for a value outside the list. */
const char *err_name(int code);
/* The short text of the list, e.g. "stored or received bytes are corrupt". */
const char *err_text(int code);

/* The code for an errno value: ENOSPC and EDQUOT -> ERR_NO_SPACE, ENOENT -> ERR_NOT_FOUND,
 * EACCES, EPERM and EROFS -> ERR_PERMISSION, ENOMEM -> ERR_NOMEM, the rest ERR_IO. */
int err_from_errno(int errno_value);
/* Thread-safe text of an errno value, written to `buffer`; returns `buffer`. */
const char *err_errno_text(int errno_value, char *buffer, unsigned size);

#endif
