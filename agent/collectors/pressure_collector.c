/* Pressure stall information: time that tasks waited for a resource (some) and that all of them did
 * (full). The averages the kernel offers are not given: rates over the totals answer any window. */
#include "collectors/rows.h"
#include "procfs/pressure.h"

enum resource { CPU, IO, MEMORY, IRQ, RESOURCES };

struct pressure_state {
    struct kept_file files[RESOURCES];
};

static const struct resource_row {
    const char *path;
    const char *waiting; /* of the "some" line; NULL = not given */
    const char *stalled; /* of the "full" line; NULL = not given */
    const char *waiting_help;
    const char *stalled_help;
} resource_rows[RESOURCES] = {
    [CPU] = {"pressure/cpu", "node_pressure_cpu_waiting_seconds_total", NULL,
        "Time some task waited for a CPU.", NULL},
    [IO] = {"pressure/io", "node_pressure_io_waiting_seconds_total",
        "node_pressure_io_stalled_seconds_total", "Time some task waited for I/O.",
        "Time all tasks waited for I/O."},
    [MEMORY] = {"pressure/memory", "node_pressure_memory_waiting_seconds_total",
        "node_pressure_memory_stalled_seconds_total", "Time some task waited for memory.",
        "Time all tasks waited for memory."},
    [IRQ] = {"pressure/irq", NULL, "node_pressure_irq_stalled_seconds_total", NULL,
        "Time all tasks of a CPU waited for its interrupts."},
};

static int collect_resource(
    struct collect *c, struct kept_file *file, const struct resource_row *row)
{
    struct str text;
    struct procfs_pressure pressure;
    int status = collect_read(c, file, COLLECT_PROC, row->path, &text);
    if (status != 0 || (status = procfs_pressure_parse(text, &pressure)) != 0) {
        return status;
    }
    if (row->waiting != NULL && pressure.some.present) {
        metric_single(c->sink, row->waiting, METRIC_TYPE_COUNTER, row->waiting_help,
            (double)pressure.some.total_us / 1e6);
    }
    if (row->stalled != NULL && pressure.full.present) {
        metric_single(c->sink, row->stalled, METRIC_TYPE_COUNTER, row->stalled_help,
            (double)pressure.full.total_us / 1e6);
    }
    return 0;
}

static int pressure_collect(struct collect *c, void *state)
{
    struct pressure_state *s = state;
    int first_error = 0;
    for (int i = 0; i < RESOURCES; i++) {
        int status = collect_resource(c, &s->files[i], &resource_rows[i]);
        // Interrupt pressure is a build option of its own; the other three come together.
        if (status != 0 && first_error == 0 && !(i == IRQ && status == ERR_NOT_FOUND)) {
            first_error = status;
        }
    }
    return first_error;
}

static void pressure_close(struct collect *c, void *state)
{
    struct pressure_state *s = state;
    for (int i = 0; i < RESOURCES; i++) {
        kept_file_close(c, &s->files[i]);
    }
}

const struct collector pressure_collector = {
    .name = "pressure",
    .help = "Pressure stall information (/proc/pressure)",
    .default_enabled = true,
    .state_size = sizeof(struct pressure_state),
    .collect = pressure_collect,
    .close = pressure_close,
};
