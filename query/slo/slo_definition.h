/* An objective as its file says it, read from OpenSLO v1 or Sloth's prometheus/v1 (slo_file.h). Immutable;
 * everything lives in the arena of the file it came from.
 */
#ifndef SONDE_QUERY_SLO_DEFINITION_H
#define SONDE_QUERY_SLO_DEFINITION_H

#include "base/arena.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/labels.h"
#include "slo_evaluate.h"

#define SLO_NAME_MAX 200
#define SLO_STEP_MS_DEFAULT ((int64_t)60 * 1000)
#define SLO_STEP_MS_MIN ((int64_t)1000)
#define SLO_STEP_MS_MAX ((int64_t)3600 * 1000)
/* Half of what a question about the past looks back. */
#define SLO_KEEP_FIRING_MS_MAX ((int64_t)12 * 3600 * 1000)

enum slo_indicator_kind {
    SLO_EVENTS,       /* good or bad events of all events */
    SLO_RATIO,        /* a ready-made error ratio: each step weighs the same */
    SLO_SLICES_RATIO, /* a step is good when its share of good events is at least `slice_target` */
    SLO_SLICES_VALUE, /* a step is good when `total` `op` `value` holds at its end */
};

enum slo_op { SLO_LTE, SLO_GTE, SLO_LT, SLO_GT };

struct slo_indicator {
    enum slo_indicator_kind kind;
    /* Expressions with the length of a step in place; each gives one value. */
    struct str part; /* bad or good events, or the ratio */
    bool part_is_good;
    struct str total;
    double slice_target, value;
    enum slo_op op;
    /* As the file has them, for writing it again. */
    struct str part_query, total_query;
    /* Of a native or classic histogram: `part_query` is its selector, `value` the threshold in its unit. */
    bool histogram, native;
};

struct slo_definition {
    struct str name, display_name, service, description;
    struct str runbook_url, waived; /* one of the two */
    struct str file;
    size_t line;
    struct slo_parameters parameters;
    struct str zone_name, calendar_start;
    struct slo_indicator indicators[SLO_COMPONENTS_MAX];
    int64_t budgets[SLO_COMPONENTS_MAX];
    double weights[SLO_COMPONENTS_MAX];
    size_t indicator_count;
    const struct label *labels, *annotations; /* by name */
    size_t label_count, annotation_count;
    /* What was changed about the tiers that were asked for, as sentences. */
    struct str notes[2 * SLO_TIERS_MAX];
    size_t note_count;
    uint64_t hash; /* of all of it, as OpenSLO */
};

#endif
