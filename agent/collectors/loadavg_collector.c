/* Load averages. */
#include "collectors/rows.h"
#include "procfs/loadavg.h"

struct loadavg_state {
    struct kept_file file;
};

static int loadavg_collect(struct collect *c, void *state)
{
    struct loadavg_state *s = state;
    struct str text;
    struct procfs_loadavg loadavg;
    int status = collect_read(c, &s->file, COLLECT_PROC, "loadavg", &text);
    if (status != 0 || (status = procfs_loadavg_parse(text, &loadavg)) != 0) {
        return status;
    }
    metric_single(
        c->sink, "node_load1", METRIC_TYPE_GAUGE, "Load average over one minute.", loadavg.load1);
    metric_single(c->sink, "node_load15", METRIC_TYPE_GAUGE, "Load average over fifteen minutes.",
        loadavg.load15);
    metric_single(
        c->sink, "node_load5", METRIC_TYPE_GAUGE, "Load average over five minutes.", loadavg.load5);
    return 0;
}

static void loadavg_close(struct collect *c, void *state)
{
    struct loadavg_state *s = state;
    kept_file_close(c, &s->file);
}

const struct collector loadavg_collector = {
    .name = "loadavg",
    .help = "Load averages of /proc/loadavg",
    .default_enabled = true,
    .state_size = sizeof(struct loadavg_state),
    .collect = loadavg_collect,
    .close = loadavg_close,
};
