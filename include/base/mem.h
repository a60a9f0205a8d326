/* The only door to the allocator.
 *
 * Every size is checked before it is multiplied, every allocation is counted, and tests can make
 * the n-th one fail (the fault loop: n = 1, 2, 3 … until the scenario passes untouched). Memory
 * comes from malloc, so the sanitizers see every object. All functions may be called from any thread.
 */
#ifndef SONDE_BASE_MEM_H
#define SONDE_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `size` bytes, uninitialised; NULL when memory is short. A size of 0 gives a unique pointer. */
void *mem_alloc(size_t size) __attribute__((malloc, warn_unused_result));
/* `count * size` zeroed bytes; NULL when memory is short or the product overflows. */
void *mem_calloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
/* As realloc: on NULL the old block is still the caller's. */
void *mem_realloc(void *pointer, size_t size) __attribute__((warn_unused_result));
/* A copy of `size` bytes. */
void *mem_dup(const void *bytes, size_t size) __attribute__((malloc, warn_unused_result));
/* A zero-terminated copy of `length` bytes. */
char *mem_strndup(const char *text, size_t length) __attribute__((malloc, warn_unused_result));
char *mem_strdup(const char *text) __attribute__((malloc, warn_unused_result));
/* Accepts NULL. */
void mem_free(void *pointer);

/* Grows the array `*array` of `*cap` elements of `size` bytes until it holds `needed`: at least
 * doubling, never more than `limit` elements. Returns 0, ERR_LIMIT or ERR_NOMEM; on error nothing
 * has changed. Usage: mem_array_grow((void **)&v, &cap, count + 1, sizeof(*v), V_MAX). */
int mem_array_grow(void **array, size_t *cap, size_t needed, size_t size, size_t limit);

/* Gives free memory back to the kernel, as far as the allocator can: after much was freed at once. */
void mem_give_back(void);

/* For allocations made inside libraries, so that their frees can be paired by hand. */
void mem_free_foreign(void *pointer);

/* Test hook: the `nth` allocation from now on (1 = the next) fails, once; 0 switches it off.
 * `mem_fail_pending` tells whether it has not struck yet. */
void mem_fail_nth(uint64_t nth);
bool mem_fail_pending(void);
/* Test hook: while `exempt`, allocations of the calling thread neither count nor fail: they belong
 * to a simulator, not to the program under test. Returns what it was before. */
bool mem_fail_exempt(bool exempt);
/* Allocations made since the program began. */
uint64_t mem_allocation_count(void);

#endif
