/* Inside an expression of spansets a set is a byte a span; between stages it is a list of spans with what was said
 * about it. */
#include "trace/traceql_evaluate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct evaluation {
    const struct trace_tree *tree;
    struct arena *arena;
    const struct traceql_known *known; /* or NULL */
    struct traceql_subject subject;
};

static int run_stages(struct evaluation *v, const struct traceql_stage *stages,
    struct traceql_sets sets, struct traceql_sets *sets_out);

static void look_at(struct evaluation *v, uint32_t index)
{
    v->subject.span = &v->tree->spans[index];
    v->subject.index = index;
}

/* ---- Bytes and lists ---- */

static uint8_t *new_bytes(struct evaluation *v)
{
    return arena_calloc(v->arena, (size_t)v->tree->count + 1, 1);
}

static uint32_t count_bytes(const struct evaluation *v, const uint8_t *bytes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < v->tree->count; i++) {
        count += bytes[i];
    }
    return count;
}

static int to_list(struct evaluation *v, const uint8_t *bytes, struct traceql_set *set_out)
{
    uint32_t count = count_bytes(v, bytes), next = 0;
    uint32_t *spans = arena_alloc(v->arena, ((size_t)count + 1) * sizeof(*spans));
    if (spans == NULL) {
        return arena_error(v->arena);
    }
    for (uint32_t i = 0; i < v->tree->count; i++) {
        if (bytes[i] != 0) {
            spans[next++] = i;
        }
    }
    *set_out = (struct traceql_set){.spans = spans, .count = count};
    return 0;
}

static void add_to_bytes(const struct traceql_set *set, uint8_t *bytes)
{
    for (uint32_t i = 0; i < set->count; i++) {
        bytes[set->spans[i]] = 1;
    }
}

/* ---- Spansets ---- */

static void filter(
    struct evaluation *v, const struct traceql_spanset *s, const uint8_t *in, uint8_t *out)
{
    const uint8_t *known = v->known != NULL ? v->known->verdicts(v->known->context, s) : NULL;
    for (uint32_t i = 0; i < v->tree->count; i++) {
        if (in[i] != 0 && known != NULL) {
            out[i] = known[i] & 1;
        } else if (in[i] != 0) {
            look_at(v, i);
            out[i] = traceql_expr_holds(&v->subject, s->expr);
        }
    }
}

static int spanset(
    struct evaluation *v, const struct traceql_spanset *s, const uint8_t *in, uint8_t *out);

static int operation(
    struct evaluation *v, const struct traceql_spanset *s, const uint8_t *in, uint8_t *out)
{
    uint8_t *left = new_bytes(v), *right = new_bytes(v);
    int status = left == NULL || right == NULL ? arena_error(v->arena) : 0;
    status = status == 0 ? spanset(v, s->left, in, left) : status;
    status = status == 0 ? spanset(v, s->right, in, right) : status;
    if (status != 0) {
        return status;
    }
    if (s->op != TRACEQL_AND && s->op != TRACEQL_OR) {
        return traceql_relate(s->op, v->tree, left, right, v->arena, out);
    }
    bool both = count_bytes(v, left) > 0 && count_bytes(v, right) > 0;
    for (uint32_t i = 0; (both || s->op == TRACEQL_OR) && i < v->tree->count; i++) {
        out[i] = left[i] | right[i];
    }
    return 0;
}

/* ( stages ): what is left, in whatever groups. */
static int pipeline(
    struct evaluation *v, const struct traceql_spanset *s, const uint8_t *in, uint8_t *out)
{
    struct traceql_set all;
    struct traceql_sets left;
    int status = to_list(v, in, &all);
    if (status == 0 && all.count > 0) {
        status = run_stages(v, s->stages, (struct traceql_sets){&all, 1}, &left);
        for (uint32_t i = 0; status == 0 && i < left.count; i++) {
            add_to_bytes(&left.items[i], out);
        }
    }
    return status;
}

/* Those of `in` that it finds are put into `out`, which is empty. */
static int spanset(
    struct evaluation *v, const struct traceql_spanset *s, const uint8_t *in, uint8_t *out)
{
    switch (s->kind) {
    case TRACEQL_SPANSET_FILTER:
        filter(v, s, in, out);
        return 0;
    case TRACEQL_SPANSET_OPERATION:
        return operation(v, s, in, out);
    default:
        return pipeline(v, s, in, out);
    }
}

static int spanset_stage(struct evaluation *v, const struct traceql_stage *stage,
    const struct traceql_set *set, struct traceql_set *set_out)
{
    uint8_t *in = new_bytes(v), *out = new_bytes(v);
    if (in == NULL || out == NULL) {
        return arena_error(v->arena);
    }
    add_to_bytes(set, in);
    int status = spanset(v, stage->spanset, in, out);
    return status == 0 ? to_list(v, out, set_out) : status;
}

/* ---- Aggregates ---- */

/* Integers are summed as such as long as they fit. */
struct sum {
    enum traceql_type type; /* NIL: nothing yet */
    uint32_t count;
    int64_t integer;
    double number;
};

static void add_to_sum(struct sum *sum, struct traceql_value value)
{
    if (sum->type == TRACEQL_NIL) {
        sum->type = value.type;
    }
    if (sum->type != value.type) {
        sum->type = TRACEQL_FLOAT;
    }
    sum->number += value.type == TRACEQL_FLOAT ? value.number : (double)value.integer;
    if (sum->type != TRACEQL_FLOAT &&
        __builtin_add_overflow(sum->integer, value.integer, &sum->integer)) {
        sum->type = TRACEQL_FLOAT;
    }
    sum->count++;
}

static struct traceql_value finish_sum(const struct sum *sum, bool average)
{
    struct traceql_value value = {.type = sum->type};
    if (sum->type == TRACEQL_NIL) {
        return value;
    }
    if (sum->type == TRACEQL_DURATION) {
        value.integer = average ? sum->integer / sum->count : sum->integer;
    } else if (sum->type == TRACEQL_INT && !average) {
        value.integer = sum->integer;
    } else {
        value.type = TRACEQL_FLOAT;
        value.number = average ? sum->number / sum->count : sum->number;
    }
    return value;
}

static struct traceql_value aggregate(
    struct evaluation *v, const struct traceql_scalar *of, const struct traceql_set *set)
{
    struct traceql_value extreme = {.type = TRACEQL_NIL};
    struct sum sum = {.type = TRACEQL_NIL};
    bool least = of->aggregate == TRACEQL_MIN;
    if (of->aggregate == TRACEQL_COUNT) {
        return (struct traceql_value){.type = TRACEQL_INT, .integer = set->count};
    }
    for (uint32_t i = 0; i < set->count; i++) {
        look_at(v, set->spans[i]);
        struct traceql_value value = traceql_expr_value(&v->subject, of->expr);
        if (!traceql_is_numeric(value.type)) {
            continue;
        }
        add_to_sum(&sum, value);
        if (extreme.type == TRACEQL_NIL ||
            traceql_compare(least ? TRACEQL_LT : TRACEQL_GT, value, extreme, NULL)) {
            extreme = value;
        }
    }
    return of->aggregate == TRACEQL_MIN || of->aggregate == TRACEQL_MAX
               ? extreme
               : finish_sum(&sum, of->aggregate == TRACEQL_AVG);
}

static int mark(
    struct evaluation *v, struct str text, struct traceql_value value, struct traceql_set *set)
{
    struct traceql_mark *made = arena_alloc(v->arena, sizeof(*made));
    if (made == NULL) {
        return arena_error(v->arena);
    }
    *made = (struct traceql_mark){text, value, set->marks};
    set->marks = made;
    return 0;
}

/* The set is marked with each aggregate. As deep as the expression: TRACEQL_DEPTH_MAX. */
static int scalar_value(struct evaluation *v, const struct traceql_scalar *of,
    struct traceql_set *set, struct traceql_value *value_out)
{
    struct traceql_value left, right;
    int status;
    switch (of->node) {
    case TRACEQL_SCALAR_LITERAL:
        *value_out = of->literal;
        return 0;
    case TRACEQL_SCALAR_AGGREGATE:
        *value_out = aggregate(v, of, set);
        return mark(v, of->text, *value_out, set);
    default:
        status = scalar_value(v, of->left, set, &left);
        status = status == 0 ? scalar_value(v, of->right, set, &right) : status;
        if (status == 0) {
            *value_out = traceql_apply(of->op, left, right, NULL);
        }
        return status;
    }
}

/* Empties a set that does not satisfy the comparison. */
static int scalar_stage(
    struct evaluation *v, const struct traceql_stage *stage, struct traceql_set *set)
{
    struct traceql_value left, right;
    int status = scalar_value(v, stage->left, set, &left);
    status = status == 0 ? scalar_value(v, stage->right, set, &right) : status;
    if (status == 0 && !traceql_compare(stage->op, left, right, NULL)) {
        set->count = 0;
    }
    return status;
}

/* ---- Groups ---- */

struct grouped {
    struct traceql_value value;
    uint32_t span;
};

static int by_value(const void *left, const void *right)
{
    const struct grouped *a = left, *b = right;
    int order = traceql_value_order(a->value, b->value);
    return order != 0 ? order : a->span < b->span ? -1 : a->span > b->span;
}

/* Ids are written into the subject, which is used for the next span. */
static int keep_value(struct evaluation *v, struct traceql_value *value)
{
    if (value->type != TRACEQL_STRING) {
        return 0;
    }
    const char *copy =
        arena_strndup(v->arena, value->text.len > 0 ? value->text.ptr : "", value->text.len);
    value->text.ptr = copy;
    return copy == NULL ? arena_error(v->arena) : 0;
}

static int find_groups(struct evaluation *v, const struct traceql_stage *stage,
    const struct traceql_set *set, struct grouped *all)
{
    for (uint32_t i = 0; i < set->count; i++) {
        look_at(v, set->spans[i]);
        all[i] = (struct grouped){traceql_expr_value(&v->subject, stage->expr), set->spans[i]};
        int status = keep_value(v, &all[i].value);
        if (status != 0) {
            return status;
        }
    }
    qsort(all, set->count, sizeof(*all), by_value);
    return 0;
}

/* Appends the groups of a set; there is room for as many as it has spans. */
static int group(struct evaluation *v, const struct traceql_stage *stage,
    const struct traceql_set *set, struct traceql_set *groups, uint32_t *count)
{
    struct grouped *all = arena_alloc(v->arena, ((size_t)set->count + 1) * sizeof(*all));
    uint32_t *spans = arena_alloc(v->arena, ((size_t)set->count + 1) * sizeof(*spans));
    int status = all == NULL || spans == NULL ? arena_error(v->arena) : 0;
    status = status == 0 ? find_groups(v, stage, set, all) : status;
    for (uint32_t i = 0; status == 0 && i < set->count; i++) {
        if (i == 0 || !traceql_value_same(all[i].value, all[i - 1].value)) {
            groups[*count] = (struct traceql_set){.spans = spans + i, .marks = set->marks};
            status = mark(v, stage->text, all[i].value, &groups[(*count)++]);
        }
        spans[i] = all[i].span;
        groups[*count - 1].count++;
    }
    return status;
}

static int coalesce(
    struct evaluation *v, const struct traceql_sets *sets, struct traceql_set *set_out)
{
    uint8_t *bytes = new_bytes(v);
    if (bytes == NULL) {
        return arena_error(v->arena);
    }
    for (uint32_t i = 0; i < sets->count; i++) {
        add_to_bytes(&sets->items[i], bytes);
    }
    return to_list(v, bytes, set_out);
}

/* ---- Stages ---- */

/* One stage over one set, whose outcome is put behind those before. */
static int run_stage(struct evaluation *v, const struct traceql_stage *stage,
    const struct traceql_set *set, struct traceql_set *out, uint32_t *count)
{
    struct traceql_set left = *set;
    int status = 0;
    if (stage->kind == TRACEQL_STAGE_BY) {
        return group(v, stage, set, out, count);
    }
    if (stage->kind == TRACEQL_STAGE_SPANSET) {
        status = spanset_stage(v, stage, set, &left);
        left.marks = set->marks;
    } else if (stage->kind == TRACEQL_STAGE_SCALAR) {
        status = scalar_stage(v, stage, &left);
    }
    if (status == 0 && left.count > 0) {
        out[(*count)++] = left;
    }
    return status;
}

static int run_stages(struct evaluation *v, const struct traceql_stage *stages,
    struct traceql_sets sets, struct traceql_sets *sets_out)
{
    for (const struct traceql_stage *stage = stages; stage != NULL && sets.count > 0;
         stage = stage->next) {
        /* Sets share no span, so that there are not more than spans. */
        size_t most = stage->kind == TRACEQL_STAGE_BY ? v->tree->count : sets.count;
        struct traceql_set *out = arena_alloc(v->arena, (most + 1) * sizeof(*out));
        uint32_t count = 0;
        int status = out == NULL ? arena_error(v->arena) : 0;
        if (status == 0 && stage->kind == TRACEQL_STAGE_COALESCE) {
            status = coalesce(v, &sets, &out[0]);
            count = 1;
        }
        for (uint32_t i = 0; status == 0 && stage->kind != TRACEQL_STAGE_COALESCE && i < sets.count;
             i++) {
            status = run_stage(v, stage, &sets.items[i], out, &count);
        }
        if (status != 0) {
            return status;
        }
        sets = (struct traceql_sets){out, count};
    }
    *sets_out = sets;
    return 0;
}

int traceql_evaluate(const struct traceql_query *query, const struct trace_tree *tree,
    struct arena *arena, struct traceql_sets *sets_out)
{
    return traceql_evaluate_known(query, tree, NULL, arena, sets_out);
}

int traceql_evaluate_known(const struct traceql_query *query, const struct trace_tree *tree,
    const struct traceql_known *known, struct arena *arena, struct traceql_sets *sets_out)
{
    struct evaluation v = {.tree = tree, .arena = arena, .known = known, .subject = {.tree = tree}};
    struct traceql_set *all = arena_alloc(arena, sizeof(*all));
    uint8_t *bytes = new_bytes(&v);
    assert(tree->count > 0);
    if (all == NULL || bytes == NULL) {
        return arena_error(arena);
    }
    memset(bytes, 1, tree->count);
    int status = to_list(&v, bytes, all);
    return status == 0 ? run_stages(&v, query->stages, (struct traceql_sets){all, 1}, sets_out)
                       : status;
}
