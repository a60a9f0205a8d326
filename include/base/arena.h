/* Region allocator: one request, one query, one arena, released in one act.
 *
 * Memory is carved from blocks and never freed alone. An arena has a byte limit, so a hostile
 * request ends in ERR_LIMIT instead of an out-of-memory kill. Not thread-safe: one owner.
 * Under AddressSanitizer every object is its own malloc, so overruns inside an arena are seen.
 */
#ifndef SONDE_BASE_ARENA_H
#define SONDE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;
struct arena_cleanup;

struct arena {
    struct arena_block *blocks; /* newest first */
    struct arena_block *large;  /* blocks of one large object each, newest first */
    struct arena_cleanup *cleanups;
    size_t used;   /* bytes handed out, alignment included */
    size_t limit;  /* 0 = none */
    bool exceeded; /* the last NULL was the limit, not the machine */
};

/* A point to come back to. */
struct arena_mark {
    struct arena_block *block;
    size_t block_used;
    struct arena_block *large;
    size_t used;
    struct arena_cleanup *cleanups;
};

/* Costs nothing until the first allocation. `limit` in bytes, 0 = none. */
void arena_init(struct arena *a, size_t limit);
/* Aligned to 16; NULL when the limit or the machine is exhausted. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((malloc, warn_unused_result));
void *arena_calloc(struct arena *a, size_t count, size_t size)
    __attribute__((malloc, warn_unused_result));
void *arena_dup(struct arena *a, const void *bytes, size_t size)
    __attribute__((warn_unused_result));
/* Zero-terminated copy. */
char *arena_strndup(struct arena *a, const char *text, size_t length)
    __attribute__((warn_unused_result));
/* ERR_LIMIT or ERR_NOMEM, whichever made the last allocation return NULL. */
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
