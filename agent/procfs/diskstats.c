/* Parser of /proc/diskstats; the format is in the header. */
#include "procfs/diskstats.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_diskstats_next(struct str *rest, struct procfs_disk *disk_out)
{
    struct str line;
    int status = field_next_line(rest, &line);
    if (status <= 0) {
        return status;
    }
    struct procfs_disk disk = {0};
    if (field_next_u64(&line, &disk.major) != 0 || field_next_u64(&line, &disk.minor) != 0 ||
        !field_next(&line, &disk.name)) {
        return ERR_CORRUPT;
    }
    disk.count = field_next_u64s(&line, disk.fields, PROCFS_DISK_FIELDS);
    if (disk.count < PROCFS_DISK_FIELDS_MIN) {
        return ERR_CORRUPT;
    }
    *disk_out = disk;
    return 1;
}
