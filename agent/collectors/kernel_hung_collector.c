/* Tasks the kernel found hanging (since 6.13). Given under two names: the one of node_exporter, and the
 * one that dashboards written before its release ask for. */
#include "collectors/rows.h"

struct kernel_hung_state {
    struct kept_file file;
};

static int kernel_hung_collect(struct collect *c, void *state)
{
    struct kernel_hung_state *s = state;
    double count;
    int status =
        collect_read_number(c, &s->file, COLLECT_PROC, "sys/kernel/hung_task_detect_count", &count);
    if (status == 0) {
        metric_single(c->sink, "node_kernel_hung_tasks", METRIC_TYPE_COUNTER,
            "Tasks found hanging; the older name.", count);
        metric_single(c->sink, "node_kernel_hung_tasks_total", METRIC_TYPE_COUNTER,
            "Tasks found hanging.", count);
    }
    return status;
}

static void kernel_hung_close(struct collect *c, void *state)
{
    struct kernel_hung_state *s = state;
    kept_file_close(c, &s->file);
}

const struct collector kernel_hung_collector = {
    .name = "kernel_hung",
    .help = "Tasks the kernel found hanging (/proc/sys/kernel/hung_task_detect_count)",
    .default_enabled = true,
    .state_size = sizeof(struct kernel_hung_state),
    .collect = kernel_hung_collect,
    .close = kernel_hung_close,
};
