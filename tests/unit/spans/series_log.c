/* Labels are decoded again, so that what is compared is what the queue would hold. */
#include "series_log.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "support/support.h"

static const int64_t epoch_ms = 1700000000000;

static void write_labels(struct str labels_bytes, struct strbuf *out)
{
    struct label pairs[64];
    size_t count = 0, kept = 0;
    const struct labels *labels = NULL;
    assert_int_equal(remote_write_decode_labels(labels_bytes, pairs, 64, &count), 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || str_cmp(pairs[i - 1].name, pairs[i].name) < 0);
        assert_true(str_is_utf8(pairs[i].value));
        if (!str_eq_c(pairs[i].name, "job") && !str_eq_c(pairs[i].name, "instance")) {
            pairs[kept++] = pairs[i];
        }
    }
    assert_int_equal(count - kept, 2);
    assert_int_equal(labels_new(pairs, kept, &labels, NULL), 0);
    labels_write(labels, out);
    labels_unref(labels);
}

static void write_time(int64_t t_ms, struct strbuf *out)
{
    strbuf_addf(out, " @%" PRId64 "\n", t_ms - epoch_ms);
}

static void add(struct intake *self, const struct remote_write_series *series)
{
    struct series_log *log = (struct series_log *)self;
    struct strbuf *out = &log->text;
    bool before = mem_fail_exempt(true);
    for (size_t i = 0; i < series->sample_count; i++) {
        write_labels(series->labels_bytes, out);
        double value = series->samples[i].value;
        if (value_is_stale(value)) {
            strbuf_add_c(out, " stale");
        } else {
            strbuf_addf(out, " %.12g", value);
        }
        write_time(series->samples[i].t_ms, out);
    }
    for (size_t i = 0; i < series->histogram_count; i++) {
        const struct histogram *h = series->histograms[i].histogram;
        struct err e = ERR_INIT;
        write_labels(series->labels_bytes, out);
        if (value_is_stale(h->sum)) {
            strbuf_add_c(out, " stale");
        } else {
            assert_int_equal(histogram_validate(h, &e), 0);
            strbuf_addf(
                out, " {count:%.12g, sum:%.6g%s}", h->count, h->sum, h->integer ? "" : ", float");
        }
        write_time(series->histograms[i].t_ms, out);
    }
    for (size_t i = 0; i < series->exemplar_count; i++) {
        const struct remote_write_exemplar *e = &series->exemplars[i];
        assert_int_equal(e->label_count, 2);
        strbuf_addf(out, "  %.*s %.*s %g", STR_ARG(e->labels[1].value), STR_ARG(e->labels[0].value),
            e->value);
        write_time(e->t_ms, out);
    }
    mem_fail_exempt(before);
}

static void add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
}

static int commit(struct intake *self)
{
    return 0;
}

static enum intake_pressure tell_pressure(const struct intake *self)
{
    return ((const struct series_log *)self)->pressure;
}

static const struct labels *tell_external(const struct intake *self, uint64_t *epoch_out)
{
    const struct series_log *log = (const struct series_log *)self;
    *epoch_out = log->external != NULL;
    return log->external;
}

void series_log_init(struct series_log *log)
{
    *log = (struct series_log){
        .intake = {add, add_metadata, commit, tell_pressure, tell_external}, .text = STRBUF_INIT};
}

void series_log_release(struct series_log *log)
{
    strbuf_release(&log->text);
}

void series_log_expect(struct series_log *log, const char *text)
{
    if (!str_eq_c(strbuf_str(&log->text), text)) {
        print_message(
            "---- written\n%.*s---- expected\n%s----\n", STR_ARG(strbuf_str(&log->text)), text);
        fail();
    }
    strbuf_reset(&log->text);
}

bool series_log_has(const struct series_log *log, const char *line)
{
    struct str rest = strbuf_str(&log->text);
    while (rest.len > 0) {
        if (str_eq_c(str_split(&rest, '\n'), line)) {
            return true;
        }
    }
    return false;
}
