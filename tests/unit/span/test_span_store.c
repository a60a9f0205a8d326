/* The store of traces against a plain list: what was appended is found, through cuts, merges and restarts,
 * each fault of a disk, and time. */
#include "tsdb/span_store.h"

#include <stdio.h>
#include <string.h>

#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/span_list.h"
#include "support/span_shop.h"
#include "support/support.h"
#include "tsdb/span_page.h"

#define START_NS 1700000000000000000u
#define START_MS 1700000000000

static void maintain(struct span_store *store)
{
    struct err e = ERR_INIT;
    int status;
    while ((status = span_store_maintain(store, &e)) == 1) {
    }
    if (status != 0) {
        fail_msg("%s", e.message);
    }
}

/* ---- A life ---- */

struct world {
    struct sim_vfs *sim;
    struct fake_clock clock;
    struct span_shop *shop;
    struct span_store_options options;
    struct span_list list;
    struct strbuf message;
};

static void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->sim = sim_vfs_new(seed);
    fake_clock_init(&w->clock, START_MS);
    w->shop = span_shop_new(seed, START_NS, 100);
    w->options = (struct span_store_options){
        .fs = sim_vfs_get(w->sim), .clock = &w->clock.clock, .block_spans = 4096};
    strbuf_init(&w->message, (size_t)64 << 20);
}

static void world_release(struct world *w)
{
    span_shop_free(w->shop);
    sim_vfs_free(w->sim);
    span_list_release(&w->list);
    strbuf_release(&w->message);
}

static struct span_store *open_store(struct world *w)
{
    struct span_store *store = NULL;
    struct err e = ERR_INIT;
    if (span_store_open("spans", &w->options, &store, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return store;
}

static void append(struct world *w, struct span_store *store, int batches)
{
    for (int i = 0; i < batches; i++) {
        struct span_append_counts counts;
        struct err e = ERR_INIT;
        size_t spans = span_shop_next(w->shop, &w->message);
        span_list_add(&w->list, strbuf_str(&w->message));
        assert_int_equal(span_store_append(store, strbuf_str(&w->message), false, &counts, &e), 0);
        assert_int_equal(counts.spans, spans);
    }
}

static void test_finds_what_was_appended(void **state)
{
    struct world w;
    struct span_store_statistics statistics;
    world_init(&w, test_seed());
    struct span_store *store = open_store(&w);
    append(&w, store, 3);
    span_list_check(store, &w.list, 1); /* in the page that is being filled */
    append(&w, store, 15);
    span_list_check(store, &w.list, 7); /* in pages of memory */
    maintain(store);
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.blocks, 1);
    assert_int_equal(statistics.head_spans, 0);
    span_list_check(store, &w.list, 7); /* in a block */
    size_t in_blocks = w.list.count;
    append(&w, store, 2);
    span_store_close(store);

    store = open_store(&w);
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.replayed_spans, w.list.count - in_blocks);
    assert_int_equal(span_list_count_pages(store), w.list.count);
    span_list_check(store, &w.list, 7);
    for (int i = 0; i < 9; i++) {
        append(&w, store, 8);
        maintain(store);
    }
    span_store_statistics(store, &statistics);
    assert_true(statistics.blocks < 8); /* eight became one */
    assert_int_equal(span_list_count_pages(store), w.list.count);
    span_list_check(store, &w.list, 31);
    span_store_close(store);

    store = open_store(&w);
    assert_int_equal(span_list_count_pages(store), w.list.count);
    span_list_check(store, &w.list, 31);
    struct err e = ERR_INIT;
    struct span_store *second = NULL;
    assert_int_equal(span_store_open("spans", &w.options, &second, &e), ERR_LOCKED);
    span_store_close(store);
    world_release(&w);
    (void)state;
}

/* Rows of pages that may have a value, and how many of them do. */
static void look_for(struct span_store *store, struct str key, struct str text, uint64_t *rows_out,
    uint64_t *found_out)
{
    struct span_view *view = NULL;
    struct span_pages *pages = NULL;
    struct span_page *page;
    struct err e = ERR_INIT;
    uint64_t latest;
    *rows_out = *found_out = 0;
    assert_int_equal(span_store_view(store, &view, &e), 0);
    assert_int_equal(span_view_pages(view, 0, UINT64_MAX, &pages, &e), 0);
    assert_int_equal(span_pages_want(pages, key, text), 0);
    while (span_pages_next(pages, &page, &latest) == 1) {
        struct arena arena;
        uint32_t rows = span_page_info(page).rows;
        arena_init(&arena, 0);
        struct otlp_span *spans = arena_alloc(&arena, rows * sizeof(*spans));
        assert_int_equal(span_page_spans(page, 0, rows, &arena, spans), 0);
        *rows_out += rows;
        for (uint32_t i = 0; i < rows; i++) {
            struct strbuf value = STRBUF_INIT;
            const struct attribute *a = attributes_get(spans[i].span.attributes, key);
            a = a != NULL ? a : attributes_get(spans[i].resource->attributes, key);
            if (a != NULL) {
                otlp_attribute_write_text(a, &value);
            }
            bool name = str_eq(key, STR(SPAN_WANT_NAME)) && str_eq(spans[i].span.name, text);
            *found_out += name || (a != NULL && str_eq(strbuf_str(&value), text));
            strbuf_release(&value);
        }
        arena_release(&arena);
    }
    span_pages_close(pages);
    span_view_close(view);
}

/* Pages that have none of a wanted value are skipped, and no other: what is found in all pages is found in
 * those that come. */
static void test_wanted_values(void **state)
{
    static const struct {
        struct str key, text;
        bool there;
    } cases[] = {{STR("service.namespace"), STR("shop"), true},
        {STR("http.response.status_code"), STR("500"), true},
        {STR("server.port"), STR("8080"), true}, {STR("http.route"), STR("/cart/{id}"), true},
        {STR(SPAN_WANT_NAME), STR("SELECT shop"), true},
        {STR("exception.type"), STR("java.lang.IllegalStateException"), true},
        {STR("service.name"), STR("nowhere"), false}, {STR("server.port"), STR("8081"), false},
        {STR("no.such.key"), STR("8080"), false}, {STR(SPAN_WANT_NAME), STR("DROP shop"), false}};
    struct world w;
    world_init(&w, 9);
    struct span_store *store = open_store(&w);
    append(&w, store, 9);
    maintain(store);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t rows = 0, found = 0;
        look_for(store, cases[i].key, cases[i].text, &rows, &found);
        bool of_event = str_eq(cases[i].key, STR("exception.type"));
        if ((rows > 0) != cases[i].there || (found > 0) != (cases[i].there && !of_event)) {
            fail_msg("%.*s = %.*s: %llu rows looked at, %llu found", STR_ARG(cases[i].key),
                STR_ARG(cases[i].text), (unsigned long long)rows, (unsigned long long)found);
        }
    }
    /* Orders are many: pages come for those they have, and hardly for others. */
    uint64_t rows = 0, found = 0, vain = 0;
    for (int i = 0; i < 200; i++) {
        char text[32];
        snprintf(text, sizeof(text), "ord-%d", i);
        look_for(store, STR("app.order.id"), str_of(text), &rows, &found);
        vain += rows > 0;
        assert_int_equal(found, 0);
    }
    assert_in_range(vain, 0, 12); /* one in a hundred */
    span_store_close(store);
    world_release(&w);
    (void)state;
}

/* What is sent again is there once. */
static void test_repeated_messages(void **state)
{
    struct world w;
    world_init(&w, 5);
    struct span_store *store = open_store(&w);
    append(&w, store, 4);
    struct span_append_counts counts;
    struct err e = ERR_INIT;
    assert_int_equal(span_store_append(store, strbuf_str(&w.message), true, &counts, &e), 0);
    span_list_check(store, &w.list, 1);
    fake_clock_advance_ms(&w.clock, SPAN_STORE_BLOCK_AGE_MS_DEFAULT);
    maintain(store);
    span_list_check(store, &w.list, 1);
    assert_int_equal(span_list_count_pages(store), w.list.count);
    span_store_close(store);
    world_release(&w);
    (void)state;
}

static void test_old_blocks_go(void **state)
{
    struct world w;
    struct span_store_statistics statistics;
    world_init(&w, 6);
    w.options.retention_ms = 3600 * 1000;
    struct span_store *store = open_store(&w);
    append(&w, store, 9);
    maintain(store);
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.blocks, 1);
    fake_clock_set_wall_ms(&w.clock, START_MS + 2 * 3600 * 1000);
    maintain(store);
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.blocks, 0);
    assert_int_equal(span_list_count_pages(store), 0);
    span_store_close(store);
    world_release(&w);
    (void)state;
}

/* Spans in pages, and how many of their traces have no error. */
static uint64_t count_sound_traces(struct span_store *store, uint64_t *spans_out)
{
    struct span_view *view = NULL;
    struct span_pages *pages = NULL;
    struct span_page *page;
    struct err e = ERR_INIT;
    uint64_t latest, sound = 0;
    *spans_out = 0;
    assert_int_equal(span_store_view(store, &view, &e), 0);
    assert_int_equal(span_view_pages(view, 0, UINT64_MAX, &pages, &e), 0);
    while (span_pages_next(pages, &page, &latest) == 1) {
        const struct span_page_trace *traces;
        struct span_page_columns c;
        assert_int_equal(span_page_traces(page, &traces), 0);
        assert_int_equal(span_page_columns(page, &c), 0);
        *spans_out += span_page_info(page).rows;
        for (uint32_t t = 0; t < span_page_info(page).traces; t++) {
            bool failed = false;
            for (uint32_t i = 0; i < traces[t].count; i++) {
                failed = failed || c.status[traces[t].first + i] == SPAN_STATUS_ERROR;
            }
            sound += !failed;
        }
    }
    span_pages_close(pages);
    span_view_close(view);
    return sound;
}

/* Traces with an error outlive the others, whole; then they go, too. */
static void test_errors_are_kept_longer(void **state)
{
    struct world w;
    struct span_store_statistics statistics;
    uint64_t spans = 0, kept = 0;
    world_init(&w, 6);
    w.options.retention_ms = 3600 * 1000;
    w.options.retention_errors_ms = 10 * 3600 * 1000;
    struct span_store *store = open_store(&w);
    append(&w, store, 18);
    maintain(store);
    assert_true(count_sound_traces(store, &spans) > 0);
    assert_int_equal(spans, w.list.count);
    fake_clock_set_wall_ms(&w.clock, START_MS + 2 * 3600 * 1000);
    maintain(store);
    assert_int_equal(count_sound_traces(store, &kept), 0);
    assert_in_range(kept, 1, spans / 2);
    span_store_close(store);
    store = open_store(&w);
    maintain(store); /* a block is thinned once */
    assert_int_equal(count_sound_traces(store, &spans), 0);
    assert_int_equal(spans, kept);
    fake_clock_set_wall_ms(&w.clock, START_MS + 11 * 3600 * 1000);
    maintain(store);
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.blocks, 0);
    span_store_close(store);
    world_release(&w);
    (void)state;
}

/* ---- Refusals ---- */

static void test_refusals(void **state)
{
    struct world w;
    struct span_append_counts counts;
    struct err e = ERR_INIT;
    world_init(&w, 7);
    w.options.head_bytes = 1 << 20;
    struct span_store *store = open_store(&w);
    assert_int_equal(span_store_append(store, STR("\x0a\xff"), false, &counts, &e), ERR_CORRUPT);
    assert_int_equal(span_store_append(store, STR(""), false, &counts, &e), 0);
    assert_int_equal(counts.spans, 0);
    int status = 0;
    for (int i = 0; i < 100 && status == 0; i++) {
        (void)span_shop_next(w.shop, &w.message);
        status = span_store_append(store, strbuf_str(&w.message), false, &counts, &e);
    }
    assert_int_equal(status, ERR_BUSY);
    maintain(store);
    assert_int_equal(span_store_append(store, strbuf_str(&w.message), false, &counts, &e), 0);
    span_store_close(store);
    world_release(&w);
    (void)state;
}

/* A disk that fills up: first no merges, and old blocks go where a size was set, then no appends; all by itself
 * again when there is room. */
static void test_disk_levels(void **state)
{
    struct world w;
    struct span_append_counts counts;
    struct span_store_statistics statistics;
    struct err e = ERR_INIT;
    world_init(&w, 7);
    w.options.block_spans = 1;
    struct span_store *store = open_store(&w);
    span_store_set_disk_level(store, DISK_LOW);
    for (int i = 0; i < 9; i++) {
        append(&w, store, 1);
        maintain(store);
    }
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.blocks, 9); /* none merged, none dropped */
    span_store_set_disk_level(store, DISK_FULL);
    (void)span_shop_next(w.shop, &w.message);
    assert_int_equal(
        span_store_append(store, strbuf_str(&w.message), false, &counts, &e), ERR_NO_SPACE);
    assert_non_null(strstr(e.message, "full"));
    span_list_check(store, &w.list, 1);
    span_store_set_disk_level(store, DISK_GOOD);
    append(&w, store, 1);
    maintain(store);
    span_list_check(store, &w.list, 1);
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.blocks, 3); /* eight became one */
    span_store_close(store);

    w.options.retention_bytes = (uint64_t)1 << 40;
    store = open_store(&w);
    for (int left = 2; left >= 0; left--) {
        span_store_set_disk_level(store, DISK_LOW); /* it was looked at: one block for each look */
        maintain(store);
        span_store_statistics(store, &statistics);
        assert_int_equal(statistics.blocks, left > 0 ? left : 1);
    }
    span_store_close(store);
    world_release(&w);
    (void)state;
}

/* A damaged page costs its spans and is told; the rest is answered. */
static void test_damage(void **state)
{
    struct world w;
    struct span_view *view = NULL;
    struct span_pages *pages = NULL;
    struct span_page *page;
    struct err e = ERR_INIT;
    const char *const *warnings;
    uint64_t latest, rows = 0;
    world_init(&w, 8);
    w.options.block_spans = 20000;
    struct span_store *store = open_store(&w);
    append(&w, store, 40);
    maintain(store);
    span_store_close(store);
    assert_int_equal(sim_vfs_flip_bit(w.sim, "spans/0000000000000001.spans", 8 * 5000), 0);
    store = open_store(&w);
    assert_int_equal(span_store_view(store, &view, &e), 0);
    assert_int_equal(span_view_pages(view, 0, UINT64_MAX, &pages, &e), 0);
    while (span_pages_next(pages, &page, &latest) == 1) {
        struct span_page_columns columns;
        const struct span_page_trace *traces;
        int status = span_page_columns(page, &columns);
        status = status == 0 ? span_page_traces(page, &traces) : status;
        rows += status == 0 ? span_page_info(page).rows : 0;
    }
    assert_true(rows > 0 && rows <= w.list.count);
    (void)span_view_warnings(view, &warnings);
    span_pages_close(pages);
    span_view_close(view);
    span_store_close(store);
    world_release(&w);
    (void)state;
}

/* ---- Faults of a disk ---- */

enum { FAULT_BATCHES = 3, FAULT_SPANS = 40 };

struct faulted {
    struct strbuf messages[FAULT_BATCHES];
    struct span_list lists[FAULT_BATCHES];
    struct fake_clock clock;
    bool taken[FAULT_BATCHES];
};

static struct span_store_options fault_options(struct faulted *f, struct vfs *fs)
{
    return (struct span_store_options){
        .fs = fs, .clock = &f->clock.clock, .block_spans = 36, .sync = WAL_SYNC_ALWAYS};
}

static int run_faulted(void *context, struct vfs *fs)
{
    struct faulted *f = context;
    struct span_store_options options = fault_options(f, fs);
    struct span_store *store = NULL;
    struct err e = ERR_INIT;
    memset(f->taken, 0, sizeof(f->taken));
    int first_error = span_store_open("spans", &options, &store, &e);
    if (first_error != 0) {
        return first_error;
    }
    for (int i = 0; i < FAULT_BATCHES; i++) {
        struct span_append_counts counts;
        int status = span_store_append(store, strbuf_str(&f->messages[i]), true, &counts, &e);
        f->taken[i] = status == 0;
        first_error = first_error != 0 ? first_error : status;
        while ((status = span_store_maintain(store, &e)) == 1) {
        }
        first_error = first_error != 0 ? first_error : status;
    }
    span_store_close(store);
    return first_error;
}

static void verify_faulted(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct faulted *f = context;
    struct span_store_options options = fault_options(f, fs);
    struct span_store *store = NULL;
    struct err e = ERR_INIT;
    if (span_store_open("spans", &options, &store, &e) != 0) {
        fail_msg("%s", e.message);
    }
    struct span_view *view = NULL;
    assert_int_equal(span_store_view(store, &view, &e), 0);
    for (int i = 0; i < FAULT_BATCHES; i++) {
        for (size_t k = 0; f->taken[i] && k < f->lists[i].count; k += 7) {
            struct arena arena;
            struct span_trace trace;
            bool found = false;
            arena_init(&arena, 0);
            assert_int_equal(
                span_view_trace(view, f->lists[i].items[k].trace, &arena, &trace, &e), 0);
            for (size_t s = 0; s < trace.count && !found; s++) {
                found = trace.spans[s].span.span_id == f->lists[i].items[k].span_id;
            }
            if (!found) {
                fail_msg("an acknowledged span of batch %d is lost", i);
            }
            arena_release(&arena);
        }
    }
    span_view_close(view);
    span_store_close(store);
    (void)round;
}

static void test_faults(void **state)
{
    struct faulted f = {0};
    struct span_shop *shop = span_shop_new(3, START_NS, 100);
    fake_clock_init(&f.clock, START_MS);
    for (int i = 0; i < FAULT_BATCHES; i++) {
        strbuf_init(&f.messages[i], (size_t)64 << 20);
        span_shop_take(shop, FAULT_SPANS, &f.messages[i]);
        span_list_add(&f.lists[i], strbuf_str(&f.messages[i]));
    }
    struct fault_scenario scenario = {"span store", &f, NULL, run_faulted, verify_faulted, 0, 23};
    assert_true(fault_loop(&scenario, FAULT_ALL) > 100);
    for (int i = 0; i < FAULT_BATCHES; i++) {
        strbuf_release(&f.messages[i]);
        span_list_release(&f.lists[i]);
    }
    span_shop_free(shop);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_was_appended),
        cmocka_unit_test(test_wanted_values),
        cmocka_unit_test(test_repeated_messages),
        cmocka_unit_test(test_old_blocks_go),
        cmocka_unit_test(test_errors_are_kept_longer),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_disk_levels),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
