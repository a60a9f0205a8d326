/* Series written as OTLP, read back by the decoder that protobuf-c vouches for. */
#include "wire/otlp_writer.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "support/support.h"
#include "wire/otlp_metrics.h"

#define T_MS ((int64_t)1700000000123)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct row {
    const char *name, *metric;
    enum metric_type type;
    const char *label, *label_value; /* one beside job and instance; NULL: none */
    double value;
};

/* One sample of a series of job "j". */
static void add_row(struct otlp_writer *w, const struct row *row, const char *instance)
{
    struct label labels[4];
    size_t count = 0;
    labels[count++] = (struct label){STR("__name__"), str_of(row->name)};
    labels[count++] = (struct label){STR("instance"), str_of(instance)};
    labels[count++] = (struct label){STR("job"), STR("j")};
    if (row->label != NULL) {
        labels[count++] = (struct label){str_of(row->label), str_of(row->label_value)};
    }
    struct sample sample = {T_MS, row->value};
    struct otlp_writer_series series = {.labels = labels,
        .label_count = count,
        .samples = &sample,
        .sample_count = 1,
        .metric = str_of(row->metric),
        .type = row->type,
        .help = STR("help"),
        .unit = STR("s")};
    otlp_writer_add(w, &series);
}

/* What the message says, a line for each point. */
static void read_back(struct otlp_writer *w, struct strbuf *out)
{
    struct strbuf message;
    struct arena arena;
    struct otlp_metrics m;
    struct err e = ERR_INIT;
    strbuf_init(&message, 1 << 20);
    arena_init(&arena, 0);
    assert_int_equal(otlp_writer_finish(w, &message), 0);
    if (otlp_metrics_decode(strbuf_str(&message), &arena, &m, &e) != 0) {
        fail_msg("%s", e.message);
    }
    for (size_t r = 0; r < m.resource_count; r++) {
        const struct otlp_attributes *a = &m.resources[r].attributes;
        for (size_t i = 0; i < a->count; i++) {
            strbuf_addf(out, "%.*s=%.*s ", STR_ARG(a->items[i].name), STR_ARG(a->items[i].value));
        }
        strbuf_add_char(out, '\n');
        const struct otlp_scope *scope = &m.resources[r].scopes[0];
        for (size_t i = 0; i < scope->metric_count; i++) {
            const struct otlp_metric *metric = &scope->metrics[i];
            for (size_t k = 0; k < metric->point_count; k++) {
                const struct otlp_point *p = &metric->points[k];
                strbuf_addf(out, "%.*s %d %d %d:", STR_ARG(metric->name), (int)metric->kind,
                    (int)metric->temporality, metric->monotonic);
                for (size_t n = 0; n < p->attributes.count; n++) {
                    strbuf_addf(out, " %.*s=%.*s", STR_ARG(p->attributes.items[n].name),
                        STR_ARG(p->attributes.items[n].value));
                }
                strbuf_addf(out, " %s%g sum %g count %llu", p->no_value ? "none " : "", p->value,
                    p->sum, (unsigned long long)p->count);
                for (size_t n = 0; n < p->bucket_count; n++) {
                    strbuf_addf(out, " b%llu", (unsigned long long)p->bucket_counts[n]);
                }
                for (size_t n = 0; n < p->bound_count; n++) {
                    strbuf_addf(out, " le%g", p->bounds[n]);
                }
                for (size_t n = 0; n < p->quantile_count; n++) {
                    strbuf_addf(out, " q%g=%g", p->quantiles[n].quantile, p->quantiles[n].value);
                }
                strbuf_add_char(out, '\n');
                assert_true(p->t_ms == T_MS);
            }
        }
    }
    arena_release(&arena);
    strbuf_release(&message);
}

static void check(struct otlp_writer *w, const char *expected)
{
    struct strbuf got;
    strbuf_init(&got, 1 << 20);
    read_back(w, &got);
    if (!str_eq_c(strbuf_str(&got), expected)) {
        fail_msg("expected\n%s\ngot\n%.*s", expected, STR_ARG(strbuf_str(&got)));
    }
    strbuf_release(&got);
}

static void test_series_become_points(void **state)
{
    static const struct row rows[] = {
        {"requests_total", "requests_total", METRIC_TYPE_COUNTER, "code", "200", 7},
        {"temperature", "temperature", METRIC_TYPE_GAUGE, NULL, NULL, 21.5},
        {"mystery", "", METRIC_TYPE_UNKNOWN, NULL, NULL, 1},
        /* cumulative 1, 4, 9: 1 up to 0.1, 3 up to 2, 5 beyond */
        {"took_bucket", "took", METRIC_TYPE_HISTOGRAM, "le", "2", 4},
        {"took_bucket", "took", METRIC_TYPE_HISTOGRAM, "le", "+Inf", 9},
        {"took_bucket", "took", METRIC_TYPE_HISTOGRAM, "le", "0.1", 1},
        {"took_sum", "took", METRIC_TYPE_HISTOGRAM, NULL, NULL, 12.5},
        {"took_count", "took", METRIC_TYPE_HISTOGRAM, NULL, NULL, 9},
        {"rpc", "rpc", METRIC_TYPE_SUMMARY, "quantile", "0.99", 3},
        {"rpc", "rpc", METRIC_TYPE_SUMMARY, "quantile", "0.5", 2},
        {"rpc_sum", "rpc", METRIC_TYPE_SUMMARY, NULL, NULL, 100},
        {"rpc_count", "rpc", METRIC_TYPE_SUMMARY, NULL, NULL, 40},
    };
    struct otlp_writer *w = NULL;
    assert_int_equal(otlp_writer_new(&w), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        add_row(w, &rows[i], "a:1");
    }
    add_row(w, &rows[1], "b:2");
    check(w, "service.name=j service.instance.id=a:1 \n"
             "mystery 1 0 0: 1 sum 0 count 0\n"
             "requests_total 2 2 1: code=200 7 sum 0 count 0\n"
             "rpc 5 0 0: 0 sum 100 count 40 q0.5=2 q0.99=3\n"
             "temperature 1 0 0: 21.5 sum 0 count 0\n"
             "took 3 2 0: 0 sum 12.5 count 9 b1 b3 b5 le0.1 le2\n"
             "service.name=j service.instance.id=b:2 \n"
             "temperature 1 0 0: 21.5 sum 0 count 0\n");
    otlp_writer_reset(w);
    check(w, "");
    otlp_writer_free(w);
}

static void test_what_is_missing_or_stale(void **state)
{
    static const struct row rows[] = {
        /* no +Inf bucket: the count stands in for it */
        {"a_bucket", "a", METRIC_TYPE_HISTOGRAM, "le", "1", 4},
        {"a_count", "a", METRIC_TYPE_HISTOGRAM, NULL, NULL, 6},
        /* cumulative counts that fall, from a target that is wrong */
        {"b_bucket", "b", METRIC_TYPE_HISTOGRAM, "le", "1", 4},
        {"b_bucket", "b", METRIC_TYPE_HISTOGRAM, "le", "2", 3},
        {"b_bucket", "b", METRIC_TYPE_HISTOGRAM, "le", "+Inf", -1},
    };
    struct row stale = {"c", "c", METRIC_TYPE_COUNTER, NULL, NULL, value_stale_marker()};
    struct otlp_writer *w = NULL;
    assert_int_equal(otlp_writer_new(&w), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        add_row(w, &rows[i], "a:1");
    }
    add_row(w, &stale, "a:1");
    check(w, "service.name=j service.instance.id=a:1 \n"
             "a 3 2 0: 0 sum 0 count 6 b4 b2 le1\n"
             "b 3 2 0: 0 sum 0 count 0 b4 b0 b0 le1 le2\n"
             "c 2 2 1: none 0 sum 0 count 0\n");
    otlp_writer_free(w);
}

static void test_native_histograms(void **state)
{
    /* Prometheus: buckets 3, 4 and 7 of schema 1; OTLP counts from one less, gaps filled. */
    const struct histogram_span spans[] = {{3, 2}, {2, 1}};
    const double counts[] = {5, 6, 8};
    const double bounds[] = {1, 2.5};
    const struct histogram_span custom_span = {1, 2};
    const double custom_counts[] = {3, 4};
    const struct histogram h = {.schema = 1,
        .zero_threshold = 0.5,
        .zero_count = 2,
        .count = 21,
        .sum = 99,
        .positive = {spans, 2, counts, 3}};
    const struct histogram c = {.schema = HISTOGRAM_SCHEMA_CUSTOM,
        .count = 7,
        .sum = 20,
        .positive = {&custom_span, 1, custom_counts, 2},
        .custom_values = bounds,
        .custom_count = 2};
    const struct label name = {STR("__name__"), STR("h")}, other = {STR("__name__"), STR("i")};
    const struct remote_write_histogram first = {T_MS, &h}, second = {T_MS, &c};
    struct otlp_writer *w = NULL;
    struct strbuf message;
    struct arena arena;
    struct otlp_metrics m;
    struct err e = ERR_INIT;
    strbuf_init(&message, 1 << 20);
    arena_init(&arena, 0);
    assert_int_equal(otlp_writer_new(&w), 0);
    otlp_writer_add(
        w, &(struct otlp_writer_series){
               .labels = &name, .label_count = 1, .histograms = &first, .histogram_count = 1});
    otlp_writer_add(
        w, &(struct otlp_writer_series){
               .labels = &other, .label_count = 1, .histograms = &second, .histogram_count = 1});
    assert_int_equal(otlp_writer_finish(w, &message), 0);
    assert_int_equal(otlp_metrics_decode(strbuf_str(&message), &arena, &m, &e), 0);
    const struct otlp_metric *metric = &m.resources[0].scopes[0].metrics[0];
    const struct otlp_point *p = &metric->points[0];
    static const uint64_t dense[] = {5, 6, 0, 0, 8};
    assert_int_equal(metric->kind, OTLP_EXPONENTIAL);
    assert_int_equal(p->scale, 1);
    assert_int_equal(p->count, 21);
    assert_int_equal(p->zero_count, 2);
    assert_true(p->zero_threshold == 0.5 && p->sum == 99);
    assert_int_equal(p->positive.offset, 2);
    assert_int_equal(p->positive.count, 5);
    assert_memory_equal(p->positive.counts, dense, sizeof(dense));
    p = &metric[1].points[0];
    static const uint64_t plain[] = {0, 3, 4};
    assert_int_equal(metric[1].kind, OTLP_HISTOGRAM);
    assert_int_equal(p->bucket_count, 3);
    assert_memory_equal(p->bucket_counts, plain, sizeof(plain));
    assert_int_equal(p->bound_count, 2);
    assert_true(p->bounds[0] == 1 && p->bounds[1] == 2.5 && p->sum == 20);
    otlp_writer_free(w);
    arena_release(&arena);
    strbuf_release(&message);
}

static int write_once(void *context)
{
    static const struct row row = {"c", "c", METRIC_TYPE_COUNTER, "a", "b", 1};
    struct otlp_writer *w = NULL;
    struct strbuf message;
    (void)context;
    int status = otlp_writer_new(&w);
    if (status == 0) {
        strbuf_init(&message, 1 << 20);
        add_row(w, &row, "a:1");
        status = otlp_writer_finish(w, &message);
        strbuf_release(&message);
    }
    otlp_writer_free(w);
    return status;
}

static void test_memory_runs_out_anywhere(void **state)
{
    int status = ERR_NOMEM;
    for (uint64_t nth = 1; status != 0; nth++) {
        mem_fail_nth(nth);
        status = write_once(NULL);
        bool struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_true(status == ERR_NOMEM || (status == 0 && !struck));
        assert_true(nth < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_become_points),
        cmocka_unit_test(test_what_is_missing_or_stale),
        cmocka_unit_test(test_native_histograms),
        cmocka_unit_test(test_memory_runs_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
