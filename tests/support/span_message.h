/* Messages of few spans, written by hand in tests.
 *
 *   struct span_message m;
 *   span_message_begin(&m);
 *   span_message_add(&m, "shop", &(struct span){.trace_id = {1, 2}, .span_id = 3, .name = STR("GET /")});
 *   struct str message = span_message_end(&m);     // until span_message_release
 *
 * Spans of the same service that follow each other share a resource.
 */
#ifndef SONDE_TESTS_SPAN_MESSAGE_H
#define SONDE_TESTS_SPAN_MESSAGE_H

#include "wire/otlp_traces.h"

struct span_message {
    struct strbuf bytes;
    struct otlp_traces_encoder encoder;
    const char *service;
    uint64_t resource_number;
};

void span_message_begin(struct span_message *m);
/* `service` NULL: the resource has no attributes. */
void span_message_add(struct span_message *m, const char *service, const struct span *span);
struct str span_message_end(struct span_message *m);
void span_message_release(struct span_message *m);

#endif
