/* From patterns to groups in force. Everything that can be refused is read and built first; then the groups
 * that change are taken out of turn, one evaluation's wait at most, and the list is swapped. */
#include "rules/rules_loading.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/sample.h"

/* One load. */
struct loading {
    struct rules *rules;
    struct rule_group **groups; /* of the new list; those that stay are the old ones themselves */
    size_t count, cap;
    size_t files;
    bool written;               /* what is added now comes from namespaces */
    struct str namespace, text; /* one that is to be as this text has it; ptr NULL: none */
    struct err *e;
};

/* ---- Reading ---- */

static struct rule_group *find_group(
    struct rule_group *const *groups, size_t count, const struct rule_group_definition *d)
{
    for (size_t low = 0, high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        const struct rule_group_definition *other = groups[middle]->definition;
        int order = str_cmp(other->file, d->file);
        order = order != 0 ? order : str_cmp(other->name, d->name);
        if (order == 0) {
            return groups[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

static bool is_in_force(const struct rules *r, const struct rule_group *g)
{
    return g->owner == r;
}

static int add_group(
    struct loading *l, struct rule_file *file, const struct rule_group_definition *d, struct err *e)
{
    struct rules *r = l->rules;
    int status = mem_array_grow(
        (void **)&l->groups, &l->cap, l->count + 1, sizeof(struct rule_group *), RULES_GROUPS_MAX);
    if (status != 0) {
        return err_set(e, status, -1, "at most %d rule groups are evaluated: %s", RULES_GROUPS_MAX,
            err_text(status));
    }
    struct rule_group *old = find_group(r->groups, r->group_count, d);
    if (old != NULL && rule_group_eq(old->definition, d)) {
        l->groups[l->count++] = old;
        return 0;
    }
    status = rule_group_new(file, d, &r->env, &l->groups[l->count], e);
    if (status == 0) {
        l->groups[l->count++]->written = l->written;
    }
    return status;
}

static int add_text(struct loading *l, const char *name, struct str text, struct err *e)
{
    struct rule_file *file = NULL;
    size_t count;
    int status = rule_file_parse(name, text, l->rules->features, NULL, &file, e);
    if (status != 0) {
        return status;
    }
    const struct rule_group_definition *groups = rule_file_groups(file, &count);
    for (size_t i = 0; i < count && status == 0; i++) {
        status = add_group(l, file, &groups[i], e);
    }
    rule_file_unref(file);
    return status;
}

/* `name` is what its groups are shown under. */
static int add_file(struct loading *l, const char *path, const char *name, struct err *e)
{
    char *text = NULL;
    size_t size;
    if (++l->files > RULES_FILES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "at most %d rule files are read", RULES_FILES_MAX);
    }
    int status = vfs_read_file(l->rules->env.fs, path, RULE_FILE_BYTES_MAX, &text, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    status = add_text(l, name, str_make(text, size), e);
    mem_free(text);
    return status;
}

static bool has_wildcard(const char *pattern)
{
    return strpbrk(pattern, "*?[") != NULL;
}

/* Files in the order of their names. A plain name must be there; a pattern may match nothing. */
static int add_pattern(struct loading *l, const char *pattern, struct err *e)
{
    if (!has_wildcard(pattern)) {
        return add_file(l, pattern, pattern, e);
    }
    glob_t found = {0};
    int result = glob(pattern, 0, NULL, &found);
    int status = 0;
    if (result != 0 && result != GLOB_NOMATCH) {
        int code = result == GLOB_NOSPACE ? ERR_NOMEM : ERR_IO;
        status = err_set(e, code, -1, "%s: cannot be searched", pattern);
    }
    for (size_t i = 0; result == 0 && i < found.gl_pathc && status == 0; i++) {
        status = add_file(l, found.gl_pathv[i], found.gl_pathv[i], e);
    }
    globfree(&found);
    return status;
}

static int add_namespace(void *context, struct str namespace, const char *path)
{
    struct loading *l = context;
    if (l->namespace.ptr != NULL && str_eq(namespace, l->namespace)) {
        return 0;
    }
    char *name = mem_strndup(namespace.ptr, namespace.len);
    if (name == NULL) {
        return err_set(l->e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    int status = add_file(l, path, name, l->e);
    mem_free(name);
    return status;
}

/* What was written over HTTP, with the change that is being made. */
static int add_namespaces(struct loading *l, struct err *e)
{
    if (l->rules->data_path == NULL) {
        return 0;
    }
    l->written = true;
    l->e = e;
    int status = rules_each_namespace(l->rules, add_namespace, l);
    if (status != 0 && e->code == 0) {
        err_set(e, status, -1, "%s/rules: %s", l->rules->data_path, err_text(status));
    }
    if (status == 0 && l->text.len > 0) {
        char *name = mem_strndup(l->namespace.ptr, l->namespace.len);
        status = name == NULL ? err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM))
                              : add_text(l, name, l->text, e);
        mem_free(name);
    }
    return status;
}

/* The groups of files as they are in force. */
static int keep_files(struct loading *l, struct err *e)
{
    const struct rules *r = l->rules;
    int status = mem_array_grow((void **)&l->groups, &l->cap, r->group_count + 1,
        sizeof(struct rule_group *), RULES_GROUPS_MAX);
    for (size_t i = 0; i < r->group_count && status == 0; i++) {
        if (!r->groups[i]->written) {
            l->groups[l->count++] = r->groups[i];
        }
    }
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : 0;
}

static int compare_groups(const void *a, const void *b)
{
    const struct rule_group_definition *x = (*(struct rule_group *const *)a)->definition;
    const struct rule_group_definition *y = (*(struct rule_group *const *)b)->definition;
    int order = str_cmp(x->file, y->file);
    return order != 0 ? order : str_cmp(x->name, y->name);
}

/* Two patterns may name one file. */
static int sort_groups(struct loading *l, struct err *e)
{
    if (l->count > 0) {
        qsort(l->groups, l->count, sizeof(struct rule_group *), compare_groups);
    }
    for (size_t i = 1; i < l->count; i++) {
        if (compare_groups(&l->groups[i - 1], &l->groups[i]) == 0) {
            const struct rule_group_definition *d = l->groups[i]->definition;
            return err_set(
                e, ERR_INVALID, -1, "%.*s: the file is named by two patterns", STR_ARG(d->file));
        }
    }
    return 0;
}

/* ---- Taking over ---- */

/* Waits until nobody evaluates the group, and keeps it so. */
static void take_out(struct rules *r, struct rule_group *g)
{
    lock_take(&r->lock);
    g->leaving = true;
    while (g->busy) {
        lock_condition_wait(&r->changed, &r->lock);
    }
    lock_give(&r->lock);
}

static bool stays(const struct loading *l, const struct rule_group *old)
{
    return find_group(l->groups, l->count, old->definition) == old;
}

static void report(int status, const char *what)
{
    if (status != 0) {
        LOG_ERROR(
            "rules: a reload lost state", LOG_S("what", what), LOG_S("error", err_text(status)));
    }
}

/* A group without a successor: its alerts leave the journal, its series end later. */
static void retire(struct rules *r, struct rule_group *g, int64_t now_ms)
{
    struct retired_series retired = {
        .ended_at_ms = now_ms - g->query_offset_ms, .due_ms = now_ms + 2 * g->interval_ms};
    struct err e = ERR_INIT;
    int status = rule_series_absorb(&retired.series, &g->gone);
    for (size_t i = 0; i < g->rule_count && status == 0; i++) {
        for (size_t k = 0; k < g->rules[i].states.count; k++) {
            state_changes_delete(&g->changes, g->rules[i].key, &g->rules[i].states.items[k]);
        }
        status = rule_series_absorb(&retired.series, &g->rules[i].series);
    }
    report(status, "series that end");
    if (r->env.journal != NULL) {
        state_changes_delete_group(&g->changes, g->key);
        report(rules_journal_commit(r->env.journal, &g->changes, &e), "alerts of a group");
    }
    lock_take(&r->lock);
    status = mem_array_grow((void **)&r->retired, &r->retired_cap, r->retired_count + 1,
        sizeof(*r->retired), RULES_GROUPS_MAX);
    if (status == 0) {
        r->retired[r->retired_count++] = retired;
    }
    lock_give(&r->lock);
    if (status != 0) {
        rule_series_release(&retired.series);
        report(status, "series that end");
    }
}

/* The old groups that do not stay, one by one. */
static void take_over(struct loading *l, int64_t now_ms)
{
    struct rules *r = l->rules;
    for (size_t i = 0; i < r->group_count; i++) {
        struct rule_group *old = r->groups[i];
        if (stays(l, old)) {
            continue;
        }
        take_out(r, old);
        struct rule_group *new = find_group(l->groups, l->count, old->definition);
        if (new != NULL) {
            report(rule_group_take_over(new, old), "alerts of a group");
        } else {
            retire(r, old, now_ms);
        }
    }
}

/* At the first load: what the journal knows. With a wish to make up for what was missed, from there. */
static void restore(struct loading *l, int64_t now_ms)
{
    struct rules *r = l->rules;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < l->count; i++) {
        report(rule_group_restore(l->groups[i], r->env.journal, now_ms), "alerts of a group");
    }
    report(rules_journal_settle(r->env.journal, &e), "alerts of rules that are no more");
}

static int64_t first_due(const struct rules *r, const struct rule_group *g, int64_t now_ms)
{
    int64_t next = rule_group_slot(g, now_ms) + g->interval_ms;
    if (r->catch_up_ms == 0 || g->journaled_at_ms == INT64_MIN || g->journaled_at_ms >= now_ms) {
        return next;
    }
    int64_t behind = now_ms - g->journaled_at_ms;
    behind = behind < r->catch_up_ms ? behind : r->catch_up_ms;
    return rule_group_slot(g, now_ms - behind) + g->interval_ms;
}

static void swap(struct loading *l, int64_t now_ms)
{
    struct rules *r = l->rules;
    struct rule_group **old = r->groups;
    size_t old_count = r->group_count;
    lock_take(&r->lock);
    for (size_t i = 0; i < l->count; i++) {
        struct rule_group *g = l->groups[i];
        if (!is_in_force(r, g)) {
            g->owner = r;
            g->due_ms = first_due(r, g, now_ms);
        }
    }
    r->groups = l->groups;
    r->group_count = l->count;
    lock_condition_broadcast(&r->changed);
    lock_give(&r->lock);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i]->leaving) {
            rule_group_free(old[i]);
        }
    }
    mem_free(old);
    l->groups = NULL;
    l->count = 0;
}

/* ---- The doors ---- */

void rules_begin_loading(struct rules *r)
{
    lock_take(&r->lock);
    while (r->loading) {
        lock_condition_wait(&r->changed, &r->lock);
    }
    r->loading = true;
    lock_give(&r->lock);
}

void rules_end_loading(struct rules *r)
{
    lock_take(&r->lock);
    r->loading = false;
    lock_condition_broadcast(&r->changed);
    lock_give(&r->lock);
}

/* From here on nothing is refused. */
static void put_in_force(struct loading *l)
{
    struct rules *r = l->rules;
    int64_t now_ms = clock_now_ms(r->env.clock);
    take_over(l, now_ms);
    if (!r->restored && r->env.journal != NULL) {
        restore(l, now_ms);
    }
    r->restored = true;
    swap(l, now_ms);
}

static void release(struct loading *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (!is_in_force(l->rules, l->groups[i])) {
            rule_group_free(l->groups[i]);
        }
    }
    mem_free(l->groups);
}

int rules_load(struct rules *r, const char *const *patterns, size_t count, struct err *e)
{
    struct loading l = {.rules = r};
    int status = 0;
    rules_begin_loading(r);
    for (size_t i = 0; i < count && status == 0; i++) {
        status = add_pattern(&l, patterns[i], e);
    }
    status = status != 0 ? status : add_namespaces(&l, e);
    status = status != 0 ? status : sort_groups(&l, e);
    if (status == 0) {
        put_in_force(&l);
    }
    release(&l);
    rules_end_loading(r);
    return status;
}

static int write_namespace(struct rules *r, struct str namespace, struct str text, struct err *e)
{
    struct strbuf path = STRBUF_INIT;
    int status = rules_namespace_path(r, namespace, &path);
    if (status == 0 && text.len > 0) {
        status = vfs_write_file_atomic(r->env.fs, path.data, text.ptr, text.len);
    } else if (status == 0) {
        status = vfs_remove(r->env.fs, path.data);
        status = status == ERR_NOT_FOUND ? 0 : status;
    }
    if (status != 0) {
        err_set(e, status, -1, "%s: %s", path.data != NULL ? path.data : "rules", err_text(status));
    }
    strbuf_release(&path);
    return status;
}

int rules_load_namespace(struct rules *r, struct str namespace, struct str text, struct err *e)
{
    struct loading l = {.rules = r, .namespace = namespace, .text = text};
    int status = keep_files(&l, e);
    status = status != 0 ? status : add_namespaces(&l, e);
    status = status != 0 ? status : sort_groups(&l, e);
    status = status != 0 ? status : write_namespace(r, namespace, text, e);
    if (status == 0) {
        put_in_force(&l);
    }
    release(&l);
    return status;
}

/* ---- Ends ---- */

/* The series that no rule writes now. */
static bool is_written(struct rules *r, const struct labels *labels)
{
    for (size_t i = 0; i < r->group_count; i++) {
        for (size_t k = 0; k < r->groups[i]->rule_count; k++) {
            if (rule_series_has(&r->groups[i]->rules[k].series, labels)) {
                return true;
            }
        }
    }
    return false;
}

static bool take_retired(struct rules *r, int64_t now_ms, struct retired_series *retired_out)
{
    lock_take(&r->lock);
    bool found = false;
    for (size_t i = 0; i < r->retired_count && !found; i++) {
        if (r->retired[i].due_ms <= now_ms) {
            *retired_out = r->retired[i];
            r->retired[i] = r->retired[--r->retired_count];
            found = true;
        }
    }
    lock_give(&r->lock);
    return found;
}

static void end_series(struct rules *r, struct retired_series *retired)
{
    struct group_writes writes;
    struct arena arena;
    struct err e = ERR_INIT;
    uint64_t refused;
    arena_init(&arena, 0);
    group_writes_init(&writes, &arena);
    int status = 0;
    for (size_t i = 0; i < retired->series.count && status == 0; i++) {
        const struct labels *labels = retired->series.items[i].labels;
        if (!is_written(r, labels)) {
            status = group_writes_put(
                &writes, labels, retired->ended_at_ms, value_stale_marker(), NULL, NULL, &e);
        }
    }
    if (status == 0) {
        status = group_writes_commit(&writes, r->env.writes, &refused, &e);
    }
    report(status, "series that end");
    group_writes_release(&writes);
    arena_release(&arena);
    rule_series_release(&retired->series);
}

void rules_end_retired(struct rules *r, int64_t now_ms)
{
    struct retired_series retired;
    while (take_retired(r, now_ms, &retired)) {
        /* Groups change hands only in a load, and their series only in an evaluation. */
        rules_begin_loading(r);
        lock_take(&r->lock);
        for (size_t i = 0; i < r->group_count; i++) {
            while (r->groups[i]->busy) {
                lock_condition_wait(&r->changed, &r->lock);
            }
            r->groups[i]->busy = true;
        }
        lock_give(&r->lock);
        end_series(r, &retired);
        lock_take(&r->lock);
        for (size_t i = 0; i < r->group_count; i++) {
            r->groups[i]->busy = false;
        }
        lock_give(&r->lock);
        rules_end_loading(r);
    }
}

void rules_release_loaded(struct rules *r)
{
    for (size_t i = 0; i < r->group_count; i++) {
        rule_group_free(r->groups[i]);
    }
    mem_free(r->groups);
    for (size_t i = 0; i < r->retired_count; i++) {
        rule_series_release(&r->retired[i].series);
    }
    mem_free(r->retired);
}
