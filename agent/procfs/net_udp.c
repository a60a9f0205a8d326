/* Parser of /proc/net/udp; the format is in the header. */
#include "procfs/net_udp.h"

#include "base/err.h"
#include "procfs/field.h"

#define UDP_QUEUE_COLUMN 4

static int add_socket(struct str line, struct procfs_udp_queues *queues)
{
    struct str column;
    for (int i = 0; i <= UDP_QUEUE_COLUMN; i++) {
        if (!field_next(&line, &column)) {
            return ERR_CORRUPT;
        }
    }
    uint64_t transmit;
    uint64_t receive;
    if (field_hex(str_split(&column, ':'), &transmit) != 0 || field_hex(column, &receive) != 0) {
        return ERR_CORRUPT;
    }
    queues->transmit_bytes += transmit;
    queues->receive_bytes += receive;
    queues->sockets++;
    return 0;
}

int procfs_net_udp_parse(struct str text, struct procfs_udp_queues *queues_out)
{
    struct procfs_udp_queues queues = {0};
    struct str line;
    if (field_next_line(&text, &line) != 1) {
        return ERR_CORRUPT;
    }
    int status;
    while ((status = field_next_line(&text, &line)) > 0) {
        status = add_socket(line, &queues);
        if (status != 0) {
            return status;
        }
    }
    if (status == 0) {
        *queues_out = queues;
    }
    return status;
}
