/* Each write, sync, name, read and allocation of a merge of span blocks, of writing one anew without what is due, and
 * of letting blocks go fails in turn; then the store is opened again. (Appending and cutting: test_span_store.) */
#include "support/fake_clock.h"
#include "support/fault_loop.h"
#include "support/span_message.h"
#include "support/support.h"
#include "tsdb/span_store.h"

#define START_MS INT64_C(1700000000000)
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)

enum { BLOCKS = 8, TRACES = 5 };

static const struct span_retention_rule rules[] = {{STR("brief"), HOUR}};

struct scene {
    struct fake_clock clock;
    int64_t age_ms; /* of the spans when the store is looked after */
    bool kept;      /* those of the other service still are */
};

static int open_store(struct scene *s, struct vfs *fs, struct span_store **store_out)
{
    struct err e = ERR_INIT;
    const struct span_store_options options = {.fs = fs,
        .clock = &s->clock.clock,
        .sync = WAL_SYNC_ALWAYS,
        .retention_ms = 10 * HOUR,
        .retention_rules = rules,
        .retention_rule_count = 1};
    return span_store_open("spans", &options, store_out, &e);
}

/* The first error, after all that can be done was. */
static int maintain(struct span_store *store)
{
    struct err e = ERR_INIT;
    int status;
    while ((status = span_store_maintain(store, &e)) == 1) {
    }
    return status;
}

/* Every trace has a span in each block. */
static void append(struct span_store *store, uint64_t block)
{
    struct span_message m;
    struct span_append_counts counts;
    struct err e = ERR_INIT;
    span_message_begin(&m);
    for (uint64_t t = 1; t <= 2 * TRACES; t++) {
        span_message_add(&m, t <= TRACES ? "kept" : "brief",
            &(struct span){.trace_id = {1, t},
                .span_id = block + 1,
                .start_ns = (uint64_t)START_MS * 1000000 + block,
                .end_ns = (uint64_t)START_MS * 1000000 + 9,
                .name = STR("work")});
    }
    assert_int_equal(span_store_append(store, span_message_end(&m), true, &counts, &e), 0);
    span_message_release(&m);
}

/* Eight blocks, not merged yet: the disk was nearly full. */
static void begin(void *context, struct vfs *fs)
{
    struct scene *s = context;
    struct span_store *store = NULL;
    struct span_store_statistics statistics;
    fake_clock_set_wall_ms(&s->clock, START_MS);
    assert_int_equal(open_store(s, fs, &store), 0);
    span_store_set_disk_level(store, DISK_LOW);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        append(store, i);
        span_store_cut_soon(store);
        assert_int_equal(maintain(store), 0);
    }
    span_store_statistics(store, &statistics);
    assert_int_equal(statistics.blocks, BLOCKS);
    span_store_close(store);
    fake_clock_set_wall_ms(&s->clock, START_MS + s->age_ms);
}

static int run(void *context, struct vfs *fs)
{
    struct span_store *store = NULL;
    int status = open_store(context, fs, &store);
    if (status == 0) {
        status = maintain(store);
        span_store_close(store);
    }
    return status;
}

static void check_traces(const struct scene *s, struct span_store *store)
{
    struct span_view *view = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(span_store_view(store, &view, &e), 0);
    for (uint64_t t = 1; t <= TRACES; t++) {
        struct arena arena;
        struct span_trace trace;
        arena_init(&arena, 0);
        assert_int_equal(span_view_trace(view, (struct trace_id){1, t}, &arena, &trace, &e), 0);
        if (trace.count != (s->kept ? BLOCKS : 0)) {
            fail_msg("trace %llu has %zu spans", (unsigned long long)t, trace.count);
        }
        arena_release(&arena);
    }
    span_view_close(view);
}

/* Nothing that is kept is lost, before and after the work is done at last; then each span is there once. */
static void verify(void *context, struct vfs *fs, const struct fault_round *round)
{
    struct scene *s = context;
    struct span_store *store = NULL;
    struct span_store_statistics statistics;
    assert_int_equal(open_store(s, fs, &store), 0);
    if (s->kept) {
        check_traces(s, store);
    }
    assert_int_equal(maintain(store), 0);
    check_traces(s, store);
    span_store_statistics(store, &statistics);
    uint64_t of_each = (s->kept ? TRACES : 0) + (s->age_ms <= HOUR ? TRACES : 0);
    assert_int_equal(statistics.block_spans, BLOCKS * of_each);
    assert_int_equal(
        statistics.block_traces, of_each); /* one run of rows each, out of eight blocks */
    assert_int_equal(statistics.damaged_pages, 0);
    span_store_close(store);
    (void)round;
}

static void play(const char *name, int64_t age_ms, bool kept)
{
    struct scene s = {.age_ms = age_ms, .kept = kept};
    fake_clock_init(&s.clock, START_MS);
    struct fault_scenario scenario = {name, &s, begin, run, verify, 0, 5};
    assert_true(fault_loop(&scenario, FAULT_ALL) > 50);
}

static void test_merge(void **state)
{
    play("merge of spans", MINUTE, true);
    (void)state;
}

static void test_thinning(void **state)
{
    play("spans that are due", 2 * HOUR, true);
    (void)state;
}

/* A reader holds the blocks while they are written anew, and those again merged; then the power fails. Files that
 * could not go yet must not come back to life. */
static void test_reader_and_power_cut(void **state)
{
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct sim_vfs *sim = sim_vfs_new(seed);
        struct scene s = {.age_ms = 2 * HOUR, .kept = true};
        struct span_store *store = NULL;
        struct span_view *view = NULL;
        struct err e = ERR_INIT;
        const struct fault_round round = {.power_cut = true};
        fake_clock_init(&s.clock, START_MS);
        begin(&s, sim_vfs_get(sim));
        assert_int_equal(open_store(&s, sim_vfs_get(sim), &store), 0);
        assert_int_equal(span_store_view(store, &view, &e), 0);
        assert_int_equal(maintain(store), 0);
        sim_vfs_power_cut(sim, seed);
        span_view_close(view);
        span_store_close(store);
        verify(&s, sim_vfs_get(sim), &round);
        sim_vfs_free(sim);
    }
    (void)state;
}

static void test_retention(void **state)
{
    play("blocks that are due", 11 * HOUR, false);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_thinning),
        cmocka_unit_test(test_reader_and_power_cut),
        cmocka_unit_test(test_retention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
