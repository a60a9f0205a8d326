/* Attributes as labels. */
#include "otlp_labels.h"

#include <assert.h>
#include <stdlib.h>

struct str otlp_attribute(const struct otlp_attributes *attributes, struct str name)
{
    for (size_t i = 0; i < attributes->count; i++) {
        if (str_eq(attributes->items[i].name, name)) {
            return attributes->items[i].value;
        }
    }
    return STR("");
}

bool otlp_is_identifying(const void *unused, struct str name)
{
    (void)unused;
    return str_eq_c(name, "service.name") || str_eq_c(name, "service.namespace") ||
           str_eq_c(name, "service.instance.id");
}

/* ---- The set ---- */

/* Where a name stands, or would. */
static size_t place_of(const struct otlp_label_set *set, struct str name, bool *found)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (str_cmp(set->items[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low < set->count && str_eq(set->items[low].name, name);
    return low;
}

bool otlp_labels_has(const struct otlp_label_set *set, struct str name)
{
    bool found;
    (void)place_of(set, name, &found);
    return found;
}

static void insert(struct otlp_label_set *set, size_t at, struct str name, struct str value)
{
    assert(set->count < OTLP_SET_MAX);
    memmove(&set->items[at + 1], &set->items[at], (set->count - at) * sizeof(set->items[0]));
    set->items[at] = (struct label){name, value};
    set->count++;
}

void otlp_labels_set(struct otlp_label_set *set, struct str name, struct str value)
{
    bool found;
    size_t at = place_of(set, name, &found);
    if (found && value.len == 0) {
        set->count--;
        memmove(&set->items[at], &set->items[at + 1], (set->count - at) * sizeof(set->items[0]));
    } else if (found) {
        set->items[at].value = value;
    } else if (value.len > 0) {
        insert(set, at, name, value);
    }
}

void otlp_labels_set_default(struct otlp_label_set *set, struct str name, struct str value)
{
    bool found;
    size_t at = place_of(set, name, &found);
    if (!found && value.len > 0) {
        insert(set, at, name, value);
    }
}

/* "a;b" in the arena. */
static int join(
    struct str a, const char *between, struct str b, struct arena *arena, struct str *joined_out)
{
    size_t middle = strlen(between);
    char *text = arena_alloc(arena, a.len + middle + b.len);
    if (text == NULL) {
        return arena_error(arena);
    }
    memcpy(text, a.ptr, a.len);
    memcpy(text + a.len, between, middle);
    memcpy(text + a.len + middle, b.ptr, b.len);
    *joined_out = str_make(text, a.len + middle + b.len);
    return 0;
}

static int set_or_join(
    struct otlp_label_set *set, struct str name, struct str value, struct arena *arena)
{
    bool found;
    size_t at = place_of(set, name, &found);
    if (!found) {
        otlp_labels_set(set, name, value);
        return 0;
    }
    return join(set->items[at].value, ";", value, arena, &set->items[at].value);
}

/* ---- Attributes ---- */

static int by_name(const void *a, const void *b)
{
    return str_cmp(
        (*(const struct label *const *)a)->name, (*(const struct label *const *)b)->name);
}

int otlp_labels_add_attributes(struct otlp_label_set *set, const struct otlp_attributes *attributes,
    enum otlp_naming naming, bool (*skip)(const void *context, struct str name),
    const void *context, struct arena *arena)
{
    const struct label *order[OTLP_ATTRIBUTES_MAX];
    if (attributes->count > OTLP_ATTRIBUTES_MAX ||
        set->count + attributes->count > OTLP_SET_MAX - OTLP_ATTRIBUTES_MAX) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < attributes->count; i++) {
        order[i] = &attributes->items[i];
    }
    if (attributes->count > 1) {
        qsort(order, attributes->count, sizeof(order[0]), by_name);
    }
    for (size_t i = 0; i < attributes->count; i++) {
        struct str name;
        if (skip != NULL && skip(context, order[i]->name)) {
            continue;
        }
        int status = otlp_label_name(order[i]->name, naming, arena, &name);
        if (status == 0) {
            status = set_or_join(set, name, order[i]->value, arena);
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

int otlp_labels_set_identity(
    struct otlp_label_set *set, const struct otlp_attributes *resource, struct arena *arena)
{
    struct str job = otlp_attribute(resource, STR("service.name"));
    struct str space = otlp_attribute(resource, STR("service.namespace"));
    struct str instance = otlp_attribute(resource, STR("service.instance.id"));
    int status = 0;
    if (job.len > 0 && space.len > 0) {
        status = join(space, "/", job, arena, &job);
    }
    if (status == 0 && job.len > 0) {
        otlp_labels_set(set, STR("job"), job);
    }
    if (status == 0 && instance.len > 0) {
        otlp_labels_set(set, STR("instance"), instance);
    }
    return status;
}
