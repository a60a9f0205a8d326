/* Arithmetic and comparisons between two vectors.
 *
 * Series find each other by their signature: the labels they are matched on. The "one" side is read
 * whole and kept by signature; the "many" side streams, and each of its series meets the series of its
 * signature in plain loops over the steps. What is made of a pair of series is one output series; a
 * series that meets several partners (each at other steps) comes out in several parts.
 */
#include <stdlib.h>

#include "binary.h"

/* Series of the one side with the same signature. */
struct one_group {
    size_t first, last;    /* chain through `next` of one_entry; SIZE_MAX = none */
    uint32_t *owners;      /* of several series: the first with a value at each step, plus one */
    uint8_t *matched;      /* a byte a step: something was joined there */
    struct id_map outputs; /* many-to-one: label sets made, which must not meet at a step */
    uint8_t **output_steps;
    size_t output_cap;
};

struct one_entry {
    size_t next;
};

struct join_operator {
    struct operator_node node;
    const struct vector_matching *matching;
    bool swapped; /* the left side is the one side */
    bool has_fill_one, has_fill_many;
    double fill_one, fill_many;
    struct operator_node *many;
    struct series_store one;
    struct one_entry *entries;
    struct id_map groups;
    struct one_group *group_rows;
    size_t group_cap;
    struct arena *scratch;
    struct arena_mark mark;
    struct step_series *out;
    /* The series of the many side at hand and what of it is still to be joined. */
    struct step_series *current;
    int64_t current_group;
    /* Steps at which two series of the one side have the same signature: an error as soon as the other
     * side has anything there. */
    uint8_t *duplicates;
    const struct labels *duplicate_pair[2];
    size_t pending; /* position in the chain; SIZE_MAX = only the fill is left */
    enum { JOIN_READ, JOIN_PAIRS, JOIN_FILL_ONE, JOIN_FILL_MANY, JOIN_DONE } stage;
    size_t unmatched;       /* next series of the one side to be filled */
    struct str *restricted; /* __name__ and the ignored labels */
    size_t restricted_count;
};

/* ---- Signatures ---- */

static uint64_t signature(const struct join_operator *j, const struct labels *labels)
{
    const struct vector_matching *m = j->matching;
    if (m->on) {
        return labels_restrict_hash(labels, m->labels, m->label_count, true);
    }
    return labels_restrict_hash(labels, j->restricted, j->restricted_count, false);
}

static int make_restricted(struct query *q, struct join_operator *j)
{
    const struct vector_matching *m = j->matching;
    j->restricted = arena_alloc(&q->arena, (m->label_count + 1) * sizeof(*j->restricted));
    if (j->restricted == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    j->restricted[0] = STR(LABEL_METRIC_NAME);
    if (m->label_count > 0) {
        memcpy(j->restricted + 1, m->labels, m->label_count * sizeof(*m->labels));
    }
    j->restricted_count = m->label_count + 1;
    return 0;
}

/* The labels that are matched on, alone. */
static int match_labels(
    struct join_operator *j, const struct labels *labels, const struct labels **matched_out)
{
    const struct vector_matching *m = j->matching;
    struct query *q = j->node.query;
    int status =
        m->on ? labels_restrict(labels, m->labels, m->label_count, true, matched_out)
              : labels_restrict(labels, j->restricted, j->restricted_count, false, matched_out);
    return status == 0 ? query_own_labels(q, *matched_out)
                       : query_fail(q, status, "%s", err_text(status));
}

/* ---- The one side ---- */

/* The row of a signature, made when it is new. */
static int group_of(struct join_operator *j, uint64_t hash, struct one_group **group_out)
{
    struct query *q = j->node.query;
    uint32_t id;
    bool is_new;
    int status = id_map_get(&j->groups, hash, &id, &is_new);
    if (status != 0) {
        return status;
    }
    if (id >= j->group_cap) {
        size_t cap = j->group_cap > 0 ? j->group_cap * 2 : 64;
        struct one_group *grown = arena_calloc(&q->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (j->group_cap > 0) {
            memcpy(grown, j->group_rows, j->group_cap * sizeof(*grown));
        }
        j->group_rows = grown;
        j->group_cap = cap;
    }
    struct one_group *group = &j->group_rows[id];
    if (is_new) {
        group->first = group->last = SIZE_MAX;
        id_map_init(&group->outputs, q);
        group->matched = arena_calloc(&q->arena, j->node.grid->steps, 1);
        if (group->matched == NULL) {
            return query_fail_memory(q, &q->arena);
        }
    }
    *group_out = group;
    return 0;
}

static int fail_duplicate(struct join_operator *j)
{
    const struct labels *first = j->duplicate_pair[0], *second = j->duplicate_pair[1];
    const struct labels *matched;
    int status = match_labels(j, first, &matched);
    if (status != 0) {
        return status;
    }
    struct strbuf texts[3] = {STRBUF_INIT, STRBUF_INIT, STRBUF_INIT};
    query_write_labels(matched, &texts[0]);
    query_write_labels(first, &texts[1]);
    query_write_labels(second, &texts[2]);
    bool ordered = str_cmp(strbuf_str(&texts[1]), strbuf_str(&texts[2])) <= 0;
    status = query_fail(j->node.query, ERR_INTERNAL,
        "found duplicate series for the match group %.*s on the %s hand-side of the operation: "
        "[%.*s, %.*s];many-to-many matching not allowed: matching labels must be unique on one "
        "side",
        STR_ARG(strbuf_str(&texts[0])), j->swapped ? "left" : "right",
        STR_ARG(strbuf_str(&texts[ordered ? 1 : 2])), STR_ARG(strbuf_str(&texts[ordered ? 2 : 1])));
    for (size_t i = 0; i < 3; i++) {
        strbuf_release(&texts[i]);
    }
    return status;
}

static int note_duplicate(struct join_operator *j, size_t added, size_t owner, size_t step)
{
    struct query *q = j->node.query;
    if (j->duplicates == NULL) {
        j->duplicates = arena_calloc(&q->arena, j->node.grid->steps, 1);
        if (j->duplicates == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        j->duplicate_pair[0] = j->one.items[added].labels;
        j->duplicate_pair[1] = j->one.items[owner].labels;
    }
    j->duplicates[step] = 1;
    return 0;
}

/* Steps get the first series of the group that has a value there as their owner; notes those at which
 * `added` has one too. Linear in the series of a group, however many match each other. */
static int find_duplicates(struct join_operator *j, struct one_group *group, size_t added)
{
    struct query *q = j->node.query;
    size_t steps = j->node.grid->steps;
    if (added == group->first) {
        return 0;
    }
    if (group->owners == NULL) {
        group->owners = arena_calloc(&q->arena, steps, sizeof(*group->owners));
        if (group->owners == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        const uint8_t *kinds = j->one.items[group->first].kinds;
        for (size_t step = 0; step < steps; step++) {
            group->owners[step] = kinds[step] != SAMPLE_ABSENT ? (uint32_t)group->first + 1 : 0;
        }
    }
    const uint8_t *kinds = j->one.items[added].kinds;
    int status = query_check(q);
    for (size_t step = 0; status == 0 && step < steps; step++) {
        if (kinds[step] == SAMPLE_ABSENT) {
            continue;
        }
        if (group->owners[step] != 0) {
            status = note_duplicate(j, added, group->owners[step] - 1, step);
        } else {
            group->owners[step] = (uint32_t)added + 1;
        }
    }
    if (status == 0 && j->duplicates != NULL && (j->has_fill_one || j->has_fill_many)) {
        return fail_duplicate(j);
    }
    return status;
}

static int read_one_side(struct join_operator *j, struct operator_node *op)
{
    struct query *q = j->node.query;
    int status = series_store_drain(&j->one, op);
    if (status != 0) {
        return status;
    }
    j->entries = arena_calloc(&q->arena, j->one.count + 1, sizeof(*j->entries));
    if (j->entries == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; status == 0 && i < j->one.count; i++) {
        struct one_group *group;
        status = group_of(j, signature(j, j->one.items[i].labels), &group);
        if (status != 0) {
            return status;
        }
        j->entries[i].next = SIZE_MAX;
        if (group->last == SIZE_MAX) {
            group->first = i;
        } else {
            j->entries[group->last].next = i;
        }
        group->last = i;
        status = find_duplicates(j, group, i);
    }
    return status;
}

/* ---- Labels of results ---- */

static bool keeps_label(const struct join_operator *j, struct str name)
{
    const struct vector_matching *m = j->matching;
    if (m->cardinality != MATCH_ONE_TO_ONE) {
        return true;
    }
    for (size_t i = 0; i < m->label_count; i++) {
        if (str_eq(m->labels[i], name)) {
            return m->on;
        }
    }
    return !m->on;
}

static bool is_metadata(struct str name)
{
    return str_eq_c(name, LABEL_METRIC_NAME) || str_eq_c(name, "__type__") ||
           str_eq_c(name, "__unit__");
}

static int result_labels(struct join_operator *j, const struct labels *many,
    const struct labels *one, const struct labels **labels_out)
{
    struct query *q = j->node.query;
    const struct expr_binary *b = &j->node.expr->binary;
    bool drop =
        !j->node.expr->keep_name &&
        (binary_changes_metric(b->op) || (b->return_bool && !q->options->delayed_name_removal));
    struct labels_builder builder;
    labels_builder_init(&builder);
    for (size_t i = 0; i < labels_count(many); i++) {
        struct label label = labels_at(many, i);
        if (keeps_label(j, label.name) && !(drop && is_metadata(label.name))) {
            labels_builder_set(&builder, label.name, label.value);
        }
    }
    for (size_t i = 0; i < j->matching->include_count; i++) {
        struct str name = j->matching->include[i];
        labels_builder_set(&builder, name, labels_get(one, name));
    }
    int status = labels_builder_finish(&builder, labels_out);
    labels_builder_release(&builder);
    return status == 0 ? query_own_labels(q, *labels_out)
                       : query_fail(q, status, "%s", err_text(status));
}

/* ---- Joining ---- */

/* A side at a step: a series' value, or the fill. */
static bool side_at(
    const struct step_series *s, double fill, size_t step, struct binary_value *value_out)
{
    if (s == NULL) {
        *value_out = (struct binary_value){SAMPLE_FLOAT, fill, NULL};
        return true;
    }
    enum sample_kind kind = (enum sample_kind)s->kinds[step];
    *value_out = (struct binary_value){
        kind, s->values[step], kind == SAMPLE_HISTOGRAM ? s->histograms[step] : NULL};
    return kind != SAMPLE_ABSENT;
}

/* The value of two samples. `keep_out` false: the comparison does not hold. `fits_out` false: no result
 * whatever. */
static int combine(struct join_operator *j, const struct binary_value *many,
    const struct binary_value *one, struct binary_value *result_out, bool *keep_out, bool *fits_out)
{
    const struct expr *expr = j->node.expr;
    enum binary_op op = expr->binary.op;
    const struct binary_value *left = j->swapped ? one : many;
    const struct binary_value *right = j->swapped ? many : one;
    bool trim = op == BINARY_TRIM_LOWER || op == BINARY_TRIM_UPPER;
    if (left->kind != SAMPLE_FLOAT || right->kind != SAMPLE_FLOAT || trim) {
        return binary_histograms(
            j->node.query, expr, left, right, j->scratch, result_out, keep_out, fits_out);
    }
    *fits_out = true;
    *result_out = (struct binary_value){SAMPLE_FLOAT, left->value, NULL};
    if (binary_op_is_comparison(op)) {
        *keep_out = binary_compare(op, left->value, right->value);
    } else {
        *keep_out = true;
        result_out->value = binary_scalar(op, left->value, right->value);
    }
    return 0;
}

static int put_value(struct join_operator *j, size_t step, const struct binary_value *value)
{
    struct step_series *out = j->out;
    if (value->kind == SAMPLE_HISTOGRAM) {
        if (!out->has_histograms) {
            int status = step_series_use_histograms(j->node.query, out, j->node.grid);
            if (status != 0) {
                return status;
            }
        }
        out->histograms[step] = value->histogram;
    }
    out->kinds[step] = value->kind;
    out->values[step] = value->value;
    return 0;
}

/* The steps at which a label set came out of a group already. */
static int output_steps(struct join_operator *j, struct one_group *group,
    const struct labels *labels, uint8_t **steps_out)
{
    struct query *q = j->node.query;
    uint32_t id;
    bool is_new;
    int status = id_map_get(&group->outputs, labels_hash(labels), &id, &is_new);
    if (status != 0) {
        return status;
    }
    if (id >= group->output_cap) {
        size_t cap = group->output_cap > 0 ? group->output_cap * 2 : 4;
        uint8_t **grown = arena_calloc(&q->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            return query_fail_memory(q, &q->arena);
        }
        if (group->output_cap > 0) {
            memcpy(grown, group->output_steps, group->output_cap * sizeof(*grown));
        }
        group->output_steps = grown;
        group->output_cap = cap;
    }
    if (is_new) {
        group->output_steps[id] = arena_calloc(&q->arena, j->node.grid->steps, 1);
        if (group->output_steps[id] == NULL) {
            return query_fail_memory(q, &q->arena);
        }
    }
    *steps_out = group->output_steps[id];
    return 0;
}

/* Two results of one signature at one step must differ in labels, or not be. */
static int mark_step(struct join_operator *j, struct one_group *group, uint8_t *steps, size_t step)
{
    if (steps[step]) {
        return query_fail(j->node.query, ERR_INTERNAL,
            j->matching->cardinality == MATCH_ONE_TO_ONE
                ? "multiple matches for labels: many-to-one matching must be explicit "
                  "(group_left/group_right)"
                : "multiple matches for labels: grouping labels must ensure unique matches");
    }
    steps[step] = 1;
    group->matched[step] = 1;
    return 0;
}

/* What a pair of series is joined under: labels, group, and where a fill stands in. */
struct pair {
    const struct step_series *many, *one; /* NULL: the fill */
    struct one_group *group;
};

static bool group_has(const struct join_operator *j, const struct one_group *group, size_t step)
{
    if (group->owners != NULL) {
        return group->owners[step] != 0;
    }
    return group->first != SIZE_MAX && j->one.items[group->first].kinds[step] != SAMPLE_ABSENT;
}

static int join_step(struct join_operator *j, const struct pair *pair, uint8_t *steps, size_t step)
{
    struct binary_value many, one, result;
    bool keep, fits, return_bool = j->node.expr->binary.return_bool;
    bool has_many = side_at(pair->many, j->fill_many, step, &many);
    bool has_one = side_at(pair->one, j->fill_one, step, &one);
    if (!has_many || !has_one || (pair->one == NULL && group_has(j, pair->group, step)) ||
        (pair->many == NULL && pair->group->matched[step])) {
        return 0;
    }
    int status = combine(j, &many, &one, &result, &keep, &fits);
    if (status != 0 || !fits) {
        return status;
    }
    status = mark_step(j, pair->group, steps, step);
    if (status != 0) {
        return status;
    }
    if (return_bool) {
        result = (struct binary_value){SAMPLE_FLOAT, keep ? 1 : 0, NULL};
    }
    return keep || return_bool ? put_value(j, step, &result) : 0;
}

/* ---- Floats on both sides: plain loops ---- */

/* The steps at which both have a value become j->out->kinds. */
static int meet(struct join_operator *j, const struct pair *pair, uint8_t *marks)
{
    const uint8_t *many = pair->many->kinds, *one = pair->one->kinds;
    uint8_t *kinds = j->out->kinds, met_twice = 0;
    size_t steps = j->node.grid->steps;
    for (size_t i = 0; i < steps; i++) {
        kinds[i] = many[i] & one[i]; // both are absent (0) or float (1)
        met_twice |= kinds[i] & marks[i];
    }
    for (size_t i = 0; i < steps && !met_twice; i++) {
        marks[i] |= kinds[i];
    }
    for (size_t i = 0; i < steps && marks != pair->group->matched; i++) {
        pair->group->matched[i] |= kinds[i];
    }
    if (!met_twice) {
        return 0;
    }
    size_t step = 0;
    while (!(kinds[step] & marks[step])) {
        step++;
    }
    return mark_step(j, pair->group, marks, step);
}

#define JOIN_LOOP(expression)                                                                      \
    for (size_t i = 0; i < steps; i++) {                                                           \
        out[i] = (expression);                                                                     \
    }

static void calculate(struct join_operator *j, const double *left, const double *right)
{
    const struct expr_binary *b = &j->node.expr->binary;
    size_t steps = j->node.grid->steps;
    double *out = j->out->values;
    switch (b->op) {
    case BINARY_ADD:
        JOIN_LOOP(left[i] + right[i]);
        return;
    case BINARY_SUB:
        JOIN_LOOP(left[i] - right[i]);
        return;
    case BINARY_MUL:
        JOIN_LOOP(left[i] * right[i]);
        return;
    case BINARY_DIV:
        JOIN_LOOP(left[i] / right[i]);
        return;
    default:
        break;
    }
    for (size_t i = 0; i < steps; i++) {
        if (j->out->kinds[i] == SAMPLE_ABSENT) {
            continue;
        }
        if (!binary_op_is_comparison(b->op) || b->return_bool) {
            out[i] = binary_scalar(b->op, left[i], right[i]);
        } else {
            out[i] = left[i];
            j->out->kinds[i] = binary_compare(b->op, left[i], right[i]);
        }
    }
}

static int join_floats(struct join_operator *j, const struct pair *pair, uint8_t *marks)
{
    int status = meet(j, pair, marks);
    if (status == 0) {
        const double *many = pair->many->values, *one = pair->one->values;
        calculate(j, j->swapped ? one : many, j->swapped ? many : one);
    }
    return status;
}

static bool floats_only(const struct join_operator *j, const struct pair *pair)
{
    enum binary_op op = j->node.expr->binary.op;
    return pair->many != NULL && pair->one != NULL && !pair->many->has_histograms &&
           !pair->one->has_histograms && op != BINARY_TRIM_LOWER && op != BINARY_TRIM_UPPER;
}

/* Joins a pair into j->out. */
static int join_pair(struct join_operator *j, const struct pair *pair)
{
    struct query *q = j->node.query;
    const struct labels *many = pair->many != NULL ? pair->many->labels : NULL;
    const struct labels *one = pair->one != NULL ? pair->one->labels : NULL;
    int status = 0;
    if (many == NULL) {
        status = match_labels(j, one, &many);
    } else if (one == NULL) {
        status = match_labels(j, many, &one);
    }
    step_series_clear(j->out, j->node.grid);
    arena_rewind(j->scratch, j->mark);
    if (status == 0) {
        status = result_labels(j, many, one, &j->out->labels);
    }
    uint8_t *steps = NULL;
    if (status == 0) {
        bool one_to_one = j->matching->cardinality == MATCH_ONE_TO_ONE;
        steps = pair->group->matched;
        if (!one_to_one) {
            status = output_steps(j, pair->group, j->out->labels, &steps);
        }
    }
    j->out->drop_name = j->node.expr->binary.return_bool && !j->node.expr->keep_name;
    if (status == 0 && floats_only(j, pair)) {
        status = join_floats(j, pair, steps);
        return status != 0 ? status : query_check(q);
    }
    for (size_t step = 0; status == 0 && step < j->node.grid->steps; step++) {
        status = join_step(j, pair, steps, step);
    }
    return status != 0 ? status : query_check(q);
}

/* ---- The stages ---- */

static int read_many(struct join_operator *j)
{
    int more = operator_next(j->many, &j->current);
    if (more < 0) {
        return more;
    }
    if (more == 0) {
        j->stage = j->has_fill_many ? JOIN_FILL_MANY : JOIN_DONE;
        return 0;
    }
    for (size_t step = 0; j->duplicates != NULL && step < j->node.grid->steps; step++) {
        if (j->duplicates[step] && j->current->kinds[step] != SAMPLE_ABSENT) {
            return fail_duplicate(j);
        }
    }
    uint64_t hash = signature(j, j->current->labels);
    j->current_group = id_map_find(&j->groups, hash);
    if (j->current_group < 0 && j->has_fill_one) {
        struct one_group *group;
        int status = group_of(j, hash, &group);
        if (status != 0) {
            return status;
        }
        j->current_group = id_map_find(&j->groups, hash);
    }
    if (j->current_group >= 0) {
        j->pending = j->group_rows[j->current_group].first;
        j->stage = JOIN_PAIRS;
    }
    return 0;
}

/* The next pair of the series at hand. 1 when j->out was filled. */
static int join_next_pair(struct join_operator *j)
{
    struct one_group *group = &j->group_rows[j->current_group];
    if (j->pending == SIZE_MAX) {
        j->stage = JOIN_READ;
        if (!j->has_fill_one) {
            return 0;
        }
        const struct pair fill = {.many = j->current, .group = group};
        int status = join_pair(j, &fill);
        return status != 0 ? status : 1;
    }
    const struct pair pair = {.many = j->current, .one = &j->one.items[j->pending], .group = group};
    j->pending = j->entries[j->pending].next;
    int status = join_pair(j, &pair);
    return status != 0 ? status : 1;
}

/* Series of the one side, where nothing met them. */
static int join_next_unmatched(struct join_operator *j)
{
    if (j->unmatched == j->one.count) {
        j->stage = JOIN_DONE;
        return 0;
    }
    const struct step_series *one = &j->one.items[j->unmatched++];
    int64_t id = id_map_find(&j->groups, signature(j, one->labels));
    const struct pair pair = {.one = one, .group = &j->group_rows[id]};
    int status = join_pair(j, &pair);
    return status != 0 ? status : 1;
}

static int join_next(struct operator_node *node, struct step_series **series_out)
{
    struct join_operator *j = (struct join_operator *)node;
    int status = 0;
    while (status == 0 && j->stage != JOIN_DONE) {
        if (j->stage == JOIN_READ) {
            status = read_many(j);
        } else if (j->stage == JOIN_PAIRS) {
            status = join_next_pair(j);
        } else {
            status = join_next_unmatched(j);
        }
    }
    *series_out = j->out;
    return status;
}

int plan_join(struct query *q, const struct expr *expr, const struct grid *grid,
    struct operator_node **op_out)
{
    static const struct operator_ops ops = {join_next};
    const struct vector_matching *m = &expr->binary.matching;
    struct join_operator *j = operator_new(q, sizeof(*j), &ops, expr, grid);
    if (j == NULL) {
        return q->e->code;
    }
    j->matching = m;
    j->swapped = m->cardinality == MATCH_ONE_TO_MANY;
    // As in Prometheus fill_right stands for the one side and fill_left for the many side, also where
    // group_right makes the left side the one.
    j->has_fill_one = m->has_fill_right;
    j->has_fill_many = m->has_fill_left;
    j->fill_one = m->fill_right;
    j->fill_many = m->fill_left;
    j->scratch = query_scratch(q);
    j->out = step_series_new(q, grid);
    if (j->scratch == NULL || j->out == NULL) {
        return q->e->code;
    }
    j->mark = arena_mark(j->scratch);
    series_store_init(&j->one, q, grid);
    id_map_init(&j->groups, q);
    struct operator_node *one;
    int status = make_restricted(q, j);
    if (status == 0) {
        status = plan_build(q, j->swapped ? expr->binary.right : expr->binary.left, grid, &j->many);
    }
    if (status == 0) {
        status = plan_build(q, j->swapped ? expr->binary.left : expr->binary.right, grid, &one);
    }
    if (status == 0) {
        status = read_one_side(j, one);
    }
    if (status != 0) {
        return status;
    }
    *op_out = &j->node;
    return 0;
}
