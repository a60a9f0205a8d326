/* Bytes that wait in the queues of all UDP sockets together. */
#include "collectors/rows.h"
#include "procfs/net_udp.h"

struct udp_queues_state {
    struct kept_file file;
    struct kept_file file6;
};

static int give_family(
    struct collect *c, struct kept_file *file, const char *path, const char *family)
{
    struct str text;
    struct procfs_udp_queues queues;
    int status = collect_read(c, file, COLLECT_PROC, path, &text);
    if (status != 0 || (status = procfs_net_udp_parse(text, &queues)) != 0) {
        return status;
    }
    struct label_pair labels[] = {{"ip", str_of(family)}, {"queue", STR("rx")}};
    metric_sample(c->sink, labels, 2, (double)queues.receive_bytes);
    labels[1].value = STR("tx");
    metric_sample(c->sink, labels, 2, (double)queues.transmit_bytes);
    return 0;
}

static int udp_queues_collect(struct collect *c, void *state)
{
    struct udp_queues_state *s = state;
    metric_family(c->sink, "node_udp_queues", METRIC_TYPE_GAUGE,
        "Bytes that wait in the queues of UDP sockets.");
    int status = give_family(c, &s->file, "net/udp", "v4");
    int status6 = give_family(c, &s->file6, "net/udp6", "v6");
    // A host without one of the two families has the other.
    if (status == ERR_NOT_FOUND || status6 == ERR_NOT_FOUND) {
        return status == ERR_NOT_FOUND ? status6 : status;
    }
    return status != 0 ? status : status6;
}

static void udp_queues_close(struct collect *c, void *state)
{
    struct udp_queues_state *s = state;
    kept_file_close(c, &s->file);
    kept_file_close(c, &s->file6);
}

const struct collector udp_queues_collector = {
    .name = "udp_queues",
    .help = "Queues of UDP sockets (/proc/net/udp, udp6)",
    .default_enabled = true,
    .state_size = sizeof(struct udp_queues_state),
    .collect = udp_queues_collect,
    .close = udp_queues_close,
};
