/* Groups of stream aggregation: what a rule computes, and the state it computes from. Private to
 * agent/intake. */
#ifndef SONDE_INTAKE_STREAM_GROUP_H
#define SONDE_INTAKE_STREAM_GROUP_H

#include "intake/intake.h"
#include "intake/stream_rule.h"
#include "model/sketch.h"

enum stream_output {
    STREAM_SUM,
    STREAM_COUNT,
    STREAM_COUNT_SERIES,
    STREAM_MIN,
    STREAM_MAX,
    STREAM_AVG,
    STREAM_LAST,
    STREAM_INCREASE,
    STREAM_TOTAL,
    STREAM_RATE_SUM,
    STREAM_RATE_AVG,
    STREAM_QUANTILES,
    STREAM_SAMPLES, /* the last sample of each series as it is: a rule of dedup alone */
};

/* What a rule makes of its series. */
struct stream_shape {
    enum stream_output outputs[STREAM_OUTPUTS_MAX];
    size_t output_count;
    double quantiles[STREAM_QUANTILES_MAX];
    size_t quantile_count;
    char **labels; /* of by or without; owned */
    size_t label_count;
    bool grouped, without; /* by or without was given */
    bool keep_name;
    char *suffix; /* ":interval[_by_…]_"; owned */
};

/* What is known of a series between its samples. */
struct stream_series {
    bool has_last;
    struct sample last;
    uint64_t interval; /* number of the one it was counted in */
    double increase;   /* of the interval under way, and the time it took */
    int64_t increase_ms;
};

struct stream_group {
    struct str key; /* encoded labels of the results without a name's suffix, behind the group */
    unsigned rule;
    uint64_t hash, interval;
    int64_t seen_ms;
    uint64_t count, series;
    double sum, min, max, increase, total, rate_sum;
    uint64_t rate_series;
    struct sample last;
    struct sketch *sketch; /* NULL: no quantiles are asked for */
    bool had_samples;
};

struct stream_groups {
    struct stream_group **slots;
    size_t slot_count, count;
    uint64_t seed;
};

/* ERR_INVALID with a sentence. */
int stream_shape_make(const struct stream_rule *rule, struct stream_shape *out, struct err *e);
void stream_shape_release(struct stream_shape *s);

void stream_groups_init(struct stream_groups *g);
void stream_groups_release(struct stream_groups *g);
/* The group of a series, made when new; NULL without memory. */
struct stream_group *stream_groups_get(struct stream_groups *g, const struct stream_shape *shape,
    unsigned rule, const struct labels *external, const struct label *labels, size_t count);
void stream_group_add(
    struct stream_group *group, struct stream_series *series, const struct sample *sample);
/* Sends the results of one rule's groups, and begins their next interval. */
void stream_groups_flush(struct stream_groups *g, const struct stream_shape *shape, unsigned rule,
    int64_t at_ms, struct intake *results);
/* Groups without samples since; no series may hold them any more. */
void stream_groups_forget(struct stream_groups *g, unsigned rule, int64_t before_ms);

#endif
