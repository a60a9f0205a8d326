/* Sets of 32-bit ids (targets, shapes): the wrapper of CRoaring. id_set.c is the one file that
 * includes it. One writer at a time; a set that is no longer written may be read from any thread.
 */
#ifndef SONDE_INDEX_ID_SET_H
#define SONDE_INDEX_ID_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_set;

/* NULL when memory is short. */
struct id_set *id_set_new(void);
/* All ids in [first, end). */
struct id_set *id_set_range(uint32_t first, uint32_t end);
/* `count` ids in any order. */
struct id_set *id_set_of(const uint32_t *ids, size_t count);
struct id_set *id_set_dup(const struct id_set *s);
void id_set_free(struct id_set *s);

/* 0 or ERR_NOMEM. */
int id_set_add(struct id_set *s, uint32_t id);
int id_set_add_many(struct id_set *s, const uint32_t *ids, size_t count);
void id_set_remove(struct id_set *s, uint32_t id);
/* The lowest id of a set that is not empty. */
uint32_t id_set_first(const struct id_set *s);
bool id_set_has(const struct id_set *s, uint32_t id);
uint64_t id_set_count(const struct id_set *s);
bool id_set_empty(const struct id_set *s);
size_t id_set_memory(const struct id_set *s);

/* a := a op b. */
int id_set_and(struct id_set *a, const struct id_set *b);
int id_set_or(struct id_set *a, const struct id_set *b);
int id_set_and_not(struct id_set *a, const struct id_set *b);
bool id_set_intersects(const struct id_set *a, const struct id_set *b);

/* Calls back for each id, ascending, until it returns false. */
void id_set_each(
    const struct id_set *s, bool (*callback)(uint32_t id, void *context), void *context);
/* Writes all ids ascending to `ids_out`, which holds id_set_count of them. */
void id_set_to_array(const struct id_set *s, uint32_t *ids_out);

#endif
