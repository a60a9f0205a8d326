/* Packet processing of each CPU. */
#include "base/mem.h"
#include "collectors/rows.h"
#include "procfs/softnet_stat.h"

#define CPUS_MAX 65536

struct softnet_state {
    struct kept_file file;
    struct procfs_softnet *rows;
    size_t count, cap;
};

static const struct column_row {
    const char *name;
    enum metric_type type;
    size_t offset;
    const char *help;
} column_rows[] = {
    {"node_softnet_backlog_len", METRIC_TYPE_GAUGE, offsetof(struct procfs_softnet, backlog_length),
        "Packets waiting in the backlog of a CPU."},
    {"node_softnet_cpu_collision_total", METRIC_TYPE_COUNTER,
        offsetof(struct procfs_softnet, cpu_collisions),
        "Times a CPU met another one at a transmit queue."},
    {"node_softnet_dropped_total", METRIC_TYPE_COUNTER, offsetof(struct procfs_softnet, dropped),
        "Packets dropped because the backlog was full."},
    {"node_softnet_flow_limit_count_total", METRIC_TYPE_COUNTER,
        offsetof(struct procfs_softnet, flow_limit_count), "Packets dropped by the flow limit."},
    {"node_softnet_processed_total", METRIC_TYPE_COUNTER,
        offsetof(struct procfs_softnet, processed), "Packets processed."},
    {"node_softnet_received_rps_total", METRIC_TYPE_COUNTER,
        offsetof(struct procfs_softnet, received_rps),
        "Times a CPU was woken for packets of another one."},
    {"node_softnet_times_squeezed_total", METRIC_TYPE_COUNTER,
        offsetof(struct procfs_softnet, times_squeezed),
        "Times work was left when the quota ran out."},
};

static int read_rows(struct softnet_state *s, struct str text)
{
    struct procfs_softnet softnet;
    int status;
    s->count = 0;
    while ((status = procfs_softnet_next(&text, s->count, &softnet)) > 0) {
        status =
            mem_array_grow((void **)&s->rows, &s->cap, s->count + 1, sizeof(*s->rows), CPUS_MAX);
        if (status != 0) {
            return status;
        }
        s->rows[s->count++] = softnet;
    }
    return status;
}

static int softnet_collect(struct collect *c, void *state)
{
    struct softnet_state *s = state;
    struct str text;
    int status = collect_read(c, &s->file, COLLECT_PROC, "net/softnet_stat", &text);
    if (status != 0 || (status = read_rows(s, text)) != 0) {
        return status;
    }
    for (size_t column = 0; column < sizeof(column_rows) / sizeof(column_rows[0]); column++) {
        const struct column_row *row = &column_rows[column];
        metric_family(c->sink, row->name, row->type, row->help);
        for (size_t i = 0; i < s->count; i++) {
            struct number_text number;
            struct label_pair label = {"cpu", collect_number_text(s->rows[i].cpu, &number)};
            uint64_t value;
            memcpy(&value, (const char *)&s->rows[i] + row->offset, sizeof(value));
            metric_sample(c->sink, &label, 1, (double)value);
        }
    }
    return 0;
}

static void softnet_close(struct collect *c, void *state)
{
    struct softnet_state *s = state;
    kept_file_close(c, &s->file);
    mem_free(s->rows);
}

const struct collector softnet_collector = {
    .name = "softnet",
    .help = "Packet processing of each CPU (/proc/net/softnet_stat)",
    .default_enabled = true,
    .state_size = sizeof(struct softnet_state),
    .collect = softnet_collect,
    .close = softnet_close,
};
