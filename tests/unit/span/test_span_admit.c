/* Spans of another time: refused, counted, and nowhere. */
#include "span/span_admit.h"

#include <string.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/span_message.h"
#include "support/support.h"
#include "tsdb/span_store.h"

#define NOW_MS INT64_C(1700000000000)
#define NOW_NS ((uint64_t)NOW_MS * 1000000)
#define DAY_NS ((uint64_t)86400 * 1000000000)
#define MINUTE_NS ((uint64_t)60 * 1000000000)

/* ---- Starts ---- */

static void add(struct span_message *m, const char *service, uint64_t id, uint64_t start_ns)
{
    span_message_add(m, service,
        &(struct span){.trace_id = {id, id},
            .span_id = id,
            .start_ns = start_ns,
            .end_ns = start_ns + 5,
            .name = STR("work")});
}

static void test_starts(void **state)
{
    static const struct {
        uint64_t starts[4]; /* up to the first 1, which is none */
        uint64_t least, greatest;
    } cases[] = {{{1}, UINT64_MAX, 0}, {{5, 1}, 5, 5}, {{7, 3, 9, 1}, 3, 9},
        {{0, UINT64_MAX, 1}, 0, UINT64_MAX}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span_message m;
        uint64_t least = 1, greatest = 1;
        span_message_begin(&m);
        for (size_t k = 0; cases[i].starts[k] != 1; k++) {
            add(&m, k % 2 == 0 ? "a" : "b", k + 1, cases[i].starts[k]);
        }
        assert_int_equal(otlp_traces_starts(span_message_end(&m), &least, &greatest), 0);
        if (least != cases[i].least || greatest != cases[i].greatest) {
            fail_msg("case %zu: %llu to %llu", i, (unsigned long long)least,
                (unsigned long long)greatest);
        }
        span_message_release(&m);
    }
    (void)state;
}

/* Protobuf's last field counts, as for who decodes the span; and what is cut off is told. */
static void test_odd_bytes(void **state)
{
    /* resource_spans { scope_spans { spans { start 1, then 2 } } } */
    static const char twice[] =
        "\x0a\x16\x12\x14\x12\x12\x39\x01\0\0\0\0\0\0\0\x39\x02\0\0\0\0\0\0\0";
    uint64_t least = 9, greatest = 9;
    assert_int_equal(otlp_traces_starts(str_make(twice, 24), &least, &greatest), 0);
    assert_int_equal(least, 2);
    assert_int_equal(greatest, 2);
    for (size_t cut = 1; cut < 24; cut++) {
        assert_int_equal(otlp_traces_starts(str_make(twice, cut), &least, &greatest), ERR_CORRUPT);
    }
    (void)state;
}

/* ---- A store ---- */

static const struct {
    const char *name;
    uint64_t start_ns;
    int verdict; /* 0 taken, 1 too new, -1 too old */
} spans[] = {
    {"now", NOW_NS, 0},
    {"at the limit", NOW_NS + 10 * MINUTE_NS, 0},
    {"beyond it", NOW_NS + 10 * MINUTE_NS + 1, 1},
    {"the year 2100", UINT64_C(4102444800000000000), 1},
    {"the last moment there is", UINT64_MAX, 1},
    {"the oldest that is kept", NOW_NS - 14 * DAY_NS, 0},
    {"before it", NOW_NS - 14 * DAY_NS - 1, -1},
    {"1970", 1, -1},
    {"no start", 0, -1},
};
enum { SPANS = sizeof(spans) / sizeof(spans[0]) };

static struct span_store *open_store(const struct span_store_options *options)
{
    struct span_store *store = NULL;
    struct err e = ERR_INIT;
    if (span_store_open("spans", options, &store, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return store;
}

static void check_store(struct span_store *store)
{
    struct span_view *view = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(span_store_view(store, &view, &e), 0);
    for (size_t i = 0; i < SPANS; i++) {
        struct arena arena;
        struct span_trace trace;
        struct trace_id id = {i + 1, i + 1};
        arena_init(&arena, 0);
        assert_int_equal(span_view_trace(view, id, &arena, &trace, &e), 0);
        if ((trace.count == 1) != (spans[i].verdict == 0)) {
            fail_msg("%s: %zu spans", spans[i].name, trace.count);
        }
        arena_release(&arena);
    }
    span_view_close(view);
}

/* Taken and refused ones in one message, with one that has no id: each is counted once, what was refused is
 * nowhere, also after a restart with a clock that would take it. */
static void test_store(void **state)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct fake_clock clock;
    struct span_append_counts counts;
    struct span_message m;
    struct err e = ERR_INIT;
    uint64_t verdicts[3] = {0};
    fake_clock_init(&clock, NOW_MS);
    struct span_store_options options = {
        .fs = sim_vfs_get(sim), .clock = &clock.clock, .future_limit_ms = 10 * 60 * 1000};
    struct span_store *store = open_store(&options);
    span_message_begin(&m);
    for (size_t i = 0; i < SPANS; i++) {
        add(&m, i % 3 == 0 ? "a" : "b", i + 1, spans[i].start_ns);
        verdicts[spans[i].verdict + 1]++;
    }
    add(&m, "a", 0, NOW_NS);
    assert_int_equal(span_store_append(store, span_message_end(&m), false, &counts, &e), 0);
    span_message_release(&m);
    assert_int_equal(counts.too_old, verdicts[0]);
    assert_int_equal(counts.spans, verdicts[1]);
    assert_int_equal(counts.too_new, verdicts[2]);
    assert_int_equal(counts.faults[OTLP_SPAN_TRACE_ID], 1);
    check_store(store);
    span_store_close(store);
    fake_clock_set_wall_ms(&clock, NOW_MS + 11 * 60 * 1000);
    store = open_store(&options);
    check_store(store);
    span_store_close(store);
    sim_vfs_free(sim);
    (void)state;
}

/* A message of nothing but refused spans is no error and leaves nothing in the log. */
static void test_nothing_left(void **state)
{
    struct sim_vfs *sim = sim_vfs_new(1);
    struct fake_clock clock;
    struct span_append_counts counts;
    struct span_message m;
    struct err e = ERR_INIT;
    fake_clock_init(&clock, NOW_MS);
    struct span_store_options options = {
        .fs = sim_vfs_get(sim), .clock = &clock.clock, .future_limit_ms = 1};
    struct span_store *store = open_store(&options);
    uint64_t appends = sim_vfs_call_count(sim, SIM_APPEND);
    span_message_begin(&m);
    add(&m, "a", 1, NOW_NS + MINUTE_NS);
    assert_int_equal(span_store_append(store, span_message_end(&m), false, &counts, &e), 0);
    assert_int_equal(counts.spans, 0);
    assert_int_equal(counts.too_new, 1);
    assert_int_equal(sim_vfs_call_count(sim, SIM_APPEND), appends);
    span_message_release(&m);
    span_store_close(store);

    /* Without a limit any time ahead is taken. */
    options.future_limit_ms = 0;
    store = open_store(&options);
    span_message_begin(&m);
    add(&m, "a", 1, UINT64_MAX - 5);
    assert_int_equal(span_store_append(store, span_message_end(&m), false, &counts, &e), 0);
    assert_int_equal(counts.spans, 1);
    span_message_release(&m);
    span_store_close(store);
    sim_vfs_free(sim);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_odd_bytes),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
