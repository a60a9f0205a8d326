/* Filters over all traces of a block. */
#include "span/span_block_traces.h"

#include "base/mem.h"
#include "span/trace_bloom.h"

static bool a_page_may_have(const struct span_source *source, struct trace_id id)
{
    for (uint32_t p = 0; p < span_source_pages(source); p++) {
        if (trace_bloom_has(span_source_page(source, p)->bloom, id)) {
            return true;
        }
    }
    return false;
}

static int add_page(struct span_source *source, uint32_t number, struct span_unpacker *unpacker,
    struct span_traces_filter *filter)
{
    struct span_page *page;
    const struct span_page_trace *traces;
    struct err e = ERR_INIT;
    int status = span_source_open(source, number, unpacker, &page, &e);
    if (status != 0) {
        return status;
    }
    status = span_page_runs(page, &traces);
    for (uint32_t i = 0; status == 0 && i < span_page_info(page).traces; i++) {
        trace_bloom_add(filter->bits, filter->size, traces[i].id);
    }
    span_page_close(page);
    return status;
}

static struct span_traces_filter *make(struct span_source *source, struct span_unpacker *unpacker)
{
    size_t size = trace_bloom_size((size_t)source->block->traces);
    struct span_traces_filter *filter = mem_calloc(1, sizeof(*filter) + size);
    int status = filter == NULL ? ERR_NOMEM : 0;
    if (status == 0) {
        filter->size = size;
    }
    for (uint32_t p = 0; status == 0 && p < source->block->page_count; p++) {
        status = add_page(source, p, unpacker, filter);
    }
    if (status != 0) {
        mem_free(filter);
        filter = NULL;
    }
    return filter;
}

bool span_block_may_have(
    struct span_source *source, struct trace_id id, struct span_unpacker *unpacker)
{
    struct span_traces_filter *none = NULL;
    struct span_traces_filter *filter = atomic_load_explicit(&source->traces, memory_order_acquire);
    if (filter == NULL && source->block->page_count > 1) {
        filter = make(source, unpacker);
        if (filter != NULL && !atomic_compare_exchange_strong(&source->traces, &none, filter)) {
            mem_free(filter);
            filter = none;
        }
    }
    const struct str bits =
        filter != NULL ? str_make((const char *)filter->bits, filter->size) : STR("");
    return (filter == NULL || trace_bloom_has(bits, id)) && a_page_may_have(source, id);
}
