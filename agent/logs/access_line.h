/* One line of an access log: what was asked, how it ended, how long it took.
 *
 *   common     127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326
 *   combined   the same, then "referer" "user agent"
 *   json       {"method":"GET","status":200,"duration":0.004,…}, one object a line
 *   logfmt     method=GET status=200 duration=0.004 path="/a b"
 *   pattern    as nginx's log_format: text with $variables
 *
 * A variable, or a key, is known by the names that nginx, Caddy, Traefik and OpenTelemetry use (the table
 * in access_line.c), or by the name a setting gives it. A line that lacks a status is not parsed. Lines are
 * bytes of strangers: nothing is assumed of them, and each is looked at once.
 */
#ifndef SONDE_LOGS_ACCESS_LINE_H
#define SONDE_LOGS_ACCESS_LINE_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "logs/access_log_config.h"

/* Longest line; longer ones are passed over. */
#define ACCESS_LINE_BYTES_MAX ((size_t)64 << 10)
/* Pieces of a pattern. */
#define ACCESS_PATTERN_PIECES_MAX 64

struct access_line {
    struct str method; /* "" when the log does not say */
    struct str path;   /* without the query */
    struct str host;
    int status;     /* 100 to 599 */
    double seconds; /* negative: the log does not say */
    double bytes;   /* of the answer; negative likewise */
};

struct access_format;

/* ERR_INVALID with a sentence: an unknown format, unit or field, a pattern without $status. */
int access_format_new(
    const struct access_log_config *config, struct access_format **format_out, struct err *e);
void access_format_free(struct access_format *f);

/* 0, or ERR_INVALID. Slices borrow from `line` and from `f`, until the next call. */
int access_format_parse(struct access_format *f, struct str line, struct access_line *parsed_out);

#endif
