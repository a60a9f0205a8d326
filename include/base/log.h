/* One line of key=value a record, with a constant message: greppable, parsable, never multi-line.
 *
 *   LOG_WARN("wal: segment skipped", LOG_S("path", path), LOG_I("bytes", skipped));
 *   ts=2026-11-22T01:02:03.456Z level=warn msg="wal: segment skipped" path=… bytes=17
 *
 * Only decision points log, once. Library code below tsdb/db, query/server and agent's top does not
 * log: it returns errors. Any thread; one write(2) a line, to standard error.
 */
#ifndef SONDE_BASE_LOG_H
#define SONDE_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_field_kind { LOG_FIELD_STRING, LOG_FIELD_INTEGER, LOG_FIELD_DOUBLE };

struct log_field {
    const char *key;
    enum log_field_kind kind;
    struct str text;
    int64_t integer;
    double number;
};

#define LOG_S(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_STRING, .text = str_of(v)})
#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_STRING, .text = (v)})
#define LOG_I(k, v)                                                                                \
    ((struct log_field){.key = (k), .kind = LOG_FIELD_INTEGER, .integer = (int64_t)(v)})
#define LOG_F(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_DOUBLE, .number = (v)})

/* Longest line; what is beyond is cut and marked. */
#define LOG_LINE_MAX 4096

void log_write(
    enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* The first, empty field lets a record have none; it is skipped. */
#define LOG_AT(level, message, ...)                                                                \
    log_write(level, message, (const struct log_field[]){{.key = NULL}, ##__VA_ARGS__},            \
        sizeof((const struct log_field[]){{.key = NULL}, ##__VA_ARGS__}) /                         \
            sizeof(struct log_field))
#define LOG_DEBUG(message, ...) LOG_AT(LOG_LEVEL_DEBUG, message, ##__VA_ARGS__)
#define LOG_INFO(message, ...) LOG_AT(LOG_LEVEL_INFO, message, ##__VA_ARGS__)
#define LOG_WARN(message, ...) LOG_AT(LOG_LEVEL_WARN, message, ##__VA_ARGS__)
#define LOG_ERROR(message, ...) LOG_AT(LOG_LEVEL_ERROR, message, ##__VA_ARGS__)

/* Records below the level are dropped; default INFO. */
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error"; ERR_INVALID otherwise. */
int log_level_parse(struct str name, enum log_level *level_out);
/* Where lines go instead of standard error (tests); NULL restores it. The line ends in '\n'. */
void log_set_sink(void (*sink)(void *context, struct str line), void *context);

#endif
