/* Region allocator: one request, one query, one arena, released in one act.
 *
 * Memory is carved from blocks and never freed alone. An arena has a byte limit, so a hostile
 * request ends in ERR_LIMIT instead of an out-of-memory kill. Several arenas may share a budget, which is
 * charged with whole blocks: with what they really take. Not thread-safe: one owner.
 * Under AddressSanitizer every object is its own malloc, so overruns inside an arena are seen.
 */
#ifndef SONDE_BASE_ARENA_H
#define SONDE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory_budget.h"

struct arena_block;
struct arena_cleanup;

struct arena {
    struct arena_block *blocks; /* newest first */
    struct arena_block *large;  /* blocks of one large object each, newest first */
    struct arena_cleanup *cleanups;
    struct memory_budget *budget; /* NULL = none */
    size_t elsewhere;             /* bytes charged that lie outside */
    size_t used;                  /* bytes handed out, alignment included */
    size_t limit;                 /* 0 = none */
    int error;                    /* why the last allocation gave NULL */
};

/* A point to come back to. */
struct arena_mark {
    struct arena_block *block;
    size_t block_used;
    struct arena_block *large;
    size_t elsewhere;
    size_t used;
    struct arena_cleanup *cleanups;
};

/* Costs nothing until the first allocation. `limit` in bytes, 0 = none. */
void arena_init(struct arena *a, size_t limit);
/* An arena without a limit of its own, whose memory is charged to `budget`, which outlives it. */
void arena_init_charged(struct arena *a, struct memory_budget *budget);
/* From now on `budget` is charged, one that is above the present one: what the arena holds is charged
 * there already. For memory that outlives what it was made for. */
void arena_move_charge(struct arena *a, struct memory_budget *budget);
/* Charges bytes that lie elsewhere and live as long as what is allocated now. 0, or as arena_error. */
int arena_charge(struct arena *a, size_t bytes);
/* Aligned to 16; NULL when the limit or the machine is exhausted. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((malloc, warn_unused_result));
void *arena_calloc(struct arena *a, size_t count, size_t size)
    __attribute__((malloc, warn_unused_result));
void *arena_dup(struct arena *a, const void *bytes, size_t size)
    __attribute__((warn_unused_result));
/* Zero-terminated copy. */
char *arena_strndup(struct arena *a, const char *text, size_t length)
    __attribute__((warn_unused_result));
/* What made the last allocation return NULL: ERR_LIMIT, ERR_BUSY (a budget shared with others is used up)
 * or ERR_NOMEM. */
int arena_error(const struct arena *a);

/* Calls `release(object)` when the arena is released or rewound past this point, newest first.
 * Returns 0 or the arena's error; on error nothing is registered. */
int arena_on_release(struct arena *a, void (*release)(void *object), void *object);

struct arena_mark arena_mark(const struct arena *a);
/* Frees everything allocated since the mark. Marks must be rewound newest first. */
void arena_rewind(struct arena *a, struct arena_mark mark);
/* Frees all; the arena may be used again. */
void arena_release(struct arena *a);

#endif
