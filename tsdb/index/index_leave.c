/* What leaves the index: label sets that no part, no reader and no table needs any more.
 *
 * Leaving takes an id out of the hash table and of the postings of its labels, under the lock: from
 * then on nobody finds it. Its label set is freed later, since somebody may have found it, or a slice
 * of it, just before: pins say who is looking. They are counted by generation. A generation ends when
 * all pins of the one before are gone, so what left in generation g is seen by nobody when g + 1 ends.
 * Pins that overlap without end delay nothing that way.
 *
 * The text of a value, and of a name, lies in the label set of an id that has it; when that id leaves and
 * others have the value, the text moves to one of theirs.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "index/index.h"
#include "index/index_private.h"

/* Ids held or let go before the lock is given back for a moment, and ids that leave in one go. */
enum { HELD_AT_ONCE = 4096, LEAVING_AT_ONCE = 256 };

/* ---- Holds ---- */

static void change_holds(struct side *side, const uint32_t *ids, size_t count, bool more)
{
    for (size_t i = 0; i < count; i++) {
        struct index_entry *entry = stable_array_at(&side->entries, ids[i]);
        assert(more || entry->holds > 0);
        entry->holds += more ? 1 : UINT32_MAX; // plus or minus one
        if (entry->holds == 0 && entry->series == 0) {
            (void)id_set_add(side->candidates, ids[i]); // the library cannot fail and return
        }
    }
}

static void change_in_turns(
    struct index *ix, enum index_side which, const uint32_t *ids, size_t count, bool more)
{
    for (size_t i = 0; i < count; i += HELD_AT_ONCE) {
        size_t n = count - i < HELD_AT_ONCE ? count - i : HELD_AT_ONCE;
        lock_take(&ix->lock);
        change_holds(&ix->sides[which], ids + i, n, more);
        lock_give(&ix->lock);
    }
}

void index_hold(struct index *ix, enum index_side which, const uint32_t *ids, size_t count)
{
    change_in_turns(ix, which, ids, count, true);
}

void index_unhold(struct index *ix, enum index_side which, const uint32_t *ids, size_t count)
{
    change_in_turns(ix, which, ids, count, false);
}

/* ---- Pins ---- */

uint64_t index_pin(struct index *ix)
{
    lock_take(&ix->lock);
    uint64_t generation = ix->generation;
    ix->pins[generation % 2]++;
    lock_give(&ix->lock);
    return generation;
}

void index_unpin(struct index *ix, uint64_t pin)
{
    lock_take(&ix->lock);
    assert(ix->pins[pin % 2] > 0);
    ix->pins[pin % 2]--;
    lock_give(&ix->lock);
}

/* Label sets whose last looker is gone; with the lock. Freeing is left to the caller, outside of it. */
static void take_unseen(struct index *ix, struct left_ids unseen_out[2])
{
    for (int i = 0; i < 2; i++) {
        unseen_out[i] = (struct left_ids){0};
        struct left_ids *left = &ix->sides[i].left[(ix->generation + 1) % 2];
        if (ix->pins[(ix->generation + 1) % 2] == 0) {
            unseen_out[i] = *left;
            *left = (struct left_ids){0};
        }
    }
    /* What left before the generation that ends now is in the lists just taken. */
    ix->generation += ix->pins[(ix->generation + 1) % 2] == 0;
}

static void free_unseen(struct index *ix, struct left_ids unseen[2])
{
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < unseen[i].count; k++) {
            struct index_entry *entry = stable_array_at(&ix->sides[i].entries, unseen[i].ids[k]);
            labels_unref(entry->labels);
            entry->labels = NULL;
        }
        mem_free(unseen[i].ids);
    }
}

/* ---- Leaving, with the lock ---- */

static struct label label_of(const struct side *side, uint32_t id, struct str name)
{
    const struct index_entry *entry = stable_array_at(&side->entries, id);
    for (size_t i = 0; i < labels_count(entry->labels); i++) {
        struct label pair = labels_at(entry->labels, i);
        if (str_eq(pair.name, name)) {
            return pair;
        }
    }
    assert(!"an id of a posting list has the label");
    return (struct label){0};
}

static void leave_value(
    struct index *ix, struct side *side, struct index_name *name, struct label pair, uint32_t id)
{
    struct index_value *value = index_value_find(ix, name, pair.value);
    if (value == NULL) {
        return; // a label set that was added while memory was short
    }
    posting_list_remove(&value->ids, id);
    if (value->ids.count > 0) {
        if (value->text.ptr == pair.value.ptr) {
            value->text = label_of(side, posting_list_first(&value->ids), pair.name).value;
        }
        return;
    }
    assert(value->active == 0);
    uint32_t slot = index_value_slot(ix, name, pair.value);
    struct index_hash_context context = {.ix = ix, .name = name};
    id_table_remove(&name->table, hash64(pair.value.ptr, pair.value.len, ix->seed), slot,
        index_value_hash, &context);
    *value = (struct index_value){.series = name->free_slot};
    name->free_slot = slot + 1;
}

/* A name without ids has no values either. Its text is copied before. */
static void empty_name(struct index_name *name)
{
    assert(name->active_values == 0);
    stable_array_release(&name->values);
    id_table_release(&name->table);
    name->slot_count = 0;
    name->free_slot = 0;
    name->meanings++;
}

/* `text` is a copy of the name, for one that loses its last id here; else NULL. */
static void leave_name(
    struct side *side, struct index_name *name, struct label pair, uint32_t id, char *text)
{
    posting_list_remove(&name->ids, id);
    if (name->ids.count == 0) {
        empty_name(name);
    }
    if (text != NULL) {
        name->own_text = text;
        name->text = str_make(text, pair.name.len);
    } else if (name->text.ptr == pair.name.ptr) {
        name->text = label_of(side, posting_list_first(&name->ids), pair.name).name;
    }
}

/* Is the label set of this id the last that the name has its text from? */
static bool is_last_of_name(const struct index_name *name, uint32_t id, struct str text)
{
    return name->text.ptr == text.ptr &&
           (name->ids.count == 0 || (name->ids.count == 1 && posting_list_first(&name->ids) == id));
}

/* Copies of the names that lose their text with this id; NULL for the others. 0, or ERR_NOMEM with
 * none. */
static int copy_last_names(
    struct index *ix, struct side *side, uint32_t id, char *texts[LABELS_COUNT_MAX])
{
    const struct index_entry *entry = stable_array_at(&side->entries, id);
    size_t count = labels_count(entry->labels);
    int status = 0;
    memset(texts, 0, count * sizeof(*texts));
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct str text = labels_at(entry->labels, i).name;
        const struct index_name *name = index_name_find(ix, side, text);
        if (name != NULL && is_last_of_name(name, id, text)) {
            texts[i] = mem_dup(text.ptr, text.len);
            status = texts[i] != NULL ? 0 : ERR_NOMEM;
        }
    }
    for (size_t i = 0; status != 0 && i < count; i++) {
        mem_free(texts[i]);
    }
    return status;
}

/* 0, or ERR_NOMEM with nothing changed. */
static int leave(struct index *ix, struct side *side, uint32_t id)
{
    struct index_entry *entry = stable_array_at(&side->entries, id);
    struct left_ids *left = &side->left[ix->generation % 2];
    struct index_hash_context context = {.ix = ix, .side = side};
    const struct labels *labels = entry->labels;
    char *texts[LABELS_COUNT_MAX];
    uint64_t hash = 0;
    int status = index_pairs_hash(ix, labels_pairs(labels), labels_count(labels), &hash);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&left->ids, &left->cap, left->count + 1, sizeof(*left->ids), INDEX_IDS_MAX);
    }
    if (status == 0) {
        status = copy_last_names(ix, side, id, texts);
    }
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        struct index_name *name = index_name_find(ix, side, pair.name);
        if (name != NULL) { // else it was added while memory was short
            leave_value(ix, side, name, pair, id);
            leave_name(side, name, pair, id, texts[i]);
        }
    }
    id_table_remove(&side->table, hash, id, index_entry_hash, &context);
    side->label_bytes -= labels_memory(labels);
    side->left_count++;
    left->ids[left->count++] = id;
    return 0;
}

/* ---- The sweep ---- */

struct some_ids {
    uint32_t ids[LEAVING_AT_ONCE];
    uint32_t count, max;
};

static bool take_id(uint32_t id, void *context)
{
    struct some_ids *some = context;
    some->ids[some->count++] = id;
    return some->count < some->max;
}

/* Some candidates of a side; what cannot leave for lack of memory stays one. */
static uint32_t sweep_side(struct index *ix, struct side *side, uint32_t max)
{
    struct some_ids some = {.max = max < LEAVING_AT_ONCE ? max : LEAVING_AT_ONCE};
    id_set_each(side->candidates, take_id, &some);
    for (uint32_t i = 0; i < some.count; i++) {
        const struct index_entry *entry = stable_array_at(&side->entries, some.ids[i]);
        bool of_use = entry->series > 0 || entry->holds > 0;
        if (of_use || leave(ix, side, some.ids[i]) == 0) {
            id_set_remove(side->candidates, some.ids[i]);
        }
    }
    return some.count;
}

bool index_sweep(struct index *ix, uint32_t ids_max)
{
    struct left_ids unseen[2];
    uint32_t seen = 0;
    bool more = false;
    for (int i = 0; i < 2; i++) {
        uint32_t some = 1;
        while (seen < ids_max && some > 0) {
            lock_take(&ix->lock);
            some = sweep_side(ix, &ix->sides[i], ids_max - seen);
            lock_give(&ix->lock);
            seen += some;
        }
    }
    for (int i = 0; i < 2; i++) { // of both generations, when nobody looks
        lock_take(&ix->lock);
        take_unseen(ix, unseen);
        more = more || !id_set_empty(ix->sides[i].candidates);
        lock_give(&ix->lock);
        free_unseen(ix, unseen);
    }
    return more;
}
