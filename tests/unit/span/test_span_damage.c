/* Damage: any byte of any file of a store of traces. It never shows as data, is told, and costs no more than what
 * it hit; blocks that are damaged are kept aside when what is left of them goes elsewhere. */
#include <string.h>

#include "base/log.h"
#include "span/span_files.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/span_list.h"
#include "support/span_shop.h"
#include "support/support.h"
#include "tsdb/span_page.h"
#include "tsdb/span_store.h"

#define START_NS 1700000000000000000u
#define START_MS 1700000000000
#define BLOCK "spans/0000000000000001.spans"
#define SEGMENT "spans/log/00000001.log"

enum { SPANS = 24 };

struct damage {
    struct sim_vfs *sim;
    struct fake_clock clock;
    struct span_store_options options;
    struct strbuf message;
    struct span_list list; /* what the message has */
};

static void init(struct damage *d)
{
    struct span_shop *shop = span_shop_new(3, START_NS, 100);
    memset(d, 0, sizeof(*d));
    strbuf_init(&d->message, (size_t)64 << 20);
    span_shop_take(shop, SPANS, &d->message);
    span_list_add(&d->list, strbuf_str(&d->message));
    fake_clock_init(&d->clock, START_MS);
    span_shop_free(shop);
}

static void release(struct damage *d)
{
    strbuf_release(&d->message);
    span_list_release(&d->list);
}

static int open_store(struct damage *d, struct span_store **store_out)
{
    struct err e = ERR_INIT;
    return span_store_open("spans", &d->options, store_out, &e);
}

static void append(struct damage *d, struct span_store *store)
{
    struct span_append_counts counts;
    struct err e = ERR_INIT;
    assert_int_equal(span_store_append(store, strbuf_str(&d->message), true, &counts, &e), 0);
    assert_int_equal(counts.spans, SPANS);
}

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

/* A fresh disk with a store whose message is in a block, or in the log. */
static void make_store(struct damage *d, bool in_block)
{
    struct span_store *store = NULL;
    d->sim = sim_vfs_new(1);
    d->options = (struct span_store_options){.fs = sim_vfs_get(d->sim), .clock = &d->clock.clock};
    assert_int_equal(open_store(d, &store), 0);
    append(d, store);
    if (in_block) {
        span_store_cut_soon(store);
        maintain(store);
    }
    span_store_close(store);
}

static uint64_t size_of(struct vfs *fs, const char *path)
{
    struct vfs_file *file = NULL;
    uint64_t size = 0;
    assert_int_equal(vfs_open(fs, path, VFS_READ, &file), 0);
    assert_int_equal(vfs_size(fs, file, &size), 0);
    vfs_close(fs, file);
    return size;
}

static bool exists(struct vfs *fs, const char *path)
{
    struct vfs_file *file = NULL;
    int status = vfs_open(fs, path, VFS_READ, &file);
    vfs_close(fs, file);
    return status == 0;
}

static uint64_t problems_of(struct vfs *fs, const char *path)
{
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(span_file_verify(fs, path, &report, &problems), 0);
    strbuf_release(&report);
    return problems;
}

/* Is this span, all of it, one that was sent? */
static bool was_sent(const struct damage *d, const struct otlp_span *span)
{
    struct strbuf bytes = STRBUF_INIT;
    bool found = false;
    otlp_span_encode(&span->span, &bytes);
    size_t size = bytes.size;
    for (size_t i = 0; i < d->list.count && !found; i++) {
        const struct known_span *k = &d->list.items[i];
        found = trace_id_eq(k->trace, span->span.trace_id) && k->span_id == span->span.span_id &&
                k->start_ns == span->span.start_ns && k->bytes.size >= size &&
                memcmp(k->bytes.data, bytes.data, size) == 0;
    }
    strbuf_release(&bytes);
    return found;
}

/* Reads every trace; how many spans were found. */
static size_t read_all(const struct damage *d, struct span_store *store, size_t *warnings_out)
{
    struct span_view *view = NULL;
    struct err e = ERR_INIT;
    const char *const *sentences;
    size_t found = 0;
    assert_int_equal(span_store_view(store, &view, &e), 0);
    for (size_t i = 0; i < d->list.count; i++) {
        struct arena arena;
        struct span_trace trace;
        if (i > 0 && trace_id_eq(d->list.items[i].trace, d->list.items[i - 1].trace)) {
            continue;
        }
        arena_init(&arena, 0);
        assert_int_equal(span_view_trace(view, d->list.items[i].trace, &arena, &trace, &e), 0);
        for (size_t s = 0; s < trace.count; s++) {
            if (!was_sent(d, &trace.spans[s])) {
                fail_msg("a span is answered that was never sent");
            }
        }
        found += trace.count;
        arena_release(&arena);
    }
    *warnings_out = span_view_warnings(view, &sentences);
    for (size_t i = 0; i < *warnings_out; i++) {
        assert_non_null(strstr(sentences[i], BLOCK ": page 0: ")); /* which says where */
    }
    span_view_close(view);
    return found;
}

/* One bit is turned: nothing is answered that was not sent; what is missing was told. */
static void check_flip(struct damage *d, const char *path, uint64_t bit, bool *told_out)
{
    struct span_store *store = NULL;
    struct span_store_statistics statistics;
    size_t warnings = 0;
    assert_int_equal(sim_vfs_flip_bit(d->sim, path, bit), 0);
    *told_out = problems_of(d->options.fs, path) > 0;
    int status = open_store(d, &store);
    if (status != 0) {
        assert_int_equal(status, ERR_INVALID); /* a version that this program does not know */
        return;
    }
    size_t found = read_all(d, store, &warnings);
    span_store_statistics(store, &statistics);
    *told_out = *told_out || statistics.damaged_pages > 0;
    if (found != SPANS && !(*told_out && statistics.damaged_pages == 1)) {
        fail_msg("%s: bit %llu: %zu of %d spans and not a word", path, (unsigned long long)bit,
            found, SPANS);
    }
    span_store_close(store);
}

/* Every byte of a block: whatever is turned is found by who verifies. */
static void test_flips_in_blocks(void **state)
{
    struct damage d;
    uint64_t random = test_seed();
    init(&d);
    make_store(&d, true);
    uint64_t size = size_of(d.options.fs, BLOCK);
    sim_vfs_free(d.sim);
    for (uint64_t byte = 0; byte < size; byte++) {
        bool told = false;
        make_store(&d, true);
        assert_int_equal(problems_of(d.options.fs, BLOCK), 0);
        check_flip(&d, BLOCK, 8 * byte + test_random(&random) % 8, &told);
        if (!told) {
            fail_msg("nobody finds the damage of byte %llu", (unsigned long long)byte);
        }
        sim_vfs_free(d.sim);
    }
    printf("%llu bytes of a block, each turned in one bit\n", (unsigned long long)size);
    release(&d);
    (void)state;
}

/* Of the log, too: a message that cannot be read is gone, and those behind it are there. */
static void test_flips_in_the_log(void **state)
{
    struct damage d;
    uint64_t random = test_seed();
    init(&d);
    make_store(&d, false);
    uint64_t size = size_of(d.options.fs, SEGMENT);
    sim_vfs_free(d.sim);
    for (uint64_t byte = 0; byte < size; byte++) {
        struct span_store *store = NULL;
        size_t warnings, found;
        make_store(&d, false);
        assert_int_equal(sim_vfs_flip_bit(d.sim, SEGMENT, 8 * byte + test_random(&random) % 8), 0);
        assert_int_equal(open_store(&d, &store), 0);
        found = read_all(&d, store, &warnings);
        if (found != 0) {
            fail_msg("byte %llu: %zu spans of a damaged message", (unsigned long long)byte, found);
        }
        append(&d, store); /* sent again, as nobody said that it was lost */
        assert_int_equal(read_all(&d, store, &warnings), SPANS);
        span_store_close(store);
        sim_vfs_free(d.sim);
    }
    printf("%llu bytes of the log, each turned in one bit\n", (unsigned long long)size);
    release(&d);
    (void)state;
}

/* Nobody reads a page, and its damage is found all the same; once. */
static void test_scrub(void **state)
{
    struct damage d;
    struct span_store *store = NULL;
    struct span_store_statistics statistics;
    init(&d);
    make_store(&d, true);
    uint64_t size = size_of(d.options.fs, BLOCK);
    d.options.scrub_bytes_per_second = (int64_t)size; /* a round in each second */
    assert_int_equal(open_store(&d, &store), 0);
    for (int round = 0; round < 3; round++) {
        fake_clock_advance_ms(&d.clock, 1000);
        maintain(store);
    }
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.damaged_pages, 0);
    assert_in_range(statistics.scrubbed_bytes, 2 * (size - 400), 3 * size);
    assert_int_equal(sim_vfs_flip_bit(d.sim, BLOCK, 8 * (size / 3)), 0);
    for (int round = 0; round < 3; round++) {
        fake_clock_advance_ms(&d.clock, 1000);
        maintain(store);
        span_store_statistics(store, &statistics);
    }
    assert_int_equal(statistics.damaged_pages, 1);
    span_store_close(store);
    sim_vfs_free(d.sim);
    release(&d);
    (void)state;
}

/* Eight blocks become one, and one of them is damaged: the others' spans are there, and it is kept aside. */
static void test_merging_damage(void **state)
{
    struct damage d;
    struct span_store *store = NULL;
    struct span_shop *shop = span_shop_new(4, START_NS, 100);
    struct span_list others = {0};
    struct span_store_statistics statistics;
    size_t warnings;
    init(&d);
    make_store(&d, true);
    uint64_t size = size_of(d.options.fs, BLOCK);
    assert_int_equal(sim_vfs_flip_bit(d.sim, BLOCK, 8 * (size / 3)), 0);
    assert_int_equal(open_store(&d, &store), 0);
    for (int i = 0; i < 7; i++) {
        struct span_append_counts counts;
        struct err e = ERR_INIT;
        struct strbuf message;
        strbuf_init(&message, (size_t)64 << 20);
        span_shop_take(shop, SPANS, &message);
        span_list_add(&others, strbuf_str(&message));
        assert_int_equal(span_store_append(store, strbuf_str(&message), true, &counts, &e), 0);
        span_store_cut_soon(store);
        maintain(store);
        strbuf_release(&message);
    }
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.blocks, 1);
    assert_int_equal(statistics.damaged_pages, 1);
    span_list_check(store, &others, 1);
    assert_int_equal(read_all(&d, store, &warnings), 0);
    assert_false(exists(d.options.fs, BLOCK));
    assert_true(exists(d.options.fs, BLOCK ".damaged"));
    span_store_close(store);
    span_list_release(&others);
    span_shop_free(shop);
    sim_vfs_free(d.sim);
    release(&d);
    (void)state;
}

/* Damage is wanted here. */
static void drop_line(void *context, struct str line)
{
    (void)context;
    (void)line;
}

int main(void)
{
    log_set_sink(drop_line, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips_in_blocks),
        cmocka_unit_test(test_flips_in_the_log),
        cmocka_unit_test(test_scrub),
        cmocka_unit_test(test_merging_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
