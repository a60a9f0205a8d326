/* Series of calls between services: what is written, when they begin and end, when writing fails, and many
 * threads at once. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "query/service_graph.h"
#include "support/fake_clock.h"
#include "support/support.h"
#include "wire/half_edge.h"

static const int64_t epoch_ms = 1700000000000;

/* A store that writes down what is committed, a line a sample. */
struct log_store {
    struct appender_source source; /* first */
    struct appender appender;
    struct strbuf text, open; /* committed; of the transaction under way */
    char series[1000][300];   /* by handle */
    size_t series_count;
    bool fails;
    uint64_t commits;
};

static struct log_store *store; /* an appender knows no more */

static int find_series(struct appender *a, const struct label *labels, size_t count,
    const struct hash128 *key, struct series_ref *ref_out, struct err *e)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || str_cmp(labels[i - 1].name, labels[i].name) < 0);
        assert_true(labels[i].value.len > 0);
        strbuf_addf(&text, "%s%.*s", i == 0 ? "" : i == 1 ? "{" : ",", STR_ARG(labels[i].value));
    }
    strbuf_add_c(&text, "}");
    size_t at = 0;
    while (at < store->series_count && strcmp(store->series[at], text.data) != 0) {
        at++;
    }
    assert_true(at < 1000);
    snprintf(store->series[at], sizeof(store->series[at]), "%s", text.data);
    store->series_count += at == store->series_count;
    *ref_out = (struct series_ref){0, (uint32_t)at};
    strbuf_release(&text);
    return 0;
}

static int append(struct appender *a, struct series_ref ref, int64_t t_ms, double value)
{
    strbuf_addf(&store->open, "%s ", store->series[ref.column]);
    if (value_is_stale(value)) {
        strbuf_add_c(&store->open, "stale");
    } else {
        strbuf_addf(&store->open, "%.12g", value);
    }
    strbuf_addf(&store->open, " @%" PRId64 "\n", t_ms - epoch_ms);
    return 0;
}

static int set_metadata(
    struct appender *a, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    return 0;
}

static void rollback(struct appender *a)
{
    strbuf_reset(&store->open);
}

static int commit(struct appender *a, enum commit_durability durability,
    struct append_counts *counts_out, struct err *e)
{
    if (store->fails) {
        strbuf_reset(&store->open);
        return err_set(e, ERR_NO_SPACE, -1, "the disk is full");
    }
    strbuf_add_str(&store->text, strbuf_str(&store->open));
    strbuf_reset(&store->open);
    store->commits++;
    return 0;
}

static int open_appender(
    struct appender_source *source, struct appender **appender_out, struct err *e)
{
    static const struct appender_ops ops = {.series = find_series,
        .append = append,
        .set_metadata = set_metadata,
        .commit = commit,
        .rollback = rollback};
    store->appender.ops = &ops;
    *appender_out = &store->appender;
    return 0;
}

static void store_init(struct log_store *s)
{
    memset(s, 0, sizeof(*s));
    s->source.open = open_appender;
    strbuf_init(&s->text, STRBUF_LIMIT_DEFAULT);
    strbuf_init(&s->open, STRBUF_LIMIT_DEFAULT);
    store = s;
}

static void store_release(struct log_store *s)
{
    strbuf_release(&s->text);
    strbuf_release(&s->open);
}

static bool has_line(const char *line)
{
    struct str rest = strbuf_str(&store->text);
    while (rest.len > 0) {
        if (str_eq_c(str_split(&rest, '\n'), line)) {
            return true;
        }
    }
    return false;
}

static void expect_line(const char *line)
{
    if (!has_line(line)) {
        fail_msg("no line\n%s\namong\n%s", line, store->text.data);
    }
}

static void take(struct service_graph *g, uint64_t trace, bool server)
{
    const struct half_edge half = {
        .trace_id = {1, trace},
        .span_id = 7,
        .is_server = server,
        .service = server ? STR("b") : STR("a"),
        .peer = STR(""),
        .duration_ns = server ? 150000000 : 300000000,
        .weight = 1,
    };
    struct half_edge_encoder *encoder;
    struct strbuf message = STRBUF_INIT;
    assert_int_equal(half_edge_encoder_new(&encoder), 0);
    assert_int_equal(half_edge_encoder_add(encoder, &half), 0);
    half_edge_encoder_finish(encoder, &message);
    service_graph_take(g, strbuf_str(&message));
    half_edge_encoder_free(encoder);
    strbuf_release(&message);
}

static struct service_graph *open_graph(struct fake_clock *clock, bool no_thread)
{
    struct service_graph *g = NULL;
    const struct service_graph_options options = {.interval_ms = 15000,
        .wait_ms = 30000,
        .waiting_max = 10000,
        .edges_max = 100,
        .idle_ms = 60000,
        .clock = &clock->clock,
        .writes = &store->source,
        .no_thread = no_thread};
    assert_int_equal(service_graph_open(&options, &g), 0);
    return g;
}

static void pass(struct service_graph *g, struct fake_clock *clock, int64_t ms)
{
    strbuf_reset(&store->text);
    fake_clock_advance_ms(clock, ms);
    service_graph_step(g);
}

#define TOTAL "traces_service_graph_request_total{a,b}"
#define SERVER "traces_service_graph_request_server_seconds"
#define CLIENT "traces_service_graph_request_client_seconds"

static void test_series_from_the_first_call_to_their_end(void **state)
{
    static struct log_store s;
    struct fake_clock clock;
    store_init(&s);
    fake_clock_init(&clock, epoch_ms);
    struct service_graph *g = open_graph(&clock, true);
    fake_clock_advance_ms(&clock, 5000);
    take(g, 1, false);
    take(g, 1, true);
    pass(g, &clock, 9999);
    assert_int_equal(s.text.size, 0);
    pass(g, &clock, 1);
    expect_line(TOTAL " 0 @4999");
    expect_line(TOTAL " 1 @15000");
    expect_line("traces_service_graph_request_failed_total{a,b} 0 @15000");
    expect_line(SERVER "_bucket{a,0.1,b} 0 @15000");
    expect_line(SERVER "_bucket{a,0.2,b} 1 @15000");
    expect_line(SERVER "_bucket{a,12.8,b} 1 @15000");
    expect_line(SERVER "_bucket{a,+Inf,b} 1 @15000");
    expect_line(SERVER "_sum{a,b} 0.15 @15000");
    expect_line(SERVER "_count{a,b} 1 @15000");
    expect_line(CLIENT "_bucket{a,0.2,b} 0 @15000");
    expect_line(CLIENT "_bucket{a,0.4,b} 1 @15000");
    expect_line(CLIENT "_sum{a,b} 0.3 @15000");
    pass(g, &clock, 15000);
    expect_line(TOTAL " 1 @30000");
    assert_false(has_line(TOTAL " 0 @4999"));
    pass(g, &clock, 45000);
    expect_line(TOTAL " stale @75000");
    expect_line(CLIENT "_count{a,b} stale @75000");
    pass(g, &clock, 15000);
    assert_int_equal(s.text.size, 0);
    take(g, 2, false);
    take(g, 2, true);
    pass(g, &clock, 15000);
    expect_line(TOTAL " 0 @89999");
    expect_line(TOTAL " 1 @105000");
    service_graph_close(g);
    store_release(&s);
}

static void test_what_met_nobody(void **state)
{
    static struct log_store s;
    struct fake_clock clock;
    store_init(&s);
    fake_clock_init(&clock, epoch_ms);
    struct service_graph *g = open_graph(&clock, true);
    take(g, 1, false);
    take(g, 2, true);
    pass(g, &clock, 15000);
    assert_int_equal(s.text.size, 0);
    pass(g, &clock, 15000);
    expect_line("traces_service_graph_unpaired_spans_total{a} 1 @30000");
    expect_line("traces_service_graph_unpaired_spans_total{b} 1 @30000");
    struct service_graph_statistics statistics;
    service_graph_take(g, STR("\xca\xa9\x07\x04\x12\x02\x00\x00")); /* a half of two bytes */
    service_graph_take(g, STR(""));
    service_graph_statistics(g, &statistics);
    assert_int_equal(statistics.unpaired, 2);
    assert_int_equal(statistics.malformed, 1);
    service_graph_close(g);
    store_release(&s);
}

/* A store that does not take it gets it whole later, the zero at the beginning too. */
static void test_a_failing_store(void **state)
{
    static struct log_store s;
    struct fake_clock clock;
    struct service_graph_statistics statistics;
    store_init(&s);
    fake_clock_init(&clock, epoch_ms);
    struct service_graph *g = open_graph(&clock, true);
    take(g, 1, false);
    take(g, 1, true);
    s.fails = true;
    pass(g, &clock, 15000);
    service_graph_statistics(g, &statistics);
    assert_int_equal(statistics.write_failures, 1);
    s.fails = false;
    pass(g, &clock, 15000);
    expect_line(TOTAL " 0 @-1");
    expect_line(TOTAL " 1 @30000");
    service_graph_close(g);
    store_release(&s);
}

enum { THREADS = 4, CALLS = 500 };

static void *take_many(void *context)
{
    struct service_graph *g = context;
    static _Atomic uint64_t next;
    for (int i = 0; i < CALLS; i++) {
        uint64_t trace = ++next;
        take(g, trace, false);
        take(g, trace, true);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    static struct log_store s;
    struct fake_clock clock;
    pthread_t threads[THREADS];
    struct service_graph_statistics statistics;
    store_init(&s);
    fake_clock_init(&clock, epoch_ms);
    struct service_graph *g = open_graph(&clock, false);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, g), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    service_graph_statistics(g, &statistics);
    assert_int_equal(statistics.calls, THREADS * CALLS);
    service_graph_close(g); /* writes once more */
    expect_line(TOTAL " 2000 @0");
    store_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_from_the_first_call_to_their_end),
        cmocka_unit_test(test_what_met_nobody),
        cmocka_unit_test(test_a_failing_store),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
