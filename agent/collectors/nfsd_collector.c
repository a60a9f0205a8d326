/* What the NFS server of this host was asked for: /proc/net/rpc/nfsd.
 *
 * proc2 and proc3 hold the number of procedures and a counter for each; proc4ops the same for the
 * operations of version 4, by their number in RFC 7530. Rows of tables below say which column is
 * which metric.
 */
#include "collectors/rows.h"
#include "procfs/named_numbers.h"

struct nfsd_state {
    struct kept_file file;
};

/* A column of a line that is a metric of its own. */
static const struct single_row {
    const char *line;
    int column;
    const char *name;
    enum metric_type type;
    const char *help;
} single_rows[] = {
    {"net", 3, "node_nfsd_connections_total", METRIC_TYPE_COUNTER,
        "TCP connections of the NFS server."},
    {"io", 0, "node_nfsd_disk_bytes_read_total", METRIC_TYPE_COUNTER, "Bytes read for clients."},
    {"io", 1, "node_nfsd_disk_bytes_written_total", METRIC_TYPE_COUNTER,
        "Bytes written for clients."},
    {"fh", 0, "node_nfsd_file_handles_stale_total", METRIC_TYPE_COUNTER,
        "Stale file handles that clients gave."},
    {"ra", 11, "node_nfsd_read_ahead_cache_not_found_total", METRIC_TYPE_COUNTER,
        "Reads that were not in the read-ahead cache."},
    {"ra", 0, "node_nfsd_read_ahead_cache_size_blocks", METRIC_TYPE_GAUGE,
        "Size of the read-ahead cache."},
    {"rc", 0, "node_nfsd_reply_cache_hits_total", METRIC_TYPE_COUNTER,
        "Answers given from the reply cache."},
    {"rc", 1, "node_nfsd_reply_cache_misses_total", METRIC_TYPE_COUNTER,
        "Requests that were not in the reply cache."},
    {"rc", 2, "node_nfsd_reply_cache_nocache_total", METRIC_TYPE_COUNTER,
        "Requests that need no reply cache."},
    {"rpc", 0, "node_nfsd_server_rpcs_total", METRIC_TYPE_COUNTER, "Remote calls received."},
    {"th", 0, "node_nfsd_server_threads", METRIC_TYPE_GAUGE, "Threads of the NFS server."},
};

/* A column that is one series of a metric with a label. */
struct labelled_row {
    const char *line;
    int column;
    const char *value;
};

static const struct labelled_row packet_rows[] = {{"net", 2, "tcp"}, {"net", 1, "udp"}};
static const struct labelled_row error_rows[] = {
    {"rpc", 3, "auth"}, {"rpc", 4, "cInt"}, {"rpc", 2, "fmt"}};

static const char *const version2[] = {"GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read",
    "WrCache", "Write", "Create", "Remove", "Rename", "Link", "SymLink", "MkDir", "RmDir",
    "ReadDir", "FsStat"};
static const char *const version3[] = {"GetAttr", "SetAttr", "Lookup", "Access", "ReadLink", "Read",
    "Write", "Create", "MkDir", "SymLink", "MkNod", "Remove", "RmDir", "Rename", "Link", "ReadDir",
    "ReadDirPlus", "FsStat", "FsInfo", "PathConf", "Commit"};
/* NULL = not given. */
static const char *const operations4[] = {NULL, NULL, NULL, "Access", "Close", "Commit", "Create",
    "DelegPurge", "DelegReturn", "GetAttr", "GetFH", "Link", "Lock", "Lockt", "Locku", "Lookup",
    "LookupRoot", "Nverify", "Open", "OpenAttr", "OpenConfirm", "OpenDgrd", "PutFH", NULL, NULL,
    "Read", "ReadDir", "ReadLink", "Remove", "Rename", "Renew", "RestoreFH", "SaveFH", "SecInfo",
    "SetAttr", "SetClientID", "SetClientIDConfirm", "Verify", "Write", "RelLockOwner"};

static const struct version_row {
    const char *line;
    const char *protocol;
    int first_column; /* of the first method of the list */
    const char *const *methods;
    size_t count;
} version_rows[] = {
    {"proc2", "2", 2, version2, sizeof(version2) / sizeof(version2[0])}, // Null is skipped
    {"proc3", "3", 2, version3, sizeof(version3) / sizeof(version3[0])},
    {"proc4ops", "4", 1, operations4, sizeof(operations4) / sizeof(operations4[0])},
};

/* Columns that a kernel no longer prints read as 0. */
static double column_of(const struct procfs_named_numbers *line, int column)
{
    return column < line->count ? (double)line->numbers[column] : 0;
}

/* A column of the line of that name; false when there is no such line. */
static bool find_column(struct str text, const char *name, int column, double *value_out)
{
    struct procfs_named_numbers line;
    if (procfs_named_numbers_find(text, str_of(name), &line) <= 0) {
        return false;
    }
    *value_out = column_of(&line, column);
    return true;
}

static void give_singles(struct collect *c, struct str text)
{
    for (size_t i = 0; i < sizeof(single_rows) / sizeof(single_rows[0]); i++) {
        const struct single_row *row = &single_rows[i];
        double value;
        if (find_column(text, row->line, row->column, &value)) {
            metric_single(c->sink, row->name, row->type, row->help, value);
        }
    }
}

static void give_labelled(struct collect *c, struct str text, const char *label,
    const struct labelled_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double value;
        if (find_column(text, rows[i].line, rows[i].column, &value)) {
            struct label_pair pair = {label, str_of(rows[i].value)};
            metric_sample(c->sink, &pair, 1, value);
        }
    }
}

static void give_version(struct collect *c, struct str text, const struct version_row *version)
{
    struct procfs_named_numbers line;
    if (procfs_named_numbers_find(text, str_of(version->line), &line) <= 0) {
        return;
    }
    for (size_t i = 0; i < version->count; i++) {
        if (version->methods[i] != NULL) {
            struct label_pair labels[] = {
                {"method", str_of(version->methods[i])}, {"proto", str_of(version->protocol)}};
            metric_sample(c->sink, labels, 2, column_of(&line, version->first_column + (int)i));
        }
    }
}

static void give_requests(struct collect *c, struct str text)
{
    metric_family(
        c->sink, "node_nfsd_requests_total", METRIC_TYPE_COUNTER, "Procedures clients called.");
    for (size_t i = 0; i < sizeof(version_rows) / sizeof(version_rows[0]); i++) {
        give_version(c, text, &version_rows[i]);
    }
    double delegations = 0;
    (void)find_column(
        text, "wdeleg_getattr", 0, &delegations); // 0 where the kernel does not count it
    struct label_pair labels[] = {{"method", STR("WdelegGetattr")}, {"proto", STR("4")}};
    metric_sample(c->sink, labels, 2, delegations);
}

static int check(struct str text)
{
    struct procfs_named_numbers line;
    bool known = false;
    int status;
    while ((status = procfs_named_numbers_next(&text, &line)) > 0) {
        known = known || str_eq_c(line.name, "rpc");
    }
    return status != 0 ? status : known ? 0 : ERR_CORRUPT;
}

static int nfsd_collect(struct collect *c, void *state)
{
    struct nfsd_state *s = state;
    struct str text;
    int status = collect_read(c, &s->file, COLLECT_PROC, "net/rpc/nfsd", &text);
    if (status != 0 || (status = check(text)) != 0) {
        return status;
    }
    give_singles(c, text);
    metric_family(
        c->sink, "node_nfsd_packets_total", METRIC_TYPE_COUNTER, "Packets of the NFS server.");
    give_labelled(c, text, "proto", packet_rows, sizeof(packet_rows) / sizeof(packet_rows[0]));
    give_requests(c, text);
    metric_family(c->sink, "node_nfsd_rpc_errors_total", METRIC_TYPE_COUNTER,
        "Remote calls that were refused.");
    give_labelled(c, text, "error", error_rows, sizeof(error_rows) / sizeof(error_rows[0]));
    return 0;
}

static void nfsd_close(struct collect *c, void *state)
{
    struct nfsd_state *s = state;
    kept_file_close(c, &s->file);
}

const struct collector nfsd_collector = {
    .name = "nfsd",
    .help = "Calls to the NFS server (/proc/net/rpc/nfsd)",
    .default_enabled = true,
    .state_size = sizeof(struct nfsd_state),
    .collect = nfsd_collect,
    .close = nfsd_close,
};
