/* Exemplars that are in no file yet: what senders brought since the last flush.
 *
 * What is taken follows Prometheus, so that both answer alike: for each series in order of time; of one
 * time in order of value, then of labels; the newest once more changes nothing; anything older is
 * refused. Labels of an exemplar have at most EXEMPLAR_LABEL_RUNES_MAX characters together (OpenMetrics).
 * On top of that a series may bring only so many in a minute of its own time: exemplars are samples of
 * traces, and a sender that attaches one to each observation would store the traces here.
 *
 * Threads: any. One lock (rank LEAF).
 *
 *   exemplar_store_freeze -> write what is frozen to files -> exemplar_store_drop_frozen
 */
#ifndef SONDE_EXEMPLAR_EXEMPLAR_STORE_H
#define SONDE_EXEMPLAR_EXEMPLAR_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "model/labels.h"

#define EXEMPLAR_LABEL_RUNES_MAX 128
/* Exemplars in memory, and series that had some lately; further ones are refused. */
#define EXEMPLARS_PENDING_MAX ((size_t)1 << 20)
#define EXEMPLAR_SERIES_MAX ((size_t)1 << 20)

struct exemplar_store;

/* A series: ids of the index. */
static inline uint64_t exemplar_key(uint32_t target, uint32_t shape)
{
    return (uint64_t)target << 32 | shape;
}

struct exemplar_item {
    int64_t t_ms;
    double value;
    struct str labels; /* as exemplar_labels_encode wrote them */
};

/* `per_minute` of one series; 0 = any number. */
int exemplar_store_new(uint32_t per_minute, struct exemplar_store **store_out);
void exemplar_store_free(struct exemplar_store *s);

/* Sorts, leaves out empty values. ERR_INVALID: a name is empty or comes twice, or all of it is too
 * long. */
int exemplar_labels_check(struct label *labels, size_t *count_inout);

/* What exemplar_store_add would say: 0 taken, 1 it is the newest already, ERR_RANGE older than the
 * newest, ERR_LIMIT too many. */
int exemplar_store_check(struct exemplar_store *s, uint64_t key, const struct exemplar_item *item);
/* How many were taken since the start, and how many exemplar_store_check refused. */
void exemplar_store_counts(struct exemplar_store *s, uint64_t *taken_out, uint64_t *refused_out);
/* Takes a copy. Also ERR_NOMEM. */
int exemplar_store_add(
    struct exemplar_store *s, uint64_t lsn, uint64_t key, const struct exemplar_item *item);

/* The LSN of the oldest exemplar that is in no file; UINT64_MAX when there is none. */
uint64_t exemplar_store_oldest_lsn(struct exemplar_store *s);
size_t exemplar_store_count(struct exemplar_store *s);
/* The series that have exemplars; of the caller (mem_free). */
int exemplar_store_keys(struct exemplar_store *s, uint64_t **keys_out, size_t *count_out);
/* Those of one series in [min_t, max_t], copied. */
int exemplar_store_read(struct exemplar_store *s, uint64_t key, int64_t min_t, int64_t max_t,
    struct arena *arena, struct exemplar_item **items_out, size_t *count_out);

/* ---- Flushing: one thread ---- */

/* Sets aside what is there now, unless something is aside still. Returns how many are. */
size_t exemplar_store_freeze(struct exemplar_store *s);
/* What is aside of one series; borrowed until it is dropped. */
void exemplar_store_frozen(struct exemplar_store *s, uint64_t key,
    const struct exemplar_item **items_out, size_t *count_out);
void exemplar_store_drop_frozen(struct exemplar_store *s);

#endif
