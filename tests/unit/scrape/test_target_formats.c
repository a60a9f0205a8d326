/* What targets may answer: protobuf with native histograms, exemplars, answers that do not say their
 * format; and limits, to the letter. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "sample_log.h"
#include "support/fake_clock.h"
#include "support/sim_http_client.h"
#include "support/support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define INTERVAL_MS 10000

struct world {
    struct fake_clock clock;
    struct sim_http_client http;
    struct sample_log log;
    struct metric_metadata metadata;
    struct target_options options;
    struct target *target;
    const struct labels *labels;
};

static void begin(struct world *w, const struct target_options *wanted)
{
    const struct label pair = {STR("job"), STR("j")};
    struct err e = ERR_INIT;
    memset(w, 0, sizeof(*w));
    fake_clock_init(&w->clock, 1700000000000);
    sim_http_client_init(&w->http);
    sample_log_init(&w->log);
    assert_int_equal(labels_new(&pair, 1, &w->labels, &e), 0);
    w->options = *wanted;
    w->options.labels = w->labels;
    w->options.url = "http://a/metrics";
    w->options.interval_ms = INTERVAL_MS;
    w->options.honor_timestamps = true;
    assert_int_equal(target_new(&w->options, &w->clock.clock, &w->http.client, &w->log.intake,
                         &w->metadata, &w->target),
        0);
}

static void end(struct world *w)
{
    target_free(w->target, false);
    metric_metadata_release(&w->metadata);
    sample_log_release(&w->log);
    sim_http_client_release(&w->http);
    labels_unref(w->labels);
}

/* One scrape; NULL: no Content-Type. */
static void scrape(struct world *w, const char *content_type, struct str body)
{
    struct sim_http_answer answer = {.answer_body = body};
    if (content_type != NULL) {
        answer.headers[answer.header_count++] =
            (struct http_client_header){"Content-Type", content_type};
    }
    fake_clock_advance_ms(&w->clock, target_step(w->target));
    w->log.now_ms = w->clock.wall_ms;
    sim_http_client_expect(&w->http, &answer);
    target_step(w->target);
    assert_true(sim_http_client_deliver(&w->http));
}

static struct target_status status_of(const struct world *w)
{
    struct target_status s;
    target_status(w->target, &s);
    return s;
}

static void test_limits(void **state)
{
    /* The series has the labels __name__, a and job: three of at most 8 and 5 bytes. */
    static const char body[] = "name{a=\"value\"} 1\n";
    static const struct {
        struct target_options options;
        const char *error; /* part of it; NULL: the scrape is good */
    } rows[] = {
        {{.label_limit = 3}, NULL},
        {{.label_limit = 2}, "a series of 3 labels; label_limit is 2"},
        {{.label_name_limit = 8}, NULL},
        {{.label_name_limit = 7}, "a label name of 8 bytes; label_name_length_limit is 7"},
        {{.label_value_limit = 5}, NULL},
        {{.label_value_limit = 4}, "a value of label a of 5 bytes; label_value_length_limit is 4"},
        {{.sample_limit = 1}, NULL},
        {{.forced_error = "too many targets"}, "too many targets"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        begin(&w, &rows[i].options);
        if (rows[i].options.forced_error == NULL) {
            scrape(&w, "text/plain", str_of(body));
        } else {
            fake_clock_advance_ms(&w.clock, target_step(w.target));
            target_step(w.target);
        }
        struct target_status s = status_of(&w);
        bool good = rows[i].error == NULL
                        ? s.health == TARGET_UP
                        : s.health == TARGET_DOWN && strstr(s.error, rows[i].error) != NULL;
        if (!good) {
            fail_msg("row %zu: \"%s\", expected \"%s\"", i, s.error,
                rows[i].error != NULL ? rows[i].error : "");
        }
        sample_log_check_last(&w.log, "up", rows[i].error == NULL);
        end(&w);
    }
}

static void test_answers_that_do_not_say_their_format(void **state)
{
    static const struct {
        struct target_options options;
        const char *content_type, *body;
        bool good;
    } rows[] = {
        {{0}, NULL, "x 1\n", true},
        {{0}, "text/html", "x 1\n", true},
        {{.fallback = EXPOSITION_OPENMETRICS}, NULL, "x 1\n# EOF\n", true},
        {{.fallback = EXPOSITION_OPENMETRICS}, NULL, "x 1\n", false},
        {{.fallback = EXPOSITION_OPENMETRICS}, "text/plain; version=0.0.4", "x 1\n", true},
        {{.no_fallback = true}, NULL, "x 1\n", false},
        {{.no_fallback = true}, "text/html; charset=utf-8", "x 1\n", false},
        {{.no_fallback = true}, "text/plain", "x 1\n", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        begin(&w, &rows[i].options);
        scrape(&w, rows[i].content_type, str_of(rows[i].body));
        if ((status_of(&w).health == TARGET_UP) != rows[i].good) {
            fail_msg("row %zu: %s", i, status_of(&w).error);
        }
        end(&w);
    }
}

/* A field of bytes onto `out`. */
static void put(struct strbuf *out, unsigned field, struct str bytes)
{
    strbuf_add_uvarint(out, field << 3 | 2);
    strbuf_add_uvarint(out, bytes.len);
    strbuf_add_str(out, bytes);
}

static void put_double(struct strbuf *out, unsigned field, double value)
{
    strbuf_add_uvarint(out, field << 3 | 1);
    strbuf_add_le64(out, double_bits(value));
}

static void put_number(struct strbuf *out, unsigned field, uint64_t value)
{
    strbuf_add_uvarint(out, field << 3);
    strbuf_add_uvarint(out, value);
}

/* The family of one metric whose value is field `field`, with its length in front. */
static void put_family(
    struct strbuf *out, const char *name, unsigned type, unsigned field, struct str value)
{
    struct strbuf label = STRBUF_INIT, metric = STRBUF_INIT, family = STRBUF_INIT;
    put(&label, 1, STR("l"));
    put(&label, 2, STR("v"));
    put(&metric, 1, strbuf_str(&label));
    put(&metric, field, value);
    put(&family, 1, str_of(name));
    put_number(&family, 3, type);
    put(&family, 4, strbuf_str(&metric));
    strbuf_add_uvarint(out, family.size);
    strbuf_add_str(out, strbuf_str(&family));
    strbuf_release(&label);
    strbuf_release(&metric);
    strbuf_release(&family);
}

/* A counter, a summary, a classic histogram without +Inf, and one that is native and classic. */
static void make_protobuf(struct strbuf *out)
{
    struct strbuf value = STRBUF_INIT, part = STRBUF_INIT;
    put_double(&value, 1, 7.5);
    put_family(out, "c", 0, 3, strbuf_str(&value));
    strbuf_reset(&value);
    put_number(&value, 1, 4);
    put_double(&value, 2, 10);
    put_double(&part, 1, 0.5);
    put_double(&part, 2, 2);
    put(&value, 3, strbuf_str(&part));
    put_family(out, "s", 2, 4, strbuf_str(&value));
    strbuf_reset(&value);
    strbuf_reset(&part);
    put_number(&value, 1, 9);
    put_double(&value, 2, 30);
    put_number(&part, 1, 3);
    put_double(&part, 2, 1);
    put(&value, 3, strbuf_str(&part));
    put_family(out, "h", 4, 7, strbuf_str(&value));
    /* Native too: schema 0, buckets 1 and 2 with 3 and 3 + 3 observations. */
    strbuf_reset(&part);
    put_number(&part, 1, 2); /* offset 1, zigzag */
    put_number(&part, 2, 2);
    put(&value, 12, strbuf_str(&part));
    put(&value, 13, STR("\x06\x06"));
    put_family(out, "n", 4, 7, strbuf_str(&value));
    strbuf_release(&value);
    strbuf_release(&part);
}

#define LINES                                                                                      \
    "c{job=\"j\", l=\"v\"} 7.5 @now\n"                                                             \
    "s{job=\"j\", l=\"v\", quantile=\"0.5\"} 2 @now\n"                                             \
    "s_sum{job=\"j\", l=\"v\"} 10 @now\n"                                                          \
    "s_count{job=\"j\", l=\"v\"} 4 @now\n"                                                         \
    "h_bucket{job=\"j\", l=\"v\", le=\"1\"} 3 @now\n"                                              \
    "h_bucket{job=\"j\", l=\"v\", le=\"+Inf\"} 9 @now\n"                                           \
    "h_sum{job=\"j\", l=\"v\"} 30 @now\n"                                                          \
    "h_count{job=\"j\", l=\"v\"} 9 @now\n"                                                         \
    "n{job=\"j\", l=\"v\"} histogram 9 30\n"
#define CLASSIC                                                                                    \
    "n_bucket{job=\"j\", l=\"v\", le=\"1\"} 3 @now\n"                                              \
    "n_bucket{job=\"j\", l=\"v\", le=\"+Inf\"} 9 @now\n"                                           \
    "n_sum{job=\"j\", l=\"v\"} 30 @now\n"                                                          \
    "n_count{job=\"j\", l=\"v\"} 9 @now\n"

static const char protobuf[] = "application/vnd.google.protobuf; "
                               "proto=io.prometheus.client.MetricFamily; encoding=delimited";

static void test_protobuf(void **state)
{
    struct world w;
    struct strbuf body = STRBUF_INIT;
    make_protobuf(&body);
    begin(&w, &(struct target_options){.native_histograms = true});
    scrape(&w, protobuf, strbuf_str(&body));
    assert_non_null(
        memmem(sim_http_client_last_header(&w.http, "Accept").ptr, 12, "application/", 12));
    sample_log_check_series(&w.log, LINES);
    scrape(&w, protobuf, strbuf_str(&body)); /* now from memory */
    sample_log_check_series(&w.log, LINES);
    assert_int_equal(status_of(&w).last_samples, 9);
    scrape(&w, "text/plain", STR("other 1\n"));
    assert_int_equal(sample_log_holding(&w.log, "histogram stale"), 1); /* ends as what it was */
    assert_int_equal(sample_log_holding(&w.log, "stale"), 9);
    end(&w);
    begin(&w, &(struct target_options){.native_histograms = true, .classic_histograms = true});
    scrape(&w, protobuf, strbuf_str(&body));
    sample_log_check_series(&w.log, LINES CLASSIC);
    end(&w);
    begin(&w, &(struct target_options){.bucket_limit = 1});
    scrape(&w, protobuf, strbuf_str(&body));
    assert_non_null(strstr(status_of(&w).error, "2 buckets; native_histogram_bucket_limit is 1"));
    end(&w);
    strbuf_release(&body);
}

static void test_broken_protobuf_takes_nothing(void **state)
{
    struct strbuf body = STRBUF_INIT;
    make_protobuf(&body);
    size_t good = 0;
    for (size_t size = 1; size < body.size; size++) {
        struct world w;
        begin(&w, &(struct target_options){0});
        scrape(&w, protobuf, str_make(body.data, size));
        bool up = status_of(&w).health == TARGET_UP;
        good += up;
        assert_int_equal(w.log.count > 5, up); /* five synthetic series come always */
        end(&w);
    }
    assert_int_equal(good, 3); /* cut behind the first, second and third family */
    strbuf_release(&body);
}

static void test_exemplars_are_sent_once(void **state)
{
    static const char body[] = "# TYPE c counter\nc_total 5 # {trace_id=\"a\"} 0.5 1.25\n# EOF\n";
    static const char next[] = "# TYPE c counter\nc_total 6 # {trace_id=\"b\"} 0.5 1.25\n# EOF\n";
    static const char openmetrics[] = "application/openmetrics-text; version=1.0.0";
    struct world w;
    begin(&w, &(struct target_options){0});
    scrape(&w, openmetrics, str_of(body));
    sample_log_check_series(&w.log, "c_total{job=\"j\"} 5 # 0.5 1250 @now\n");
    scrape(&w, openmetrics, str_of(body));
    sample_log_check_series(&w.log, "c_total{job=\"j\"} 5 @now\n");
    scrape(&w, openmetrics, str_of(next));
    sample_log_check_series(&w.log, "c_total{job=\"j\"} 6 # 0.5 1250 @now\n");
    end(&w);
}

static void test_staleness_of_times_of_their_own(void **state)
{
    for (int track = 0; track < 2; track++) {
        struct world w;
        begin(&w, &(struct target_options){.track_timestamps = track == 1});
        scrape(&w, "text/plain", STR("x 1 1699999999999\ny 1\n"));
        sample_log_reset(&w.log);
        scrape(&w, "text/plain", STR("y 1\n"));
        assert_int_equal(sample_log_holding(&w.log, "stale"), track);
        end(&w);
    }
}

static void test_no_new_series_when_memory_is_full(void **state)
{
    struct world w;
    begin(&w, &(struct target_options){0});
    scrape(&w, "text/plain", STR("x 1\n"));
    w.log.pressure = INTAKE_FULL;
    sample_log_reset(&w.log);
    scrape(&w, "text/plain", STR("x 2\ny 1\n"));
    sample_log_check_series(&w.log, "x{job=\"j\"} 2 @now\n");
    assert_int_equal(status_of(&w).refused_samples, 1);
    w.log.pressure = INTAKE_EASY;
    scrape(&w, "text/plain", STR("x 3\ny 4\n"));
    sample_log_check_series(&w.log, "x{job=\"j\"} 3 @now\ny{job=\"j\"} 4 @now\n");
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_answers_that_do_not_say_their_format),
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_broken_protobuf_takes_nothing),
        cmocka_unit_test(test_exemplars_are_sent_once),
        cmocka_unit_test(test_staleness_of_times_of_their_own),
        cmocka_unit_test(test_no_new_series_when_memory_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
