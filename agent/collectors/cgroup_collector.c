/* Control groups (version 2) under cAdvisor's names, so that dashboards of containers work for whatever
 * systemd and container runtimes run here.
 *
 * The tree is walked from the root of the unified hierarchy, CGROUP_DEPTH_MAX levels deep and
 * CGROUPS_MAX groups wide; the label id is the path. Counters in microseconds become seconds. A file
 * that a group lacks (its controller is off) leaves its metrics out. Off unless asked for: it reads some
 * ten files of each group.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "collectors/rows.h"
#include "procfs/field.h"

enum { CGROUPS_MAX = 2000, CGROUP_DEPTH_MAX = 8, CGROUP_PATH_MAX = 512 };

/* Where a value stands: a file with one number, or a field of one with a word on each line. */
struct cgroup_row {
    const char *metric;
    enum metric_type type;
    const char *file;
    const char *field; /* NULL: the file is the number */
    double divisor;    /* 0 stands for 1 */
    const char *label, *label_value;
    const char *help;
};

static const struct cgroup_row rows[] = {
    {"container_cpu_usage_seconds_total", METRIC_TYPE_COUNTER, "cpu.stat", "usage_usec", 1e6, "cpu",
        "total", "Time on processors."},
    {"container_cpu_user_seconds_total", METRIC_TYPE_COUNTER, "cpu.stat", "user_usec", 1e6, NULL,
        NULL, "Time on processors in user mode."},
    {"container_cpu_system_seconds_total", METRIC_TYPE_COUNTER, "cpu.stat", "system_usec", 1e6,
        NULL, NULL, "Time on processors in the kernel."},
    {"container_cpu_cfs_periods_total", METRIC_TYPE_COUNTER, "cpu.stat", "nr_periods", 0, NULL,
        NULL, "Periods of the quota that have passed."},
    {"container_cpu_cfs_throttled_periods_total", METRIC_TYPE_COUNTER, "cpu.stat", "nr_throttled",
        0, NULL, NULL, "Periods in which the quota was used up."},
    {"container_cpu_cfs_throttled_seconds_total", METRIC_TYPE_COUNTER, "cpu.stat", "throttled_usec",
        1e6, NULL, NULL, "Time spent waiting for the next period."},
    {"container_memory_usage_bytes", METRIC_TYPE_GAUGE, "memory.current", NULL, 0, NULL, NULL,
        "Memory in use, caches included."},
    {"container_memory_max_usage_bytes", METRIC_TYPE_GAUGE, "memory.peak", NULL, 0, NULL, NULL,
        "Most memory that was in use."},
    {"container_memory_rss", METRIC_TYPE_GAUGE, "memory.stat", "anon", 0, NULL, NULL,
        "Anonymous memory."},
    {"container_memory_cache", METRIC_TYPE_GAUGE, "memory.stat", "file", 0, NULL, NULL,
        "Page cache."},
    {"container_memory_mapped_file", METRIC_TYPE_GAUGE, "memory.stat", "file_mapped", 0, NULL, NULL,
        "Files mapped into memory."},
    {"container_memory_swap", METRIC_TYPE_GAUGE, "memory.swap.current", NULL, 0, NULL, NULL,
        "Swap in use."},
    {"container_memory_total_active_file_bytes", METRIC_TYPE_GAUGE, "memory.stat", "active_file", 0,
        NULL, NULL, "Page cache used lately."},
    {"container_memory_total_inactive_file_bytes", METRIC_TYPE_GAUGE, "memory.stat",
        "inactive_file", 0, NULL, NULL, "Page cache not used lately."},
    {"container_memory_failures_total", METRIC_TYPE_COUNTER, "memory.stat", "pgfault", 0,
        "failure_type", "pgfault", "Page faults."},
    {NULL, METRIC_TYPE_COUNTER, "memory.stat", "pgmajfault", 0, "failure_type", "pgmajfault", NULL},
    {"container_memory_failcnt", METRIC_TYPE_COUNTER, "memory.events", "max", 0, NULL, NULL,
        "How often the limit was reached."},
    {"container_oom_events_total", METRIC_TYPE_COUNTER, "memory.events", "oom_kill", 0, NULL, NULL,
        "Processes killed for want of memory."},
    {"container_spec_memory_limit_bytes", METRIC_TYPE_GAUGE, "memory.max", NULL, 0, NULL, NULL,
        "Limit on memory; 0 = none."},
    {"container_spec_memory_reservation_limit_bytes", METRIC_TYPE_GAUGE, "memory.low", NULL, 0,
        NULL, NULL, "Memory that is kept for it."},
    {"container_spec_memory_swap_limit_bytes", METRIC_TYPE_GAUGE, "memory.swap.max", NULL, 0, NULL,
        NULL, "Limit on swap; 0 = none."},
    {"container_threads", METRIC_TYPE_GAUGE, "pids.current", NULL, 0, NULL, NULL, "Threads."},
    {"container_threads_max", METRIC_TYPE_GAUGE, "pids.max", NULL, 0, NULL, NULL,
        "Limit on threads; 0 = none."},
    {"container_pressure_cpu_waiting_seconds_total", METRIC_TYPE_COUNTER, "cpu.pressure", "some",
        1e6, NULL, NULL, "Time in which some task waited for a processor."},
    {"container_pressure_cpu_stalled_seconds_total", METRIC_TYPE_COUNTER, "cpu.pressure", "full",
        1e6, NULL, NULL, "Time in which all tasks waited for a processor."},
    {"container_pressure_memory_waiting_seconds_total", METRIC_TYPE_COUNTER, "memory.pressure",
        "some", 1e6, NULL, NULL, "Time in which some task waited for memory."},
    {"container_pressure_memory_stalled_seconds_total", METRIC_TYPE_COUNTER, "memory.pressure",
        "full", 1e6, NULL, NULL, "Time in which all tasks waited for memory."},
    {"container_pressure_io_waiting_seconds_total", METRIC_TYPE_COUNTER, "io.pressure", "some", 1e6,
        NULL, NULL, "Time in which some task waited for a disk."},
    {"container_pressure_io_stalled_seconds_total", METRIC_TYPE_COUNTER, "io.pressure", "full", 1e6,
        NULL, NULL, "Time in which all tasks waited for a disk."},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

struct cgroup {
    char path[CGROUP_PATH_MAX]; /* below the root, "/" first */
    double values[ROW_COUNT];   /* -1: it has none */
};

struct cgroup_state {
    struct cgroup *groups;
    size_t count, cap;
};

struct cgroup_walk {
    struct collect *collect;
    struct cgroup_state *state;
    const char *below; /* path of the group whose children are listed */
    int depth;
    int status;
};

/* The number behind `field` on its line: plain, or total= of a pressure file. */
static bool find_field(struct str text, const char *field, double *value_out)
{
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        struct str word = str_split(&line, ' ');
        if (!str_eq_c(word, field)) {
            continue;
        }
        while (line.len > 0) {
            uint64_t number;
            struct str part = str_split(&line, ' ');
            if (str_starts_with(part, STR("total="))) {
                part = str_skip(part, 6);
            } else if (line.len > 0) {
                continue; /* a pressure file's averages */
            }
            if (str_to_u64(part, &number) == 0) {
                *value_out = (double)number;
                return true;
            }
        }
    }
    return false;
}

static bool read_value(struct str text, const struct cgroup_row *row, double *value_out)
{
    uint64_t number = 0;
    if (row->field != NULL) {
        return find_field(text, row->field, value_out);
    }
    struct str word = str_trim(text);
    bool good = str_eq(word, STR("max")) || str_to_u64(word, &number) == 0;
    *value_out = (double)number; /* "max": 0, as cAdvisor says "no limit" */
    return good;
}

/* Reads each file once and takes all rows of it. */
static void read_group(struct collect *c, struct cgroup *g)
{
    char path[COLLECT_PATH_MAX];
    struct str text = STR("");
    const char *file = "";
    for (size_t i = 0; i < ROW_COUNT; i++) {
        g->values[i] = -1;
        if (strcmp(rows[i].file, file) != 0) {
            file = rows[i].file;
            int length = snprintf(path, sizeof(path), "fs/cgroup%s/%s",
                strcmp(g->path, "/") == 0 ? "" : g->path, file);
            if (length <= 0 || (size_t)length >= sizeof(path) ||
                collect_read_once(c, COLLECT_SYS, path, &text) != 0) {
                text = STR("");
            }
        }
        double value;
        if (text.len > 0 && read_value(text, &rows[i], &value)) {
            g->values[i] = value / (rows[i].divisor > 0 ? rows[i].divisor : 1);
        }
    }
}

static void walk_below(struct cgroup_walk *walk, const char *group, int depth);

static int see_entry(void *context, const char *name, bool is_directory)
{
    struct cgroup_walk *walk = context;
    struct cgroup_state *s = walk->state;
    if (!is_directory || s->count == CGROUPS_MAX) {
        return 0;
    }
    walk->status =
        mem_array_grow((void **)&s->groups, &s->cap, s->count + 1, sizeof(*s->groups), CGROUPS_MAX);
    if (walk->status != 0) {
        return walk->status;
    }
    struct cgroup *g = &s->groups[s->count];
    int length = snprintf(
        g->path, sizeof(g->path), "%s/%s", strcmp(walk->below, "/") == 0 ? "" : walk->below, name);
    if (length > 0 && (size_t)length < sizeof(g->path)) {
        s->count++; /* deeper ones are walked when this listing is over */
    }
    return 0;
}

/* Lists the children of a group, then theirs. */
static void walk_below(struct cgroup_walk *walk, const char *group, int depth)
{
    char below[COLLECT_PATH_MAX], path[COLLECT_PATH_MAX], copy[CGROUP_PATH_MAX];
    size_t first = walk->state->count;
    int length =
        snprintf(below, sizeof(below), "fs/cgroup%s", strcmp(group, "/") == 0 ? "" : group);
    if (depth > CGROUP_DEPTH_MAX || length <= 0 || (size_t)length >= sizeof(below) ||
        collect_path(walk->collect, COLLECT_SYS, below, path, sizeof(path)) != 0) {
        return;
    }
    walk->below = group;
    (void)vfs_list(walk->collect->vfs, path, see_entry, walk); /* it may have ended meanwhile */
    size_t last = walk->state->count;
    for (size_t i = first; i < last; i++) {
        (void)snprintf(copy, sizeof(copy), "%s", walk->state->groups[i].path); /* the array moves */
        walk_below(walk, copy, depth + 1);
    }
}

static int compare_groups(const void *a, const void *b)
{
    return strcmp(((const struct cgroup *)a)->path, ((const struct cgroup *)b)->path);
}

static void give_sample(
    struct collect *c, const struct cgroup *g, const struct cgroup_row *row, double value)
{
    char buffer[CGROUP_PATH_MAX * 3];
    struct label_pair pairs[2];
    size_t count = 0;
    struct label_pair id = {"id", collect_label_text(str_of(g->path), buffer, sizeof(buffer))};
    bool before = row->label != NULL && strcmp(row->label, "id") < 0;
    if (before) {
        pairs[count++] = (struct label_pair){row->label, str_of(row->label_value)};
    }
    pairs[count++] = id;
    metric_sample(c->sink, pairs, count, value);
}

static void give_working_set(struct collect *c, const struct cgroup_state *s)
{
    static const struct cgroup_row row = {.metric = "container_memory_working_set_bytes"};
    metric_family(c->sink, row.metric, METRIC_TYPE_GAUGE,
        "Memory in use without page cache that was not used lately.");
    for (size_t i = 0; i < s->count; i++) {
        double usage = -1, inactive = -1;
        for (size_t k = 0; k < ROW_COUNT; k++) {
            usage = strcmp(rows[k].file, "memory.current") == 0 ? s->groups[i].values[k] : usage;
            bool is_inactive = rows[k].field != NULL && strcmp(rows[k].field, "inactive_file") == 0;
            inactive = is_inactive ? s->groups[i].values[k] : inactive;
        }
        if (usage >= 0 && inactive >= 0) {
            give_sample(c, &s->groups[i], &row, usage > inactive ? usage - inactive : 0);
        }
    }
}

static int cgroup_collect(struct collect *c, void *state)
{
    struct cgroup_state *s = state;
    struct str text;
    struct cgroup_walk walk = {.collect = c, .state = s};
    int status = collect_read_once(c, COLLECT_SYS, "fs/cgroup/cgroup.controllers", &text);
    if (status != 0) {
        return status; /* not the unified hierarchy */
    }
    s->count = 0;
    walk_below(&walk, "/", 1);
    if (s->count > 1) {
        qsort(s->groups, s->count, sizeof(*s->groups), compare_groups);
    }
    for (size_t i = 0; i < s->count; i++) {
        read_group(c, &s->groups[i]);
    }
    for (size_t k = 0; k < ROW_COUNT; k++) {
        if (rows[k].metric != NULL) {
            metric_family(c->sink, rows[k].metric, rows[k].type, rows[k].help);
        }
        for (size_t i = 0; i < s->count; i++) {
            if (s->groups[i].values[k] >= 0) {
                give_sample(c, &s->groups[i], &rows[k], s->groups[i].values[k]);
            }
        }
    }
    give_working_set(c, s);
    return walk.status;
}

static void cgroup_close(struct collect *c, void *state)
{
    struct cgroup_state *s = state;
    (void)c;
    mem_free(s->groups);
}

const struct collector cgroup_collector = {
    .name = "cgroup",
    .help = "Control groups of version 2 under cAdvisor's names (/sys/fs/cgroup)",
    .default_enabled = false,
    .state_size = sizeof(struct cgroup_state),
    .collect = cgroup_collect,
    .close = cgroup_close,
};
