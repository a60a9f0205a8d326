/* Parser of /proc/net/arp; the format is in the header. */
#include "procfs/net_arp.h"

#include "base/err.h"
#include "procfs/field.h"

#define ARP_DEVICE_COLUMN 5

int procfs_net_arp_next(struct str *rest, struct procfs_arp_entry *entry_out)
{
    struct str line;
    int status = field_next_line(rest, &line);
    if (status > 0 && str_starts_with(line, STR("IP address"))) {
        status = field_next_line(rest, &line);
    }
    if (status <= 0) {
        return status;
    }
    struct procfs_arp_entry entry;
    if (!field_next(&line, &entry.address)) {
        return ERR_CORRUPT;
    }
    for (int i = 1; i <= ARP_DEVICE_COLUMN; i++) {
        if (!field_next(&line, &entry.device)) {
            return ERR_CORRUPT;
        }
    }
    *entry_out = entry;
    return 1;
}
