/* Processes in groups, under process_exporter's names, so that its dashboards and alerts work unchanged.
 *
 * Counters of a group must not fall when one of its processes ends, so a group adds up what its
 * processes have used since the pass before: of one that has been there longer than the agent, what it
 * uses from now on; of one that has come since, all. A process is known by its number and its start, is
 * given its group when it is first seen, and keeps it. Groups stay when their last process has gone,
 * with num_procs 0, as their counters go on when it is started again.
 *
 * Off unless asked for: it opens six files of each process. Threads have a switch of their own
 * (process_threads.h).
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "collectors/id_list.h"
#include "collectors/process_counters.h"
#include "collectors/process_names.h"
#include "collectors/process_threads.h"
#include "collectors/rows.h"
#include "procfs/stat.h"

/* Processes of one pass; more are left out. */
#define PROCESSES_MAX 262144
/* Groups by name; processes of further ones are counted in the group OVERFLOW_GROUP. */
#define GROUPS_MAX 2000
#define OVERFLOW_GROUP "__cardinality_overflow__"
#define PROCESS_PATH_MAX 64
#define KEPT_ARGUMENTS_MAX ((size_t)64 << 10)

/* What a group has numbers of beside counters (process_counters.h). */
enum number {
    NUMBER_PROCESSES = PROCESS_COUNTERS,
    NUMBER_RESIDENT,
    NUMBER_VIRTUAL,
    NUMBER_SWAPPED,
    NUMBER_PSS,
    NUMBER_SWAP_PSS,
    NUMBER_OPEN_FILES,
    NUMBER_WORST_RATIO, /* of open files to the limit on them */
    NUMBER_OLDEST,      /* seconds after boot */
    NUMBER_THREADS,
    NUMBER_RUNNING,
    NUMBER_SLEEPING,
    NUMBER_WAITING,
    NUMBER_ZOMBIE,
    NUMBER_OTHER,
    NUMBERS,
};

struct group {
    char *name;
    double numbers[NUMBERS]; /* counters since the agent began, the others of this pass */
};

struct process {
    uint64_t pid;
    uint64_t start_ticks;
    struct group *group; /* NULL: in none */
    uint64_t open_files_max;
    struct process_counters counters;
};

struct process_list {
    struct process *items;
    size_t count, cap;
};

struct process_groups_state {
    struct process_names *names;
    struct kept_file stat;
    struct process_threads *threads; /* NULL: not asked for */
    bool with_smaps;
    bool again; /* not the first pass */
    double ticks_per_second, page_bytes;
    struct strbuf name, arguments;
    struct id_list pids;
    struct process_list now, before; /* in order of pid */
    struct group **groups;           /* in order of their names */
    size_t group_count, group_cap;
    uint64_t scrape_errors, read_errors, partial_errors;
};

static int process_groups_open(struct collect *c, void *state, struct err *e)
{
    struct process_groups_state *s = state;
    bool with_threads = false;
    int status = collect_switch(c, COLLECTOR_SETTING_PROCESS_GROUPS_SMAPS, &s->with_smaps, e);
    if (status == 0) {
        status = collect_switch(c, COLLECTOR_SETTING_PROCESS_GROUPS_THREADS, &with_threads, e);
    }
    if (status == 0 && with_threads && process_threads_new(&s->threads) != 0) {
        status = err_set(e, ERR_NOMEM, -1, "out of memory for threads");
    }
    if (status != 0) {
        return status;
    }
    strbuf_init(&s->name, PROCESS_GROUP_NAME_MAX * 8);
    strbuf_init(&s->arguments, KEPT_ARGUMENTS_MAX);
    s->ticks_per_second = (double)sysconf(_SC_CLK_TCK);
    s->page_bytes = (double)sysconf(_SC_PAGESIZE);
    return process_names_open(
        c->vfs, c->settings[COLLECTOR_SETTING_PROCESS_GROUPS_CONFIG], &s->names, e);
}

/* ---- Groups ---- */

static int compare_name(const void *name, const void *group)
{
    return strcmp(name, (*(struct group *const *)group)->name);
}

static struct group *add_group(struct process_groups_state *s, const char *name)
{
    if (mem_array_grow((void **)&s->groups, &s->group_cap, s->group_count + 1,
            sizeof(struct group *), GROUPS_MAX + 1) != 0) {
        return NULL;
    }
    struct group *group = mem_calloc(1, sizeof(*group));
    if (group == NULL || (group->name = mem_strdup(name)) == NULL) {
        mem_free(group);
        return NULL;
    }
    size_t at = s->group_count++;
    while (at > 0 && strcmp(s->groups[at - 1]->name, name) > 0) {
        s->groups[at] = s->groups[at - 1];
        at--;
    }
    s->groups[at] = group;
    return group;
}

static struct group *find_group(struct process_groups_state *s, const char *name)
{
    struct group **found = s->group_count > 0 ? bsearch(name, s->groups, s->group_count,
                                                    sizeof(struct group *), compare_name)
                                              : NULL;
    if (found != NULL) {
        return *found;
    }
    if (s->group_count >= GROUPS_MAX && strcmp(name, OVERFLOW_GROUP) != 0) {
        return find_group(s, OVERFLOW_GROUP);
    }
    return add_group(s, name);
}

/* ---- One process ---- */

static int read_file(struct collect *c, uint64_t pid, const char *file, struct str *text_out)
{
    char path[PROCESS_PATH_MAX];
    int length = snprintf(path, sizeof(path), "%llu/%s", (unsigned long long)pid, file);
    assert(length > 0 && (size_t)length < sizeof(path));
    (void)length; /* used where assertions are */
    return collect_read_once(c, COLLECT_PROC, path, text_out);
}

/* Gives a process that is seen for the first time its group. */
static int identify(struct collect *c, struct process_groups_state *s, struct process *p,
    const struct procfs_process_stat *stat)
{
    struct str text;
    char command[PROCESS_PATH_MAX], name[PROCESS_GROUP_NAME_MAX * 3 + 1];
    size_t length = stat->command.len < sizeof(command) ? stat->command.len : sizeof(command);
    memcpy(command, stat->command.ptr, length); // the text it lies in is read over
    strbuf_reset(&s->arguments);
    if (read_file(c, p->pid, "cmdline", &text) == 0) {
        strbuf_add_str(&s->arguments,
            str_make(text.ptr, text.len < KEPT_ARGUMENTS_MAX ? text.len : KEPT_ARGUMENTS_MAX - 1));
    }
    struct process_identity identity = {.pid = p->pid,
        .command = str_make(command, length),
        .arguments = strbuf_str(&s->arguments)};
    int matched = process_names_match(s->names, &identity, &s->name);
    if (matched <= 0) {
        return matched;
    }
    struct str clean = collect_label_text(strbuf_str(&s->name), name, sizeof(name) - 1);
    memmove(name, clean.ptr, clean.len);
    name[clean.len] = '\0';
    p->group = find_group(s, name);
    if (p->group == NULL) {
        return ERR_NOMEM;
    }
    p->open_files_max = UINT64_MAX;
    if (read_file(c, p->pid, "limits", &text) == 0) {
        (void)procfs_process_open_files_parse(text, &p->open_files_max); // stays unlimited
    }
    return 0;
}

static enum number state_of(char letter)
{
    switch (letter) {
    case 'R':
        return NUMBER_RUNNING;
    case 'S':
        return NUMBER_SLEEPING;
    case 'D':
        return NUMBER_WAITING;
    case 'Z':
        return NUMBER_ZOMBIE;
    default:
        return NUMBER_OTHER;
    }
}

/* `all`: the process has come since the pass before, and what it has used is the group's. */
static void add_stat(struct process_groups_state *s, struct process *p,
    const struct procfs_process_stat *stat, bool all)
{
    double *numbers = p->group->numbers;
    double start = (double)stat->start_ticks / s->ticks_per_second;
    if (numbers[NUMBER_PROCESSES] == 0 || start < numbers[NUMBER_OLDEST]) {
        numbers[NUMBER_OLDEST] = start;
    }
    numbers[NUMBER_PROCESSES]++;
    numbers[NUMBER_THREADS] += (double)stat->threads;
    numbers[state_of(stat->state)]++;
    numbers[NUMBER_RESIDENT] += (double)stat->resident_pages * s->page_bytes;
    numbers[NUMBER_VIRTUAL] += (double)stat->virtual_bytes;
    process_counters_stat(&p->counters, stat, all, numbers);
}

static int count_open_files(struct collect *c, const struct process *p, uint64_t *files_out)
{
    char below[PROCESS_PATH_MAX], path[COLLECT_PATH_MAX];
    (void)snprintf(below, sizeof(below), "%llu/fd", (unsigned long long)p->pid);
    int status = collect_path(c, COLLECT_PROC, below, path, sizeof(path));
    *files_out = 0;
    return status == 0 ? vfs_count(c->vfs, path, files_out) : status;
}

static int add_files(struct collect *c, struct process *p)
{
    uint64_t files;
    int status = count_open_files(c, p, &files);
    if (status == 0) {
        double *numbers = p->group->numbers;
        double ratio = p->open_files_max > 0 ? (double)files / (double)p->open_files_max : 0;
        numbers[NUMBER_OPEN_FILES] += (double)files;
        if (ratio > numbers[NUMBER_WORST_RATIO]) {
            numbers[NUMBER_WORST_RATIO] = ratio;
        }
    }
    return status;
}

/* What other files than stat tell. Those of other users' processes may be closed to the agent: what can
 * be read counts, and the rest is a partial error. */
static void add_details(
    struct collect *c, struct process_groups_state *s, struct process *p, bool all)
{
    struct procfs_process_io io;
    struct procfs_process_status status;
    struct procfs_process_smaps smaps;
    struct str text;
    bool whole = true;
    if (read_file(c, p->pid, "io", &text) == 0 && procfs_process_io_parse(text, &io) == 0) {
        process_counters_io(&p->counters, &io, all, p->group->numbers);
    } else {
        whole = false;
    }
    if (read_file(c, p->pid, "status", &text) == 0 &&
        procfs_process_status_parse(text, &status) == 0) {
        process_counters_switches(&p->counters, &status, all, p->group->numbers);
        p->group->numbers[NUMBER_SWAPPED] += (double)status.swap_bytes;
    } else {
        whole = false;
    }
    if (s->with_smaps && read_file(c, p->pid, "smaps_rollup", &text) == 0 &&
        procfs_process_smaps_parse(text, &smaps) == 0) {
        p->group->numbers[NUMBER_PSS] += (double)smaps.proportional_bytes;
        p->group->numbers[NUMBER_SWAP_PSS] += (double)smaps.proportional_swap_bytes;
    } else if (s->with_smaps) {
        whole = false;
    }
    whole = add_files(c, p) == 0 && whole;
    s->partial_errors += !whole;
}

/* Reads a process into the list of this pass; `*before` goes through the list of the last one. */
static int see_process(
    struct collect *c, struct process_groups_state *s, uint64_t pid, size_t *before)
{
    struct procfs_process_stat stat;
    struct str text;
    int status = read_file(c, pid, "stat", &text);
    if (status != 0 || procfs_process_stat_parse(text, &stat) != 0) {
        s->read_errors += status != ERR_NOT_FOUND; // it ended meanwhile: no error
        return 0;
    }
    status = mem_array_grow((void **)&s->now.items, &s->now.cap, s->now.count + 1,
        sizeof(struct process), PROCESSES_MAX);
    if (status != 0) {
        return status == ERR_LIMIT ? 0 : status;
    }
    struct process *p = &s->now.items[s->now.count++];
    while (*before < s->before.count && s->before.items[*before].pid < pid) {
        (*before)++;
    }
    bool was_there = *before < s->before.count && s->before.items[*before].pid == pid &&
                     s->before.items[*before].start_ticks == stat.start_ticks;
    *p = was_there ? s->before.items[*before]
                   : (struct process){.pid = pid, .start_ticks = stat.start_ticks};
    status = was_there ? 0 : identify(c, s, p, &stat);
    if (status == 0 && p->group != NULL) {
        bool all = !was_there && s->again;
        add_stat(s, p, &stat, all);
        add_details(c, s, p, all);
        status = s->threads != NULL ? process_threads_see(s->threads, c, pid, p->group->name) : 0;
    }
    return status;
}

/* ---- The pass ---- */

static int walk(struct collect *c, struct process_groups_state *s)
{
    struct process_list swap = s->before;
    size_t before = 0;
    s->before = s->now;
    s->now = swap;
    s->now.count = 0;
    int status = id_list_read(&s->pids, c->vfs, c->roots[COLLECT_PROC], PROCESSES_MAX);
    for (size_t i = 0; status == 0 && i < s->pids.count; i++) {
        status = see_process(c, s, s->pids.items[i], &before);
    }
    return status;
}

static void forget_pass(struct process_groups_state *s)
{
    for (size_t i = 0; i < s->group_count; i++) {
        for (int k = PROCESS_COUNTERS; k < NUMBERS; k++) {
            s->groups[i]->numbers[k] = 0;
        }
    }
}

/* Seconds since 1970 at boot, to make times of starts; 0 when it is not known. */
static double boot_time(struct collect *c, struct process_groups_state *s)
{
    struct procfs_stat stat;
    struct str text;
    int status = collect_read(c, &s->stat, COLLECT_PROC, "stat", &text);
    return status == 0 && procfs_stat_parse(text, &stat) == 0 ? (double)stat.boot_time_s : 0;
}

/* ---- Metrics ---- */

#define NAME(rest) "namedprocess_namegroup_" rest
#define VALUES_MAX 5

/* A family with a sample for each group and each value of a second label. */
static const struct family_row {
    const char *name;
    enum metric_type type;
    int first;         /* of the counters or numbers that stand side by side */
    const char *label; /* beside groupname; NULL = none */
    const char *values[VALUES_MAX];
    const char *help;
} families[] = {
    {NAME("num_procs"), METRIC_TYPE_GAUGE, NUMBER_PROCESSES, NULL, {NULL}, "Processes."},
    {NAME("cpu_seconds_total"), METRIC_TYPE_COUNTER, COUNTER_SYSTEM_TICKS, "mode",
        {"system", "user"}, "Time on processors."},
    {NAME("read_bytes_total"), METRIC_TYPE_COUNTER, COUNTER_READ_BYTES, NULL, {NULL},
        "Bytes read from storage."},
    {NAME("write_bytes_total"), METRIC_TYPE_COUNTER, COUNTER_WRITE_BYTES, NULL, {NULL},
        "Bytes written to storage."},
    {NAME("major_page_faults_total"), METRIC_TYPE_COUNTER, COUNTER_MAJOR_FAULTS, NULL, {NULL},
        "Page faults that read from storage."},
    {NAME("minor_page_faults_total"), METRIC_TYPE_COUNTER, COUNTER_MINOR_FAULTS, NULL, {NULL},
        "Page faults that did not."},
    {NAME("context_switches_total"), METRIC_TYPE_COUNTER, COUNTER_NONVOLUNTARY, "ctxswitchtype",
        {"nonvoluntary", "voluntary"}, "Context switches."},
    {NAME("memory_bytes"), METRIC_TYPE_GAUGE, NUMBER_RESIDENT, "memtype",
        {"resident", "virtual", "swapped", "proportionalResident", "proportionalSwapped"},
        "Memory in use."},
    {NAME("open_filedesc"), METRIC_TYPE_GAUGE, NUMBER_OPEN_FILES, NULL, {NULL},
        "Open file descriptors."},
    {NAME("worst_fd_ratio"), METRIC_TYPE_GAUGE, NUMBER_WORST_RATIO, NULL, {NULL},
        "Open file descriptors of the process that is nearest to its limit, divided by it."},
    {NAME("oldest_start_time_seconds"), METRIC_TYPE_GAUGE, NUMBER_OLDEST, NULL, {NULL},
        "When the oldest process started."},
    {NAME("num_threads"), METRIC_TYPE_GAUGE, NUMBER_THREADS, NULL, {NULL}, "Threads."},
    {NAME("states"), METRIC_TYPE_GAUGE, NUMBER_RUNNING, "state",
        {"Running", "Sleeping", "Waiting", "Zombie", "Other"}, "Processes by state."},
};

static double value_of(
    const struct process_groups_state *s, const struct group *g, int which, double boot)
{
    double value = g->numbers[which];
    if (which == COUNTER_SYSTEM_TICKS || which == COUNTER_USER_TICKS) {
        return value / s->ticks_per_second;
    }
    return which == NUMBER_OLDEST && g->numbers[NUMBER_PROCESSES] > 0 ? boot + value : value;
}

static void give_family(struct collect *c, const struct process_groups_state *s,
    const struct family_row *row, double boot)
{
    bool other_first = row->label != NULL && strcmp(row->label, "groupname") < 0;
    metric_family(c->sink, row->name, row->type, row->help);
    for (size_t i = 0; i < s->group_count; i++) {
        const struct group *g = s->groups[i];
        struct label_pair name = {"groupname", str_of(g->name)};
        for (int k = 0; k < VALUES_MAX && (k == 0 || row->values[k] != NULL); k++) {
            int which = row->first + k;
            if (!s->with_smaps && (which == NUMBER_PSS || which == NUMBER_SWAP_PSS)) {
                continue;
            }
            struct label_pair other = {row->label, str_of(row->values[k])};
            struct label_pair labels[2] = {other_first ? other : name, other_first ? name : other};
            metric_sample(c->sink, labels, row->label != NULL ? 2 : 1, value_of(s, g, which, boot));
        }
    }
}

static int process_groups_collect(struct collect *c, void *state)
{
    struct process_groups_state *s = state;
    forget_pass(s);
    if (s->threads != NULL) {
        process_threads_begin(s->threads);
    }
    int status = walk(c, s);
    s->scrape_errors += status != 0;
    s->again = true;
    double boot = boot_time(c, s);
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        give_family(c, s, &families[i], boot);
    }
    if (s->threads != NULL) {
        process_threads_give(s->threads, c, s->ticks_per_second);
    }
    metric_single(c->sink, "namedprocess_scrape_errors", METRIC_TYPE_COUNTER,
        "Passes in which processes could not be listed.", (double)s->scrape_errors);
    metric_single(c->sink, "namedprocess_scrape_procread_errors", METRIC_TYPE_COUNTER,
        "Processes that could not be read.", (double)s->read_errors);
    metric_single(c->sink, "namedprocess_scrape_partial_errors", METRIC_TYPE_COUNTER,
        "Processes of which a part could not be read.", (double)s->partial_errors);
    return status;
}

static void process_groups_close(struct collect *c, void *state)
{
    struct process_groups_state *s = state;
    for (size_t i = 0; i < s->group_count; i++) {
        mem_free(s->groups[i]->name);
        mem_free(s->groups[i]);
    }
    mem_free(s->groups);
    process_threads_free(s->threads);
    id_list_release(&s->pids);
    mem_free(s->now.items);
    mem_free(s->before.items);
    strbuf_release(&s->name);
    strbuf_release(&s->arguments);
    kept_file_close(c, &s->stat);
    process_names_close(s->names);
}

const struct collector process_groups_collector = {
    .name = "process_groups",
    .help = "Groups of processes under process_exporter's names (/proc/<pid>)",
    .default_enabled = false,
    .state_size = sizeof(struct process_groups_state),
    .open = process_groups_open,
    .collect = process_groups_collect,
    .close = process_groups_close,
};
