/* Structural operators: each is one or two walks over the spans in an order in which parents come before their
 * children, or behind them.
 *
 *   from >  to    children of one of `from`        from >> to   descendants
 *   from <  to    parents of one                   from << to   ancestors
 *   from ~  to    siblings of one, not itself
 *
 * !op: those of `to` for which it is not so. &op: those for which it is, and those of `from` they owe it to.
 */
#include <string.h>

#include "trace/traceql_evaluate.h"

/* marks: whether a child, or a descendant, of the span is of `from`. */
static void mark_upwards(const struct trace_tree *t, const uint8_t *from, bool far, uint8_t *marks)
{
    for (uint32_t k = t->count; k-- > 0;) {
        uint32_t i = t->order[k], parent = t->parents[i];
        if (parent != TRACE_TREE_NONE && (from[i] != 0 || (far && marks[i] != 0))) {
            marks[parent] = 1;
        }
    }
}

/* marks: whether the parent, or an ancestor, of the span is of `from`. */
static void mark_downwards(
    const struct trace_tree *t, const uint8_t *from, bool far, uint8_t *marks)
{
    for (uint32_t k = 0; k < t->count; k++) {
        uint32_t i = t->order[k], parent = t->parents[i];
        marks[i] = parent != TRACE_TREE_NONE && (from[parent] != 0 || (far && marks[parent] != 0));
    }
}

static int mark_siblings(
    const struct trace_tree *t, const uint8_t *from, struct arena *arena, uint8_t *marks)
{
    uint32_t *counts = arena_calloc(arena, (size_t)t->count + 1, sizeof(*counts));
    if (counts == NULL) {
        return arena_error(arena);
    }
    for (uint32_t i = 0; i < t->count; i++) {
        counts[t->families[i]] += from[i];
    }
    for (uint32_t i = 0; i < t->count; i++) {
        marks[i] = counts[t->families[i]] > from[i];
    }
    return 0;
}

enum relation { CHILD, PARENT, DESCENDANT, ANCESTOR, SIBLING };

static const enum relation inverse[] = {PARENT, CHILD, ANCESTOR, DESCENDANT, SIBLING};

static const struct {
    enum relation relation;
    bool negated, both;
} meanings[TRACEQL_OPERATOR_COUNT] = {
    [TRACEQL_GT] = {CHILD, false, false},
    [TRACEQL_LT] = {PARENT, false, false},
    [TRACEQL_DESCENDANT] = {DESCENDANT, false, false},
    [TRACEQL_ANCESTOR] = {ANCESTOR, false, false},
    [TRACEQL_SIBLING] = {SIBLING, false, false},
    [TRACEQL_NOT_CHILD] = {CHILD, true, false},
    [TRACEQL_NOT_PARENT] = {PARENT, true, false},
    [TRACEQL_NOT_DESCENDANT] = {DESCENDANT, true, false},
    [TRACEQL_NOT_ANCESTOR] = {ANCESTOR, true, false},
    [TRACEQL_NRE] = {SIBLING, true, false},
    [TRACEQL_UNION_CHILD] = {CHILD, false, true},
    [TRACEQL_UNION_PARENT] = {PARENT, false, true},
    [TRACEQL_UNION_DESCENDANT] = {DESCENDANT, false, true},
    [TRACEQL_UNION_ANCESTOR] = {ANCESTOR, false, true},
    [TRACEQL_UNION_SIBLING] = {SIBLING, false, true},
};

/* Adds those of `to` to `out`. */
static int relate(enum relation relation, bool negated, const struct trace_tree *t,
    const uint8_t *from, const uint8_t *to, struct arena *arena, uint8_t *out)
{
    uint8_t *marks = arena_calloc(arena, (size_t)t->count + 1, 1);
    int status = marks == NULL ? arena_error(arena) : 0;
    if (status == 0 && relation == SIBLING) {
        status = mark_siblings(t, from, arena, marks);
    } else if (status == 0 && (relation == CHILD || relation == DESCENDANT)) {
        mark_downwards(t, from, relation == DESCENDANT, marks);
    } else if (status == 0) {
        mark_upwards(t, from, relation == ANCESTOR, marks);
    }
    for (uint32_t i = 0; status == 0 && i < t->count; i++) {
        out[i] |= to[i] & (marks[i] ^ (uint8_t)negated);
    }
    return status;
}

int traceql_relate(enum traceql_operator op, const struct trace_tree *tree, const uint8_t *from,
    const uint8_t *to, struct arena *arena, uint8_t *out)
{
    struct arena_mark mark = arena_mark(arena);
    enum relation relation = meanings[op].relation;
    memset(out, 0, tree->count);
    int status = relate(relation, meanings[op].negated, tree, from, to, arena, out);
    if (status == 0 && meanings[op].both) {
        status = relate(inverse[relation], false, tree, to, from, arena, out);
    }
    arena_rewind(arena, mark);
    return status;
}
