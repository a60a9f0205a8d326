/* What becomes of one message of OTLP, by whatever door it came: HTTP (api_otlp.c) or gRPC (api_grpc.c).
 *
 * Metrics go through a transaction of the store of samples, spans into the store of spans. What is refused of
 * a message that is good otherwise is told as partial success, and the sender must not send it again. */
#ifndef SONDE_QUERY_OTLP_TAKE_H
#define SONDE_QUERY_OTLP_TAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

struct api;

struct otlp_message {
    struct api *api;
    struct str bytes; /* decompressed */
    size_t wire_size; /* as it came */
    bool json;        /* else protobuf; the answer is of the same kind */
    bool durable;     /* taken only when the disk has it */
};

/* 0, and the response of success onto `answer`; else nothing is stored, and an error with a sentence:
 * ERR_CORRUPT, ERR_LIMIT: not to be sent again; ERR_BUSY, ERR_CLOSED and what the disk says: later. */
typedef int otlp_take(const struct otlp_message *m, struct strbuf *answer, struct err *e);

int otlp_take_metrics(const struct otlp_message *m, struct strbuf *answer, struct err *e);
int otlp_take_traces(const struct otlp_message *m, struct strbuf *answer, struct err *e);
/* Stores the spans of a message in protobuf. *refused_out were left out, and `sentence` says why. */
int otlp_store_spans(struct api *api, struct str message, bool durable, uint64_t *refused_out,
    struct strbuf *sentence, struct err *e);

#endif
