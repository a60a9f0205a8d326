/* Slices gathered, and put together again. */
#include "spans/span_batch.h"

#include "base/mem.h"
#include "spans/sampling_policy.h"

/* Key and length of a field. */
enum { FRAME_BYTES = 6 };

void span_batch_reset(struct span_batch *b)
{
    b->count = b->group_count = b->bytes = 0;
}

void span_batch_release(struct span_batch *b)
{
    mem_free(b->items);
    mem_free(b->groups);
    *b = (struct span_batch){0};
}

/* Whether the span shares resource and scope with the one before. */
static bool goes_on(const struct span_batch *b, const struct otlp_span *span)
{
    if (b->group_count == 0) {
        return false;
    }
    const struct span_group *last = &b->groups[b->group_count - 1];
    return last->resource_number == span->resource_number &&
           last->scope_number == span->scope_number;
}

size_t span_batch_cost(const struct span_batch *b, const struct otlp_span *span)
{
    size_t cost = span->raw.len + FRAME_BYTES;
    if (!goes_on(b, span)) {
        cost += span->resource_raw.len + span->scope_raw.len + span->resource->schema_url.len +
                span->scope->schema_url.len + 6 * FRAME_BYTES;
    }
    return cost;
}

int span_batch_add(
    struct span_batch *b, const struct otlp_span *span, struct span_metrics_place place)
{
    bool new_group = !goes_on(b, span);
    size_t cost = span_batch_cost(b, span);
    int status = mem_array_grow(
        (void **)&b->items, &b->cap, b->count + 1, sizeof(*b->items), SPAN_BATCH_ITEMS_MAX);
    if (status == 0 && new_group) {
        status = mem_array_grow((void **)&b->groups, &b->group_cap, b->group_count + 1,
            sizeof(*b->groups), SPAN_BATCH_ITEMS_MAX);
    }
    if (status != 0) {
        return status;
    }
    if (new_group) {
        b->groups[b->group_count++] = (struct span_group){
            .resource_raw = span->resource_raw,
            .scope_raw = span->scope_raw,
            .resource_schema = span->resource->schema_url,
            .scope_schema = span->scope->schema_url,
            .resource_number = span->resource_number,
            .scope_number = span->scope_number,
        };
    }
    const struct span *s = &span->span;
    b->items[b->count++] = (struct span_item){
        .raw = span->raw,
        .group = (uint32_t)b->group_count - 1,
        .place = place,
        .trace_id = s->trace_id,
        .span_id = s->span_id,
        .seconds = (double)span_duration_ns(s) / 1e9,
        .weight = s->trace_state.len > 0 ? span_adjusted_count(s->trace_state) : 1,
        .start_ns = s->start_ns,
        .end_ns = s->end_ns,
        .is_root = s->parent_id == 0,
        .has_state = s->trace_state.len > 0,
        .randomness = sampling_randomness(s),
    };
    b->bytes += cost;
    return 0;
}

void span_batch_encode(const struct span_batch *b, struct strbuf *message)
{
    struct otlp_traces_encoder encoder;
    otlp_traces_encoder_init(&encoder, message);
    for (size_t i = 0; i < b->count; i++) {
        const struct span_group *g = &b->groups[b->items[i].group];
        const struct span_resource resource = {.schema_url = g->resource_schema};
        const struct span_scope scope = {.schema_url = g->scope_schema};
        const struct otlp_span span = {
            .resource = &resource,
            .scope = &scope,
            .raw = b->items[i].raw,
            .resource_raw = g->resource_raw,
            .scope_raw = g->scope_raw,
            .resource_number = g->resource_number,
            .scope_number = g->scope_number,
        };
        otlp_traces_encoder_add(&encoder, &span);
    }
    otlp_traces_encoder_finish(&encoder);
}
