/* Counters of network protocols that a pattern selects from netstat, snmp and snmp6. */
#include "collectors/metric_names.h"
#include "collectors/rows.h"
#include "procfs/net_snmp.h"

#define NETSTAT_HELP "The counter of the same name in /proc/net/netstat, snmp or snmp6."

struct netstat_state {
    struct kept_file netstat_file;
    struct kept_file snmp_file;
    struct kept_file snmp6_file;
    struct collect_filter filter;
    struct metric_names netstat_names;
    struct metric_names snmp_names;
    struct metric_names snmp6_names;
};

static int netstat_open(struct collect *c, void *state, struct err *e)
{
    struct netstat_state *s = state;
    struct metric_names names = {.prefix = "node_netstat_", .filter = &s->filter};
    s->netstat_names = names;
    s->snmp_names = names;
    s->snmp6_names = names;
    return collect_filter_open_include(c, COLLECTOR_SETTING_NETSTAT_FIELDS, &s->filter, e);
}

static void give_value(struct collect *c, struct metric_names *names, size_t row,
    const struct procfs_snmp_value *value)
{
    const char *name = metric_names_get(names, row, value->protocol, value->field, "");
    if (name != NULL) {
        metric_single(c->sink, name, METRIC_TYPE_UNKNOWN, NETSTAT_HELP, value->value);
    }
}

static int give_pairs(
    struct collect *c, struct kept_file *file, struct metric_names *names, const char *path)
{
    struct str text;
    int status = collect_read(c, file, COLLECT_PROC, path, &text);
    if (status != 0) {
        return status;
    }
    struct procfs_snmp_iter iter = procfs_snmp_iter_of(text);
    struct procfs_snmp_value value;
    for (size_t row = 0; (status = procfs_snmp_next(&iter, &value)) > 0; row++) {
        give_value(c, names, row, &value);
    }
    return status;
}

static int give_snmp6(struct collect *c, struct netstat_state *s)
{
    struct str text;
    int status = collect_read(c, &s->snmp6_file, COLLECT_PROC, "net/snmp6", &text);
    if (status != 0) {
        return status == ERR_NOT_FOUND ? 0 : status; // a host without IPv6
    }
    struct procfs_snmp_value value;
    for (size_t row = 0; (status = procfs_snmp6_next(&text, &value)) > 0;) {
        if (value.protocol.len > 0) {
            give_value(c, &s->snmp6_names, row++, &value);
        }
    }
    return status;
}

static int netstat_collect(struct collect *c, void *state)
{
    struct netstat_state *s = state;
    int netstat_status = give_pairs(c, &s->netstat_file, &s->netstat_names, "net/netstat");
    int snmp_status = give_pairs(c, &s->snmp_file, &s->snmp_names, "net/snmp");
    int snmp6_status = give_snmp6(c, s);
    return netstat_status != 0 ? netstat_status : snmp_status != 0 ? snmp_status : snmp6_status;
}

static void netstat_close(struct collect *c, void *state)
{
    struct netstat_state *s = state;
    kept_file_close(c, &s->netstat_file);
    kept_file_close(c, &s->snmp_file);
    kept_file_close(c, &s->snmp6_file);
    metric_names_release(&s->netstat_names);
    metric_names_release(&s->snmp_names);
    metric_names_release(&s->snmp6_names);
    collect_filter_close(&s->filter);
}

const struct collector netstat_collector = {
    .name = "netstat",
    .help = "Counters of network protocols (/proc/net/netstat, snmp, snmp6)",
    .default_enabled = true,
    .state_size = sizeof(struct netstat_state),
    .open = netstat_open,
    .collect = netstat_collect,
    .close = netstat_close,
};
