/* One line of StatsD, with DogStatsD's tags
 * (https://github.com/statsd/statsd/blob/master/docs/metric_types.md,
 * https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/):
 *
 *   name:value[:value…]|type[|@rate][|#tag:value,tag…][|c:container][|Ttime]
 *
 * type: c counter, g gauge, ms timer, h histogram, d distribution, s set. Container and time are read over.
 * A pure function; every slice points into the line.
 */
#ifndef SONDE_RECEIVE_STATSD_LINE_H
#define SONDE_RECEIVE_STATSD_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "model/labels.h"

#define STATSD_TAGS_MAX 64

enum statsd_kind { STATSD_COUNTER, STATSD_GAUGE, STATSD_TIMER, STATSD_HISTOGRAM, STATSD_SET };

struct statsd_line {
    struct str name;
    struct str values; /* separated by ':'; at least one; of a set any text, else numbers */
    enum statsd_kind kind;
    double rate;                        /* (0, 1] */
    struct label tags[STATSD_TAGS_MAX]; /* as sent; a tag without a value has an empty one */
    size_t tag_count;
};

/* 0; ERR_INVALID; ERR_LIMIT: too many tags; ERR_UNSUPPORTED: an event or a service check. */
int statsd_line_parse(struct str line, struct statsd_line *line_out);
/* The next value of a kind that has numbers. `*relative_out`: a gauge's change (it has a sign). 1, 0 at the end,
 * ERR_INVALID. */
int statsd_line_next(struct str *values, double *value_out, bool *relative_out);

#endif
