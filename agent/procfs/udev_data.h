/* A file of udev's database, /run/udev/data/b<major>:<minor>: one record a line, whose first letter
 * says what it is. Only properties are read: "E:ID_SERIAL_SHORT=S4EVNF0M". */
#ifndef SONDE_PROCFS_UDEV_DATA_H
#define SONDE_PROCFS_UDEV_DATA_H

#include "base/str.h"

struct procfs_udev_property {
    struct str name;  /* borrowed */
    struct str value; /* borrowed, as stored */
};

/* The next property (other records are skipped): 1, 0 at the end, ERR_CORRUPT for a property without
 * '=' or a line that was cut. */
int procfs_udev_next(struct str *rest, struct procfs_udev_property *property_out);

#endif
