/* Names and values of labels of the series that match.
 *
 * Which targets and which shapes take part is asked of parts and head, never which pairs: a lookup
 * costs what it touches of both sides, not the series. Only where a label name occurs on both sides may
 * a shape's value be hidden by a target's; then the series themselves are selected.
 */
#include "base/mem.h"
#include "db/distinct_strings.h"
#include "db/group_deletes.h"
#include "db/store_querier.h"

/* What is asked of each side, for the ids that take part. */
struct lookup {
    bool names;
    struct str name; /* of the values */
};

/* ---- Ids that take part ---- */

struct seeing {
    const struct db_querier *querier;
    const struct index_rectangle *rectangle;
    int64_t min_t, max_t;
    struct id_bits asked_shapes;    /* the rectangle's */
    struct id_bits targets, shapes; /* that take part; rows of ids made later are not seen anyway */
};

/* Marks the shapes of a schema that are asked for; false when there is none. */
static bool see_columns(struct seeing *s, const struct schema_map *schema)
{
    bool any = false;
    for (uint32_t i = 0; i < schema->count; i++) {
        uint32_t shape = schema->columns[i].series_shape;
        if (shape != SHAPE_OF_ALL && id_bits_has(&s->asked_shapes, shape)) {
            id_bits_add(&s->shapes, shape);
            any = true;
        }
    }
    return any;
}

static bool asks_for_target(
    const struct seeing *s, const struct store_part *p, const struct part_group *group)
{
    for (uint32_t t = 0; t < group->target_count; t++) {
        if (id_set_has(s->rectangle->targets, p->targets[group->targets[t]])) {
            return true;
        }
    }
    return false;
}

/* Pair by pair, where a delete hides some of them. */
static void see_visible(struct seeing *s, const struct group_deletes *deletes)
{
    const struct store_part *p = deletes->part;
    const struct part_group *group = deletes->group;
    const struct schema_map *schema = &p->schemas[group->schema];
    for (uint32_t t = 0; t < group->target_count; t++) {
        uint32_t target = p->targets[group->targets[t]];
        for (uint32_t c = 0; c < schema->count && id_set_has(s->rectangle->targets, target); c++) {
            uint32_t shape = schema->columns[c].series_shape;
            if (shape != SHAPE_OF_ALL && id_bits_has(&s->asked_shapes, shape) &&
                !group_deletes_hide(deletes, target, shape)) {
                id_bits_add(&s->targets, target);
                id_bits_add(&s->shapes, shape);
            }
        }
    }
}

/* A tier tells of the time before the samples: from there on these tell. */
static void see_part(struct seeing *s, const struct store_part *p)
{
    const struct part_info *info = part_info(p->part);
    uint32_t seen_schema = UINT32_MAX;
    bool has_columns = false;
    int64_t raw_from = s->querier->view->raw_from;
    int64_t max_t = p->about.tier != STORE_RAW && raw_from <= s->max_t ? raw_from - 1 : s->max_t;
    if (info->max_t < s->min_t || max_t < s->min_t) {
        return;
    }
    for (uint32_t g = 0; g < info->group_count; g++) {
        const struct part_group *group = &part_groups(p->part)[g];
        if (store_group_first(p, group) > max_t || group->max_t < s->min_t ||
            !asks_for_target(s, p, group)) {
            continue;
        }
        const struct group_deletes deletes = {
            s->querier->view->tombstones, p, group, s->min_t, s->max_t};
        if (group_deletes_any(&deletes)) {
            see_visible(s, &deletes);
            continue;
        }
        if (group->schema != seen_schema) {
            seen_schema = group->schema;
            has_columns = see_columns(s, &p->schemas[seen_schema]);
        }
        for (uint32_t t = 0; has_columns && t < group->target_count; t++) {
            uint32_t target = p->targets[group->targets[t]];
            if (id_set_has(s->rectangle->targets, target)) {
                id_bits_add(&s->targets, target);
            }
        }
    }
}

/* A column may be of a series that ended before the range: it counts when it has samples. */
static int on_head_match(void *context, const struct head_match *match)
{
    struct seeing *s = context;
    int has = table_has_samples(
        match->table, match->column, &s->querier->head_view.point, s->min_t, s->max_t);
    if (has > 0) {
        id_bits_add(&s->targets, match->target);
        id_bits_add(&s->shapes, match->shape);
    }
    return has < 0 ? has : 0;
}

static int see_rectangle(struct seeing *s)
{
    const struct db_querier *q = s->querier;
    const struct head_selection selection = {.rectangle = s->rectangle,
        .point = &q->head_view.point,
        .min_t = s->min_t,
        .max_t = s->max_t,
        .known_targets = &s->targets,
        .known_shapes = &s->shapes,
        .callback = on_head_match,
        .context = s};
    int status = id_bits_init(&s->asked_shapes, s->shapes.count);
    if (status == 0) {
        id_bits_add_set(&s->asked_shapes, s->rectangle->shapes);
        for (size_t i = 0; i < q->view->count; i++) {
            see_part(s, q->view->parts[i]);
        }
        status = head_select(q->db->head, &selection);
    }
    id_bits_release(&s->asked_shapes);
    return status;
}

static int see_all(struct seeing *s, const struct select_request *request, struct err *e)
{
    struct index *index = s->querier->db->index;
    struct index_selection selection = {0};
    int status = id_bits_init(&s->targets, index_count(index, INDEX_TARGETS));
    status = status == 0 ? id_bits_init(&s->shapes, index_count(index, INDEX_SHAPES)) : status;
    if (status == 0 && s->min_t <= s->max_t) {
        status = index_select(index, request->matchers, request->matcher_count, &selection, e);
    }
    for (size_t i = 0; status == 0 && i < selection.count; i++) {
        s->rectangle = &selection.rectangles[i];
        status = see_rectangle(s);
    }
    index_selection_release(&selection);
    return status;
}

/* ---- What they have ---- */

static int ask_side(struct index *index, enum index_side side, const struct lookup *lookup,
    const struct id_bits *bits, struct index_strings *found)
{
    struct id_set *ids = id_bits_to_set(bits);
    int status = ids != NULL ? 0 : ERR_NOMEM;
    if (status == 0) {
        status = lookup->names ? index_label_names(index, side, ids, found)
                               : index_label_values(index, side, lookup->name, ids, found);
    }
    id_set_free(ids);
    return status;
}

static int ask_ids(struct db_querier *q, const struct lookup *lookup,
    const struct select_request *request, struct index_strings *found, struct err *e)
{
    struct seeing s = {.querier = q,
        .min_t = request->min_t > q->min_t ? request->min_t : q->min_t,
        .max_t = request->max_t < q->max_t ? request->max_t : q->max_t};
    int status = see_all(&s, request, e);
    if (status == 0) {
        status = ask_side(q->db->index, INDEX_TARGETS, lookup, &s.targets, found);
    }
    if (status == 0) {
        status = ask_side(q->db->index, INDEX_SHAPES, lookup, &s.shapes, found);
    }
    id_bits_release(&s.targets);
    id_bits_release(&s.shapes);
    return status;
}

/* Series by series. The pairs die with the labels: the arena keeps the text. */
static int ask_labels(const struct series_set *set, const struct lookup *lookup,
    struct arena *arena, struct index_strings *found)
{
    int status = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct labels *labels = series_labels(set->series[i]);
        for (size_t k = 0; status == 0 && k < labels_count(labels); k++) {
            struct label pair = labels_at(labels, k);
            if (!lookup->names && !str_eq(pair.name, lookup->name)) {
                continue;
            }
            struct str text = lookup->names ? pair.name : pair.value;
            char *copy = arena_strndup(arena, text.ptr, text.len);
            status = copy == NULL ? arena_error(arena)
                                  : mem_array_grow((void **)&found->items, &found->cap,
                                        found->count + 1, sizeof(*found->items), SIZE_MAX);
            if (status == 0) {
                found->items[found->count++] = str_make(copy, text.len);
            }
        }
    }
    return status;
}

static int ask_series(struct db_querier *q, const struct lookup *lookup,
    const struct select_request *request, struct arena *arena, struct index_strings *found,
    struct err *e)
{
    struct select_request labels_only = *request;
    struct series_set *set = NULL;
    labels_only.labels_only = true;
    int status = db_querier_select(&q->querier, &labels_only, arena, &set, e);
    if (status == 0) {
        status = ask_labels(set, lookup, arena, found);
    }
    series_set_free(set);
    return status;
}

/* ---- Answers ---- */

/* One more than the limit tells that there are more. */
static int list_of(
    struct index_strings *found, size_t limit, struct arena *arena, struct string_list *out)
{
    size_t kept = 0;
    int status = distinct_strings(
        found->items, found->count, limit > 0 && limit < SIZE_MAX ? limit + 1 : SIZE_MAX, &kept);
    if (status != 0) {
        return status;
    }
    *out = (struct string_list){.truncated = limit > 0 && kept > limit};
    out->count = out->truncated ? limit : kept;
    out->items = arena_alloc(arena, (out->count + 1) * sizeof(*out->items));
    for (size_t i = 0; out->items != NULL && i < out->count; i++) {
        struct str s = found->items[i];
        char *copy = arena_strndup(arena, s.ptr, s.len);
        if (copy == NULL) {
            return arena_error(arena);
        }
        out->items[i] = str_make(copy, s.len);
    }
    return out->items != NULL ? 0 : arena_error(arena);
}

static int look_up(struct querier *q, const struct lookup *lookup,
    const struct select_request *request, size_t limit, struct arena *arena,
    struct string_list *out, struct err *e)
{
    struct db_querier *self = db_querier_of(q);
    struct index_strings found = {0};
    struct arena scratch;
    arena_init(&scratch, 0);
    uint64_t pin = index_pin(self->db->index);
    int status = index_sides_overlap(self->db->index)
                     ? ask_series(self, lookup, request, &scratch, &found, e)
                     : ask_ids(self, lookup, request, &found, e);
    if (status == 0) {
        status = list_of(&found, limit, arena, out);
    }
    index_unpin(self->db->index, pin);
    index_strings_release(&found);
    arena_release(&scratch);
    return status != 0 ? db_querier_fail(e, status, "looking up labels") : 0;
}

int db_querier_label_names(struct querier *q, const struct select_request *request, size_t limit,
    struct arena *arena, struct string_list *names_out, struct err *e)
{
    const struct lookup lookup = {.names = true};
    return look_up(q, &lookup, request, limit, arena, names_out, e);
}

int db_querier_label_values(struct querier *q, struct str name,
    const struct select_request *request, size_t limit, struct arena *arena,
    struct string_list *values_out, struct err *e)
{
    const struct lookup lookup = {.name = name};
    return look_up(q, &lookup, request, limit, arena, values_out, e);
}
