/* The series of several selectors, each once, and the samples of one of them at a time: what /series,
 * /federate, remote read and exports are made of.
 */
#ifndef SONDE_QUERY_API_SERIES_UNION_H
#define SONDE_QUERY_API_SERIES_UNION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api_params.h"
#include "base/arena.h"
#include "base/err.h"
#include "tsdb/querier.h"

struct series_union {
    struct arena arena; /* of the series; as long as the selection */
    struct querier *querier;
    struct series_set **sets;
    size_t set_count;
    struct series **series; /* in label order, without duplicates */
    size_t count;
};

struct series_union_options {
    int64_t min_t, max_t; /* both included */
    const struct api_selector *selectors;
    size_t selector_count;
    size_t series_enough; /* of each selector, see struct select_request; 0 = all */
    bool labels_only;
};

/* Borrowed selectors must live as long as the selection. On failure nothing is open. */
int series_union_open(struct querier_source *source, const struct series_union_options *options,
    struct series_union *s_out, struct err *e);
void series_union_close(struct series_union *s);

/* What is missing from the sets, each sentence once; as many as fit. */
enum { SERIES_UNION_WARNINGS_MAX = 10 };
size_t series_union_warnings(
    const struct series_union *s, const char *sentences[SERIES_UNION_WARNINGS_MAX]);

/* All samples of one series, in time order; raw, or of the tier where raw ones are gone. */
struct series_union_samples {
    size_t count;
    int64_t *times;
    double *values; /* NULL when there are only histograms */
    const struct histogram *
        *histograms; /* NULL when there are only floats; NULL entries are floats */
};

/* Samples beyond this many are ERR_LIMIT. */
#define SERIES_UNION_SAMPLES_MAX ((size_t)50000000)

/* Reads one series into `arena`. ERR_LIMIT for more than `samples_max`. */
int series_union_read(struct series *series, size_t samples_max, struct arena *arena,
    struct series_union_samples *samples_out, struct err *e);

/* The newest sample with t > after that the series has in the selection's range: 1, or 0 when it has none
 * or has ended with a stale marker. */
struct series_union_newest {
    int64_t t_ms;
    double value;
    const struct histogram *histogram; /* in the arena, instead of the value; NULL: a float */
};
int series_union_newest(struct series *series, int64_t after, struct arena *arena,
    struct series_union_newest *newest_out, struct err *e);

#endif
