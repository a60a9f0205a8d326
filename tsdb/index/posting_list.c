/* Three forms of a list of ascending ids; see the header. */
#include "index/posting_list.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static bool is_set(const struct posting_list *list)
{
    return list->count > 1 && list->single == POSTING_IS_SET;
}

/* Arrays are sized to the next power of two: full when the count is one. */
static bool array_is_full(uint32_t count)
{
    return (count & (count - 1)) == 0;
}

static int become_set(struct posting_list *list, uint32_t id)
{
    struct id_set *set = id_set_of(list->array, list->count);
    if (set == NULL) {
        return ERR_NOMEM;
    }
    int status = id_set_add(set, id);
    if (status != 0) {
        id_set_free(set);
        return status;
    }
    mem_free(list->array);
    list->set = set;
    list->single = POSTING_IS_SET;
    list->count++;
    return 0;
}

static int append_to_array(struct posting_list *list, uint32_t id)
{
    if (array_is_full(list->count)) {
        uint32_t *grown = list->count == 1
                              ? mem_alloc(2 * sizeof(*grown))
                              : mem_realloc(list->array, (size_t)list->count * 2 * sizeof(*grown));
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        if (list->count == 1) {
            grown[0] = list->single;
        }
        list->array = grown;
    }
    assert(list->array[list->count - 1] < id);
    list->array[list->count++] = id;
    return 0;
}

int posting_list_append(struct posting_list *list, uint32_t id)
{
    if (list->count == 0) {
        list->single = id;
        list->count = 1;
        return 0;
    }
    if (!is_set(list)) {
        return list->count < POSTING_ARRAY_MAX ? append_to_array(list, id) : become_set(list, id);
    }
    int status = id_set_add(list->set, id);
    list->count += status == 0;
    return status;
}

/* A set that has become small; it may stay one when memory is short. */
static void become_array(struct posting_list *list)
{
    uint32_t ids[POSTING_SET_MIN];
    struct id_set *set = list->set;
    id_set_to_array(set, ids);
    if (list->count > 1) {
        size_t cap = 1;
        while (cap < list->count) {
            cap *= 2;
        }
        uint32_t *array = mem_alloc(cap * sizeof(*array));
        if (array == NULL) {
            return;
        }
        memcpy(array, ids, list->count * sizeof(*array));
        list->array = array;
    }
    list->single = ids[0];
    id_set_free(set);
}

static void remove_from_array(struct posting_list *list, uint32_t id)
{
    uint32_t at = 0;
    while (at < list->count && list->array[at] != id) {
        at++;
    }
    if (at == list->count) {
        return;
    }
    memmove(list->array + at, list->array + at + 1,
        (size_t)(list->count - at - 1) * sizeof(*list->array));
    if (--list->count == 1) {
        list->single = list->array[0];
        mem_free(list->array);
        list->array = NULL;
    }
}

void posting_list_remove(struct posting_list *list, uint32_t id)
{
    if (is_set(list)) {
        id_set_remove(list->set, id);
        list->count = (uint32_t)id_set_count(list->set);
        if (list->count <= POSTING_SET_MIN) {
            become_array(list);
        }
    } else if (list->count > 1) {
        remove_from_array(list, id);
    } else if (list->count == 1 && list->single == id) {
        list->count = 0;
    }
}

uint32_t posting_list_first(const struct posting_list *list)
{
    assert(list->count > 0);
    return is_set(list) ? id_set_first(list->set) : list->count > 1 ? list->array[0] : list->single;
}

void posting_list_release(struct posting_list *list)
{
    if (is_set(list)) {
        id_set_free(list->set);
    } else if (list->count > 1) {
        mem_free(list->array);
    }
    *list = (struct posting_list){0};
}

int posting_list_add_to(const struct posting_list *list, struct id_set *into)
{
    if (is_set(list)) {
        return id_set_or(into, list->set);
    }
    if (list->count > 1) {
        return id_set_add_many(into, list->array, list->count);
    }
    return list->count == 1 ? id_set_add(into, list->single) : 0;
}

bool posting_list_intersects(const struct posting_list *list, const struct id_set *ids)
{
    if (is_set(list)) {
        return id_set_intersects(list->set, ids);
    }
    if (list->count == 1) {
        return id_set_has(ids, list->single);
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (id_set_has(ids, list->array[i])) {
            return true;
        }
    }
    return false;
}

void posting_list_each(
    const struct posting_list *list, bool (*callback)(uint32_t id, void *context), void *context)
{
    if (is_set(list)) {
        id_set_each(list->set, callback, context);
        return;
    }
    const uint32_t *ids = list->count == 1 ? &list->single : list->array;
    for (uint32_t i = 0; i < list->count && callback(ids[i], context); i++) {
    }
}

size_t posting_list_memory(const struct posting_list *list)
{
    if (is_set(list)) {
        return id_set_memory(list->set);
    }
    size_t cap = 1;
    while (cap < list->count) {
        cap *= 2;
    }
    return list->count > 1 ? cap * sizeof(uint32_t) : 0;
}
