/* A store of plain arrays behind the store's reading interface: what the engine is tested on. Everything
 * is kept in the order of times; nothing is ever written to a disk. One thread. */
#ifndef SONDE_TESTS_MEMORY_STORE_H
#define SONDE_TESTS_MEMORY_STORE_H

#include "model/histogram.h"
#include "model/labels.h"
#include "tsdb/querier.h"

struct memory_store;

struct memory_store *memory_store_new(void);
void memory_store_free(struct memory_store *store);
/* Forgets all series. No querier may be open. */
void memory_store_clear(struct memory_store *store);

/* Appends a sample; one at the same time is replaced. Labels and histograms are copied. 0 or ERR_NOMEM. */
int memory_store_append(
    struct memory_store *store, const struct labels *labels, int64_t t, double value);
int memory_store_append_histogram(struct memory_store *store, const struct labels *labels,
    int64_t t, const struct histogram *histogram);

/* Runs are cut after this many samples (0 = never), so that tests see their borders. */
void memory_store_set_run_length(struct memory_store *store, size_t samples);

struct querier_source *memory_store_source(struct memory_store *store);

#endif
