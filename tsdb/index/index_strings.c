/* Names and values of the labels of some ids: what autocompletion asks.
 *
 * Few ids: look at their label sets. Many ids: look at the postings of every name or value.
 */
#include "base/mem.h"
#include "index/index.h"
#include "index/index_private.h"

/* Strings one call may collect. */
#define INDEX_STRINGS_MAX ((size_t)1 << 26)
/* Values that are looked at before the lock is given back for a moment. */
enum { VALUES_AT_ONCE = 4096 };

static int push(struct index_strings *list, struct str text)
{
    int status = mem_array_grow((void **)&list->items, &list->cap, list->count + 1,
        sizeof(*list->items), INDEX_STRINGS_MAX);
    if (status == 0) {
        list->items[list->count++] = text;
    }
    return status;
}

int index_label_names(
    struct index *ix, enum index_side which, const struct id_set *ids, struct index_strings *names)
{
    struct side *side = &ix->sides[which];
    int status = 0;
    lock_take(&ix->lock);
    for (uint32_t i = 0; status == 0 && i < side->name_count; i++) {
        struct index_name *name = index_name_at(side, i);
        if (ids == NULL ? name->ids.count > 0 : posting_list_intersects(&name->ids, ids)) {
            status = push(names, name->text);
        }
    }
    lock_give(&ix->lock);
    return status;
}

/* Through the label sets of the ids. */
static int values_of_ids(struct index *ix, enum index_side which, struct str name,
    const struct id_set *ids, struct index_strings *values)
{
    uint64_t count = id_set_count(ids);
    uint32_t *array = mem_alloc(count * sizeof(*array));
    if (array == NULL) {
        return ERR_NOMEM;
    }
    id_set_to_array(ids, array);
    int status = 0;
    for (uint64_t i = 0; status == 0 && i < count; i++) {
        struct str value = labels_get(index_labels(ix, which, array[i]), name);
        if (value.len > 0) {
            status = push(values, value);
        }
    }
    mem_free(array);
    return status;
}

/* With the lock. A name that has lost all of its values has no slots. */
static int values_of_slots(const struct index_name *name, uint32_t first, uint32_t end,
    const struct id_set *ids, struct index_strings *values)
{
    int status = 0;
    for (uint32_t i = first; status == 0 && i < end && i < name->slot_count; i++) {
        const struct index_value *value = index_value_at(name, i);
        bool has = ids == NULL ? value->ids.count > 0 : posting_list_intersects(&value->ids, ids);
        status = has ? push(values, value->text) : 0;
    }
    return status;
}

int index_label_values(struct index *ix, enum index_side which, struct str name_text,
    const struct id_set *ids, struct index_strings *values)
{
    lock_take(&ix->lock);
    struct index_name *name = index_name_find(ix, &ix->sides[which], name_text);
    uint32_t count = name != NULL ? name->slot_count : 0;
    lock_give(&ix->lock);
    if (name != NULL && ids != NULL && id_set_count(ids) < count) {
        return values_of_ids(ix, which, name_text, ids, values);
    }
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < count; i += VALUES_AT_ONCE) {
        uint32_t end = count - i < VALUES_AT_ONCE ? count : i + VALUES_AT_ONCE;
        lock_take(&ix->lock);
        status = values_of_slots(name, i, end, ids, values);
        lock_give(&ix->lock);
    }
    return status;
}

void index_strings_release(struct index_strings *s)
{
    mem_free(s->items);
    *s = (struct index_strings){0};
}
