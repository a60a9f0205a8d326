/* The ids that have one label value: inline while there is one, a sorted array while they are few, a
 * set after that. Most values of a large dictionary belong to one id, so the small forms decide what
 * the index weighs.
 */
#ifndef SONDE_INDEX_POSTING_LIST_H
#define SONDE_INDEX_POSTING_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/id_set.h"

/* Longest array; a longer list becomes a set. */
#define POSTING_ARRAY_MAX 64
/* A set that has shrunk to this is an array again. */
#define POSTING_SET_MIN (POSTING_ARRAY_MAX / 2)
/* In `single`: the list is a set. No id is as high. */
#define POSTING_IS_SET UINT32_MAX

struct posting_list {
    uint32_t count;
    uint32_t single; /* count == 1, or POSTING_IS_SET */
    union {
        uint32_t *array;    /* 2 .. POSTING_ARRAY_MAX, room for the next power of two */
        struct id_set *set; /* more; fewer when ids were removed */
    };
};

/* `id` is higher than every id in the list. 0 or ERR_NOMEM. */
int posting_list_append(struct posting_list *list, uint32_t id);
/* Takes an id out, if it is in. */
void posting_list_remove(struct posting_list *list, uint32_t id);
/* The lowest id of a list that has any. */
uint32_t posting_list_first(const struct posting_list *list);
void posting_list_release(struct posting_list *list);

/* into := into | list. */
int posting_list_add_to(const struct posting_list *list, struct id_set *into);
bool posting_list_intersects(const struct posting_list *list, const struct id_set *ids);
/* Calls back for each id, ascending, until it returns false. */
void posting_list_each(
    const struct posting_list *list, bool (*callback)(uint32_t id, void *context), void *context);
size_t posting_list_memory(const struct posting_list *list);

#endif
