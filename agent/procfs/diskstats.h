/* /proc/diskstats: one line a block device,
 *
 *   major minor name  reads merged sectors ms  writes merged sectors ms  now io_ms weighted_ms
 *                     discards merged sectors ms  flushes ms
 *
 * 11 counters from 2.6.25, 15 from 4.18 (discards), 17 from 5.5 (flushes). Sectors are 512 bytes
 * whatever the device says. Kernels before 2.6.25 print partitions with 4 counters; such lines are
 * returned with `count` 4 and carry nothing that is shown.
 */
#ifndef SONDE_PROCFS_DISKSTATS_H
#define SONDE_PROCFS_DISKSTATS_H

#include <stdint.h>

#include "base/str.h"

enum procfs_disk_field {
    PROCFS_DISK_READS,
    PROCFS_DISK_READS_MERGED,
    PROCFS_DISK_READ_SECTORS,
    PROCFS_DISK_READ_MS,
    PROCFS_DISK_WRITES,
    PROCFS_DISK_WRITES_MERGED,
    PROCFS_DISK_WRITE_SECTORS,
    PROCFS_DISK_WRITE_MS,
    PROCFS_DISK_IO_NOW,
    PROCFS_DISK_IO_MS,
    PROCFS_DISK_IO_WEIGHTED_MS,
    PROCFS_DISK_DISCARDS,
    PROCFS_DISK_DISCARDS_MERGED,
    PROCFS_DISK_DISCARD_SECTORS,
    PROCFS_DISK_DISCARD_MS,
    PROCFS_DISK_FLUSHES,
    PROCFS_DISK_FLUSH_MS,
    PROCFS_DISK_FIELDS,
};

#define PROCFS_DISK_FIELDS_MIN 4
#define PROCFS_SECTOR_BYTES 512

struct procfs_disk {
    uint64_t major;
    uint64_t minor;
    struct str name; /* borrowed */
    int count;       /* fields this kernel prints */
    uint64_t fields[PROCFS_DISK_FIELDS];
};

/* The next device: 1, 0 at the end, ERR_CORRUPT. */
int procfs_diskstats_next(struct str *rest, struct procfs_disk *disk_out);

#endif
