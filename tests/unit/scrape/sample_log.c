/* Samples as text. */
#include "sample_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/fpconv.h"
#include "base/mem.h"
#include "support/support.h"
#include "wire/remote_write.h"

enum { LINES_MAX = 4096, TEXT_MAX = 1 << 20 };

/* The labels as the receiver will read them. */
static void add_labels(struct str labels_bytes, struct strbuf *out)
{
    struct arena arena;
    struct strbuf message = STRBUF_INIT;
    struct remote_write_decoder *decoder = NULL;
    struct remote_write_item item;
    const struct labels *labels = NULL;
    struct err e = ERR_INIT;
    struct sample sample = {0, 0};
    arena_init(&arena, 0);
    remote_write_encode_series(labels_bytes, &sample, 1, &message);
    assert_int_equal(remote_write_decoder_new(strbuf_str(&message), &arena, &decoder), 0);
    assert_int_equal(remote_write_next(decoder, &item, &e), 1);
    if (remote_write_labels(decoder, &item, &e) != 0) {
        fail_msg("a receiver would refuse the labels: %s", e.message);
    }
    assert_int_equal(labels_new(item.labels, item.label_count, &labels, &e), 0);
    labels_write(labels, out);
    labels_unref(labels);
    strbuf_release(&message);
    arena_release(&arena);
}

static void add_samples(struct intake *self, const struct remote_write_series *series)
{
    struct sample_log *log = (struct sample_log *)self;
    const struct sample *samples = series->samples;
    bool before = mem_fail_exempt(true);
    for (size_t i = 0; i < series->sample_count; i++) {
        add_labels(series->labels_bytes, &log->lines);
        strbuf_add_char(&log->lines, ' ');
        if (value_is_stale(samples[i].value)) {
            strbuf_add_c(&log->lines, "stale");
        } else {
            strbuf_add_double(&log->lines, samples[i].value);
        }
        for (size_t k = 0; k < series->exemplar_count; k++) {
            strbuf_addf(&log->lines, " # %g %lld", series->exemplars[k].value,
                (long long)series->exemplars[k].t_ms);
        }
        if (samples[i].t_ms == log->now_ms) {
            strbuf_add_c(&log->lines, " @now\n");
        } else {
            strbuf_addf(&log->lines, " @%lld\n", (long long)samples[i].t_ms);
        }
        log->count++;
    }
    for (size_t i = 0; i < series->histogram_count; i++) {
        const struct histogram *h = series->histograms[i].histogram;
        add_labels(series->labels_bytes, &log->lines);
        if (value_is_stale(h->sum)) {
            strbuf_add_c(&log->lines, " histogram stale\n");
        } else {
            strbuf_addf(&log->lines, " histogram %g %g\n", h->count, h->sum);
        }
        log->count++;
    }
    mem_fail_exempt(before);
}

static void add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
    struct sample_log *log = (struct sample_log *)self;
    (void)unit;
    bool before = mem_fail_exempt(true);
    strbuf_addf(
        &log->metadata, "%.*s %s %.*s|", STR_ARG(metric), metric_type_name(type), STR_ARG(help));
    log->metadata_count++;
    mem_fail_exempt(before);
}

static enum intake_pressure pressure(const struct intake *self)
{
    return ((const struct sample_log *)self)->pressure;
}

void sample_log_init(struct sample_log *log)
{
    *log = (struct sample_log){
        .intake = {.add = add_samples, .add_metadata = add_metadata, .pressure = pressure}};
    strbuf_init(&log->lines, 64 << 20);
    strbuf_init(&log->metadata, 1 << 20);
}

void sample_log_release(struct sample_log *log)
{
    strbuf_release(&log->lines);
    strbuf_release(&log->metadata);
}

void sample_log_reset(struct sample_log *log)
{
    strbuf_reset(&log->lines);
    log->count = 0;
}

static int compare_lines(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool is_synthetic(struct str line)
{
    return str_starts_with(line, STR("up{")) || str_starts_with(line, STR("scrape_duration")) ||
           str_starts_with(line, STR("scrape_samples")) ||
           str_starts_with(line, STR("scrape_series"));
}

/* Sorted lines, each with its end. */
static void sort_lines(struct str text, bool synthetic, struct strbuf *out)
{
    static struct str lines[LINES_MAX];
    size_t count = 0;
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        if (line.len > 0 && (synthetic || !is_synthetic(line))) {
            assert_true(count < LINES_MAX);
            lines[count++] = line;
        }
    }
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    for (size_t i = 0; i < count; i++) {
        strbuf_add_str(out, lines[i]);
        strbuf_add_char(out, '\n');
    }
}

static void check(struct sample_log *log, const char *expected, bool synthetic)
{
    struct strbuf want, got;
    strbuf_init(&want, TEXT_MAX);
    strbuf_init(&got, TEXT_MAX);
    sort_lines(str_of(expected), true, &want);
    sort_lines(strbuf_str(&log->lines), synthetic, &got);
    if (!str_eq(strbuf_str(&want), strbuf_str(&got))) {
        fail_msg("expected\n%.*sgot\n%.*s", STR_ARG(strbuf_str(&want)), STR_ARG(strbuf_str(&got)));
    }
    strbuf_release(&want);
    strbuf_release(&got);
    sample_log_reset(log);
}

void sample_log_check(struct sample_log *log, const char *expected)
{
    check(log, expected, true);
}

void sample_log_check_series(struct sample_log *log, const char *expected)
{
    check(log, expected, false);
}

void sample_log_take_series(struct sample_log *log, struct strbuf *out)
{
    sort_lines(strbuf_str(&log->lines), false, out);
    sample_log_reset(log);
}

double sample_log_last(const struct sample_log *log, const char *name)
{
    double value = value_nan();
    struct str text = strbuf_str(&log->lines), wanted = str_of(name);
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        struct str rest = line;
        if (!str_eq(str_split(&rest, '{'), wanted)) {
            continue;
        }
        (void)str_split(&rest, '}');
        rest = str_trim(rest);
        struct str number = str_split(&rest, ' ');
        if (str_eq(number, STR("stale"))) {
            value = value_stale_marker();
        } else {
            assert_int_equal(str_to_double(number, &value), 0);
        }
    }
    return value;
}

void sample_log_check_last(const struct sample_log *log, const char *name, double expected)
{
    double got = sample_log_last(log, name);
    if (double_bits(got) != double_bits(expected)) {
        fail_msg("%s is %g, expected %g", name, got, expected);
    }
}

size_t sample_log_holding(const struct sample_log *log, const char *part)
{
    size_t count = 0;
    struct str text = strbuf_str(&log->lines);
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        count += line.len > 0 && memmem(line.ptr, line.len, part, strlen(part)) != NULL;
    }
    return count;
}
