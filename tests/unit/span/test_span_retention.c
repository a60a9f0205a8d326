/* How long traces are kept: rules, marks, and a store that follows them. */
#include "span/span_retention.h"

#include <string.h>

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/span_message.h"
#include "support/support.h"
#include "tsdb/span_store.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define NOW_MS INT64_C(1700000000000)

static uint64_t ns(int64_t ms)
{
    return (uint64_t)ms * 1000000;
}

/* ---- Traces ---- */

static const struct span_retention_rule rules[] = {
    {STR("debug-.*"), HOUR}, {STR("checkout|cart"), 90 * DAY}, {STR("audit"), 0}};
static const struct span_retention_rules with_rules = {
    .retention_ms = 14 * DAY, .errors_ms = 30 * DAY, .rules = rules, .rule_count = 3};

struct member {
    const char *service;
    int64_t age_ms;
    bool failed;
};

/* One trace of up to three spans. */
static const struct {
    const char *name;
    struct member spans[3];
    bool wanted;
} traces[] = {
    {"young", {{"shop", DAY, false}}, true},
    {"to the millisecond", {{"shop", 14 * DAY, false}}, true},
    {"due", {{"shop", 14 * DAY + 1, false}}, false},
    {"an error", {{"shop", 15 * DAY, true}}, true},
    {"an old error", {{"shop", 31 * DAY, true}}, false},
    {"the latest span counts", {{"shop", 20 * DAY, false}, {"shop", 13 * DAY, false}}, true},
    {"a shorter rule", {{"debug-x", HOUR + 1, false}}, false},
    {"within it", {{"debug-x", HOUR - 1, false}}, true},
    {"its errors", {{"debug-x", 29 * DAY, true}}, true},
    {"the whole name", {{"debug", DAY, false}}, true},
    {"a longer rule", {{"cart", 89 * DAY, false}}, true},
    {"beyond it", {{"cart", 91 * DAY, false}}, false},
    {"for ever", {{"audit", 9999 * DAY, false}}, true},
    {"the longest of its services",
        {{"debug-x", 20 * DAY, false}, {"checkout", 20 * DAY, false}, {"shop", 20 * DAY, false}},
        true},
    {"the error of another service", {{"debug-x", 20 * DAY, false}, {"shop", 20 * DAY, true}},
        true},
    {"no service", {{NULL, 13 * DAY, false}}, true},
    {"no service, old", {{NULL, 15 * DAY, false}}, false},
};

static void test_traces(void **state)
{
    struct span_retention r;
    struct err e = ERR_INIT;
    assert_int_equal(span_retention_init(&r, &with_rules, &e), 0);
    const struct span_keep keep = {&r, NOW_MS};
    for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        struct otlp_span spans[3] = {{.resource = NULL}};
        struct span_resource resources[3] = {{.dropped_attributes = 0}};
        struct attribute names[3];
        size_t count = 0;
        for (; count < 3 && (count == 0 || traces[i].spans[count].age_ms > 0); count++) {
            const struct member *m = &traces[i].spans[count];
            if (m->service != NULL) {
                names[count] = (struct attribute){.key = STR("service.name"),
                    .kind = ATTRIBUTE_STRING,
                    .bytes = str_of(m->service)};
                resources[count].attributes = (struct attributes){&names[count], 1};
            }
            spans[count].resource = &resources[count];
            spans[count].span.start_ns = ns(NOW_MS - m->age_ms);
            spans[count].span.status = m->failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET;
        }
        if (span_keep_wants(&keep, spans, count) != traces[i].wanted) {
            fail_msg("%s: %s", traces[i].name, traces[i].wanted ? "not wanted" : "wanted");
        }
    }
    assert_true(span_retention_longest_ms(&r) == INT64_MAX);
    span_retention_release(&r);
    (void)state;
}

/* ---- Marks ---- */

static bool is_due(const struct span_retention_rules *options, int64_t marked_ms, int64_t now_ms)
{
    struct span_retention marking, r;
    struct err e = ERR_INIT;
    assert_int_equal(span_retention_init(&marking, &with_rules, &e), 0);
    assert_int_equal(span_retention_init(&r, options, &e), 0);
    uint64_t latest = ns(NOW_MS);
    uint64_t mark = marked_ms == 0 ? 0 : span_retention_mark(&marking, NOW_MS + marked_ms, latest);
    bool due = span_retention_is_due(&r, NOW_MS + now_ms, mark, latest);
    span_retention_release(&marking);
    span_retention_release(&r);
    return due;
}

static void test_marks(void **state)
{
    static const struct span_retention_rule others[] = {{STR("debug-.*"), 2 * HOUR}};
    static const struct span_retention_rules other = {
        .retention_ms = 14 * DAY, .rules = others, .rule_count = 1};
    static const struct {
        const char *name;
        const struct span_retention_rules *options;
        int64_t marked_ms, now_ms; /* behind the latest span of the block; 0: no mark */
        bool due;
    } cases[] = {
        {"nothing has passed", &with_rules, 0, HOUR, false},
        {"the shortest has", &with_rules, 0, HOUR + 1, true},
        {"and was marked", &with_rules, HOUR + 1, 13 * DAY, false},
        {"the next has", &with_rules, HOUR + 1, 14 * DAY + 1, true},
        {"errors are the next", &with_rules, 15 * DAY, 30 * DAY + 1, true},
        {"then the longer rule", &with_rules, 31 * DAY, 90 * DAY + 1, true},
        {"and no more", &with_rules, 91 * DAY, 9999 * DAY, false},
        {"other rules, not due", &other, 31 * DAY, HOUR + 1, false},
        {"other rules, due again", &other, 31 * DAY, 2 * HOUR + 1, true},
        {"a mark of an older version", &with_rules, 0, 15 * DAY, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (is_due(cases[i].options, cases[i].marked_ms, cases[i].now_ms) != cases[i].due) {
            fail_msg("%s: expected %d", cases[i].name, cases[i].due);
        }
    }
    (void)state;
}

static void test_refusals(void **state)
{
    static const struct span_retention_rule broken[] = {{STR("a("), HOUR}};
    static const struct span_retention_rules options = {.rules = broken, .rule_count = 1};
    const struct span_retention_rules many = {
        .rules = rules, .rule_count = SPAN_RETENTION_RULES_MAX + 1};
    struct span_retention r;
    struct err e = ERR_INIT;
    assert_int_equal(span_retention_init(&r, &options, &e), ERR_INVALID);
    assert_non_null(strstr(e.message, "services \"a(\": "));
    span_retention_release(&r);
    assert_int_equal(span_retention_init(&r, &many, &e), ERR_LIMIT);
    span_retention_release(&r);
    (void)state;
}

/* ---- A store ---- */

static struct span_store *open_store(const struct span_store_options *options)
{
    struct span_store *store = NULL;
    struct err e = ERR_INIT;
    if (span_store_open("spans", options, &store, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return store;
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

/* The services of the traces that are there, in the order of their ids: "debug-x shop". */
static void list_services(struct span_store *store, size_t traces_sent, struct strbuf *out)
{
    struct span_view *view = NULL;
    struct err e = ERR_INIT;
    strbuf_reset(out);
    assert_int_equal(span_store_view(store, &view, &e), 0);
    for (size_t i = 1; i <= traces_sent; i++) {
        struct arena arena;
        struct span_trace trace;
        arena_init(&arena, 0);
        assert_int_equal(span_view_trace(view, (struct trace_id){i, i}, &arena, &trace, &e), 0);
        if (trace.count > 0) {
            strbuf_add_c(out, out->size > 0 ? " " : "");
            strbuf_add_str(out, span_resource_service(trace.spans[0].resource));
        }
        arena_release(&arena);
    }
    strbuf_add_char(out, '\0');
    span_view_close(view);
}

static void append_traces(
    struct span_store *store, int64_t start_ms, const char *const *services, size_t count)
{
    struct span_append_counts counts;
    struct span_message m;
    struct err e = ERR_INIT;
    span_message_begin(&m);
    for (size_t i = 0; i < count; i++) {
        span_message_add(&m, services[i],
            &(struct span){.trace_id = {i + 1, i + 1},
                .span_id = i + 1,
                .start_ns = ns(start_ms),
                .end_ns = ns(start_ms) + 5,
                .name = STR("work")});
    }
    assert_int_equal(span_store_append(store, span_message_end(&m), false, &counts, &e), 0);
    assert_int_equal(counts.spans, count);
    span_message_release(&m);
}

/* Time passes, and services go one after the other; then the rules change. */
static void test_store_follows_rules(void **state)
{
    static const char *const services[] = {"audit", "cart", "debug-x", "shop"};
    static const struct span_retention_rule later[] = {{STR("audit"), HOUR}, {STR("cart"), 0}};
    static const struct {
        int64_t age_ms;
        bool other_rules;
        const char *services, *blocks;
    } steps[] = {{HOUR, false, "audit cart debug-x shop", "1"},
        {HOUR + 1, false, "audit cart shop", "1"}, {2 * HOUR, false, "audit cart shop", "1"},
        {14 * DAY + 1, false, "audit cart", "1"}, {31 * DAY, true, "cart", "1"},
        {365 * DAY, true, "cart", "1"}, {366 * DAY, false, "", "0"}};
    struct sim_vfs *sim = sim_vfs_new(1);
    struct fake_clock clock;
    struct strbuf found = STRBUF_INIT;
    fake_clock_init(&clock, NOW_MS);
    struct span_store_options options = {.fs = sim_vfs_get(sim),
        .clock = &clock.clock,
        .block_spans = 4,
        .retention_ms = with_rules.retention_ms,
        .retention_errors_ms = with_rules.errors_ms};
    options.retention_rules = rules;
    options.retention_rule_count = 3;
    struct span_store *store = open_store(&options);
    append_traces(store, NOW_MS, services, 4);
    maintain(store);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct span_store_statistics statistics;
        fake_clock_set_wall_ms(&clock, NOW_MS + steps[i].age_ms);
        span_store_close(store);
        options.retention_rules = steps[i].other_rules ? later : rules;
        options.retention_rule_count = steps[i].other_rules ? 2 : 3;
        store = open_store(&options);
        maintain(store);
        list_services(store, 4, &found);
        span_store_statistics(store, &statistics);
        assert_string_equal(found.data, steps[i].services);
        assert_int_equal(statistics.blocks, steps[i].blocks[0] - '0');
    }
    span_store_close(store);
    strbuf_release(&found);
    sim_vfs_free(sim);
    (void)state;
}

/* With a bound on bytes the oldest blocks go until what is left is within it, and not one more. */
static void test_size(void **state)
{
    static const char *const services[] = {"a", "b", "c", "d"};
    enum { BLOCKS = 6 };
    struct sim_vfs *sim = sim_vfs_new(1);
    struct fake_clock clock;
    struct span_store_statistics statistics;
    uint64_t bytes[BLOCKS];
    fake_clock_init(&clock, NOW_MS);
    struct span_store_options options = {
        .fs = sim_vfs_get(sim), .clock = &clock.clock, .block_spans = 4};
    struct span_store *store = open_store(&options);
    for (int i = 0; i < BLOCKS; i++) {
        append_traces(store, NOW_MS + i, services, i < 4 ? 4 : 3);
        fake_clock_advance_ms(&clock, SPAN_STORE_BLOCK_AGE_MS_DEFAULT);
        maintain(store);
        span_store_statistics(store, &statistics);
        assert_int_equal(statistics.blocks, i + 1);
        bytes[i] = statistics.block_bytes; /* of the first i + 1 */
    }
    span_store_close(store);
    for (int kept = BLOCKS; kept > 0; kept--) {
        uint64_t bound = bytes[BLOCKS - 1] - (kept < BLOCKS ? bytes[BLOCKS - 1 - kept] : 0);
        options.retention_bytes = bound;
        store = open_store(&options);
        maintain(store);
        span_store_statistics(store, &statistics);
        assert_int_equal(statistics.blocks, kept);
        assert_int_equal(statistics.block_bytes, bound);
        span_store_close(store);
    }
    sim_vfs_free(sim);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_store_follows_rules),
        cmocka_unit_test(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
