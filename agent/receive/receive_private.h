/* What the files of the receivers share. */
#ifndef SONDE_RECEIVE_RECEIVE_PRIVATE_H
#define SONDE_RECEIVE_RECEIVE_PRIVATE_H

#include "base/grpc_server.h"
#include "base/http_server.h"
#include "model/labels.h"
#include "receive/metadata_filter.h"
#include "receive/receive.h"
#include "wire/otlp_translate.h"

#define RECEIVE_ROUTES_MAX 9
#define RECEIVE_GRPC_METHODS_MAX 2

struct receive {
    struct receive_options options;
    struct receive_statistics statistics[RECEIVE_SOURCE_COUNT];
    struct metadata_filter metadata;
    struct otlp_translate_options otlp;
    struct otlp_delta *delta;
    struct receive_statsd *statsd;     /* NULL: not configured */
    struct receive_graphite *graphite; /* NULL: not configured */
    struct datagram_socket *jaeger[2]; /* compact, binary; NULL: not configured */
    struct strbuf text, labels;        /* of the line at hand */
    struct grpc_method grpc_methods[RECEIVE_GRPC_METHODS_MAX];
    struct grpc_server *grpc; /* NULL: not asked for, or the address is in use */
    struct http_route routes[RECEIVE_ROUTES_MAX];
    struct http_server *server;
};

/* One request as it is sent, and all that come at once. */
size_t receive_body_max(const struct receive *r);
size_t receive_bodies_max(const struct receive *r);

/* ---- Samples ---- */

/* The labels with the agent's external ones, as the door wants them, into `out`. 0 or the error of
 * intake_encode_labels. */
int receive_encode_labels(
    const struct intake *intake, const struct label *labels, size_t count, struct strbuf *out);
/* Passes on what has not been said of late. */
void receive_metadata(struct receive *r, enum receive_source source, enum metric_type type,
    struct str metric, struct str help, struct str unit);
/* Everything handed in is in the queue, or ERR_NO_SPACE with a sentence. */
int receive_commit(struct receive *r, enum receive_source source, struct err *e);

/* ---- Requests ---- */

/* May the request be taken? ERR_BUSY with a sentence. */
int receive_admit(struct receive *r, enum receive_source source, struct err *e);
/* The same for spans. */
int receive_admit_spans(struct receive *r, enum span_protocol protocol, struct err *e);
/* Counts a message by how it ended (0 or an error). True: its sender should come again. */
bool receive_count_message(struct receive *r, enum receive_source source, int code);

/* ---- HTTP ---- */

/* The body without its Content-Encoding, gzip or none: in `plain`, or the request's own. ERR_CORRUPT,
 * ERR_LIMIT, ERR_UNSUPPORTED (another encoding), ERR_NOMEM with a sentence. */
int receive_plain_body(
    struct http_exchange *x, struct strbuf *plain, struct str *message_out, struct err *e);
/* The status that tells a sender whether to send again: 400 what cannot be read, 413 too large, 415 of a
 * kind that is not read here, 429 busy; all else 503, since another 5xx is final to a sender of OTLP. */
unsigned receive_status(int code);
/* Counts a request by how it ended (0 or an error), and sets Retry-After where it makes sense. */
void receive_count(
    struct receive *r, enum receive_source source, struct http_exchange *x, int code);

#endif
