/* Region allocator.
 *
 * Blocks are chained newest first and grow from 4 KiB to 256 KiB. An object larger than a quarter of
 * the next block gets a block of its own, on a chain of its own, so that the current block goes on
 * serving small ones: large and small in turn would otherwise leave a nearly empty block behind each
 * time, and the limit, which counts what was handed out, would say little about the memory in use.
 * Under AddressSanitizer each object is a block: the sanitizer then sees overruns and uses after
 * release inside the arena.
 */
#include "base/arena.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_OBJECT_PER_BLOCK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_OBJECT_PER_BLOCK 1
#endif
#endif

enum { ALIGNMENT = 16, BLOCK_MIN = 4096, BLOCK_MAX = 256 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t cap;
    size_t used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*release)(void *object);
    void *object;
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.limit = limit};
}

void arena_init_charged(struct arena *a, struct memory_budget *budget)
{
    *a = (struct arena){.budget = budget};
}

void arena_move_charge(struct arena *a, struct memory_budget *budget)
{
    a->budget = budget;
}

/* Charges the budget; false, with the error set, when it is used up. */
static bool charge(struct arena *a, size_t bytes)
{
    int status = a->budget != NULL ? memory_budget_charge(a->budget, bytes) : 0;
    a->error = status != 0 ? status : a->error;
    return status == 0;
}

static void discharge(struct arena *a, size_t bytes)
{
    if (a->budget != NULL) {
        memory_budget_discharge(a->budget, bytes);
    }
}

int arena_charge(struct arena *a, size_t bytes)
{
    if (!charge(a, bytes)) {
        return a->error;
    }
    a->elsewhere += bytes;
    return 0;
}

/* A block of `cap` bytes at the head of `chain`; NULL when memory or the budget is short. */
static struct arena_block *add_block(struct arena *a, struct arena_block **chain, size_t cap)
{
    if (cap > SIZE_MAX - sizeof(struct arena_block)) {
        a->error = ERR_LIMIT;
        return NULL;
    }
    if (!charge(a, sizeof(struct arena_block) + cap)) {
        return NULL;
    }
    struct arena_block *block = mem_alloc(sizeof(*block) + cap);
    if (block == NULL) {
        discharge(a, sizeof(*block) + cap);
        a->error = ERR_NOMEM;
        return NULL;
    }
    block->cap = cap;
    block->used = 0;
    block->next = *chain;
    *chain = block;
    return block;
}

/* The block that an object of `size` bytes, `rounded` up, is carved from. */
static struct arena_block *block_for(struct arena *a, size_t size, size_t rounded)
{
#ifdef ARENA_OBJECT_PER_BLOCK
    (void)rounded;
    return add_block(
        a, &a->large, size == 0 ? 1 : size); /* exact, so that one byte too far is seen */
#else
    (void)size;
    if (a->blocks != NULL && a->blocks->cap - a->blocks->used >= rounded) {
        return a->blocks;
    }
    size_t cap = a->blocks != NULL ? a->blocks->cap * 2 : BLOCK_MIN;
    cap = cap > BLOCK_MAX ? BLOCK_MAX : cap;
    return rounded > cap / 4 ? add_block(a, &a->large, rounded) : add_block(a, &a->blocks, cap);
#endif
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT) {
        a->error = ERR_LIMIT;
        return NULL;
    }
    size_t rounded = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (a->limit != 0 && (rounded > a->limit || a->used > a->limit - rounded)) {
        a->error = ERR_LIMIT;
        return NULL;
    }
    struct arena_block *block = block_for(a, size, rounded);
    if (block == NULL) {
        return NULL;
    }
    void *object = block->bytes + block->used;
    block->used += rounded;
    a->used += rounded;
    return object;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        a->error = ERR_LIMIT;
        return NULL;
    }
    void *object = arena_alloc(a, count * size);
    if (object != NULL) {
        memset(object, 0, count * size);
    }
    return object;
}

void *arena_dup(struct arena *a, const void *bytes, size_t size)
{
    void *copy = arena_alloc(a, size);
    if (copy != NULL && size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

char *arena_strndup(struct arena *a, const char *text, size_t length)
{
    if (length == SIZE_MAX) {
        a->error = ERR_LIMIT;
        return NULL;
    }
    char *copy = arena_alloc(a, length + 1);
    if (copy != NULL) {
        if (length > 0) {
            memcpy(copy, text, length);
        }
        copy[length] = '\0';
    }
    return copy;
}

int arena_error(const struct arena *a)
{
    return a->error != 0 ? a->error : ERR_NOMEM;
}

int arena_on_release(struct arena *a, void (*release)(void *object), void *object)
{
    struct arena_cleanup *cleanup = arena_alloc(a, sizeof(*cleanup));
    if (cleanup == NULL) {
        return arena_error(a);
    }
    *cleanup = (struct arena_cleanup){a->cleanups, release, object};
    a->cleanups = cleanup;
    return 0;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){
        .block = a->blocks,
        .block_used = a->blocks != NULL ? a->blocks->used : 0,
        .large = a->large,
        .elsewhere = a->elsewhere,
        .used = a->used,
        .cleanups = a->cleanups,
    };
}

/* Frees the blocks of `chain` that are newer than `oldest_kept`. */
static void free_until(
    struct arena *a, struct arena_block **chain, const struct arena_block *oldest_kept)
{
    while (*chain != oldest_kept) {
        struct arena_block *block = *chain;
        *chain = block->next;
        discharge(a, sizeof(*block) + block->cap);
        mem_free(block);
    }
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    while (a->cleanups != mark.cleanups) {
        struct arena_cleanup *cleanup = a->cleanups;
        a->cleanups = cleanup->next;
        cleanup->release(cleanup->object);
    }
    free_until(a, &a->large, mark.large);
    free_until(a, &a->blocks, mark.block);
    if (a->elsewhere > mark.elsewhere) {
        discharge(a, a->elsewhere - mark.elsewhere);
        a->elsewhere = mark.elsewhere;
    }
    if (a->blocks != NULL) {
        assert(mark.block_used <= a->blocks->used);
        a->blocks->used = mark.block_used;
    }
    a->used = mark.used;
}

void arena_release(struct arena *a)
{
    arena_rewind(a, (struct arena_mark){0});
    *a = (struct arena){.limit = a->limit, .budget = a->budget};
}
