/* Where the windows of all steps lie in the samples of a series.
 *
 * Series of one target are scraped together and have the same times, and with the same times the windows
 * hold the same positions. They are found once and kept for the series that come after: for as many
 * lists of times as fit into a megabyte, so that series of a few dozen targets in turn find theirs.
 */
#ifndef SONDE_QUERY_ENGINE_WINDOWS_H
#define SONDE_QUERY_ENGINE_WINDOWS_H

#include "operator.h"
#include "prepare.h"
#include "samples.h"

/* The windows (start, end] of all steps: what they are for, and those that were found. */
struct windows {
    struct query *query;
    const struct grid *grid;
    const struct expr_when *when;
    int64_t range_ms;
    double unit; /* of what is told for a window: its seconds, or 1 */
    struct step_windows *kept;
    size_t kept_count; /* a power of two; 0 until the first series */
};

struct step_windows {
    /* Of each step: its samples are those from `begin` up to, and without, `end`. */
    uint32_t *begin, *end;
    /* Of each window with two samples or more, for rate and its kin, in seconds: from its first sample to
     * the last, and how far the increase between them reaches beyond before a counter's zero is thought
     * of; and by what the increase is multiplied where the zero is far, divided by `unit`. NULL unless
     * asked for. */
    double *sampled, *to_start, *to_end, *factor;
    /* The times they were found for. */
    int64_t *times;
    size_t count, cap;
    bool is_kept, has_factors;
};

void windows_init(struct windows *w, struct query *q, const struct grid *grid,
    const struct expr_when *when, int64_t range_ms, double unit);
/* Those of a series, good until the next call. 0 or an error. */
int windows_find(
    struct windows *w, const int64_t *times, size_t count, const struct step_windows **windows_out);
/* The same, with factors. */
int windows_find_factors(
    struct windows *w, const int64_t *times, size_t count, const struct step_windows **windows_out);

#endif
