/* Pages that stay open: one reader's at a time, bounded in bytes, gone with their source. */
#include "span/span_page_cache.h"

#include "support/span_shop.h"
#include "support/support.h"

enum { SOURCES = 6 };

struct world {
    struct span_source *sources[SOURCES];
    struct span_unpacker unpacker;
    struct span_page_cache cache;
    size_t page_bytes; /* of the largest, with all columns read */
};

static struct span_source *make_source(struct span_shop *shop)
{
    struct otlp_traces *walker;
    struct otlp_span span;
    struct span_pager *pager;
    struct span_source *source;
    struct strbuf message = STRBUF_INIT;
    (void)span_shop_next(shop, &message);
    assert_int_equal(otlp_traces_new(&walker), 0);
    assert_int_equal(span_pager_new(&pager), 0);
    assert_int_equal(otlp_traces_begin(walker, strbuf_str(&message), NULL), 0);
    while (otlp_traces_next(walker, &span) == 1) {
        assert_int_equal(span_pager_add(pager, &span), 0);
    }
    assert_int_equal(span_source_of_pager(pager, &source), 0);
    assert_int_equal(span_source_make_page(source), 0);
    otlp_traces_free(walker);
    strbuf_release(&message);
    return source;
}

static struct span_page *take(struct world *w, size_t source)
{
    struct span_page *page = NULL;
    struct span_page_columns columns;
    struct err e = ERR_INIT;
    assert_int_equal(
        span_page_cache_take(&w->cache, w->sources[source], 0, &w->unpacker, &page, &e), 0);
    assert_int_equal(span_page_columns(page, &columns), 0);
    return page;
}

static void give(struct world *w, size_t source, uint64_t reader, struct span_page *page)
{
    size_t bytes = span_page_memory(page);
    w->page_bytes = bytes > w->page_bytes ? bytes : w->page_bytes;
    span_page_cache_give(&w->cache, w->sources[source], 0, reader, page);
}

static void world_init(struct world *w, size_t bytes_max)
{
    struct span_shop *shop = span_shop_new(3, 1700000000000000000u, 100);
    *w = (struct world){.page_bytes = 0};
    span_unpacker_init(&w->unpacker);
    span_page_cache_init(&w->cache, bytes_max);
    for (size_t i = 0; i < SOURCES; i++) {
        w->sources[i] = make_source(shop);
    }
    span_shop_free(shop);
}

static void world_release(struct world *w)
{
    for (size_t i = 0; i < SOURCES; i++) {
        span_source_unref(w->sources[i]);
    }
    assert_int_equal(w->cache.bytes, 0);
    span_page_cache_release(&w->cache);
    span_unpacker_release(&w->unpacker);
}

static size_t kept(const struct world *w)
{
    size_t count = 0;
    for (size_t i = 0; i < SOURCES; i++) {
        count += w->sources[i]->kept[0].page != NULL;
    }
    return count;
}

static void check_sharing(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, SIZE_MAX);
    struct span_page *first = take(&w, 0), *second = take(&w, 0);
    assert_ptr_not_equal(first, second);
    give(&w, 0, 1, first);
    give(&w, 0, 2, second); /* one is enough */
    assert_int_equal(kept(&w), 1);
    assert_ptr_equal(take(&w, 0), first);
    assert_int_equal(kept(&w), 0);
    assert_int_equal(w.cache.bytes, 0);
    give(&w, 0, 3, first);
    span_page_cache_give(&w.cache, w.sources[1], 0, 3, NULL);
    world_release(&w);
}

/* Room for about three pages. */
static void check_bound(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, SIZE_MAX);
    give(&w, 0, 1, take(&w, 0));
    size_t room = w.page_bytes * 7 / 2;
    world_release(&w);
    world_init(&w, room);
    uint64_t reader = span_page_cache_reader(&w.cache);
    for (size_t i = 0; i < SOURCES; i++) {
        give(&w, i, reader, take(&w, i));
        assert_true(w.cache.bytes <= room);
    }
    size_t count = kept(&w);
    assert_in_range(count, 2, SOURCES - 1);
    /* What a reader read first stays as long as the same one reads. */
    for (size_t i = 0; i < SOURCES; i++) {
        assert_int_equal(w.sources[i]->kept[0].page != NULL, i < count);
    }
    /* The next one drives out what was used longest ago. */
    reader = span_page_cache_reader(&w.cache);
    give(&w, SOURCES - 1, reader, take(&w, SOURCES - 1));
    assert_non_null(w.sources[SOURCES - 1]->kept[0].page);
    assert_null(w.sources[0]->kept[0].page);
    assert_true(w.cache.bytes <= room);
    world_release(&w);
}

/* A page larger than all the room is not kept. */
static void check_no_room(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, 1);
    for (uint64_t i = 0; i < SOURCES; i++) {
        give(&w, i, i + 1, take(&w, i));
        assert_int_equal(kept(&w), 0);
    }
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_sharing),
        cmocka_unit_test(check_bound),
        cmocka_unit_test(check_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
