/* Threads: read, grouped by name, given. */
#include "collectors/process_threads.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "collectors/id_list.h"
#include "collectors/process_counters.h"
#include "collectors/rows.h"

#define OVERFLOW_NAME "__cardinality_overflow__"

enum { THREAD_PATH_MAX = 64, THREAD_NAME_MAX = 64 };

/* Threads of one name in a group, or those that wait at one place. */
struct subgroup {
    const char *group;
    char *name;
    double count; /* of this pass */
    double sums[PROCESS_COUNTERS];
};

/* In order of group and name. */
struct subgroups {
    struct subgroup *items;
    size_t count, cap, max;
    const char *overflow; /* NULL: what is beyond `max` is left out */
};

struct thread {
    uint64_t pid, tid, start_ticks;
    struct process_counters counters;
};

struct thread_list {
    struct thread *items; /* in order of pid and tid */
    size_t count, cap;
};

struct process_threads {
    struct thread_list now, before;
    size_t cursor;       /* into `before` */
    bool again;          /* not the first pass */
    struct id_list tids; /* of the process at hand */
    struct subgroups names, waits;
};

int process_threads_new(struct process_threads **threads_out)
{
    struct process_threads *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    t->names.max = THREAD_GROUPS_MAX;
    t->names.overflow = OVERFLOW_NAME;
    t->waits.max = THREAD_WAITS_MAX;
    *threads_out = t;
    return 0;
}

static void free_subgroups(struct subgroups *s)
{
    for (size_t i = 0; i < s->count; i++) {
        mem_free(s->items[i].name);
    }
    mem_free(s->items);
}

void process_threads_free(struct process_threads *t)
{
    if (t != NULL) {
        mem_free(t->now.items);
        mem_free(t->before.items);
        id_list_release(&t->tids);
        free_subgroups(&t->names);
        free_subgroups(&t->waits);
        mem_free(t);
    }
}

/* ---- Subgroups ---- */

static int compare(const struct subgroup *s, const char *group, const char *name)
{
    int order = strcmp(s->group, group);
    return order != 0 ? order : strcmp(s->name, name);
}

/* The place of a subgroup, or where it belongs. */
static size_t find(const struct subgroups *s, const char *group, const char *name)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&s->items[middle], group, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* 0 and the subgroup, made when it is new; NULL where there is no more room and no overflow. */
static int enter(
    struct subgroups *s, const char *group, const char *name, struct subgroup **subgroup_out)
{
    size_t at = find(s, group, name);
    *subgroup_out = NULL;
    if (at < s->count && compare(&s->items[at], group, name) == 0) {
        *subgroup_out = &s->items[at];
        return 0;
    }
    if (s->count >= s->max && (s->overflow == NULL || strcmp(name, s->overflow) != 0)) {
        return s->overflow != NULL ? enter(s, group, s->overflow, subgroup_out) : 0;
    }
    /* Each group may have its overflow beyond the limit. */
    int status =
        mem_array_grow((void **)&s->items, &s->cap, s->count + 1, sizeof(*s->items), 2 * s->max);
    if (status != 0) {
        return status == ERR_LIMIT ? 0 : status;
    }
    char *copy = mem_strdup(name);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    memmove(&s->items[at + 1], &s->items[at], (s->count - at) * sizeof(*s->items));
    s->items[at] = (struct subgroup){.group = group, .name = copy};
    s->count++;
    *subgroup_out = &s->items[at];
    return 0;
}

/* ---- One thread ---- */

static int read_file(
    struct collect *c, uint64_t pid, uint64_t tid, const char *file, struct str *text_out)
{
    char path[THREAD_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%llu/task/%llu/%s", (unsigned long long)pid,
        (unsigned long long)tid, file);
    return collect_read_once(c, COLLECT_PROC, path, text_out);
}

/* A text of the kernel's as a label, with its end. */
static void copy_name(struct str text, char name[THREAD_NAME_MAX * 3 + 1])
{
    struct str cut = str_make(text.ptr, text.len < THREAD_NAME_MAX ? text.len : THREAD_NAME_MAX);
    struct str clean = collect_label_text(cut, name, THREAD_NAME_MAX * 3);
    memmove(name, clean.ptr, clean.len);
    name[clean.len] = '\0';
}

static int count_wait(
    struct process_threads *t, struct collect *c, uint64_t pid, uint64_t tid, const char *group)
{
    char name[THREAD_NAME_MAX * 3 + 1];
    struct subgroup *place;
    struct str text;
    if (read_file(c, pid, tid, "wchan", &text) != 0) {
        return 0; /* not every kernel tells, nor everybody */
    }
    copy_name(str_trim(text), name);
    if (name[0] == '\0' || strcmp(name, "0") == 0) {
        return 0; /* it runs */
    }
    int status = enter(&t->waits, group, name, &place);
    if (place != NULL) {
        place->count++;
    }
    return status;
}

/* As the pass before knew it; `*new_out`: it did not. */
static struct process_counters recall(
    struct process_threads *t, const struct thread *wanted, bool *new_out)
{
    const struct thread *b = t->before.items;
    while (t->cursor < t->before.count &&
           (b[t->cursor].pid < wanted->pid ||
               (b[t->cursor].pid == wanted->pid && b[t->cursor].tid < wanted->tid))) {
        t->cursor++;
    }
    *new_out = t->cursor >= t->before.count || b[t->cursor].pid != wanted->pid ||
               b[t->cursor].tid != wanted->tid || b[t->cursor].start_ticks != wanted->start_ticks;
    return *new_out ? (struct process_counters){.known = {false}} : b[t->cursor].counters;
}

static int see_thread(
    struct process_threads *t, struct collect *c, uint64_t pid, uint64_t tid, const char *group)
{
    struct procfs_process_stat stat;
    struct procfs_process_io io;
    struct procfs_process_status switches;
    struct subgroup *subgroup;
    struct str text;
    char name[THREAD_NAME_MAX * 3 + 1];
    bool is_new;
    if (read_file(c, pid, tid, "stat", &text) != 0 || procfs_process_stat_parse(text, &stat) != 0) {
        return 0; /* it ended meanwhile */
    }
    copy_name(stat.command, name);
    int status = enter(&t->names, group, name, &subgroup);
    if (status == 0 && subgroup != NULL) {
        status = mem_array_grow((void **)&t->now.items, &t->now.cap, t->now.count + 1,
            sizeof(struct thread), THREADS_MAX);
    }
    if (status != 0 || subgroup == NULL) {
        return status == ERR_LIMIT ? 0 : status;
    }
    struct thread *thread = &t->now.items[t->now.count++];
    *thread = (struct thread){.pid = pid, .tid = tid, .start_ticks = stat.start_ticks};
    thread->counters = recall(t, thread, &is_new);
    bool all = is_new && t->again;
    subgroup->count++;
    process_counters_stat(&thread->counters, &stat, all, subgroup->sums);
    if (read_file(c, pid, tid, "io", &text) == 0 && procfs_process_io_parse(text, &io) == 0) {
        process_counters_io(&thread->counters, &io, all, subgroup->sums);
    }
    if (read_file(c, pid, tid, "status", &text) == 0 &&
        procfs_process_status_parse(text, &switches) == 0) {
        process_counters_switches(&thread->counters, &switches, all, subgroup->sums);
    }
    return 0;
}

/* ---- The threads of a process ---- */

int process_threads_see(
    struct process_threads *t, struct collect *c, uint64_t pid, const char *group)
{
    char below[THREAD_PATH_MAX], path[COLLECT_PATH_MAX];
    (void)snprintf(below, sizeof(below), "%llu/task", (unsigned long long)pid);
    int status = collect_path(c, COLLECT_PROC, below, path, sizeof(path));
    status = status == 0 ? id_list_read(&t->tids, c->vfs, path, THREADS_MAX) : status;
    if (status != 0) {
        return status == ERR_NOMEM ? status : 0; /* the process ended meanwhile */
    }
    for (size_t i = 0; status == 0 && i < t->tids.count; i++) {
        status = count_wait(t, c, pid, t->tids.items[i], group);
        if (status == 0 && t->tids.count > 1) {
            status = see_thread(t, c, pid, t->tids.items[i], group);
        }
    }
    return status;
}

void process_threads_begin(struct process_threads *t)
{
    struct thread_list swap = t->before;
    t->before = t->now;
    t->now = swap;
    t->now.count = 0;
    t->cursor = 0;
    for (size_t i = 0; i < t->names.count; i++) {
        t->names.items[i].count = 0;
    }
    for (size_t i = 0; i < t->waits.count; i++) {
        t->waits.items[i].count = 0;
    }
}

/* ---- Metrics ---- */

#define NAME(rest) "namedprocess_namegroup_" rest

/* A counter of subgroups with up to two values of a third label; labels are given in their order. */
static const struct family_row {
    const char *name, *help;
    enum process_counter first; /* of those that stand side by side */
    const char *label;          /* NULL: none */
    const char *values[2];
} families[] = {
    {NAME("thread_cpu_seconds_total"), "Time on processors.", COUNTER_SYSTEM_TICKS, "mode",
        {"system", "user"}},
    {NAME("thread_io_bytes_total"), "Bytes read from and written to storage.", COUNTER_READ_BYTES,
        "iomode", {"read", "write"}},
    {NAME("thread_major_page_faults_total"), "Page faults that read from storage.",
        COUNTER_MAJOR_FAULTS, NULL, {NULL}},
    {NAME("thread_minor_page_faults_total"), "Page faults that did not.", COUNTER_MINOR_FAULTS,
        NULL, {NULL}},
    {NAME("thread_context_switches_total"), "Context switches.", COUNTER_NONVOLUNTARY,
        "ctxswitchtype", {"nonvoluntary", "voluntary"}},
};

static void give_counters(struct process_threads *t, struct collect *c,
    const struct family_row *row, double ticks_per_second)
{
    metric_family(c->sink, row->name, METRIC_TYPE_COUNTER, row->help);
    for (size_t i = 0; i < t->names.count; i++) {
        const struct subgroup *s = &t->names.items[i];
        struct label_pair group = {"groupname", str_of(s->group)};
        struct label_pair name = {"threadname", str_of(s->name)};
        for (int k = 0; k < 2 && (k == 0 || row->values[k] != NULL); k++) {
            double value = s->sums[(int)row->first + k];
            value = row->first == COUNTER_SYSTEM_TICKS ? value / ticks_per_second : value;
            if (row->label == NULL) {
                metric_sample(c->sink, (struct label_pair[]){group, name}, 2, value);
                continue;
            }
            struct label_pair other = {row->label, str_of(row->values[k])};
            bool first = strcmp(row->label, "groupname") < 0;
            struct label_pair labels[] = {first ? other : group, first ? group : other, name};
            metric_sample(c->sink, labels, 3, value);
        }
    }
}

void process_threads_give(struct process_threads *t, struct collect *c, double ticks_per_second)
{
    t->again = true;
    metric_family(c->sink, NAME("thread_count"), METRIC_TYPE_GAUGE, "Threads of this name.");
    for (size_t i = 0; i < t->names.count; i++) {
        const struct subgroup *s = &t->names.items[i];
        const struct label_pair labels[] = {
            {"groupname", str_of(s->group)}, {"threadname", str_of(s->name)}};
        metric_sample(c->sink, labels, 2, s->count);
    }
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        give_counters(t, c, &families[i], ticks_per_second);
    }
    metric_family(c->sink, NAME("threads_wchan"), METRIC_TYPE_GAUGE,
        "Threads that wait, by the place in the kernel where they do.");
    for (size_t i = 0; i < t->waits.count; i++) {
        const struct subgroup *s = &t->waits.items[i];
        const struct label_pair labels[] = {
            {"groupname", str_of(s->group)}, {"wchan", str_of(s->name)}};
        if (s->count > 0) {
            metric_sample(c->sink, labels, 2, s->count);
        }
    }
}
