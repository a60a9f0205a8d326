/* Parser of /proc/net/dev; the format is in the header. */
#include "procfs/net_dev.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_net_dev_next(struct str *rest, struct procfs_net_dev *dev_out)
{
    struct str line;
    int status;
    while ((status = field_next_line(rest, &line)) > 0) {
        if (str_find(line, '|') >= 0) {
            continue; // a title line
        }
        const char *colon = line.len > 0 ? memrchr(line.ptr, ':', line.len) : NULL;
        if (colon == NULL) {
            return ERR_CORRUPT;
        }
        struct procfs_net_dev dev;
        size_t name_length = (size_t)(colon - line.ptr);
        dev.name = str_trim(str_make(line.ptr, name_length));
        line = str_skip(line, name_length + 1);
        if (dev.name.len == 0 ||
            field_next_u64s(&line, dev.fields, PROCFS_NET_DEV_FIELDS) != PROCFS_NET_DEV_FIELDS) {
            return ERR_CORRUPT;
        }
        *dev_out = dev;
        return 1;
    }
    return status;
}
