/* Sentences about samples that are missing from an answer because their runs are damaged: which metric,
 * and over which time. */
#include <stdio.h>

#include "base/mem.h"
#include "base/rfc3339.h"
#include "db/store_querier.h"

/* Sentences of one answer; the last one then says that there are more. */
enum { WARNINGS_MAX = 16 };

struct telling {
    const struct db_querier *querier;
    const struct select_request *request;
    int64_t min_t, max_t;
    struct arena *arena;
    const char **warnings;
    size_t count;
};

/* Could samples of this metric be in the answer? */
static bool asks_for(const struct select_request *request, struct str metric)
{
    for (size_t i = 0; i < request->matcher_count; i++) {
        const struct matcher *m = request->matchers[i];
        if (str_eq_c(m->name, LABEL_METRIC_NAME) && !matcher_matches(m, metric)) {
            return false;
        }
    }
    return true;
}

static bool is_told(const struct telling *t, const char *sentence)
{
    for (size_t i = 0; i < t->count; i++) {
        if (str_eq_c(str_of(t->warnings[i]), sentence)) {
            return true;
        }
    }
    return false;
}

static int tell(struct telling *t, const char *sentence)
{
    if (t->count == WARNINGS_MAX || is_told(t, sentence)) {
        return 0;
    }
    const char *text =
        t->count + 1 < WARNINGS_MAX ? sentence : "more samples are damaged and missing";
    char *copy = arena_strndup(t->arena, text, str_of(text).len);
    if (copy == NULL) {
        return arena_error(t->arena);
    }
    t->warnings[t->count++] = copy;
    return 0;
}

static struct str metric_of(const struct telling *t, const struct store_part *p,
    const struct part_group *group, uint32_t column)
{
    if (p->about.tier != STORE_RAW) {
        return str_make(NULL, 0);
    }
    uint32_t local = part_schema(p->part, group->schema).columns[column].shape;
    const struct labels *shape =
        index_labels(t->querier->db->index, INDEX_SHAPES, p->shapes[local]);
    return labels_get(shape, STR(LABEL_METRIC_NAME));
}

static int tell_run(struct telling *t, const struct store_part *p, const struct damaged_run *run)
{
    const struct part_group *group = &part_groups(p->part)[run->group];
    if (group->min_t > t->max_t || group->max_t < t->min_t) {
        return 0;
    }
    struct str metric = metric_of(t, p, group, run->column);
    if (metric.len > 0 && !asks_for(t->request, metric)) {
        return 0;
    }
    char from[RFC3339_TEXT_MAX], to[RFC3339_TEXT_MAX], sentence[512];
    (void)rfc3339_format(group->min_t, from);
    (void)rfc3339_format(group->max_t, to);
    (void)snprintf(sentence, sizeof(sentence),
        "samples of %s%.*s between %s and %s are damaged and missing from the answer (%s)",
        metric.len > 0 ? "" : "some metrics", (int)(metric.len < 200 ? metric.len : 200),
        metric.ptr != NULL ? metric.ptr : "", from, to, part_path(p->part));
    return tell(t, sentence);
}

int db_damage_warnings(const struct db_querier *q, const struct select_request *request,
    int64_t min_t, int64_t max_t, struct arena *arena, struct series_set *set)
{
    struct telling t = {q, request, min_t, max_t, arena, NULL, 0};
    for (size_t i = 0; i < q->view->count; i++) {
        struct store_part *p = q->view->parts[i];
        struct damaged_run *runs = NULL;
        size_t count = 0;
        int status = store_part_damage(p, arena, &runs, &count);
        if (status == 0 && count > 0 && t.warnings == NULL) {
            t.warnings = arena_calloc(arena, WARNINGS_MAX, sizeof(*t.warnings));
            status = t.warnings != NULL ? 0 : arena_error(arena);
        }
        for (size_t k = 0; status == 0 && k < count; k++) {
            status = tell_run(&t, p, &runs[k]);
        }
        if (status != 0) {
            return status;
        }
    }
    set->warnings = t.warnings;
    set->warning_count = t.count;
    return 0;
}
