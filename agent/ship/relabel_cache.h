/* What a destination's rules (write_relabel_configs) make of each series, remembered.
 *
 * The same series come with every batch; their rules are walked once. Keys and results are runs of
 * encoded labels. When RELABEL_CACHE_MAX series are known everything is forgotten and learnt anew:
 * simpler than an order of use, and as cheap where it matters. One thread.
 */
#ifndef SONDE_SHIP_RELABEL_CACHE_H
#define SONDE_SHIP_RELABEL_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"
#include "model/relabel.h"

#define RELABEL_CACHE_MAX ((size_t)1 << 18)

struct relabel_cache;

/* What became of a series. Valid until the next relabel_cache_learn. */
struct relabelled {
    bool dropped;
    struct str labels_bytes;
    const struct label *labels; /* the same, decoded */
    size_t label_count;
};

/* References the rules. */
int relabel_cache_new(struct relabel *rules, struct relabel_cache **cache_out);
/* Accepts NULL. */
void relabel_cache_free(struct relabel_cache *c);
/* NULL: a series not seen yet. */
const struct relabelled *relabel_cache_find(struct relabel_cache *c, struct str labels_bytes);
/* Applies the rules to a series. A series that is left without a metric name is dropped. 0, ERR_NOMEM,
 * ERR_LIMIT. */
int relabel_cache_learn(struct relabel_cache *c, struct str labels_bytes,
    const struct label *labels, size_t count, const struct relabelled **out);

#endif
