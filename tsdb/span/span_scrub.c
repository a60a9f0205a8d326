/* The background look at all blocks of spans: page by page, block by block, round and round, at most
 * `scrub_bytes_per_second`. What is damaged is told and counted, once; readers leave it out with a warning, and
 * whoever merges its block keeps the old one under another name.
 */
#include "base/log.h"
#include "span/span_store_private.h"

/* Bytes of one step: what was not read for lack of time is not caught up with. */
#define SCRUB_STEP_MAX ((int64_t)8 << 20)

/* The next block at or after a number; NULL at the end of a round. */
static struct span_source *next_block(const struct span_store *store, uint64_t number)
{
    struct span_source *next = NULL;
    for (size_t i = 0; i < store->blocks.count; i++) {
        struct span_source *s = store->blocks.items[i];
        if (s->number >= number && (next == NULL || s->number < next->number)) {
            next = s;
        }
    }
    return next;
}

/* 0 when it is sound, ERR_CORRUPT when not. */
static int check_page(const struct span_source *source, uint32_t number, struct err *e)
{
    struct span_unpacker unpacker;
    struct span_page *page = NULL;
    struct strbuf filter;
    struct str bits;
    span_unpacker_init(&unpacker);
    strbuf_init(&filter, SPAN_SECTION_BYTES_MAX);
    int status = span_source_open(source, number, &unpacker, &page, e);
    status = status == 0 ? span_page_check(page) : status;
    status = status == 0 ? span_block_read_filter(source->block, number, &filter, &bits) : status;
    span_page_close(page);
    span_unpacker_release(&unpacker);
    strbuf_release(&filter);
    return status;
}

static int scrub_page(struct span_store *store, const struct span_source *source, uint32_t number)
{
    struct err e = ERR_INIT;
    int status = check_page(source, number, &e);
    if (status != ERR_CORRUPT && status != ERR_INVALID) {
        return status;
    }
    if (span_source_note_damage(source, number)) {
        LOG_ERROR("spans: a page is damaged", LOG_S("path", source->block->path),
            LOG_I("page", (int64_t)number));
        lock_take(&store->list);
        store->damaged_pages++;
        lock_give(&store->list);
    }
    return 0;
}

int span_store_scrub(struct span_store *store, struct err *e)
{
    struct span_scrub *s = &store->scrub;
    int64_t now = clock_monotonic_ms(store->clock), rate = store->options.scrub_bytes_per_second;
    int64_t passed = now - s->last_ms < SCRUB_STEP_MAX ? now - s->last_ms : 0;
    int status = 0;
    s->last_ms = now;
    if (rate <= 0) {
        return 0;
    }
    s->allowance += passed * rate / 1000;
    s->allowance = s->allowance < SCRUB_STEP_MAX ? s->allowance : SCRUB_STEP_MAX;
    while (status == 0 && s->allowance > 0) {
        const struct span_source *source = next_block(store, s->number);
        if (source == NULL) {
            s->number = 0;
            s->page = 0;
            break;
        }
        if (source->number != s->number || s->page >= source->block->page_count) {
            s->number = source->number + (source->number == s->number);
            s->page = 0;
            continue;
        }
        const struct span_block_page *p = &source->block->pages[s->page];
        status = scrub_page(store, source, s->page++);
        s->allowance -= (int64_t)p->size + p->filter_size;
        atomic_fetch_add_explicit(
            &store->scrubbed_bytes, (uint64_t)p->size + p->filter_size, memory_order_relaxed);
    }
    return status == 0 ? 0 : err_set(e, status, -1, "scrubbing spans: %s", err_text(status));
}
