/* From a batch as it lies in the queue (remote write 1.0 under snappy) to the request that one
 * destination wants: its rules applied, in the protocol it speaks.
 *
 * Where the destination speaks 1.0 and has no wishes, and for spans, the batch is the request, byte for
 * byte.
 * One thread.
 */
#ifndef SONDE_SHIP_REQUEST_MAKER_H
#define SONDE_SHIP_REQUEST_MAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "intake/metric_metadata.h"
#include "model/relabel.h"

enum ship_protocol {
    SHIP_REMOTE_WRITE_1,
    SHIP_REMOTE_WRITE_2,
    SHIP_OTLP,
    SHIP_OTLP_TRACES, /* of a queue of spans, whose records are its requests */
};

struct request_maker_options {
    struct relabel *relabel; /* of each series; referenced; NULL: none */
    bool no_exemplars, no_histograms, no_metadata;
    /* Types for 2.0 and OTLP, which say them with each series; borrowed; NULL: none are known. */
    const struct metric_metadata *metadata;
};

struct made_request {
    struct str body; /* compressed as the protocol has it; empty: there is nothing to send */
    bool counted;    /* false: the batch as it was; the next three are not set */
    uint32_t samples, histograms, exemplars; /* in it */
    uint32_t filtered; /* samples and histograms that rules or wishes left out */
};

struct request_maker;

int request_maker_new(
    const struct request_maker_options *options, struct request_maker **maker_out);
/* Accepts NULL. */
void request_maker_free(struct request_maker *m);
/* The body is valid until the next call, and as long as `payload`. ERR_CORRUPT: the payload is no
 * batch; ERR_LIMIT, ERR_NOMEM. */
int request_maker_make(struct request_maker *m, enum ship_protocol protocol, struct str payload,
    struct made_request *made_out);

#endif
