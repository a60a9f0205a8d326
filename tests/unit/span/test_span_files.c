/* Files of a store of traces: snapshots beside writers, and damage that is found. */
#include "span/span_files.h"

#include <stdio.h>
#include <string.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/span_list.h"
#include "support/span_shop.h"
#include "support/support.h"

#define START_NS 1700000000000000000u
#define START_MS 1700000000000

struct world {
    struct sim_vfs *sim;
    struct vfs *fs;
    struct fake_clock clock;
    struct span_shop *shop;
    struct span_list list;
    struct strbuf message;
};

static void world_init(struct world *w)
{
    *w = (struct world){.sim = sim_vfs_new(1), .shop = span_shop_new(1, START_NS, 100)};
    w->fs = sim_vfs_get(w->sim);
    fake_clock_init(&w->clock, START_MS);
    strbuf_init(&w->message, (size_t)64 << 20);
}

static void world_release(struct world *w)
{
    span_shop_free(w->shop);
    sim_vfs_free(w->sim);
    span_list_release(&w->list);
    strbuf_release(&w->message);
}

static struct span_store *open_store(struct world *w, const char *path)
{
    const struct span_store_options options = {
        .fs = w->fs, .clock = &w->clock.clock, .block_spans = 2 * SPAN_SHOP_BATCH};
    struct span_store *store = NULL;
    struct err e = ERR_INIT;
    if (span_store_open(path, &options, &store, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return store;
}

/* Two batches make a block; those before the last `in_log` do. */
static void append(struct world *w, struct span_store *store, int batches, int in_log)
{
    for (int i = 0; i < batches; i++) {
        struct span_append_counts counts;
        struct err e = ERR_INIT;
        (void)span_shop_next(w->shop, &w->message);
        span_list_add(&w->list, strbuf_str(&w->message));
        assert_int_equal(span_store_append(store, strbuf_str(&w->message), false, &counts, &e), 0);
        if (i < batches - in_log) {
            assert_true(span_store_maintain(store, &e) >= 0);
        }
    }
}

static uint64_t verify(struct world *w, const char *path, struct strbuf *report)
{
    uint64_t problems = 0;
    strbuf_reset(report);
    assert_int_equal(span_file_verify(w->fs, path, report, &problems), 0);
    assert_true((problems > 0) == (report->size > 0));
    return problems;
}

struct sound {
    struct world *w;
    const char *directory;
    int files;
};

static int expect_sound(void *context, const char *name)
{
    struct sound *s = context;
    struct strbuf report = STRBUF_INIT;
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", s->directory, name);
    if (verify(s->w, path, &report) != 0) {
        fail_msg("%s", report.data);
    }
    strbuf_release(&report);
    s->files++;
    return 0;
}

/* What was there when the snapshot was taken is in it, from blocks and from the log; what came later is
 * not, and neither does the other's life touch it. */
static void test_snapshot(void **state)
{
    struct world w;
    struct err e = ERR_INIT;
    world_init(&w);
    struct span_store *store = open_store(&w, "spans");
    append(&w, store, 7, 3);
    assert_int_equal(span_store_snapshot(store, "copy", true, &e), 0);
    assert_int_equal(span_store_snapshot(store, "blocks", false, &e), 0);
    struct span_list then = w.list;
    w.list = (struct span_list){0};
    append(&w, store, 20, 0);
    span_store_close(store);

    struct sound sound = {&w, "copy", 0};
    assert_int_equal(span_files_each(w.fs, "copy", expect_sound, &sound), 0);
    assert_true(sound.files >= 3); /* two blocks and a segment */
    store = open_store(&w, "copy");
    span_list_check(store, &then, 3);
    assert_int_equal(span_list_count_pages(store), then.count);
    span_store_close(store);
    store = open_store(&w, "blocks");
    assert_int_equal(span_list_count_pages(store), 4 * SPAN_SHOP_BATCH);
    span_store_close(store);
    store = open_store(&w, "spans");
    assert_int_equal(span_list_count_pages(store), then.count + w.list.count);
    span_store_close(store);
    span_list_release(&then);
    world_release(&w);
}

/* A flipped bit anywhere in a block is found. */
static void test_flipped_bits(void **state)
{
    static const char path[] = "spans/0000000000000001.spans";
    struct world w;
    struct strbuf report = STRBUF_INIT;
    struct vfs_file *file = NULL;
    uint64_t size = 0, random = test_seed();
    world_init(&w);
    struct span_store *store = open_store(&w, "spans");
    append(&w, store, 2, 0);
    span_store_close(store);
    assert_int_equal(vfs_open(w.fs, path, VFS_READ, &file), 0);
    assert_int_equal(vfs_size(w.fs, file, &size), 0);
    vfs_close(w.fs, file);
    for (int i = 0; i < 200; i++) {
        uint64_t bit = test_random(&random) % (size * 8);
        assert_int_equal(sim_vfs_flip_bit(w.sim, path, bit), 0);
        if (verify(&w, path, &report) == 0) {
            fail_msg("bit %llu of %llu bytes was flipped, and is not found",
                (unsigned long long)bit, (unsigned long long)size);
        }
        assert_int_equal(sim_vfs_flip_bit(w.sim, path, bit), 0);
    }
    assert_int_equal(verify(&w, path, &report), 0);
    strbuf_release(&report);
    world_release(&w);
}

/* Damage in the log is found when a whole message follows it; a torn end is a crash's. */
static void test_damaged_log(void **state)
{
    static const char path[] = "spans/log/00000001.log";
    struct world w;
    struct strbuf report = STRBUF_INIT;
    world_init(&w);
    struct span_store *store = open_store(&w, "spans");
    append(&w, store, 2, 2);
    span_store_close(store);
    assert_int_equal(verify(&w, path, &report), 0);
    assert_int_equal(sim_vfs_flip_bit(w.sim, path, 8 * 100), 0);
    assert_int_equal(verify(&w, path, &report), 1);
    assert_non_null(strstr(report.data, "are damaged"));
    strbuf_release(&report);
    world_release(&w);
}

static void test_dump(void **state)
{
    struct world w;
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    char expected[64];
    world_init(&w);
    struct span_store *store = open_store(&w, "spans");
    append(&w, store, 3, 1);
    span_store_close(store);
    assert_int_equal(span_file_dump(w.fs, "spans/0000000000000001.spans", false, &text, &e), 0);
    assert_non_null(strstr(text.data, "level 0, covers segments of the log up to 1"));
    assert_non_null(strstr(text.data, "1024 spans of "));
    strbuf_reset(&text);
    assert_int_equal(span_file_dump(w.fs, "spans/log/00000002.log", true, &text, &e), 0);
    snprintf(expected, sizeof(expected), "%016llx start ",
        (unsigned long long)w.list.items[w.list.count - 1].span_id);
    assert_non_null(strstr(text.data, "message: "));
    assert_non_null(strstr(text.data, expected));
    strbuf_reset(&text);
    assert_int_equal(span_files_stats(w.fs, "spans", &text, &e), 0);
    assert_non_null(strstr(text.data, "all blocks of spans"));
    assert_non_null(strstr(text.data, " 1024 spans"));
    strbuf_reset(&text);
    assert_int_equal(sim_vfs_flip_bit(w.sim, "spans/0000000000000001.spans", 3), 0);
    assert_int_equal(
        span_file_dump(w.fs, "spans/0000000000000001.spans", false, &text, &e), ERR_CORRUPT);
    strbuf_release(&text);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_damaged_log),
        cmocka_unit_test(test_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
