/* Processes and threads by state; off unless asked for, since it opens a file for each of them. The
 * threads of a process are looked at one by one only where it has more than one. Processes end while
 * they are counted; what is gone is not counted. */
#include <stdio.h>

#include "collectors/rows.h"
#include "procfs/field.h"
#include "procfs/process_stat.h"

#define STATE_BYTES 256
#define STAT_TEXT_MAX 64

struct processes_state {
    struct kept_file pid_max;
    struct kept_file threads_max;
    uint64_t processes;
    uint64_t threads;
    uint64_t process_states[STATE_BYTES];
    uint64_t thread_states[STATE_BYTES];
};

struct process_walk {
    struct collect *collect;
    struct processes_state *state;
    const char *pid; /* whose threads are walked */
};

static bool is_number(const char *name)
{
    uint64_t number;
    return field_u64(str_of(name), &number) == 0;
}

static int read_stat(struct collect *c, const char *path, struct procfs_process_stat *stat_out)
{
    struct str text;
    int status = collect_read_once(c, COLLECT_PROC, path, &text);
    return status == 0 ? procfs_process_stat_parse(text, stat_out) : status;
}

static int see_thread(void *context, const char *name, bool is_directory)
{
    struct process_walk *walk = context;
    struct procfs_process_stat stat;
    char path[STAT_TEXT_MAX];
    (void)is_directory;
    int length = snprintf(path, sizeof(path), "%s/task/%s/stat", walk->pid, name);
    if (is_number(name) && length > 0 && (size_t)length < sizeof(path) &&
        read_stat(walk->collect, path, &stat) == 0) {
        walk->state->thread_states[(unsigned char)stat.state]++;
    }
    return 0;
}

static void walk_threads(struct process_walk *walk, const char *pid)
{
    char below[STAT_TEXT_MAX], path[COLLECT_PATH_MAX];
    walk->pid = pid;
    (void)snprintf(below, sizeof(below), "%s/task", pid);
    if (collect_path(walk->collect, COLLECT_PROC, below, path, sizeof(path)) == 0) {
        (void)vfs_list(walk->collect->vfs, path, see_thread, walk); // it may have ended meanwhile
    }
}

static int see_process(void *context, const char *name, bool is_directory)
{
    struct process_walk *walk = context;
    struct processes_state *s = walk->state;
    struct procfs_process_stat stat;
    char path[STAT_TEXT_MAX];
    (void)is_directory;
    int length = snprintf(path, sizeof(path), "%s/stat", name);
    if (!is_number(name) || length < 0 || (size_t)length >= sizeof(path) ||
        read_stat(walk->collect, path, &stat) != 0) {
        return 0;
    }
    s->processes++;
    s->threads += stat.threads;
    s->process_states[(unsigned char)stat.state]++;
    if (stat.threads > 1) {
        walk_threads(walk, name);
    } else {
        s->thread_states[(unsigned char)stat.state]++;
    }
    return 0;
}

static void give_states(struct collect *c, const char *name, const char *help, const char *label,
    const uint64_t states[STATE_BYTES])
{
    metric_family(c->sink, name, METRIC_TYPE_GAUGE, help);
    for (int i = 'A'; i <= 'z'; i++) {
        if (states[i] > 0) {
            char letter = (char)i;
            struct label_pair pair = {label, str_make(&letter, 1)};
            metric_sample(c->sink, &pair, 1, (double)states[i]);
        }
    }
}

static int give_limits(struct collect *c, struct processes_state *s)
{
    double processes, threads;
    int status =
        collect_read_number(c, &s->pid_max, COLLECT_PROC, "sys/kernel/pid_max", &processes);
    if (status == 0) {
        metric_single(c->sink, "node_processes_max_processes", METRIC_TYPE_GAUGE,
            "Process numbers there may be.", processes);
        status = collect_read_number(
            c, &s->threads_max, COLLECT_PROC, "sys/kernel/threads-max", &threads);
    }
    if (status == 0) {
        metric_single(c->sink, "node_processes_max_threads", METRIC_TYPE_GAUGE,
            "Threads there may be.", threads);
    }
    return status;
}

static int processes_collect(struct collect *c, void *state)
{
    struct processes_state *s = state;
    s->processes = 0;
    s->threads = 0;
    memset(s->process_states, 0, sizeof(s->process_states));
    memset(s->thread_states, 0, sizeof(s->thread_states));
    struct process_walk walk = {.collect = c, .state = s};
    int status = vfs_list(c->vfs, c->roots[COLLECT_PROC], see_process, &walk);
    if (status != 0) {
        return status;
    }
    status = give_limits(c, s);
    metric_single(
        c->sink, "node_processes_pids", METRIC_TYPE_GAUGE, "Processes.", (double)s->processes);
    give_states(c, "node_processes_state", "Processes by state.", "state", s->process_states);
    metric_single(
        c->sink, "node_processes_threads", METRIC_TYPE_GAUGE, "Threads.", (double)s->threads);
    give_states(
        c, "node_processes_threads_state", "Threads by state.", "thread_state", s->thread_states);
    return status;
}

static void processes_close(struct collect *c, void *state)
{
    struct processes_state *s = state;
    kept_file_close(c, &s->pid_max);
    kept_file_close(c, &s->threads_max);
}

const struct collector processes_collector = {
    .name = "processes",
    .help = "Processes and threads by state (/proc/<pid>/stat)",
    .default_enabled = false,
    .state_size = sizeof(struct processes_state),
    .collect = processes_collect,
    .close = processes_close,
};
