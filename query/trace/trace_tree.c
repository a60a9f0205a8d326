/* Parents are found in a sorted list of ids; numbers are given on a walk without recursion, since traces may be deeper
 * than any stack. */
#include "trace/trace_tree.h"

#include <stdlib.h>

struct named {
    uint64_t id;
    uint32_t index;
};

static int by_id(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    if (a->id != b->id) {
        return a->id < b->id ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

/* The first of that id. */
static uint32_t find(const struct named *names, uint32_t count, uint64_t id)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (names[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && names[low].id == id ? names[low].index : TRACE_TREE_NONE;
}

static void find_parents(const struct trace_tree *t, struct named *names, uint32_t *parents)
{
    for (uint32_t i = 0; i < t->count; i++) {
        names[i] = (struct named){t->spans[i].span.span_id, i};
    }
    qsort(names, t->count, sizeof(*names), by_id);
    for (uint32_t i = 0; i < t->count; i++) {
        uint64_t id = t->spans[i].span.parent_id;
        uint32_t parent = id != 0 ? find(names, t->count, id) : TRACE_TREE_NONE;
        parents[i] = parent != i ? parent : TRACE_TREE_NONE;
    }
}

static void find_families(const struct trace_tree *t, struct named *names, uint32_t *families)
{
    uint32_t family = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        names[i] = (struct named){t->spans[i].span.parent_id, i};
    }
    qsort(names, t->count, sizeof(*names), by_id);
    for (uint32_t i = 0; i < t->count; i++) {
        family += i > 0 && names[i].id != names[i - 1].id;
        families[names[i].index] = family;
    }
}

/* What is being filled on the walk. */
struct walk {
    uint32_t *parents, *children, *left, *right, *order;
    uint32_t *first, *next; /* children, as lists */
    uint32_t number, placed;
};

static void link_children(struct walk *w, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        w->first[i] = TRACE_TREE_NONE;
    }
    for (uint32_t i = count; i-- > 0;) {
        if (w->parents[i] != TRACE_TREE_NONE) {
            w->next[i] = w->first[w->parents[i]];
            w->first[w->parents[i]] = i;
        }
    }
}

static void enter(struct walk *w, uint32_t node)
{
    w->left[node] = ++w->number;
    w->order[w->placed++] = node;
}

static void visit(struct walk *w, uint32_t top)
{
    uint32_t node = top;
    enter(w, node);
    for (;;) {
        uint32_t child = w->first[node];
        if (child == TRACE_TREE_NONE) {
            w->right[node] = ++w->number;
            if (node == top) {
                return;
            }
            node = w->parents[node];
            continue;
        }
        w->first[node] = w->next[child];
        if (w->left[child] == 0) { /* else it is the top of a circle that was cut */
            w->children[node]++;
            node = child;
            enter(w, node);
        }
    }
}

static void number_all(struct walk *w, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (w->parents[i] == TRACE_TREE_NONE) {
            visit(w, i);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (w->left[i] == 0) {
            w->parents[i] = TRACE_TREE_NONE;
            visit(w, i);
        }
    }
}

static void find_bounds(struct trace_tree *t)
{
    t->root = TRACE_TREE_NONE;
    t->start_ns = UINT64_MAX;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct span *s = &t->spans[i].span;
        uint64_t end = s->start_ns + span_duration_ns(s);
        t->start_ns = s->start_ns < t->start_ns ? s->start_ns : t->start_ns;
        t->end_ns = end > t->end_ns ? end : t->end_ns;
        if (t->root == TRACE_TREE_NONE && s->parent_id == 0) {
            t->root = i;
        }
    }
}

int trace_tree_build(
    const struct span_trace *trace, struct arena *arena, struct trace_tree *tree_out)
{
    enum { ARRAYS = 7 };
    struct trace_tree t = {.spans = trace->spans, .count = (uint32_t)trace->count};
    uint32_t *memory = arena_calloc(arena, (size_t)t.count * ARRAYS + 1, sizeof(*memory));
    uint32_t *families = arena_calloc(arena, (size_t)t.count + 1, sizeof(*families));
    if (memory == NULL || families == NULL) {
        return arena_error(arena);
    }
    struct walk w = {.parents = memory,
        .children = memory + t.count,
        .left = memory + 2 * (size_t)t.count,
        .right = memory + 3 * (size_t)t.count,
        .order = memory + 4 * (size_t)t.count,
        .first = memory + 5 * (size_t)t.count,
        .next = memory + 6 * (size_t)t.count};
    struct arena_mark mark = arena_mark(arena);
    struct named *names = arena_calloc(arena, (size_t)t.count + 1, sizeof(*names));
    if (names == NULL) {
        return arena_error(arena);
    }
    find_parents(&t, names, w.parents);
    find_families(&t, names, families);
    arena_rewind(arena, mark);
    link_children(&w, t.count);
    number_all(&w, t.count);
    find_bounds(&t);
    t.parents = w.parents;
    t.children = w.children;
    t.left = w.left;
    t.right = w.right;
    t.order = w.order;
    t.families = families;
    *tree_out = t;
    return 0;
}
