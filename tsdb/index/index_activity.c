/* Series in memory, counted at the ids and values they hang on.
 *
 * A series is a target times a shape, so each id has a count of its series, and the series of a label
 * value are the sum over the ids in its postings: nothing is stored per series, and making one costs
 * two additions and the lookup of its metric name. Values are counted as active when an id that has
 * them gets its first series, which is as rare as new targets and shapes are.
 */
#include <assert.h>

#include "index/index.h"
#include "index/index_private.h"

/* Values that are added up before the lock is given back for a moment. */
enum { VALUES_AT_ONCE = 1024 };

static struct index_value *find_value(struct index *ix, struct side *side, struct label pair)
{
    struct index_name *name = index_name_find(ix, side, pair.name);
    return name != NULL ? index_value_find(ix, name, pair.value) : NULL;
}

static void change_active(struct index_name *name, struct index_value *value, bool more)
{
    if (more) {
        name->active_values += value->active++ == 0;
    } else {
        assert(value->active > 0);
        name->active_values -= --value->active == 0;
    }
}

/* The first series of an id, or the end of its last. A label set that was added while memory was short
 * may miss postings. */
static void change_values(
    struct index *ix, struct side *side, const struct labels *labels, bool more)
{
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        struct index_name *name = index_name_find(ix, side, pair.name);
        struct index_value *value = name != NULL ? index_value_find(ix, name, pair.value) : NULL;
        if (value != NULL) {
            change_active(name, value, more);
        }
    }
}

static void count_at(struct index *ix, struct side *side, uint32_t id, bool more)
{
    struct index_entry *entry = stable_array_at(&side->entries, id);
    assert(more || entry->series > 0);
    entry->series += more ? 1 : UINT32_MAX; // plus or minus one
    if (entry->series == (more ? 1 : 0)) {
        change_values(ix, side, entry->labels, more);
    }
    if (entry->series == 0 && entry->holds == 0) {
        (void)id_set_add(side->candidates, id); // the library cannot fail and return
    }
}

static void change_count(struct index *ix, uint32_t target, uint32_t shape, bool more)
{
    struct side *shapes = &ix->sides[INDEX_SHAPES];
    const struct labels *labels = index_labels(ix, INDEX_SHAPES, shape);
    struct label metric = {STR(LABEL_METRIC_NAME), labels_get(labels, STR(LABEL_METRIC_NAME))};
    lock_take(&ix->lock);
    count_at(ix, &ix->sides[INDEX_TARGETS], target, more);
    count_at(ix, shapes, shape, more);
    ix->series += more ? 1 : UINT64_MAX;
    struct index_value *value = metric.value.len > 0 ? find_value(ix, shapes, metric) : NULL;
    if (value != NULL) {
        value->series += more ? 1 : UINT32_MAX;
    }
    lock_give(&ix->lock);
}

void index_count_series(struct index *ix, uint32_t target, uint32_t shape)
{
    change_count(ix, target, shape, true);
}

void index_uncount_series(struct index *ix, uint32_t target, uint32_t shape)
{
    change_count(ix, target, shape, false);
}

uint64_t index_series_count(struct index *ix)
{
    lock_take(&ix->lock);
    uint64_t count = ix->series;
    lock_give(&ix->lock);
    return count;
}

uint32_t index_series_of(struct index *ix, enum index_side which, uint32_t id)
{
    lock_take(&ix->lock);
    const struct index_entry *entry = stable_array_at(&ix->sides[which].entries, id);
    uint32_t count = entry->series;
    lock_give(&ix->lock);
    return count;
}

uint32_t index_series_of_metric(struct index *ix, struct str metric)
{
    struct label pair = {STR(LABEL_METRIC_NAME), metric};
    lock_take(&ix->lock);
    const struct index_value *value = find_value(ix, &ix->sides[INDEX_SHAPES], pair);
    uint32_t count = value != NULL ? value->series : 0;
    lock_give(&ix->lock);
    return count;
}

uint32_t index_active_values(struct index *ix, struct str name)
{
    uint32_t count = 0;
    lock_take(&ix->lock);
    for (int i = 0; i < 2; i++) {
        const struct index_name *found = index_name_find(ix, &ix->sides[i], name);
        count += found != NULL ? found->active_values : 0;
    }
    lock_give(&ix->lock);
    return count;
}

bool index_value_is_active(struct index *ix, struct str name, struct str value)
{
    struct label pair = {name, value};
    bool active = false;
    lock_take(&ix->lock);
    for (int i = 0; i < 2; i++) {
        const struct index_value *found = find_value(ix, &ix->sides[i], pair);
        active = active || (found != NULL && found->active > 0);
    }
    lock_give(&ix->lock);
    return active;
}

/* ---- Adding up ---- */

/* One side, and what is summed: the series in memory, or numbers of the caller's. */
struct summing {
    struct side *side;
    const uint32_t *by_id; /* NULL: those in memory */
    uint32_t ids;
    uint64_t series;
};

static bool add_id(uint32_t id, void *context)
{
    struct summing *s = context;
    const struct index_entry *entry = stable_array_at(&s->side->entries, id);
    s->series += s->by_id == NULL ? entry->series : id < s->ids ? s->by_id[id] : 0;
    return true;
}

struct counted {
    struct index_value_count items[VALUES_AT_ONCE];
    size_t count;
};

/* The next values of a name; true while there may be more. Under the lock. */
static bool count_values(
    struct summing *s, struct index_name *name, uint32_t *position, struct counted *out)
{
    uint32_t end = name->slot_count;
    out->count = 0;
    while (*position < end && out->count < VALUES_AT_ONCE) {
        struct index_value *value = index_value_at(name, (*position)++);
        if (value->active == 0 && s->by_id == NULL) {
            continue;
        }
        s->series = 0;
        posting_list_each(&value->ids, add_id, s);
        if (s->series > 0) {
            out->items[out->count++] =
                (struct index_value_count){name->text, value->text, s->series};
        }
    }
    return *position < end;
}

/* The n-th name of a side, or NULL. Names never move. */
static struct index_name *nth_name(struct index *ix, const struct side *side, uint32_t n)
{
    lock_take(&ix->lock);
    struct index_name *name = n < side->name_count ? index_name_at(side, n) : NULL;
    lock_give(&ix->lock);
    return name;
}

static int each_of_name(struct index *ix, struct summing *s, struct index_name *name,
    int (*callback)(void *context, const struct index_value_count *value), void *context)
{
    struct counted counted;
    uint32_t position = 0;
    int status = 0;
    for (bool more = true; status == 0 && more;) {
        lock_take(&ix->lock);
        more = count_values(s, name, &position, &counted);
        lock_give(&ix->lock);
        for (size_t i = 0; status == 0 && i < counted.count; i++) {
            status = callback(context, &counted.items[i]);
        }
    }
    return status;
}

int index_each_active_value(struct index *ix, const struct index_series_counts *counts,
    int (*callback)(void *context, const struct index_value_count *value), void *context)
{
    int status = 0;
    for (int which = 0; status == 0 && which < 2; which++) {
        struct summing s = {.side = &ix->sides[which]};
        if (counts != NULL) {
            s.by_id = counts->by_id[which];
            s.ids = counts->ids[which];
        }
        struct index_name *name;
        for (uint32_t n = 0; status == 0 && (name = nth_name(ix, s.side, n)) != NULL; n++) {
            status = each_of_name(ix, &s, name, callback, context);
        }
    }
    return status;
}
