/* Counters of the memory manager that a pattern selects from /proc/vmstat. */
#include "collectors/metric_names.h"
#include "collectors/rows.h"
#include "procfs/vmstat.h"

struct vmstat_state {
    struct kept_file file;
    struct collect_filter filter;
    struct metric_names names;
};

static int vmstat_open(struct collect *c, void *state, struct err *e)
{
    struct vmstat_state *s = state;
    s->names = (struct metric_names){.prefix = "node_vmstat_", .filter = &s->filter};
    return collect_filter_open_include(c, COLLECTOR_SETTING_VMSTAT_FIELDS, &s->filter, e);
}

static int vmstat_collect(struct collect *c, void *state)
{
    struct vmstat_state *s = state;
    struct str text;
    int status = collect_read(c, &s->file, COLLECT_PROC, "vmstat", &text);
    if (status != 0) {
        return status;
    }
    struct procfs_vmstat_line line;
    for (size_t row = 0; (status = procfs_vmstat_next(&text, &line)) > 0; row++) {
        const char *name = metric_names_get(&s->names, row, str_make(NULL, 0), line.name, "");
        if (name != NULL) {
            metric_single(c->sink, name, METRIC_TYPE_UNKNOWN,
                "The line of the same name in /proc/vmstat.", line.value);
        }
    }
    return status;
}

static void vmstat_close(struct collect *c, void *state)
{
    struct vmstat_state *s = state;
    kept_file_close(c, &s->file);
    metric_names_release(&s->names);
    collect_filter_close(&s->filter);
}

const struct collector vmstat_collector = {
    .name = "vmstat",
    .help = "Counters of the memory manager (/proc/vmstat)",
    .default_enabled = true,
    .state_size = sizeof(struct vmstat_state),
    .open = vmstat_open,
    .collect = vmstat_collect,
    .close = vmstat_close,
};
