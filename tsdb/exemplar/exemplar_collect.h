/* Exemplars from many places (memory, files) as one list: by series, in order of time, each once. */
#ifndef SONDE_EXEMPLAR_EXEMPLAR_COLLECT_H
#define SONDE_EXEMPLAR_EXEMPLAR_COLLECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "tsdb/querier.h"

/* Exemplars of one list, doubles included; more are ERR_LIMIT. */
#define EXEMPLARS_COLLECTED_MAX ((size_t)1 << 20)

struct collected_exemplar {
    const struct labels *series;
    struct exemplar exemplar;
};

/* Everything lives in `arena`. */
struct exemplar_collector {
    struct arena *arena;
    const struct matcher *const *matchers;
    size_t matcher_count;
    int64_t min_t, max_t;
    const struct labels *series;      /* of the exemplars that come */
    struct collected_exemplar *items; /* of the collector: exemplar_collector_release */
    size_t count, cap;
};

/* 1 when the series matches, 0 when not, or an error. The callbacks of a struct exemplar_reader. */
int exemplar_collect_series(void *context, const struct label *labels, size_t count);
int exemplar_collect_exemplar(
    void *context, int64_t t_ms, double value, const struct label *labels, size_t count);
/* 0, ERR_LIMIT, ERR_NOMEM. */
int exemplar_collector_finish(struct exemplar_collector *c, struct exemplar_list *list_out);
void exemplar_collector_release(struct exemplar_collector *c);

#endif
