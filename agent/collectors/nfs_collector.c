/* What the NFS client of this host asked for: /proc/net/rpc/nfs.
 *
 * Lines proc2, proc3 and proc4 hold the number of procedures and then a counter for each in the order
 * of the kernel's tables. Procedures a kernel does not know yet count as 0, so that sums over methods
 * need not care for its age.
 */
#include "collectors/rows.h"
#include "procfs/named_numbers.h"

struct nfs_state {
    struct kept_file file;
};

static const char *const version2[] = {"Null", "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink",
    "Read", "WrCache", "Write", "Create", "Remove", "Rename", "Link", "SymLink", "MkDir", "RmDir",
    "ReadDir", "FsStat"};
static const char *const version3[] = {"Null", "GetAttr", "SetAttr", "Lookup", "Access", "ReadLink",
    "Read", "Write", "Create", "MkDir", "SymLink", "MkNod", "Remove", "RmDir", "Rename", "Link",
    "ReadDir", "ReadDirPlus", "FsStat", "FsInfo", "PathConf", "Commit"};
static const char *const version4[] = {"Null", "Read", "Write", "Commit", "Open", "OpenConfirm",
    "OpenNoattr", "OpenDowngrade", "Close", "Setattr", "FsInfo", "Renew", "SetClientID",
    "SetClientIDConfirm", "Lock", "Lockt", "Locku", "Access", "Getattr", "Lookup", "LookupRoot",
    "Remove", "Rename", "Link", "Symlink", "Create", "Pathconf", "StatFs", "ReadLink", "ReadDir",
    "ServerCaps", "DelegReturn", "GetACL", "SetACL", "FsLocations", "ReleaseLockowner", "Secinfo",
    "FsidPresent", "ExchangeID", "CreateSession", "DestroySession", "Sequence", "GetLeaseTime",
    "ReclaimComplete", "GetDeviceInfo", "LayoutGet", "LayoutCommit", "LayoutReturn",
    "SecinfoNoName", "TestStateID", "FreeStateID", "GetDeviceList", "BindConnToSession",
    "DestroyClientID", "Seek", "Allocate", "DeAllocate", "LayoutStats", "Clone"};

static const struct version_row {
    const char *line;
    const char *protocol;
    const char *const *methods;
    size_t count;
} version_rows[] = {
    {"proc2", "2", version2, sizeof(version2) / sizeof(version2[0])},
    {"proc3", "3", version3, sizeof(version3) / sizeof(version3[0])},
    {"proc4", "4", version4, sizeof(version4) / sizeof(version4[0])},
};

static double column(const struct procfs_named_numbers *line, int index)
{
    return index < line->count ? (double)line->numbers[index] : 0;
}

static void give_network(struct collect *c, struct str text)
{
    struct procfs_named_numbers line;
    if (procfs_named_numbers_find(text, STR("net"), &line) <= 0) {
        return;
    }
    struct label_pair label = {"protocol", STR("tcp")};
    metric_single(c->sink, "node_nfs_connections_total", METRIC_TYPE_COUNTER,
        "TCP connections of the NFS client.", column(&line, 3));
    metric_family(
        c->sink, "node_nfs_packets_total", METRIC_TYPE_COUNTER, "Packets of the NFS client.");
    metric_sample(c->sink, &label, 1, column(&line, 2));
    label.value = STR("udp");
    metric_sample(c->sink, &label, 1, column(&line, 1));
}

static void give_requests(struct collect *c, struct str text)
{
    metric_family(c->sink, "node_nfs_requests_total", METRIC_TYPE_COUNTER,
        "Procedures the NFS client called.");
    for (size_t v = 0; v < sizeof(version_rows) / sizeof(version_rows[0]); v++) {
        const struct version_row *version = &version_rows[v];
        struct procfs_named_numbers line;
        if (procfs_named_numbers_find(text, str_of(version->line), &line) <= 0) {
            continue;
        }
        for (size_t i = 0; i < version->count; i++) {
            struct label_pair labels[] = {
                {"method", str_of(version->methods[i])}, {"proto", str_of(version->protocol)}};
            metric_sample(c->sink, labels, 2, column(&line, (int)i + 1));
        }
    }
}

static void give_calls(struct collect *c, struct str text)
{
    struct procfs_named_numbers line;
    if (procfs_named_numbers_find(text, STR("rpc"), &line) <= 0) {
        return;
    }
    metric_single(c->sink, "node_nfs_rpc_authentication_refreshes_total", METRIC_TYPE_COUNTER,
        "Times credentials were refreshed.", column(&line, 2));
    metric_single(c->sink, "node_nfs_rpc_retransmissions_total", METRIC_TYPE_COUNTER,
        "Remote calls sent again.", column(&line, 1));
    metric_single(c->sink, "node_nfs_rpcs_total", METRIC_TYPE_COUNTER, "Remote calls made.",
        column(&line, 0));
}

/* Every line whole, and at least one that is known. */
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

static int nfs_collect(struct collect *c, void *state)
{
    struct nfs_state *s = state;
    struct str text;
    int status = collect_read(c, &s->file, COLLECT_PROC, "net/rpc/nfs", &text);
    if (status != 0 || (status = check(text)) != 0) {
        return status;
    }
    give_network(c, text);
    give_requests(c, text);
    give_calls(c, text);
    return 0;
}

static void nfs_close(struct collect *c, void *state)
{
    struct nfs_state *s = state;
    kept_file_close(c, &s->file);
}

const struct collector nfs_collector = {
    .name = "nfs",
    .help = "Calls of the NFS client (/proc/net/rpc/nfs)",
    .default_enabled = true,
    .state_size = sizeof(struct nfs_state),
    .collect = nfs_collect,
    .close = nfs_close,
};
