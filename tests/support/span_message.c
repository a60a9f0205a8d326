/* Spans to bytes, outside of what the fault loop counts. */
#include "support/span_message.h"

#include <string.h>

#include "base/mem.h"

void span_message_begin(struct span_message *m)
{
    *m = (struct span_message){.bytes = STRBUF_INIT};
    otlp_traces_encoder_init(&m->encoder, &m->bytes);
}

void span_message_add(struct span_message *m, const char *service, const struct span *span)
{
    bool before = mem_fail_exempt(true);
    const struct attribute name = {.key = STR("service.name"),
        .kind = ATTRIBUTE_STRING,
        .bytes = service != NULL ? str_of(service) : STR("")};
    const struct span_resource resource = {.attributes = {&name, service != NULL}};
    const struct span_scope scope = {.name = STR("test"), .version = STR("1")};
    bool same = m->resource_number > 0 &&
                (service == NULL ? m->service == NULL
                                 : m->service != NULL && strcmp(service, m->service) == 0);
    m->resource_number += same ? 0 : 1;
    m->service = service;
    const struct otlp_span item = {.span = *span,
        .resource = &resource,
        .scope = &scope,
        .resource_number = m->resource_number,
        .scope_number = m->resource_number};
    otlp_traces_encoder_add(&m->encoder, &item);
    mem_fail_exempt(before);
}

struct str span_message_end(struct span_message *m)
{
    bool before = mem_fail_exempt(true);
    otlp_traces_encoder_finish(&m->encoder);
    mem_fail_exempt(before);
    return strbuf_str(&m->bytes);
}

void span_message_release(struct span_message *m)
{
    strbuf_release(&m->bytes);
}
