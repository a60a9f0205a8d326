/* From batches to requests: rules and wishes of a destination, and each protocol. */
#include "ship/request_maker.h"

#include <string.h>

#include "base/gzip.h"
#include "base/mem.h"
#include "support/support.h"
#include "wire/otlp_metrics.h"
#include "wire/remote_write2.h"
#include "wire/snappy_codec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Series of one batch: a counter, a gauge with an exemplar, a native histogram, and metadata. */
static void make_batch(struct strbuf *payload)
{
    struct strbuf labels = STRBUF_INIT, scratch = STRBUF_INIT, message = STRBUF_INIT;
    static const char *const names[] = {"requests_total", "queue_length", "latency"};
    const struct label trace = {STR("trace_id"), STR("abc")};
    const struct remote_write_exemplar exemplar = {&trace, 1, 3, 9};
    const struct histogram_span span = {0, 1};
    const double count = 4;
    const struct histogram h = {
        .schema = 0, .integer = true, .count = 4, .sum = 2, .positive = {&span, 1, &count, 1}};
    const struct remote_write_histogram histogram = {10, &h};
    const struct sample samples[] = {{10, 1}, {20, 2}};
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct label pairs[] = {{STR("__name__"), str_of(names[i])},
            {STR("instance"), STR("a:1")}, {STR("job"), STR("j")}};
        strbuf_reset(&labels);
        remote_write_encode_labels(pairs, COUNT(pairs), &labels);
        struct remote_write_series series = {.labels_bytes = strbuf_str(&labels)};
        series.samples = i < 2 ? samples : NULL;
        series.sample_count = i < 2 ? 2 : 0;
        series.histograms = i == 2 ? &histogram : NULL;
        series.histogram_count = i == 2;
        series.exemplars = i == 1 ? &exemplar : NULL;
        series.exemplar_count = i == 1;
        remote_write_encode_whole_series(&series, &scratch, &message);
    }
    remote_write_encode_metadata(
        METRIC_TYPE_COUNTER, STR("requests_total"), STR("how many"), STR(""), &message);
    assert_int_equal(snappy_encode(strbuf_str(&message), payload), 0);
    strbuf_release(&labels);
    strbuf_release(&scratch);
    strbuf_release(&message);
}

/* What a receiver of remote write reads, a line for each item. */
static void describe(enum ship_protocol protocol, struct str body, struct strbuf *out)
{
    struct arena arena;
    struct strbuf message;
    struct remote_write_decoder *d = NULL;
    struct remote_write_item item;
    struct err e = ERR_INIT;
    int status;
    arena_init(&arena, 0);
    strbuf_init(&message, 1 << 20);
    assert_int_equal(snappy_decode(body, 1 << 20, &message), 0);
    status = protocol == SHIP_REMOTE_WRITE_1
                 ? remote_write_decoder_new(strbuf_str(&message), &arena, &d)
                 : remote_write2_decoder_new(strbuf_str(&message), 1, &arena, &d, &e);
    assert_int_equal(status, 0);
    while ((status = remote_write_next(d, &item, &e)) == 1) {
        if (item.kind == REMOTE_WRITE_METADATA) {
            strbuf_addf(out, "# %.*s %s %.*s\n", STR_ARG(item.metric_family),
                metric_type_name(item.type), STR_ARG(item.help));
            continue;
        }
        assert_int_equal(remote_write_labels(d, &item, &e), 0);
        for (size_t i = 0; i < item.label_count; i++) {
            strbuf_addf(
                out, "%.*s=%.*s ", STR_ARG(item.labels[i].name), STR_ARG(item.labels[i].value));
        }
        strbuf_addf(
            out, "%zu %zu %zu", item.sample_count, item.histogram_count, item.exemplar_count);
        if (item.has_metadata) {
            strbuf_addf(out, " %s %.*s", metric_type_name(item.type), STR_ARG(item.help));
        }
        strbuf_add_char(out, '\n');
    }
    assert_int_equal(status, 0);
    strbuf_release(&message);
    arena_release(&arena);
}

static struct relabel *compile(const struct relabel_rule *rules, size_t count)
{
    struct relabel *relabel = NULL;
    struct err e = ERR_INIT;
    if (relabel_new(rules, count, &relabel, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return relabel;
}

static const char *name_label[] = {"__name__"};

static void test_wishes_and_rules(void **state)
{
    static const struct relabel_rule drop = {.action = "drop",
        .source_labels = {name_label, 1},
        .separator = ";",
        .regex = "queue.*",
        .target_label = "",
        .replacement = "$1"};
    static const struct relabel_rule rename = {.action = "replace",
        .source_labels = {name_label, 1},
        .separator = ";",
        .regex = "(.*)_total",
        .target_label = "__name__",
        .replacement = "app:$1"};
    static const struct relabel_rule all_gone = {.action = "labeldrop",
        .separator = ";",
        .regex = "__name__",
        .target_label = "",
        .replacement = "$1"};
#define A " instance=a:1 job=j "
    static const struct {
        const struct relabel_rule *rule;
        struct request_maker_options wishes;
        enum ship_protocol protocol;
        uint32_t filtered;
        const char *expected;
    } rows[] = {
        {NULL, {.no_exemplars = true}, SHIP_REMOTE_WRITE_1, 0,
            "__name__=requests_total" A "2 0 0\n__name__=queue_length" A "2 0 0\n"
            "__name__=latency" A "0 1 0\n# requests_total counter how many\n"},
        {NULL, {.no_histograms = true}, SHIP_REMOTE_WRITE_1, 1,
            "__name__=requests_total" A "2 0 0\n__name__=queue_length" A "2 0 1\n"
            "# requests_total counter how many\n"},
        {NULL, {.no_metadata = true}, SHIP_REMOTE_WRITE_1, 0,
            "__name__=requests_total" A "2 0 0\n__name__=queue_length" A "2 0 1\n"
            "__name__=latency" A "0 1 0\n"},
        {&drop, {0}, SHIP_REMOTE_WRITE_1, 2,
            "__name__=requests_total" A "2 0 0\n__name__=latency" A "0 1 0\n"
            "# requests_total counter how many\n"},
        {&rename, {.no_metadata = true}, SHIP_REMOTE_WRITE_1, 0,
            "__name__=app:requests" A "2 0 0\n__name__=queue_length" A "2 0 1\n"
            "__name__=latency" A "0 1 0\n"},
        {&all_gone, {0}, SHIP_REMOTE_WRITE_2, 5, ""},
        {NULL, {0}, SHIP_REMOTE_WRITE_2, 0,
            "__name__=requests_total" A "2 0 0 counter how many\n"
            "__name__=queue_length" A "2 0 1\n__name__=latency" A "0 1 0\n"},
        {&drop, {.no_histograms = true}, SHIP_REMOTE_WRITE_2, 3,
            "__name__=requests_total" A "2 0 0 counter how many\n"},
    };
    struct metric_metadata known = {0};
    struct strbuf payload;
    strbuf_init(&payload, 1 << 20);
    make_batch(&payload);
    metric_metadata_type(&known, STR("requests_total"), METRIC_TYPE_COUNTER);
    metric_metadata_help(&known, STR("requests_total"), STR("how many"));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request_maker *m = NULL;
        struct request_maker_options options = rows[i].wishes;
        options.relabel = rows[i].rule != NULL ? compile(rows[i].rule, 1) : NULL;
        options.metadata = &known;
        assert_int_equal(request_maker_new(&options, &m), 0);
        for (int again = 0; again < 2; again++) { /* the second time from memory */
            struct made_request made;
            struct strbuf got;
            strbuf_init(&got, 1 << 20);
            assert_int_equal(
                request_maker_make(m, rows[i].protocol, strbuf_str(&payload), &made), 0);
            if (made.body.len > 0) {
                describe(rows[i].protocol, made.body, &got);
            }
            if (!str_eq_c(strbuf_str(&got), rows[i].expected) ||
                made.filtered != rows[i].filtered) {
                fail_msg("row %zu: filtered %u, expected %u; expected\n%sgot\n%.*s", i,
                    made.filtered, rows[i].filtered, rows[i].expected, STR_ARG(strbuf_str(&got)));
            }
            assert_int_equal(made.samples + made.histograms + made.filtered, 5);
            strbuf_release(&got);
        }
        request_maker_free(m);
        relabel_unref(options.relabel);
    }
    metric_metadata_release(&known);
    strbuf_release(&payload);
}

static void test_a_batch_without_wishes_goes_as_it_is(void **state)
{
    struct request_maker *m = NULL;
    struct request_maker_options options = {0};
    struct made_request made;
    assert_int_equal(request_maker_new(&options, &m), 0);
    assert_int_equal(request_maker_make(m, SHIP_REMOTE_WRITE_1, STR("any bytes"), &made), 0);
    assert_true(str_eq(made.body, STR("any bytes")) && !made.counted);
    assert_int_equal(
        request_maker_make(m, SHIP_REMOTE_WRITE_2, STR("any bytes"), &made), ERR_CORRUPT);
    request_maker_free(m);
}

static void test_otlp(void **state)
{
    struct metric_metadata known = {0};
    struct request_maker *m = NULL;
    struct request_maker_options options = {.metadata = &known};
    struct made_request made;
    struct otlp_metrics tree;
    struct strbuf payload, message;
    struct arena arena;
    struct err e = ERR_INIT;
    strbuf_init(&payload, 1 << 20);
    strbuf_init(&message, 1 << 20);
    arena_init(&arena, 0);
    make_batch(&payload);
    metric_metadata_type(&known, STR("requests_total"), METRIC_TYPE_COUNTER);
    assert_int_equal(request_maker_new(&options, &m), 0);
    assert_int_equal(request_maker_make(m, SHIP_OTLP, strbuf_str(&payload), &made), 0);
    assert_int_equal(made.samples, 4);
    assert_int_equal(made.histograms, 1);
    assert_int_equal(gzip_decode(made.body, 1 << 20, &message), 0);
    assert_int_equal(otlp_metrics_decode(strbuf_str(&message), &arena, &tree, &e), 0);
    const struct otlp_scope *scope = &tree.resources[0].scopes[0];
    assert_int_equal(scope->metric_count, 3);
    assert_int_equal(scope->metrics[0].kind, OTLP_EXPONENTIAL); /* latency */
    assert_int_equal(scope->metrics[1].kind, OTLP_GAUGE);
    assert_int_equal(scope->metrics[2].kind, OTLP_SUM);
    assert_int_equal(scope->metrics[2].point_count, 2);
    request_maker_free(m);
    metric_metadata_release(&known);
    arena_release(&arena);
    strbuf_release(&payload);
    strbuf_release(&message);
}

static void test_memory_runs_out_anywhere(void **state)
{
    static const struct relabel_rule rename = {.action = "replace",
        .source_labels = {name_label, 1},
        .separator = ";",
        .regex = "(.*)_total",
        .target_label = "__name__",
        .replacement = "app:$1"};
    static const enum ship_protocol protocols[] = {
        SHIP_REMOTE_WRITE_1, SHIP_REMOTE_WRITE_2, SHIP_OTLP};
    struct strbuf payload;
    strbuf_init(&payload, 1 << 20);
    make_batch(&payload);
    for (size_t i = 0; i < COUNT(protocols); i++) {
        int status = ERR_NOMEM;
        for (uint64_t nth = 1; status != 0; nth++) {
            struct request_maker *m = NULL;
            struct request_maker_options options = {.relabel = compile(&rename, 1)};
            struct made_request made;
            mem_fail_nth(nth);
            status = request_maker_new(&options, &m);
            if (status == 0) {
                status = request_maker_make(m, protocols[i], strbuf_str(&payload), &made);
            }
            mem_fail_nth(0);
            assert_true(status == 0 || status == ERR_NOMEM);
            request_maker_free(m);
            relabel_unref(options.relabel);
            assert_true(nth < 1000);
        }
    }
    strbuf_release(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wishes_and_rules),
        cmocka_unit_test(test_a_batch_without_wishes_goes_as_it_is),
        cmocka_unit_test(test_otlp),
        cmocka_unit_test(test_memory_runs_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
