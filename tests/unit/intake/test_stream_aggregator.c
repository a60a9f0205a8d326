/* Stream aggregation: what each output computes, by arithmetic; what passes, what is forgotten. */
#include "intake/stream_aggregator.h"

#include <string.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "support/fake_clock.h"
#include "support/support.h"

#define START_MS ((int64_t)1700000040000) /* a whole minute */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Writes down what it is given: "labels value @seconds since the start". */
struct log {
    struct intake intake;
    struct strbuf lines;
    const struct labels *external;
};

static void add(struct intake *self, const struct remote_write_series *series)
{
    struct log *log = (struct log *)self;
    struct label labels[16];
    const struct labels *set = NULL;
    size_t count = 0;
    struct err e = ERR_INIT;
    assert_int_equal(remote_write_decode_labels(series->labels_bytes, labels, 16, &count), 0);
    assert_int_equal(labels_new(labels, count, &set, &e), 0);
    for (size_t i = 0; i < series->sample_count; i++) {
        labels_write(set, &log->lines);
        strbuf_add_char(&log->lines, ' ');
        strbuf_add_double(&log->lines, series->samples[i].value);
        strbuf_addf(&log->lines, " @%g\n", (double)(series->samples[i].t_ms - START_MS) / 1000);
    }
    labels_unref(set);
}

static const struct labels *external(const struct intake *self, uint64_t *epoch_out)
{
    *epoch_out = 1;
    return ((const struct log *)self)->external;
}

struct world {
    struct fake_clock clock;
    struct log results, rest;
    struct stream_aggregator *aggregator;
};

static void begin(struct world *w, const struct stream_rule *rules, size_t count)
{
    struct err e = ERR_INIT;
    memset(w, 0, sizeof(*w));
    fake_clock_init(&w->clock, START_MS);
    w->results.intake = (struct intake){.add = add, .external = external};
    w->rest.intake = w->results.intake;
    strbuf_init(&w->results.lines, 1 << 20);
    strbuf_init(&w->rest.lines, 1 << 20);
    if (stream_aggregator_new(rules, count, &w->clock.clock, &w->results.intake, &w->rest.intake,
            &w->aggregator, &e) != 0) {
        fail_msg("%s", e.message);
    }
}

static void end(struct world *w)
{
    stream_aggregator_free(w->aggregator);
    strbuf_release(&w->results.lines);
    strbuf_release(&w->rest.lines);
}

/* One sample of name{instance=…,job="j"}, now. */
static void put(struct world *w, const char *name, const char *instance, double value)
{
    const struct label labels[] = {{STR("__name__"), str_of(name)},
        {STR("instance"), str_of(instance)}, {STR("job"), STR("j")}};
    const struct sample sample = {clock_now_ms(&w->clock.clock), value};
    struct strbuf bytes = STRBUF_INIT;
    struct intake *intake = stream_aggregator_intake(w->aggregator);
    remote_write_encode_labels(labels, 3, &bytes);
    const struct remote_write_series series = {
        .labels_bytes = strbuf_str(&bytes), .samples = &sample, .sample_count = 1};
    intake->add(intake, &series);
    strbuf_release(&bytes);
}

static void pass(struct world *w, int64_t ms)
{
    while (ms > 0) {
        int64_t step = ms < 1000 ? ms : 1000;
        fake_clock_advance_ms(&w->clock, step);
        (void)stream_aggregator_step(w->aggregator);
        ms -= step;
    }
}

/* Lines in any order. */
static void check(struct log *log, const char *expected)
{
    struct str rest = str_of(expected);
    size_t length = 0;
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        length += line.len + 1;
        if (memmem(log->lines.data != NULL ? log->lines.data : "", log->lines.size, line.ptr,
                line.len) == NULL) {
            fail_msg("\"%.*s\" is not in\n%.*s", STR_ARG(line), STR_ARG(strbuf_str(&log->lines)));
        }
    }
    if (length != log->lines.size) {
        fail_msg("expected\n%s\ngot\n%.*s", expected, STR_ARG(strbuf_str(&log->lines)));
    }
    strbuf_reset(&log->lines);
}

static const char *instance_label[] = {"instance"}, *job_label[] = {"job"};

static void test_outputs_of_samples(void **state)
{
    static const char *outputs[] = {"sum_samples", "count_samples", "count_series", "min", "max",
        "avg", "last", "quantiles(0, 1)"};
    const struct stream_rule rule = {
        .interval_ms = 60000, .without = {instance_label, 1}, .outputs = {outputs, COUNT(outputs)}};
    struct world w;
    begin(&w, &rule, 1);
    pass(&w, 10000);
    put(&w, "x", "a", 4);
    put(&w, "x", "b", -2);
    pass(&w, 10000);
    put(&w, "x", "a", 7);
    check(&w.rest, "");
    check(&w.results, "");
    pass(&w, 40000);
    /* 4, -2, 7: the ends of a sketch are within 1.09 % of them */
    struct str all = strbuf_str(&w.results.lines);
    const char *low = memmem(all.ptr, all.len, "quantile=\"0\"} ", 14);
    const char *high = memmem(all.ptr, all.len, "quantile=\"1\"} ", 14);
    assert_non_null(low);
    assert_non_null(high);
    double value;
    struct str text = str_make(low + 14, all.len - (size_t)(low + 14 - all.ptr));
    assert_int_equal(str_to_double(str_split(&text, ' '), &value), 0);
    assert_true(value >= -2.022 && value <= -1.978);
    text = str_make(high + 14, all.len - (size_t)(high + 14 - all.ptr));
    assert_int_equal(str_to_double(str_split(&text, ' '), &value), 0);
    assert_true(value >= 6.92 && value <= 7.08);
    static const char *const expected[] = {"x:1m_without_instance_sum_samples{job=\"j\"} 9 @60\n",
        "x:1m_without_instance_count_samples{job=\"j\"} 3 @60\n",
        "x:1m_without_instance_count_series{job=\"j\"} 2 @60\n",
        "x:1m_without_instance_min{job=\"j\"} -2 @60\n",
        "x:1m_without_instance_max{job=\"j\"} 7 @60\n",
        "x:1m_without_instance_avg{job=\"j\"} 3 @60\n",
        "x:1m_without_instance_last{job=\"j\"} 7 @60\n",
        "x:1m_without_instance_quantiles{job=\"j\", quantile=\"0\"} "};
    for (size_t i = 0; i < COUNT(expected); i++) {
        if (memmem(all.ptr, all.len, expected[i], strlen(expected[i])) == NULL) {
            fail_msg("no \"%s\" in\n%.*s", expected[i], STR_ARG(all));
        }
    }
    strbuf_reset(&w.results.lines);
    pass(&w, 60000);
    check(&w.results, ""); /* nothing came, nothing is said */
    end(&w);
}

static void test_outputs_of_counters(void **state)
{
    static const char *outputs[] = {"increase", "total", "rate_sum", "rate_avg"};
    const struct stream_rule rule = {
        .interval_ms = 60000, .by = {job_label, 1}, .outputs = {outputs, COUNT(outputs)}};
    struct world w;
    begin(&w, &rule, 1);
    put(&w, "c", "a", 100); /* a first sample says nothing */
    put(&w, "c", "b", 10);
    pass(&w, 20000);
    put(&w, "c", "a", 140); /* 40 in 20 s: 2 a second */
    put(&w, "c", "b", 5);   /* a reset: 5 in 20 s */
    pass(&w, 20000);
    put(&w, "c", "a", 160); /* 60 in 40 s: 1.5 a second */
    pass(&w, 20000);
    check(&w.results, "c:1m_by_job_increase{job=\"j\"} 65 @60\n"
                      "c:1m_by_job_total{job=\"j\"} 65 @60\n"
                      "c:1m_by_job_rate_sum{job=\"j\"} 1.75 @60\n"
                      "c:1m_by_job_rate_avg{job=\"j\"} 0.875 @60\n");
    put(&w, "c", "a", 180); /* 20 in 20 s, over the border of the interval */
    pass(&w, 60000);
    check(&w.results, "c:1m_by_job_increase{job=\"j\"} 20 @120\n"
                      "c:1m_by_job_total{job=\"j\"} 85 @120\n"
                      "c:1m_by_job_rate_sum{job=\"j\"} 1 @120\n"
                      "c:1m_by_job_rate_avg{job=\"j\"} 1 @120\n");
    put(&w, "c", "a", value_stale_marker());
    put(&w, "c", "a", 1000); /* it ended: this is a first sample again */
    pass(&w, 60000);
    check(&w.results, "c:1m_by_job_increase{job=\"j\"} 0 @180\n"
                      "c:1m_by_job_total{job=\"j\"} 85 @180\n");
    end(&w);
}

static void test_dedup_alone_thins_out(void **state)
{
    const struct stream_rule rule = {.interval_ms = 30000, .dedup_interval_ms = 30000};
    struct world w;
    begin(&w, &rule, 1);
    for (int i = 0; i < 6; i++) {
        put(&w, "x", "a", i);
        pass(&w, 10000);
    }
    check(&w.results, "x{instance=\"a\", job=\"j\"} 2 @20\nx{instance=\"a\", job=\"j\"} 5 @50\n");
    end(&w);
}

static void test_dedup_before_an_output(void **state)
{
    static const char *outputs[] = {"sum_samples"};
    const struct stream_rule rule = {
        .interval_ms = 60000, .dedup_interval_ms = 30000, .outputs = {outputs, 1}};
    struct world w;
    begin(&w, &rule, 1);
    for (int i = 1; i <= 6; i++) {
        put(&w, "x", "a", i); /* 1 2 3 | 4 5 6: the last of each half minute counts */
        pass(&w, 10000);
    }
    check(&w.results, "x:1m_sum_samples{instance=\"a\", job=\"j\"} 9 @60\n");
    end(&w);
}

static void test_what_no_rule_matches_passes(void **state)
{
    static const char *outputs[] = {"max"};
    static const char *selectors[] = {"x", "{instance=\"b\"}"};
    const struct stream_rule rule = {.match = {selectors, 2},
        .interval_ms = 60000,
        .outputs = {outputs, 1},
        .keep_metric_names = true};
    struct stream_statistics s;
    struct world w;
    begin(&w, &rule, 1);
    put(&w, "x", "a", 1);
    put(&w, "y", "a", 2);
    put(&w, "y", "b", 3);
    check(&w.rest, "y{instance=\"a\", job=\"j\"} 2 @0\n");
    stream_aggregator_statistics(w.aggregator, &s);
    assert_int_equal(s.taken_samples, 2);
    pass(&w, 60000);
    check(&w.results, "x{instance=\"a\", job=\"j\"} 1 @60\ny{instance=\"b\", job=\"j\"} 3 @60\n");
    pass(&w, 10 * 60000); /* nothing comes any more: nothing is remembered */
    stream_aggregator_statistics(w.aggregator, &s);
    assert_int_equal(s.groups, 0);
    end(&w);
}

static void test_external_labels_stay(void **state)
{
    static const char *outputs[] = {"max"};
    const struct stream_rule rule = {
        .interval_ms = 60000, .by = {job_label, 1}, .outputs = {outputs, 1}};
    const struct label pair = {STR("site"), STR("north")};
    struct err e = ERR_INIT;
    struct world w;
    begin(&w, &rule, 1);
    assert_int_equal(labels_new(&pair, 1, &w.rest.external, &e), 0);
    put(&w, "x", "a", 1);
    pass(&w, 60000);
    check(&w.results, "x:1m_by_job_max{job=\"j\", site=\"north\"} 1 @60\n");
    labels_unref(w.rest.external);
    end(&w);
}

static void test_complaints(void **state)
{
    static const char *bad_output[] = {"median"}, *bad_quantile[] = {"quantiles(2)"},
                      *two[] = {"min", "max"}, *one[] = {"min"}, *bad_selector[] = {"{"};
    static const struct {
        struct stream_rule rule;
        const char *complaint;
    } rows[] = {
        {{.interval_ms = 1000}, "neither outputs nor dedup_interval"},
        {{.interval_ms = 1000, .outputs = {bad_output, 1}}, "output \"median\"; accepted: sum_"},
        {{.interval_ms = 1000, .outputs = {bad_quantile, 1}}, "numbers from 0 to 1"},
        {{.interval_ms = 1000, .outputs = {two, 2}, .keep_metric_names = true},
            "rules of one output"},
        {{.interval_ms = 1000, .outputs = {one, 1}, .match = {bad_selector, 1}}, "a label name"},
        {{.interval_ms = 1000, .outputs = {one, 1}, .by = {one, 1}, .without = {one, 1}},
            "exclude each other"},
    };
    struct fake_clock clock;
    struct log log = {.intake = {.add = add, .external = external}};
    fake_clock_init(&clock, START_MS);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stream_aggregator *a = NULL;
        struct err e = ERR_INIT;
        int status =
            stream_aggregator_new(&rows[i].rule, 1, &clock.clock, &log.intake, &log.intake, &a, &e);
        if (status != ERR_INVALID || strstr(e.message, rows[i].complaint) == NULL ||
            strstr(e.message, "stream_aggr rule 1") == NULL) {
            fail_msg(
                "row %zu: %d \"%s\", expected \"%s\"", i, status, e.message, rows[i].complaint);
        }
    }
}

static void test_memory_runs_out_anywhere(void **state)
{
    static const char *outputs[] = {"max", "quantiles(0.5)"};
    const struct stream_rule rule = {
        .interval_ms = 60000, .by = {job_label, 1}, .outputs = {outputs, 2}};
    for (uint64_t nth = 1; nth < 200; nth++) {
        struct fake_clock clock;
        struct log log = {.intake = {.add = add, .external = external}};
        struct stream_aggregator *a = NULL;
        struct err e = ERR_INIT;
        fake_clock_init(&clock, START_MS);
        strbuf_init(&log.lines, 1 << 20);
        mem_fail_nth(nth);
        int status =
            stream_aggregator_new(&rule, 1, &clock.clock, &log.intake, &log.intake, &a, &e);
        bool struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_true(status == 0 || (status == ERR_NOMEM && struck));
        stream_aggregator_free(a);
        strbuf_release(&log.lines);
        if (!struck) {
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs_of_samples),
        cmocka_unit_test(test_outputs_of_counters),
        cmocka_unit_test(test_dedup_alone_thins_out),
        cmocka_unit_test(test_dedup_before_an_output),
        cmocka_unit_test(test_what_no_rule_matches_passes),
        cmocka_unit_test(test_external_labels_stay),
        cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_memory_runs_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
