/* Where collectors put what they find: families, and samples of the current family.
 *
 * A collector calls metric_family once for each metric and then metric_sample for each of its
 * series. All samples of a family come together; a family without samples leaves no trace. One pass
 * over an unchanged host yields the same series in the same order as the pass before, so a sink may
 * recognise a series by its position and need only compare.
 *
 * Two kinds of sink exist: exposition text (text_sink.h) and the queue of the shipper. Sinks keep
 * their own sticky error; collectors never ask.
 */
#ifndef SONDE_COLLECTORS_METRIC_SINK_H
#define SONDE_COLLECTORS_METRIC_SINK_H

#include <stddef.h>

#include "base/str.h"
#include "model/sample.h"

/* Labels of one sample a collector may give. */
#define METRIC_LABELS_MAX 24

/* Pairs of a sample stand in ascending order of their names; `name` and `value` live during
 * the call; values are valid UTF-8. An empty value is the same as no label to a store, and is
 * given all the same where node_exporter shows it. */
struct label_pair {
    const char *name;
    struct str value;
};

struct metric_sink {
    /* `name` and `help` live until the next call of `family` or the end of the pass. */
    void (*family)(
        struct metric_sink *self, const char *name, enum metric_type type, const char *help);
    void (*sample)(
        struct metric_sink *self, const struct label_pair *labels, size_t count, double value);
};

static inline void metric_family(
    struct metric_sink *sink, const char *name, enum metric_type type, const char *help)
{
    sink->family(sink, name, type, help);
}

static inline void metric_sample(
    struct metric_sink *sink, const struct label_pair *labels, size_t count, double value)
{
    sink->sample(sink, labels, count, value);
}

/* A family of one series without labels. */
static inline void metric_single(struct metric_sink *sink, const char *name, enum metric_type type,
    const char *help, double value)
{
    sink->family(sink, name, type, help);
    sink->sample(sink, NULL, 0, value);
}

#endif
