/* The dictionaries: label sets to ids, and the postings that grow with them.
 *
 * Adding an id touches one value entry for each of its labels. The id is published last, so readers
 * that see it see its postings. When memory runs out half-way the id is *spent*: it stays in some
 * postings, is never found again, and no table ever uses it.
 */
#include "index/index.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "index/index_private.h"

/* Bytes of a label set hashed on the stack; longer ones take the heap. */
enum { HASH_BUFFER_SIZE = 2048 };

/* ---- Hashes ---- */

int index_pairs_hash(
    const struct index *ix, const struct label *labels, size_t count, uint64_t *hash_out)
{
    char stack[HASH_BUFFER_SIZE];
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += labels[i].name.len + labels[i].value.len + 2;
    }
    char *buffer = size <= sizeof(stack) ? stack : mem_alloc(size);
    if (buffer == NULL) {
        return ERR_NOMEM;
    }
    char *p = buffer;
    for (size_t i = 0; i < count; i++) {
        memcpy(p, labels[i].name.ptr, labels[i].name.len);
        p += labels[i].name.len;
        *p++ = (char)0xff;
        memcpy(p, labels[i].value.ptr, labels[i].value.len);
        p += labels[i].value.len;
        *p++ = (char)0xff;
    }
    *hash_out = hash64(buffer, size, ix->seed);
    if (buffer != stack) {
        mem_free(buffer);
    }
    return 0;
}

uint64_t index_entry_hash(const void *context, uint32_t id)
{
    const struct index_hash_context *c = context;
    const struct index_entry *entry = stable_array_at(&c->side->entries, id);
    uint64_t hash = 0;
    /* Rehashing a set too long for the stack without memory: a wrong place in the table costs a
     * second id for an equal set, which selections tolerate. */
    (void)index_pairs_hash(c->ix, labels_pairs(entry->labels), labels_count(entry->labels), &hash);
    return hash;
}

uint64_t index_name_hash(const void *context, uint32_t id)
{
    const struct index_hash_context *c = context;
    const struct index_name *name = index_name_at(c->side, id);
    return hash64(name->text.ptr, name->text.len, c->ix->seed);
}

uint64_t index_value_hash(const void *context, uint32_t id)
{
    const struct index_hash_context *c = context;
    const struct index_value *value = index_value_at(c->name, id);
    return hash64(value->text.ptr, value->text.len, c->ix->seed);
}

/* ---- Finding, with the lock held ---- */

static bool entry_equals(
    const struct side *side, uint32_t id, const struct label *labels, size_t count)
{
    const struct index_entry *entry = stable_array_at(&side->entries, id);
    if (labels_count(entry->labels) != count) {
        return false;
    }
    const struct label *pairs = labels_pairs(entry->labels);
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(pairs[i].name, labels[i].name) || !str_eq(pairs[i].value, labels[i].value)) {
            return false;
        }
    }
    return true;
}

static bool entry_find(const struct side *side, uint64_t hash, const struct label *labels,
    size_t count, uint32_t *id_out)
{
    const struct id_table *t = &side->table;
    if (t->slots == NULL) {
        return false;
    }
    for (uint32_t at = (uint32_t)hash & t->mask; t->slots[at].id_plus_one != 0;
         at = (at + 1) & t->mask) {
        uint32_t id = t->slots[at].id_plus_one - 1;
        if (t->slots[at].tag == (uint32_t)(hash >> 32) && entry_equals(side, id, labels, count)) {
            *id_out = id;
            return true;
        }
    }
    return false;
}

struct index_name *index_name_find(struct index *ix, struct side *side, struct str name)
{
    const struct id_table *t = &side->name_table;
    uint64_t hash = hash64(name.ptr, name.len, ix->seed);
    if (t->slots == NULL) {
        return NULL;
    }
    for (uint32_t at = (uint32_t)hash & t->mask; t->slots[at].id_plus_one != 0;
         at = (at + 1) & t->mask) {
        struct index_name *found = index_name_at(side, t->slots[at].id_plus_one - 1);
        if (t->slots[at].tag == (uint32_t)(hash >> 32) && str_eq(found->text, name)) {
            return found;
        }
    }
    return NULL;
}

uint32_t index_value_slot(struct index *ix, const struct index_name *name, struct str value)
{
    const struct id_table *t = &name->table;
    uint64_t hash = hash64(value.ptr, value.len, ix->seed);
    if (t->slots == NULL) {
        return UINT32_MAX;
    }
    for (uint32_t at = (uint32_t)hash & t->mask; t->slots[at].id_plus_one != 0;
         at = (at + 1) & t->mask) {
        uint32_t slot = t->slots[at].id_plus_one - 1;
        if (t->slots[at].tag == (uint32_t)(hash >> 32) &&
            str_eq(index_value_at(name, slot)->text, value)) {
            return slot;
        }
    }
    return UINT32_MAX;
}

struct index_value *index_value_find(
    struct index *ix, const struct index_name *name, struct str value)
{
    uint32_t slot = index_value_slot(ix, name, value);
    return slot != UINT32_MAX ? index_value_at(name, slot) : NULL;
}

/* ---- Adding, with the lock held ---- */

static int name_add(
    struct index *ix, struct side *side, struct str text, struct index_name **name_out)
{
    struct index_name *name = index_name_find(ix, side, text);
    if (name != NULL) {
        *name_out = name;
        return 0;
    }
    struct index_hash_context context = {.ix = ix, .side = side};
    int status = id_table_reserve(&side->name_table, index_name_hash, &context);
    if (status == 0) {
        status = stable_array_reserve(&side->names, side->name_count);
    }
    if (status != 0) {
        return status;
    }
    name = index_name_at(side, side->name_count);
    *name = (struct index_name){.text = text};
    stable_array_init(&name->values, sizeof(struct index_value));
    id_table_put(&side->name_table, hash64(text.ptr, text.len, ix->seed), side->name_count);
    side->name_count++;
    struct side *other = side == &ix->sides[0] ? &ix->sides[1] : &ix->sides[0];
    if (index_name_find(ix, other, text) != NULL) {
        atomic_store_explicit(&ix->overlap, true, memory_order_release);
    }
    *name_out = name;
    return 0;
}

static int value_add(
    struct index *ix, struct index_name *name, struct str text, struct index_value **value_out)
{
    struct index_value *value = index_value_find(ix, name, text);
    if (value != NULL) {
        *value_out = value;
        return 0;
    }
    struct index_hash_context context = {.ix = ix, .name = name};
    bool again = name->free_slot != 0;
    uint32_t position = again ? name->free_slot - 1 : name->slot_count;
    int status = id_table_reserve(&name->table, index_value_hash, &context);
    if (status == 0) {
        status = stable_array_reserve(&name->values, position);
    }
    if (status != 0) {
        return status;
    }
    value = index_value_at(name, position);
    name->free_slot = again ? value->series : 0;
    name->slot_count += again ? 0 : 1;
    name->meanings += again ? 1 : 0;
    *value = (struct index_value){.text = text};
    id_table_put(&name->table, hash64(text.ptr, text.len, ix->seed), position);
    *value_out = value;
    return 0;
}

static int postings_add(
    struct index *ix, struct side *side, const struct labels *labels, uint32_t id)
{
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        struct index_name *name = NULL;
        struct index_value *value = NULL;
        int status = name_add(ix, side, pair.name, &name);
        if (status == 0) {
            status = value_add(ix, name, pair.value, &value);
        }
        if (status == 0) {
            status = posting_list_append(&name->ids, id);
        }
        if (status == 0) {
            status = posting_list_append(&value->ids, id);
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* `labels` is kept in either case: postings may point into it. */
static int entry_add(struct index *ix, struct side *side, uint64_t hash,
    const struct labels *labels, uint32_t *id_out)
{
    struct index_hash_context context = {.ix = ix, .side = side};
    uint32_t id = atomic_load_explicit(&side->count, memory_order_relaxed);
    struct index_entry *entry = stable_array_at(&side->entries, id);
    entry->labels = labels;
    /* Nothing holds it yet: the next sweep looks at it. */
    int status = id_set_add(side->candidates, id);
    side->label_bytes += labels_memory(labels);
    status = status == 0 ? id_table_reserve(&side->table, index_entry_hash, &context) : status;
    if (status == 0) {
        status = postings_add(ix, side, labels, id);
    }
    if (status == 0) {
        id_table_put(&side->table, hash, id);
        *id_out = id;
    }
    atomic_store_explicit(&side->count, id + 1, memory_order_release);
    return status;
}

/* ---- The face ---- */

int index_add(struct index *ix, enum index_side which, const struct label *labels, size_t count,
    uint32_t *id_out)
{
    struct side *side = &ix->sides[which];
    uint64_t hash = 0;
    int status = index_pairs_hash(ix, labels, count, &hash);
    if (status != 0) {
        return status;
    }
    lock_take(&ix->lock);
    bool known = entry_find(side, hash, labels, count, id_out);
    lock_give(&ix->lock);
    if (known) {
        return 0;
    }
    const struct labels *set = NULL;
    status = labels_new(labels, count, &set, NULL);
    if (status != 0) {
        return status;
    }
    lock_take(&ix->lock);
    if (entry_find(side, hash, labels, count, id_out)) {
        lock_give(&ix->lock);
        labels_unref(set);
        return 0;
    }
    uint32_t id = atomic_load_explicit(&side->count, memory_order_relaxed);
    status = id < INDEX_IDS_MAX ? stable_array_reserve(&side->entries, id) : ERR_LIMIT;
    if (status == 0) {
        status = entry_add(ix, side, hash, set, id_out);
        set = NULL;
    }
    lock_give(&ix->lock);
    labels_unref(set);
    return status;
}

int index_find(struct index *ix, enum index_side which, const struct label *labels, size_t count,
    uint32_t *id_out)
{
    uint64_t hash = 0;
    int status = index_pairs_hash(ix, labels, count, &hash);
    if (status != 0) {
        return status;
    }
    lock_take(&ix->lock);
    bool known = entry_find(&ix->sides[which], hash, labels, count, id_out);
    lock_give(&ix->lock);
    return known ? 1 : 0;
}

const struct labels *index_labels(const struct index *ix, enum index_side which, uint32_t id)
{
    const struct side *side = &ix->sides[which];
    assert(id < atomic_load_explicit(&side->count, memory_order_acquire));
    const struct index_entry *entry = stable_array_at(&side->entries, id);
    return entry->labels;
}

size_t index_series_labels(
    const struct index *ix, uint32_t target_id, uint32_t shape_id, struct label *pairs_out)
{
    const struct labels *target = index_labels(ix, INDEX_TARGETS, target_id);
    const struct labels *shape = index_labels(ix, INDEX_SHAPES, shape_id);
    const struct label *a = labels_pairs(target), *a_end = a + labels_count(target);
    const struct label *b = labels_pairs(shape), *b_end = b + labels_count(shape);
    size_t count = 0;
    while (a < a_end || b < b_end) {
        int order = a == a_end ? 1 : b == b_end ? -1 : str_cmp(a->name, b->name);
        pairs_out[count++] = order <= 0 ? *a : *b;
        a += order <= 0;
        b += order >= 0;
    }
    return count;
}

uint32_t index_live(struct index *ix, enum index_side which)
{
    lock_take(&ix->lock);
    uint32_t count = atomic_load_explicit(&ix->sides[which].count, memory_order_relaxed) -
                     ix->sides[which].left_count;
    lock_give(&ix->lock);
    return count;
}

uint32_t index_count(const struct index *ix, enum index_side which)
{
    return atomic_load_explicit(&ix->sides[which].count, memory_order_acquire);
}

bool index_sides_overlap(struct index *ix)
{
    return atomic_load_explicit(&ix->overlap, memory_order_acquire);
}

static size_t side_memory(struct side *side)
{
    size_t size =
        side->label_bytes + stable_array_memory(&side->entries) + stable_array_memory(&side->names);
    size += id_table_memory(&side->table) + id_table_memory(&side->name_table);
    size += id_set_memory(side->candidates);
    for (uint32_t i = 0; i < side->name_count; i++) {
        struct index_name *name = index_name_at(side, i);
        uint32_t count = name->slot_count;
        size += stable_array_memory(&name->values) + posting_list_memory(&name->ids);
        size += id_table_memory(&name->table);
        for (uint32_t v = 0; v < count; v++) {
            size += posting_list_memory(&index_value_at(name, v)->ids);
        }
    }
    return size;
}

size_t index_memory(struct index *ix)
{
    lock_take(&ix->lock);
    size_t size = sizeof(*ix) + side_memory(&ix->sides[0]) + side_memory(&ix->sides[1]);
    lock_give(&ix->lock);
    return size;
}

int index_new(struct index **index_out)
{
    struct index *ix = mem_calloc(1, sizeof(*ix));
    if (ix == NULL) {
        return ERR_NOMEM;
    }
    lock_init(&ix->lock, LOCK_RANK_INDEX);
    ix->seed = hash_seed_random();
    for (int i = 0; i < 2; i++) {
        stable_array_init(&ix->sides[i].entries, sizeof(struct index_entry));
        stable_array_init(&ix->sides[i].names, sizeof(struct index_name));
        ix->sides[i].candidates = id_set_new();
    }
    if (ix->sides[0].candidates == NULL || ix->sides[1].candidates == NULL) {
        index_free(ix);
        return ERR_NOMEM;
    }
    *index_out = ix;
    return 0;
}

static void name_release(struct index_name *name)
{
    for (uint32_t i = 0; i < name->slot_count; i++) {
        posting_list_release(&index_value_at(name, i)->ids);
    }
    posting_list_release(&name->ids);
    stable_array_release(&name->values);
    id_table_release(&name->table);
    mem_free(name->own_text);
}

static void side_release(struct side *side)
{
    uint32_t count = atomic_load_explicit(&side->count, memory_order_relaxed);
    for (uint32_t i = 0; i < side->name_count; i++) {
        name_release(index_name_at(side, i));
    }
    for (uint32_t i = 0; i < count; i++) {
        struct index_entry *entry = stable_array_at(&side->entries, i);
        labels_unref(entry->labels);
    }
    for (int i = 0; i < 2; i++) {
        mem_free(side->left[i].ids);
    }
    id_set_free(side->candidates);
    stable_array_release(&side->entries);
    stable_array_release(&side->names);
    id_table_release(&side->table);
    id_table_release(&side->name_table);
}

void index_free(struct index *ix)
{
    if (ix == NULL) {
        return;
    }
    index_patterns_release(ix);
    side_release(&ix->sides[0]);
    side_release(&ix->sides[1]);
    lock_release(&ix->lock);
    mem_free(ix);
}
