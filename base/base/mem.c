/* The only caller of malloc. Counting is relaxed: the numbers are for tests and curiosity. */
#include "base/mem.h"

#include <assert.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static _Atomic uint64_t allocation_count;
static _Atomic uint64_t fail_at; /* allocation number that fails; 0 = none */
static _Thread_local bool thread_exempt;

/* No honest request is larger; a size gone wrong ends here and not in a sanitizer's or libc's limit. */
#define ALLOCATION_MAX ((size_t)1 << 40)

/* Counts one allocation and says whether the test hook wants it to fail. */
static bool should_fail(void)
{
    if (thread_exempt) {
        return false;
    }
    uint64_t number = atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed) + 1;
    uint64_t target = atomic_load_explicit(&fail_at, memory_order_relaxed);
    return target != 0 && number == target && atomic_compare_exchange_strong(&fail_at, &target, 0);
}

void *mem_alloc(size_t size)
{
    return should_fail() || size > ALLOCATION_MAX ? NULL : malloc(size ? size : 1);
}

void *mem_calloc(size_t count, size_t size)
{
    if (should_fail() || (size != 0 && count > ALLOCATION_MAX / size)) {
        return NULL;
    }
    return count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);
}

void *mem_realloc(void *pointer, size_t size)
{
    return should_fail() || size > ALLOCATION_MAX ? NULL : realloc(pointer, size ? size : 1);
}

void *mem_dup(const void *bytes, size_t size)
{
    void *copy = mem_alloc(size);
    if (copy != NULL && size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

char *mem_strndup(const char *text, size_t length)
{
    if (length == SIZE_MAX) {
        return NULL;
    }
    char *copy = mem_alloc(length + 1);
    if (copy != NULL) {
        if (length > 0) {
            memcpy(copy, text, length);
        }
        copy[length] = '\0';
    }
    return copy;
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

void mem_free(void *pointer)
{
    free(pointer);
}

void mem_free_foreign(void *pointer)
{
    free(pointer);
}

int mem_array_grow(void **array, size_t *cap, size_t needed, size_t size, size_t limit)
{
    assert(size > 0);
    if (needed <= *cap) {
        return 0;
    }
    if (needed > limit) {
        return ERR_LIMIT;
    }
    size_t grown = *cap > SIZE_MAX / 2 ? SIZE_MAX : *cap * 2;
    if (grown < needed) {
        grown = needed;
    }
    if (grown < 8 && limit >= 8) {
        grown = 8;
    }
    if (grown > limit) {
        grown = limit;
    }
    if (grown > SIZE_MAX / size) {
        return ERR_LIMIT;
    }
    void *moved = mem_realloc(*array, grown * size);
    if (moved == NULL) {
        return ERR_NOMEM;
    }
    *array = moved;
    *cap = grown;
    return 0;
}

void mem_give_back(void)
{
    (void)malloc_trim(0); // tells whether anything was given back
}

void mem_fail_nth(uint64_t nth)
{
    uint64_t now = atomic_load(&allocation_count);
    atomic_store(&fail_at, nth == 0 ? 0 : now + nth);
}

bool mem_fail_pending(void)
{
    return atomic_load(&fail_at) != 0;
}

bool mem_fail_exempt(bool exempt)
{
    bool before = thread_exempt;
    thread_exempt = exempt;
    return before;
}

uint64_t mem_allocation_count(void)
{
    return atomic_load(&allocation_count);
}
