/* Groups take turns by their next time, so that a group reads what another has recorded just before, as it
 * would live. */
#include "rules/rule_replay.h"

#include "base/mem.h"

struct replay {
    struct rules_environment env;
    struct rule_group **groups;
    size_t count, cap;
};

static int add_file(struct replay *r, struct rule_file *file, int64_t start_ms, struct err *e)
{
    size_t count;
    const struct rule_group_definition *groups = rule_file_groups(file, &count);
    for (size_t i = 0; i < count; i++) {
        int status = mem_array_grow((void **)&r->groups, &r->cap, r->count + 1,
            sizeof(struct rule_group *), RULES_GROUPS_MAX);
        if (status != 0) {
            return err_set(e, status, -1, "%s", err_text(status));
        }
        status = rule_group_new(file, &groups[i], &r->env, &r->groups[r->count], e);
        if (status != 0) {
            return status;
        }
        struct rule_group *g = r->groups[r->count++];
        g->due_ms = rule_group_slot(g, start_ms);
        g->due_ms += g->due_ms < start_ms ? g->interval_ms : 0;
    }
    return 0;
}

static struct rule_group *next(const struct replay *r)
{
    struct rule_group *first = NULL;
    for (size_t i = 0; i < r->count; i++) {
        first = first == NULL || r->groups[i]->due_ms < first->due_ms ? r->groups[i] : first;
    }
    return first;
}

static void replay_all(struct replay *r, int64_t end_ms, struct rule_replay_counts *counts)
{
    struct rule_group *g = next(r);
    while (g != NULL && g->due_ms <= end_ms) {
        rule_group_evaluate(g, &r->env, g->due_ms);
        g->due_ms += g->interval_ms;
        counts->evaluations++;
        g = next(r);
    }
    for (size_t i = 0; i < r->count; i++) {
        counts->failures += r->groups[i]->failures;
    }
    counts->groups = r->count;
}

int rule_replay(const struct rule_replay_options *options, struct rule_file *const *files,
    size_t file_count, struct rule_replay_counts *counts_out, struct err *e)
{
    struct replay r = {.env = {.engine = options->engine,
                           .reads = options->reads,
                           .writes = options->writes,
                           .clock = clock_real(),
                           .fs = vfs_posix(),
                           .interval_ms = options->interval_ms != 0 ? options->interval_ms
                                                                    : RULES_INTERVAL_MS_DEFAULT,
                           .changed = options->changed,
                           .context = options->context}};
    struct rule_replay_counts counts = {0};
    int status = 0;
    if (options->end_ms < options->start_ms) {
        status = err_set(e, ERR_INVALID, -1, "the end is before the start");
    }
    for (size_t i = 0; i < file_count && status == 0; i++) {
        status = add_file(&r, files[i], options->start_ms, e);
    }
    if (status == 0) {
        replay_all(&r, options->end_ms, &counts);
        *counts_out = counts;
    }
    for (size_t i = 0; i < r.count; i++) {
        rule_group_free(r.groups[i]);
    }
    mem_free(r.groups);
    return status;
}
