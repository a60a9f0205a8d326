/* One table of all values, by attribute, side and value; an attribute has a chain of its values on each side. */
#include "trace/traceql_compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { SLOTS_FIRST = 4096, SIDES = 2 };

/* 0: all others, 1: the selection. */
struct compared_value {
    struct traceql_value value;
    uint64_t hash;
    uint32_t attribute;
    uint32_t *counts; /* a step each */
    uint64_t total;
    uint8_t side;
    struct compared_value *next; /* of the attribute and side */
};

struct compared_attribute {
    struct traceql_field field;
    uint64_t last_span; /* a key that comes twice counts once */
    struct {
        uint32_t *totals; /* a step each; NULL: no span of this side has it */
        struct compared_value *values;
        uint32_t count;
        bool more; /* than are counted */
    } sides[SIDES];
};

int traceql_compare_init(struct traceql_compare *c, const struct traceql_metrics *metrics,
    const struct traceql_steps *steps, struct arena *arena)
{
    *c = (struct traceql_compare){
        .metrics = metrics, .steps = steps, .arena = arena, .slot_count = SLOTS_FIRST};
    c->attributes = arena_calloc(arena, TRACEQL_COMPARE_ATTRIBUTES_MAX, sizeof(*c->attributes));
    c->slots = arena_calloc(arena, c->slot_count, sizeof(struct compared_value *));
    return c->attributes == NULL || c->slots == NULL ? arena_error(arena) : 0;
}

/* ---- Attributes ---- */

static int copy_text(struct traceql_compare *c, struct str *text)
{
    text->ptr = arena_strndup(c->arena, text->len > 0 ? text->ptr : "", text->len);
    return text->ptr == NULL ? arena_error(c->arena) : 0;
}

static int name_attribute(
    struct traceql_compare *c, const struct traceql_field *from, struct traceql_field *field)
{
    struct strbuf text = STRBUF_INIT;
    *field = *from;
    if (from->scope == TRACEQL_SCOPE_INTRINSIC) {
        return 0; /* its text is a constant */
    }
    strbuf_add_c(&text, from->scope == TRACEQL_SCOPE_SPAN ? "span." : "resource.");
    strbuf_add_str(&text, from->key);
    int status = strbuf_error(&text);
    field->text = strbuf_str(&text);
    status = status == 0 ? copy_text(c, &field->text) : status;
    strbuf_release(&text);
    return status == 0 ? copy_text(c, &field->key) : status;
}

static int order_of_fields(const struct traceql_field *a, const struct traceql_field *b)
{
    if (a->scope != b->scope) {
        return a->scope < b->scope ? -1 : 1;
    }
    return a->scope == TRACEQL_SCOPE_INTRINSIC ? (int)a->intrinsic - (int)b->intrinsic
                                               : str_cmp(a->key, b->key);
}

/* Few attributes, in order of appearance: spans of a kind have theirs at the same places, so that the search begins
 * behind the one found last. */
static int find_attribute(struct traceql_compare *c, const struct traceql_field *field,
    size_t *hint, struct compared_attribute **found_out)
{
    for (size_t i = 0; i < c->attribute_count; i++) {
        size_t at = (*hint + i) % c->attribute_count;
        if (order_of_fields(&c->attributes[at].field, field) == 0) {
            *hint = at + 1;
            *found_out = &c->attributes[at];
            return 0;
        }
    }
    if (c->attribute_count == TRACEQL_COMPARE_ATTRIBUTES_MAX) {
        return ERR_LIMIT;
    }
    struct compared_attribute *made = &c->attributes[c->attribute_count];
    int status = name_attribute(c, field, &made->field);
    if (status == 0) {
        c->attribute_count++;
        *found_out = made;
    }
    return status;
}

/* ---- Values ---- */

static struct compared_value **find_slot(
    const struct traceql_compare *c, const struct compared_value *wanted)
{
    size_t slot = wanted->hash % c->slot_count;
    for (;; slot = (slot + 1) % c->slot_count) {
        struct compared_value *at = c->slots[slot];
        if (at == NULL ||
            (at->hash == wanted->hash && at->attribute == wanted->attribute &&
                at->side == wanted->side && traceql_value_same(at->value, wanted->value))) {
            return &c->slots[slot];
        }
    }
}

/* At most half of the slots are taken. */
static int make_room(struct traceql_compare *c)
{
    if (2 * (c->value_count + 1) < c->slot_count) {
        return 0;
    }
    struct traceql_compare larger = {.slot_count = 2 * c->slot_count};
    larger.slots = arena_calloc(c->arena, larger.slot_count, sizeof(struct compared_value *));
    if (larger.slots == NULL) {
        return arena_error(c->arena);
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        if (c->slots[i] != NULL) {
            *find_slot(&larger, c->slots[i]) = c->slots[i];
        }
    }
    c->slots = larger.slots;
    c->slot_count = larger.slot_count;
    return 0;
}

static int make_value(
    struct traceql_compare *c, const struct compared_value *from, struct compared_value **value_out)
{
    struct compared_value *made = arena_alloc(c->arena, sizeof(*made));
    if (made == NULL) {
        return arena_error(c->arena);
    }
    *made = *from;
    made->counts = arena_calloc(c->arena, c->steps->count, sizeof(*made->counts));
    bool text = made->value.type == TRACEQL_STRING || made->value.type == TRACEQL_ARRAY;
    *value_out = made;
    return made->counts == NULL ? arena_error(c->arena)
           : text               ? copy_text(c, &made->value.text)
                                : 0;
}

static int count_value(struct traceql_compare *c, struct compared_attribute *attribute,
    uint8_t side, struct traceql_value value, uint32_t point)
{
    uint32_t number = (uint32_t)(attribute - c->attributes);
    const struct compared_value wanted = {.value = value,
        .hash = hash_mix64(traceql_value_hash(value) + number * SIDES + side),
        .attribute = number,
        .side = side};
    int status = make_room(c);
    if (status != 0) {
        return status;
    }
    struct compared_value **slot = find_slot(c, &wanted);
    if (*slot == NULL) {
        if (attribute->sides[side].count == TRACEQL_COMPARE_VALUES_MAX) {
            attribute->sides[side].more = true;
            return 0;
        }
        struct compared_value *made;
        status = make_value(c, &wanted, &made);
        if (status != 0) {
            return status;
        }
        made->next = attribute->sides[side].values;
        attribute->sides[side].values = made;
        attribute->sides[side].count++;
        c->value_count++;
        *slot = made;
    }
    (*slot)->counts[point]++;
    (*slot)->total++;
    return 0;
}

/* ---- Spans ---- */

struct adding {
    struct traceql_compare *compare;
    uint32_t point;
    uint8_t side;
    size_t hint;
};

static int add_field(
    struct adding *a, const struct traceql_field *field, struct traceql_value value)
{
    struct traceql_compare *c = a->compare;
    struct compared_attribute *attribute;
    if (value.type == TRACEQL_NIL || value.type == TRACEQL_DURATION) {
        return 0;
    }
    int status = find_attribute(c, field, &a->hint, &attribute);
    if (status != 0 || attribute->last_span == c->spans) {
        return status;
    }
    attribute->last_span = c->spans;
    uint32_t **totals = &attribute->sides[a->side].totals;
    if (*totals == NULL) {
        *totals = arena_calloc(c->arena, c->steps->count, sizeof(**totals));
    }
    if (*totals == NULL) {
        return arena_error(c->arena);
    }
    (*totals)[a->point]++;
    return count_value(c, attribute, a->side, value, a->point);
}

static int add_list(struct adding *a, enum traceql_scope scope, struct attributes list)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        const struct traceql_field field = {.scope = scope, .key = list.items[i].key};
        status = add_field(a, &field, traceql_value_of(&list.items[i]));
    }
    return status;
}

static int add_intrinsics(struct adding *a, struct traceql_subject *subject)
{
    static const struct traceql_field fields[] = {
        {.scope = TRACEQL_SCOPE_INTRINSIC,
            .intrinsic = TRACEQL_INTRINSIC_NAME,
            .text = {"name", 4}},
        {.scope = TRACEQL_SCOPE_INTRINSIC,
            .intrinsic = TRACEQL_INTRINSIC_STATUS,
            .text = {"status", 6}},
        {.scope = TRACEQL_SCOPE_INTRINSIC,
            .intrinsic = TRACEQL_INTRINSIC_STATUS_MESSAGE,
            .text = {"statusMessage", 13}},
        {.scope = TRACEQL_SCOPE_INTRINSIC,
            .intrinsic = TRACEQL_INTRINSIC_KIND,
            .text = {"kind", 4}},
    };
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct traceql_value value = traceql_field_value(subject, &fields[i]);
        bool empty = value.type == TRACEQL_STRING && value.text.len == 0;
        status = empty ? 0 : add_field(a, &fields[i], value);
    }
    return status;
}

static bool is_selected(const struct traceql_metrics *m, struct traceql_subject *subject)
{
    uint64_t start = subject->span->span.start_ns;
    bool in_time = m->end_ns == 0 || (start >= m->start_ns && start < m->end_ns);
    return in_time && traceql_expr_holds(subject, m->selection);
}

int traceql_compare_add(struct traceql_compare *c, struct traceql_subject *subject)
{
    struct adding a = {.compare = c};
    if (!traceql_steps_find(c->steps, subject->span->span.start_ns, &a.point)) {
        return 0;
    }
    c->spans++;
    a.side = is_selected(c->metrics, subject);
    int status = add_intrinsics(&a, subject);
    status = status == 0 ? add_list(&a, TRACEQL_SCOPE_RESOURCE, subject->span->resource->attributes)
                         : status;
    return status == 0 ? add_list(&a, TRACEQL_SCOPE_SPAN, subject->span->span.attributes) : status;
}

/* ---- Series ---- */

struct series_writer {
    struct traceql_compare *compare;
    struct traceql_series *items;
    size_t count;
};

/* `counts` NULL: no samples. */
static int add_series(struct series_writer *w, enum traceql_meta meta,
    const struct compared_attribute *attribute, struct traceql_value value, const uint32_t *counts)
{
    uint32_t points = w->compare->steps->count;
    double *samples = arena_alloc(w->compare->arena, points * sizeof(*samples));
    if (samples == NULL) {
        return arena_error(w->compare->arena);
    }
    for (uint32_t i = 0; i < points; i++) {
        samples[i] = counts != NULL ? counts[i] : (double)NAN;
    }
    w->items[w->count++] = (struct traceql_series){
        .meta = meta, .field = &attribute->field, .extra = value, .samples = samples};
    return 0;
}

static int most_first(const void *left, const void *right)
{
    const struct compared_value *a = *(struct compared_value *const *)left,
                                *b = *(struct compared_value *const *)right;
    return a->total != b->total ? (a->total > b->total ? -1 : 1)
                                : traceql_value_order(a->value, b->value);
}

static int add_values(
    struct series_writer *w, const struct compared_attribute *attribute, uint8_t side)
{
    struct compared_value *all[TRACEQL_COMPARE_VALUES_MAX];
    size_t count = 0;
    for (struct compared_value *v = attribute->sides[side].values; v != NULL; v = v->next) {
        all[count++] = v;
    }
    qsort(all, count, sizeof(*all), most_first);
    int status = 0;
    for (size_t i = 0; status == 0 && i < count && i < (size_t)w->compare->metrics->values; i++) {
        status = add_series(w, side == 0 ? TRACEQL_META_BASELINE : TRACEQL_META_SELECTION,
            attribute, all[i]->value, all[i]->counts);
    }
    return status;
}

static int by_field(const void *left, const void *right)
{
    const struct compared_attribute *a = left, *b = right;
    return order_of_fields(&a->field, &b->field);
}

static int add_totals(
    struct series_writer *w, const struct compared_attribute *attribute, uint8_t side)
{
    const struct traceql_value nil = {.type = TRACEQL_NIL};
    enum traceql_meta meta = side == 0 ? TRACEQL_META_BASELINE_TOTAL : TRACEQL_META_SELECTION_TOTAL;
    const uint32_t *totals = attribute->sides[side].totals;
    return totals != NULL ? add_series(w, meta, attribute, nil, totals) : 0;
}

static int add_too_many(struct series_writer *w, const struct compared_attribute *attribute)
{
    const struct traceql_value nil = {.type = TRACEQL_NIL};
    bool more = false;
    for (size_t side = 0; side < SIDES; side++) {
        more |= attribute->sides[side].more ||
                attribute->sides[side].count > (size_t)w->compare->metrics->values;
    }
    return more ? add_series(w, TRACEQL_META_TOO_MANY, attribute, nil, NULL) : 0;
}

int traceql_compare_finish(struct traceql_compare *c, struct traceql_result *result_out)
{
    struct series_writer w = {.compare = c};
    size_t most = c->value_count + c->attribute_count * (SIDES + 1);
    w.items = arena_alloc(c->arena, (most + 1) * sizeof(*w.items));
    int status = w.items == NULL ? arena_error(c->arena) : 0;
    qsort(c->attributes, c->attribute_count, sizeof(*c->attributes), by_field);
    for (uint8_t side = 0; side < SIDES; side++) {
        for (size_t i = 0; status == 0 && i < c->attribute_count; i++) {
            status = add_values(&w, &c->attributes[i], side);
        }
    }
    for (uint8_t side = 0; side < SIDES; side++) {
        for (size_t i = 0; status == 0 && i < c->attribute_count; i++) {
            status = add_totals(&w, &c->attributes[i], side);
        }
    }
    for (size_t i = 0; status == 0 && i < c->attribute_count; i++) {
        status = add_too_many(&w, &c->attributes[i]);
    }
    result_out->items = w.items;
    result_out->count = w.count;
    return status;
}
