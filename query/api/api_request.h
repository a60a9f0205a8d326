/* One request inside the API: what handlers get, and how they answer.
 *
 * Answers of /api/v1 are envelopes:
 *
 *   {"status":"success","data":…,"warnings":["…"],"infos":["…"]}
 *   {"status":"error","errorType":"bad_data","error":"…"}
 *
 * A handler opens an answer, writes `data` with the answer's JSON writer, and sends it; or it fails
 * with a type and a sentence. Each request is answered exactly once, and counted when it is.
 */
#ifndef SONDE_QUERY_API_REQUEST_H
#define SONDE_QUERY_API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/http_server.h"
#include "base/json.h"
#include "base/strbuf.h"

struct api;

struct api_request {
    struct api *api;
    struct http_exchange *exchange;
    struct clock *clock;
    size_t route;     /* row of the route table */
    int64_t begun_ns; /* when its handler began, monotonic */
    unsigned status;  /* of an answer in pieces that was begun */
    bool answered;
};

typedef void (*api_handler)(struct api_request *r);

/* ---- Errors ---- */

/* name, errorType, HTTP status. Grafana shows the sentence of 400, 422 and 503; anything else it shows
 * raw. Canceled is 503, not Prometheus' 499: here it means that the server is being stopped, and
 * whoever asked should ask again. */
#define API_ERROR_LIST(X)                                                                          \
    X(BAD_DATA, "bad_data", 400)                                                                   \
    X(EXECUTION, "execution", 422)                                                                 \
    X(TIMEOUT, "timeout", 503)                                                                     \
    X(CANCELED, "canceled", 503)                                                                   \
    X(UNAVAILABLE, "unavailable", 503)                                                             \
    X(BAD_METHOD, "bad_data", 405)                                                                 \
    X(NOT_FOUND, "not_found", 404)                                                                 \
    X(INTERNAL, "internal", 500)

enum api_error {
#define X(name, text, status) API_ERROR_##name,
    API_ERROR_LIST(X)
#undef X
};

/* Answers with an error envelope. */
void api_fail(struct api_request *r, enum api_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The type that a code of engine or store stands for (see query/engine.h). */
enum api_error api_error_of(int code);
/* api_fail with the type of e->code and its sentence. */
void api_fail_with(struct api_request *r, const struct err *e);

/* ---- Success ---- */

struct api_answer {
    struct strbuf body;
    struct json_writer json; /* stands where `data` is to be written */
};

/* What is said beside the data. */
struct api_notes {
    const char *const *warnings;
    size_t warning_count;
    const char *const *infos;
    size_t info_count;
    bool truncated; /* adds the warning that a limit cut the results */
};

void api_answer_begin(struct api_answer *a);
/* Closes the envelope and sends it; `notes` may be NULL. The answer is empty after. */
void api_answer_send(struct api_request *r, struct api_answer *a, const struct api_notes *notes);
/* Gives an answer up; the request still wants one. */
void api_answer_drop(struct api_answer *a);

/* ---- Answers of other kinds ---- */

void api_reply(
    struct api_request *r, unsigned status, const char *content_type, struct strbuf *body);
/* A body in pieces: http_exchange_begin and _end, counted. */
int api_begin_pieces(struct api_request *r, unsigned status, const char *content_type);
void api_end_pieces(struct api_request *r, int error);
void api_reply_text(struct api_request *r, unsigned status, const char *text);
void api_reply_empty(struct api_request *r, unsigned status);
void api_reply_static(struct api_request *r, unsigned status, const char *content_type,
    const void *bytes, size_t size, bool gzipped);

#endif
