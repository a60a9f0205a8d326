/* Sockets in use by protocol and state; memory is given in pages, as the kernel counts it, and in
 * bytes. */
#include <unistd.h>

#include "collectors/metric_names.h"
#include "collectors/rows.h"
#include "procfs/sockstat.h"

struct sockstat_state {
    struct kept_file file;
    struct kept_file file6;
    struct metric_names names;
    struct metric_names names6;
    struct metric_names byte_names; /* of the mem fields, row by row of `names` */
    double page_bytes;
};

static int sockstat_open(struct collect *c, void *state, struct err *e)
{
    struct sockstat_state *s = state;
    (void)c;
    (void)e;
    s->names.prefix = "node_sockstat_";
    s->names6.prefix = "node_sockstat_";
    s->byte_names.prefix = "node_sockstat_";
    s->page_bytes = (double)sysconf(_SC_PAGESIZE);
    return 0;
}

static void give_value(struct collect *c, struct metric_names *names, size_t row,
    const struct procfs_sockstat_value *value)
{
    const char *name = metric_names_get(names, row, value->protocol, value->field, "");
    if (name != NULL) {
        metric_single(c->sink, name, METRIC_TYPE_GAUGE,
            "The field of the same name in /proc/net/sockstat or sockstat6.", value->value);
    }
}

static int give_file(struct collect *c, struct sockstat_state *s, struct kept_file *file,
    struct metric_names *names, const char *path)
{
    struct str text;
    int status = collect_read(c, file, COLLECT_PROC, path, &text);
    if (status != 0) {
        return status;
    }
    struct procfs_sockstat_iter iter = procfs_sockstat_iter_of(text);
    struct procfs_sockstat_value value;
    size_t byte_row = 0;
    for (size_t row = 0; (status = procfs_sockstat_next(&iter, &value)) > 0; row++) {
        give_value(c, names, row, &value);
        if (str_eq(value.field, STR("mem"))) {
            const char *name =
                metric_names_get(&s->byte_names, byte_row++, value.protocol, value.field, "_bytes");
            if (name != NULL) {
                metric_single(c->sink, name, METRIC_TYPE_GAUGE, "Memory of the protocol's sockets.",
                    value.value * s->page_bytes);
            }
        }
    }
    return status;
}

static int sockstat_collect(struct collect *c, void *state)
{
    struct sockstat_state *s = state;
    int status = give_file(c, s, &s->file, &s->names, "net/sockstat");
    int status6 = give_file(c, s, &s->file6, &s->names6, "net/sockstat6");
    // A host without one of the two families has the other.
    if (status == ERR_NOT_FOUND || status6 == ERR_NOT_FOUND) {
        return status == ERR_NOT_FOUND ? status6 : status;
    }
    return status != 0 ? status : status6;
}

static void sockstat_close(struct collect *c, void *state)
{
    struct sockstat_state *s = state;
    kept_file_close(c, &s->file);
    kept_file_close(c, &s->file6);
    metric_names_release(&s->names);
    metric_names_release(&s->names6);
    metric_names_release(&s->byte_names);
}

const struct collector sockstat_collector = {
    .name = "sockstat",
    .help = "Sockets in use by protocol (/proc/net/sockstat, sockstat6)",
    .default_enabled = true,
    .state_size = sizeof(struct sockstat_state),
    .open = sockstat_open,
    .collect = sockstat_collect,
    .close = sockstat_close,
};
