/* The series that a rule wrote at its last evaluation. Those it does not write at the next one get a stale
 * marker: readers then see at once that they ended. One thread. Zeroed is empty. */
#ifndef SONDE_QUERY_RULE_SERIES_H
#define SONDE_QUERY_RULE_SERIES_H

#include "base/err.h"
#include "rules/group_writes.h"

struct rule_series_entry {
    const struct labels *labels; /* a reference is held */
    struct series_ref ref;
    bool has_ref;
    bool seen;    /* in the evaluation under way */
    size_t place; /* among its writes */
};

struct rule_series {
    struct rule_series_entry *items;
    size_t count, cap;
    struct labels_index index;
};

void rule_series_release(struct rule_series *s);
bool rule_series_has(const struct rule_series *s, const struct labels *labels);

/* As if the rule had written the series at its last evaluation. ERR_NOMEM, ERR_LIMIT. */
int rule_series_remember(struct rule_series *s, const struct labels *labels);
/* Writes a sample and notes that its series goes on. Errors of group_writes_put. */
int rule_series_write(struct rule_series *s, struct group_writes *w, const struct labels *labels,
    int64_t t_ms, double value, const struct histogram *histogram, struct err *e);
/* After the rule's last sample: ends the series that were not written, and forgets them. ERR_NOMEM,
 * ERR_LIMIT. */
int rule_series_end_missed(
    struct rule_series *s, struct group_writes *w, int64_t t_ms, struct err *e);
/* After a commit: takes over where the store has the series. */
void rule_series_learn(struct rule_series *s, const struct group_writes *w);
/* Everything of `from` goes to `s`. 0; ERR_NOMEM: `from` is as it was. */
int rule_series_absorb(struct rule_series *s, struct rule_series *from);

#endif
