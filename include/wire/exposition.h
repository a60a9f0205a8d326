/* The Prometheus text format 0.0.4 and OpenMetrics 1.0 text, both ways.
 *
 * Reading is a zero-copy pull parser over one body; slices point into it (or, where an escape had to
 * be undone, into the parser's arena). It accepts what Prometheus' own parser accepts, and says
 * where it stopped: line and column.
 */
#ifndef SONDE_WIRE_EXPOSITION_H
#define SONDE_WIRE_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS, EXPOSITION_PROTOBUF };

/* By Content-Type; text for an absent or unknown one where `fallback_text`, else ERR_UNSUPPORTED. */
int exposition_format_of(
    struct str content_type, bool fallback_text, enum exposition_format *format_out);

/* Labels of one sample that are accepted. */
#define EXPOSITION_LABELS_MAX 256

enum exposition_entry_kind {
    EXPOSITION_SAMPLE,
    EXPOSITION_TYPE,
    EXPOSITION_HELP,
    EXPOSITION_UNIT,
};

struct exposition_entry {
    enum exposition_entry_kind kind;
    /* Sample: the bytes of name and labels as they stand in the body (a key for "seen this line
     * before"), and the value. Labels are not split yet; call exposition_labels. */
    struct str series_text;
    double value;
    bool has_timestamp;
    int64_t t_ms;
    /* OpenMetrics exemplar: `# {labels} value [timestamp]`. */
    bool has_exemplar;
    struct str exemplar_text;
    double exemplar_value;
    bool exemplar_has_timestamp;
    int64_t exemplar_t_ms;
    /* TYPE, HELP, UNIT. */
    struct str metric;
    enum metric_type type;
    struct str text;
};

struct exposition_parser {
    enum exposition_format format;
    struct str body; /* or a part of it that ends with a line */
    uint64_t before; /* bytes of the parts before */
    size_t position;
    size_t line;
    struct arena *arena; /* for unescaped text; borrowed */
    bool saw_eof_marker;
    bool more; /* the body goes on behind this part */
};

void exposition_begin(struct exposition_parser *p, enum exposition_format format, struct str body,
    struct arena *arena);
/* For a body that comes in parts: all lines of the part before were read, and `part` is the next one, which
 * ends with the end of a line unless it is the last. Begin with an empty one. The end of a part that is not
 * the last is a proper end; lines and offsets are counted through. */
void exposition_go_on(struct exposition_parser *p, struct str part, bool last);
/* 1 and an entry, 0 at the (proper) end, ERR_INVALID with "line L, column C: …". */
int exposition_next(struct exposition_parser *p, struct exposition_entry *entry_out, struct err *e);
/* The next line is `series_text` (one that exposition_next gave before), a blank, a value and nothing
 * more: takes it. Else false, and nothing is taken: exposition_next reads it. A true answer is what
 * exposition_next would have given. */
bool exposition_take_known(struct exposition_parser *p, struct str series_text, double *value_out);
/* Splits `series_text` (or an exemplar's braces) into pairs, __name__ included, unescaped, in order
 * of appearance. `pairs` has room for `cap`. ERR_INVALID, ERR_LIMIT. */
int exposition_labels(struct exposition_parser *p, struct str series_text, struct label *pairs,
    size_t cap, size_t *count_out, struct err *e);

/* ---- Reading protobuf: io.prometheus.client.MetricFamily, each with its length in front ---- */

/* A native histogram of a body, under the text of its series. */
struct exposition_histogram {
    struct str series_text;
    const struct histogram *histogram;
    bool has_timestamp;
    int64_t t_ms;
};

struct exposition_histograms {
    const struct exposition_histogram *items;
    size_t count;
};

/* Rewrites a body as text 0.0.4 onto `text_out`, for exposition_next, but for native histograms, which
 * are given apart. The classic buckets of a histogram that is native as well are left out unless
 * `classic`. What is given lives in `arena`. 0; ERR_INVALID names the byte offset; ERR_LIMIT,
 * ERR_NOMEM. */
int exposition_read_protobuf(struct str body, bool classic, struct arena *arena,
    struct strbuf *text_out, struct exposition_histograms *histograms_out, struct err *e);

/* ---- Writing text 0.0.4 ---- */
void exposition_write_help(struct strbuf *out, struct str metric, struct str help);
void exposition_write_type(struct strbuf *out, struct str metric, enum metric_type type);
/* `labels` without __name__; t_ms INT64_MIN = none. */
void exposition_write_sample(struct strbuf *out, struct str metric, const struct label *labels,
    size_t label_count, double value, int64_t t_ms);
/* One figure of a program's own /metrics: HELP and TYPE first, unless `help` is NULL (a further sample
 * of the metric before), then the sample, without a time. */
void exposition_write_figure(struct strbuf *out, const char *metric, enum metric_type type,
    const char *help, const struct label *labels, size_t label_count, double value);

/* ---- Writing protobuf: io.prometheus.client.MetricFamily, each with its length in front ---- */

#define EXPOSITION_PROTOBUF_TYPE                                                                   \
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

/* One Metric as a field of the family that `out` holds: an untyped value, or a native histogram. */
void exposition_protobuf_metric(const struct label *labels, size_t label_count, double value,
    const struct histogram *histogram, int64_t t_ms, struct strbuf *scratch, struct strbuf *out);
/* The family of these metrics. */
enum exposition_family {
    EXPOSITION_UNTYPED = 3,
    EXPOSITION_HISTOGRAM = 4,
    EXPOSITION_GAUGE_HISTOGRAM = 5
};
void exposition_protobuf_family(
    struct str name, enum exposition_family type, struct str metrics, struct strbuf *out);

#endif
