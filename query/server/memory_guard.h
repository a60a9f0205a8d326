/* The memory ceiling of the process, and who may begin what below it.
 *
 *   used         level   new series   memory is given back   writes and queries
 *   below 85 %   good    taken        -                      taken
 *   85 .. 95 %   soft    refused      yes                    taken
 *   above 95 %   hard    refused      yes                    503, come again
 *
 * A level is left five points below where it began, so that it does not flicker. New series are what
 * makes memory grow for good; samples of series that are there leave it with the next seal. So they are
 * refused first (limit `memory`), and only what would end the process otherwise stops the others.
 *
 * Memory is read when somebody asks and the last reading is older than MEMORY_READ_EACH_MS: a sender
 * cannot add much in between. Any thread.
 */
#ifndef SONDE_QUERY_MEMORY_GUARD_H
#define SONDE_QUERY_MEMORY_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

enum memory_level { MEMORY_GOOD, MEMORY_SOFT, MEMORY_HARD };

#define MEMORY_READ_EACH_MS 50
/* Giving memory back is work: seals, and caches that must be filled again. */
#define MEMORY_RELIEF_EACH_MS 10000

struct memory_guard_options {
    uint64_t limit_bytes; /* > 0 */
    struct clock *clock;  /* NULL = clock_real() */
    /* What is used now; when it fails the last reading stands. */
    int (*read)(void *context, uint64_t *used_out);
    /* The level is another one than before; may be NULL. From whoever asked, no lock held. */
    void (*changed)(void *context, enum memory_level level);
    void *context;
};

struct memory_guard;

int memory_guard_new(const struct memory_guard_options *options, struct memory_guard **guard_out);
void memory_guard_free(struct memory_guard *g);
enum memory_level memory_guard_level(struct memory_guard *g);
/* May a write or a query begin? Counts those that may not. */
bool memory_guard_admit(struct memory_guard *g);
/* Should memory be given back now? True at most every MEMORY_RELIEF_EACH_MS while it is short. */
bool memory_guard_wants_relief(struct memory_guard *g);

struct memory_guard_statistics {
    uint64_t limit_bytes, used_bytes;
    enum memory_level level;
    uint64_t turned_away; /* writes and queries */
    uint64_t reliefs;
};
void memory_guard_statistics(struct memory_guard *g, struct memory_guard_statistics *out);

#endif
