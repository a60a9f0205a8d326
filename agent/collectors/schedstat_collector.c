/* Time that tasks ran and waited on each CPU. */
#include "base/mem.h"
#include "collectors/rows.h"
#include "procfs/schedstat.h"

#define NANOSECOND 1e9
#define CPUS_MAX 65536

struct schedstat_state {
    struct kept_file file;
    struct procfs_schedstat_cpu *rows;
    size_t count;
    size_t cap;
};

static int read_rows(struct schedstat_state *s, struct str text)
{
    s->count = 0;
    struct procfs_schedstat_cpu cpu;
    int status;
    while ((status = procfs_schedstat_next(&text, &cpu)) > 0) {
        status =
            mem_array_grow((void **)&s->rows, &s->cap, s->count + 1, sizeof(*s->rows), CPUS_MAX);
        if (status != 0) {
            return status;
        }
        s->rows[s->count++] = cpu;
    }
    return status;
}

static void give(struct collect *c, const struct schedstat_state *s, const char *name,
    const char *help, size_t offset, double divisor)
{
    metric_family(c->sink, name, METRIC_TYPE_COUNTER, help);
    for (size_t i = 0; i < s->count; i++) {
        struct number_text number;
        struct label_pair label = {"cpu", collect_number_text(s->rows[i].cpu, &number)};
        uint64_t value;
        memcpy(&value, (const char *)&s->rows[i] + offset, sizeof(value));
        metric_sample(c->sink, &label, 1, (double)value / divisor);
    }
}

static int schedstat_collect(struct collect *c, void *state)
{
    struct schedstat_state *s = state;
    struct str text;
    int status = collect_read(c, &s->file, COLLECT_PROC, "schedstat", &text);
    if (status != 0 || (status = read_rows(s, text)) != 0) {
        return status;
    }
    give(c, s, "node_schedstat_running_seconds_total", "Time tasks ran on a CPU.",
        offsetof(struct procfs_schedstat_cpu, running_ns), NANOSECOND);
    give(c, s, "node_schedstat_timeslices_total", "Timeslices a CPU ran.",
        offsetof(struct procfs_schedstat_cpu, timeslices), 1);
    give(c, s, "node_schedstat_waiting_seconds_total",
        "Time tasks that could run waited for a CPU.",
        offsetof(struct procfs_schedstat_cpu, waiting_ns), NANOSECOND);
    return 0;
}

static void schedstat_close(struct collect *c, void *state)
{
    struct schedstat_state *s = state;
    kept_file_close(c, &s->file);
    mem_free(s->rows);
}

const struct collector schedstat_collector = {
    .name = "schedstat",
    .help = "Time tasks ran and waited on each CPU (/proc/schedstat)",
    .default_enabled = true,
    .state_size = sizeof(struct schedstat_state),
    .collect = schedstat_collect,
    .close = schedstat_close,
};
