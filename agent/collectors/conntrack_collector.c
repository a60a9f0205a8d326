/* Connection tracking: how full its table is, and what became of the packets. */
#include "collectors/rows.h"
#include "procfs/nf_conntrack_stat.h"

struct conntrack_state {
    struct kept_file count;
    struct kept_file maximum;
    struct kept_file stat;
};

static int give_stat(struct collect *c, struct conntrack_state *s)
{
    static const struct {
        const char *name;
        size_t offset;
        const char *help;
    } rows[] = {
        {"node_nf_conntrack_stat_drop", offsetof(struct procfs_conntrack, drop),
            "Packets dropped because tracking failed."},
        {"node_nf_conntrack_stat_early_drop", offsetof(struct procfs_conntrack, early_drop),
            "Entries dropped to make room in a full table."},
        {"node_nf_conntrack_stat_found", offsetof(struct procfs_conntrack, found),
            "Look-ups that found an entry."},
        {"node_nf_conntrack_stat_ignore", offsetof(struct procfs_conntrack, ignore),
            "Packets that belonged to a connection already."},
        {"node_nf_conntrack_stat_insert", offsetof(struct procfs_conntrack, insert),
            "Entries inserted into the list."},
        {"node_nf_conntrack_stat_insert_failed", offsetof(struct procfs_conntrack, insert_failed),
            "Entries that could not be inserted."},
        {"node_nf_conntrack_stat_invalid", offsetof(struct procfs_conntrack, invalid),
            "Packets that cannot be tracked."},
        {"node_nf_conntrack_stat_search_restart", offsetof(struct procfs_conntrack, search_restart),
            "Look-ups begun anew because the table was resized."},
    };
    struct str text;
    struct procfs_conntrack sum;
    int status = collect_read(c, &s->stat, COLLECT_PROC, "net/stat/nf_conntrack", &text);
    if (status != 0 || (status = procfs_conntrack_parse(text, &sum)) != 0) {
        return status;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value;
        memcpy(&value, (const char *)&sum + rows[i].offset, sizeof(value));
        metric_single(c->sink, rows[i].name, METRIC_TYPE_GAUGE, rows[i].help, (double)value);
    }
    return 0;
}

static int conntrack_collect(struct collect *c, void *state)
{
    struct conntrack_state *s = state;
    double count, maximum;
    int status = collect_read_number(
        c, &s->count, COLLECT_PROC, "sys/net/netfilter/nf_conntrack_count", &count);
    if (status != 0) {
        return status;
    }
    metric_single(
        c->sink, "node_nf_conntrack_entries", METRIC_TYPE_GAUGE, "Connections tracked now.", count);
    status = collect_read_number(
        c, &s->maximum, COLLECT_PROC, "sys/net/netfilter/nf_conntrack_max", &maximum);
    if (status != 0) {
        return status;
    }
    metric_single(c->sink, "node_nf_conntrack_entries_limit", METRIC_TYPE_GAUGE,
        "Connections that may be tracked.", maximum);
    return give_stat(c, s);
}

static void conntrack_close(struct collect *c, void *state)
{
    struct conntrack_state *s = state;
    kept_file_close(c, &s->count);
    kept_file_close(c, &s->maximum);
    kept_file_close(c, &s->stat);
}

const struct collector conntrack_collector = {
    .name = "conntrack",
    .help = "Connection tracking (/proc/sys/net/netfilter, /proc/net/stat/nf_conntrack)",
    .default_enabled = true,
    .state_size = sizeof(struct conntrack_state),
    .collect = conntrack_collect,
    .close = conntrack_close,
};
