/* Labels are decoded again, so that what is compared is what the queue would hold. */
#include "door_log.h"

#include <inttypes.h>

#include "support/support.h"

static void write_labels(struct str labels_bytes, struct strbuf *out)
{
    struct label pairs[64];
    size_t count = 0;
    const struct labels *labels = NULL;
    assert_int_equal(remote_write_decode_labels(labels_bytes, pairs, 64, &count), 0);
    for (size_t i = 1; i < count; i++) {
        assert_true(str_cmp(pairs[i - 1].name, pairs[i].name) < 0);
    }
    assert_int_equal(labels_new(pairs, count, &labels, NULL), 0);
    labels_write(labels, out);
    labels_unref(labels);
}

static void add(struct intake *self, const struct remote_write_series *series)
{
    struct door_log *log = (struct door_log *)self;
    for (size_t i = 0; i < series->sample_count; i++) {
        write_labels(series->labels_bytes, &log->text);
        strbuf_addf(
            &log->text, " %g @%" PRId64 "\n", series->samples[i].value, series->samples[i].t_ms);
    }
    for (size_t i = 0; i < series->histogram_count; i++) {
        write_labels(series->labels_bytes, &log->text);
        strbuf_addf(&log->text, " histogram of %g @%" PRId64 "\n",
            series->histograms[i].histogram->count, series->histograms[i].t_ms);
    }
    for (size_t i = 0; i < series->exemplar_count; i++) {
        strbuf_addf(&log->text, "  exemplar %g\n", series->exemplars[i].value);
    }
}

static void add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
    struct door_log *log = (struct door_log *)self;
    strbuf_addf(&log->metadata, "%.*s %s %.*s %.*s\n", STR_ARG(metric), metric_type_name(type),
        STR_ARG(help), STR_ARG(unit));
}

static int commit(struct intake *self)
{
    struct door_log *log = (struct door_log *)self;
    log->commits++;
    return log->commit_status;
}

static enum intake_pressure pressure(const struct intake *self)
{
    return ((const struct door_log *)self)->pressure;
}

static const struct labels *external(const struct intake *self, uint64_t *epoch_out)
{
    *epoch_out = 1;
    return ((const struct door_log *)self)->external;
}

void door_log_init(struct door_log *log)
{
    *log = (struct door_log){.intake = {add, add_metadata, commit, pressure, external}};
    strbuf_init(&log->text, 1 << 20);
    strbuf_init(&log->metadata, 1 << 20);
}

void door_log_release(struct door_log *log)
{
    strbuf_release(&log->text);
    strbuf_release(&log->metadata);
    labels_unref(log->external);
}

void door_log_expect(struct door_log *log, const char *text)
{
    assert_string_equal(log->text.data != NULL ? log->text.data : "", text);
    strbuf_reset(&log->text);
}
