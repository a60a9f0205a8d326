/* The kernel's global counters of /proc/stat. The CPU lines of the same file are the cpu
 * collector's: the two can be switched on alone, and a second read costs microseconds. */
#include "collectors/rows.h"
#include "procfs/stat.h"

struct stat_state {
    struct kept_file file;
};

static int stat_collect(struct collect *c, void *state)
{
    struct stat_state *s = state;
    struct str text;
    struct procfs_stat stat;
    int status = collect_read(c, &s->file, COLLECT_PROC, "stat", &text);
    if (status != 0 || (status = procfs_stat_parse(text, &stat)) != 0) {
        return status;
    }
    struct metric_sink *sink = c->sink;
    metric_single(sink, "node_boot_time_seconds", METRIC_TYPE_GAUGE,
        "Time of the last boot, seconds since 1970.", (double)stat.boot_time_s);
    metric_single(sink, "node_context_switches_total", METRIC_TYPE_COUNTER, "Context switches.",
        (double)stat.context_switches);
    metric_single(sink, "node_forks_total", METRIC_TYPE_COUNTER, "Processes and threads created.",
        (double)stat.forks);
    metric_single(sink, "node_intr_total", METRIC_TYPE_COUNTER, "Interrupts serviced.",
        (double)stat.interrupts);
    metric_single(sink, "node_procs_blocked", METRIC_TYPE_GAUGE,
        "Processes waiting for I/O to complete.", (double)stat.processes_blocked);
    metric_single(sink, "node_procs_running", METRIC_TYPE_GAUGE, "Processes that can run.",
        (double)stat.processes_running);
    return 0;
}

static void stat_close(struct collect *c, void *state)
{
    struct stat_state *s = state;
    kept_file_close(c, &s->file);
}

const struct collector stat_collector = {
    .name = "stat",
    .help = "Context switches, interrupts, forks, boot time and process counts of /proc/stat",
    .default_enabled = true,
    .state_size = sizeof(struct stat_state),
    .collect = stat_collect,
    .close = stat_close,
};
