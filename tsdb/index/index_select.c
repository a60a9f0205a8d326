/* Matchers to rectangles of (targets, shapes).
 *
 * For a matcher on name n, let T and S be the targets and shapes that have n, Tm and Sm those among
 * them whose value satisfies it, and e whether the empty value does. A series has the target's value
 * if there is one, else the shape's, else "". So the series that match are
 *
 *     Tm x everything   and   (targets without n) x (Sm, and with e the shapes without n)
 *
 * two disjoint rectangles, one of which is empty for every label that lives on one side. The
 * selection is the pairwise intersection of the matchers' rectangles.
 */
#include <assert.h>

#include "base/mem.h"
#include "index/index.h"
#include "index/index_private.h"

/* What one matcher says of one side. */
struct side_answer {
    struct id_set *matching; /* have the name, and the value satisfies */
    struct id_set *having;   /* have the name */
    bool any;                /* `having` is not empty */
};

static void side_answer_release(struct side_answer *a)
{
    id_set_free(a->matching);
    id_set_free(a->having);
}

static bool is_negative(const struct matcher *m)
{
    return m->type == MATCHER_NOT_EQUAL || m->type == MATCHER_NOT_REGEX;
}

/* Ids whose value is exactly `text`, added to `into`; with the lock held. */
static int add_value(
    struct index *ix, struct index_name *name, struct str text, struct id_set *into)
{
    struct index_value *value = index_value_find(ix, name, text);
    return value != NULL ? posting_list_add_to(&value->ids, into) : 0;
}

/* Ids that have `name` with a value that the positive form of the matcher accepts. */
static int add_positive(
    struct index *ix, struct index_name *name, const struct matcher *m, struct id_set *into)
{
    int status = 0;
    if (m->regex == NULL) {
        lock_take(&ix->lock);
        status = add_value(ix, name, m->value, into);
        lock_give(&ix->lock);
        return status;
    }
    const struct regex_hints *hints = regex_hints(m->regex);
    if (hints->matches_everything || hints->matches_any_nonempty || hints->literal_count > 0) {
        lock_take(&ix->lock);
        if (hints->literal_count == 0) {
            status = posting_list_add_to(&name->ids, into);
        }
        for (size_t i = 0; status == 0 && i < hints->literal_count; i++) {
            status = add_value(ix, name, hints->literals[i], into);
        }
        lock_give(&ix->lock);
        return status;
    }
    return index_add_pattern(ix, name, m, into);
}

static int answer_of_side(
    struct index *ix, enum index_side which, const struct matcher *m, struct side_answer *answer)
{
    *answer = (struct side_answer){.matching = id_set_new(), .having = id_set_new()};
    if (answer->matching == NULL || answer->having == NULL) {
        return ERR_NOMEM;
    }
    lock_take(&ix->lock);
    struct index_name *name = index_name_find(ix, &ix->sides[which], m->name);
    lock_give(&ix->lock);
    if (name == NULL) {
        return 0;
    }
    int status = add_positive(ix, name, m, answer->matching);
    lock_take(&ix->lock);
    if (status == 0) {
        status = posting_list_add_to(&name->ids, answer->having);
    }
    lock_give(&ix->lock);
    answer->any = !id_set_empty(answer->having);
    if (status == 0 && is_negative(m)) {
        struct id_set *rest = id_set_dup(answer->having);
        if (rest == NULL) {
            return ERR_NOMEM;
        }
        status = id_set_and_not(rest, answer->matching);
        id_set_free(answer->matching);
        answer->matching = rest;
    }
    return status;
}

/* ---- Rectangles ---- */

static int selection_push(struct index_selection *s, struct id_set *targets, struct id_set *shapes)
{
    if (targets == NULL || shapes == NULL || s->count == INDEX_RECTANGLES_MAX) {
        int status = targets == NULL || shapes == NULL ? ERR_NOMEM : ERR_LIMIT;
        id_set_free(targets);
        id_set_free(shapes);
        return status;
    }
    if (id_set_empty(targets) || id_set_empty(shapes)) {
        id_set_free(targets);
        id_set_free(shapes);
        return 0;
    }
    size_t cap = s->count;
    int status = mem_array_grow(
        (void **)&s->rectangles, &cap, s->count + 1, sizeof(*s->rectangles), INDEX_RECTANGLES_MAX);
    if (status != 0) {
        id_set_free(targets);
        id_set_free(shapes);
        return status;
    }
    s->rectangles[s->count++] = (struct index_rectangle){targets, shapes};
    return 0;
}

/* `all` without `having`, NULL when memory is short. */
static struct id_set *without(const struct id_set *all, const struct id_set *having)
{
    struct id_set *rest = id_set_dup(all);
    if (rest != NULL && id_set_and_not(rest, having) != 0) {
        id_set_free(rest);
        rest = NULL;
    }
    return rest;
}

/* The rectangles of one matcher. */
static int select_one(struct index *ix, const struct matcher *m, const struct id_set *all_targets,
    const struct id_set *all_shapes, struct index_selection *out)
{
    struct side_answer targets = {0};
    struct side_answer shapes = {0};
    int status = answer_of_side(ix, INDEX_TARGETS, m, &targets);
    if (status == 0) {
        status = answer_of_side(ix, INDEX_SHAPES, m, &shapes);
    }
    if (status == 0) {
        status = selection_push(out, id_set_dup(targets.matching), id_set_dup(all_shapes));
    }
    if (status == 0) {
        struct id_set *accepted = id_set_dup(shapes.matching);
        if (accepted != NULL && matcher_matches(m, str_make("", 0))) {
            struct id_set *absent = without(all_shapes, shapes.having);
            status = absent != NULL ? id_set_or(accepted, absent) : ERR_NOMEM;
            id_set_free(absent);
        }
        if (status == 0) {
            status = selection_push(out, without(all_targets, targets.having), accepted);
        } else {
            id_set_free(accepted);
        }
    }
    side_answer_release(&targets);
    side_answer_release(&shapes);
    return status;
}

static int intersect(struct index_selection *a, const struct index_selection *b)
{
    struct index_selection result = {0};
    int status = 0;
    for (size_t i = 0; status == 0 && i < a->count; i++) {
        for (size_t k = 0; status == 0 && k < b->count; k++) {
            struct id_set *targets = id_set_dup(a->rectangles[i].targets);
            struct id_set *shapes = id_set_dup(a->rectangles[i].shapes);
            if (targets != NULL && shapes != NULL) {
                status = id_set_and(targets, b->rectangles[k].targets);
                status = status == 0 ? id_set_and(shapes, b->rectangles[k].shapes) : status;
            }
            int pushed = selection_push(&result, targets, shapes);
            status = status == 0 ? pushed : status;
        }
    }
    index_selection_release(a);
    *a = result;
    return status;
}

int index_select(struct index *ix, const struct matcher *const *matchers, size_t count,
    struct index_selection *selection_out, struct err *e)
{
    struct index_selection selection = {0};
    uint64_t pin = index_pin(ix);
    struct id_set *all_targets = id_set_range(0, index_count(ix, INDEX_TARGETS));
    struct id_set *all_shapes = id_set_range(0, index_count(ix, INDEX_SHAPES));
    int status = all_targets != NULL && all_shapes != NULL ? 0 : ERR_NOMEM;
    if (status == 0) {
        status = selection_push(&selection, id_set_dup(all_targets), id_set_dup(all_shapes));
    }
    for (size_t i = 0; status == 0 && selection.count > 0 && i < count; i++) {
        struct index_selection one = {0};
        status = select_one(ix, matchers[i], all_targets, all_shapes, &one);
        if (status == 0) {
            status = intersect(&selection, &one);
        }
        index_selection_release(&one);
    }
    id_set_free(all_targets);
    id_set_free(all_shapes);
    index_unpin(ix, pin);
    if (status != 0) {
        index_selection_release(&selection);
        return err_set(e, status, -1, "selecting series: %s", err_text(status));
    }
    *selection_out = selection;
    return 0;
}

bool index_selection_has(const struct index_selection *s, uint32_t target, uint32_t shape)
{
    for (size_t i = 0; i < s->count; i++) {
        if (id_set_has(s->rectangles[i].targets, target) &&
            id_set_has(s->rectangles[i].shapes, shape)) {
            return true;
        }
    }
    return false;
}

void index_selection_release(struct index_selection *s)
{
    for (size_t i = 0; i < s->count; i++) {
        id_set_free(s->rectangles[i].targets);
        id_set_free(s->rectangles[i].shapes);
    }
    mem_free(s->rectangles);
    *s = (struct index_selection){0};
}
