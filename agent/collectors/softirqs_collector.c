/* Software interrupts of each CPU by kind; off unless asked for. */
#include "collectors/rows.h"
#include "procfs/cpu_table.h"

struct softirqs_state {
    struct kept_file file;
};

static int softirqs_collect(struct collect *c, void *state)
{
    struct softirqs_state *s = state;
    struct str text;
    struct procfs_cpu_table table;
    struct procfs_cpu_table_row row;
    int status = collect_read(c, &s->file, COLLECT_PROC, "softirqs", &text);
    if (status != 0 || (status = procfs_cpu_table_begin(text, &table)) != 0) {
        return status;
    }
    metric_family(c->sink, "node_softirqs_functions_total", METRIC_TYPE_COUNTER,
        "Software interrupts of a CPU by kind.");
    while ((status = procfs_cpu_table_next(&table, &row)) > 0) {
        struct str title = table.title;
        struct label_pair labels[] = {{"cpu", STR("")}, {"type", row.name}};
        uint64_t value;
        while (procfs_cpu_table_next_cpu(&title, &row.counters, &labels[0].value, &value) > 0) {
            metric_sample(c->sink, labels, 2, (double)value);
        }
    }
    return status;
}

static void softirqs_close(struct collect *c, void *state)
{
    struct softirqs_state *s = state;
    kept_file_close(c, &s->file);
}

const struct collector softirqs_collector = {
    .name = "softirqs",
    .help = "Software interrupts of each CPU by kind (/proc/softirqs)",
    .default_enabled = false,
    .state_size = sizeof(struct softirqs_state),
    .collect = softirqs_collect,
    .close = softirqs_close,
};
