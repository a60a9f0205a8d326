/* /proc/pressure/{cpu,io,memory,irq}: pressure stall information (Documentation/accounting/psi.rst).
 *
 *   some avg10=0.00 avg60=0.00 avg300=0.00 total=<µs>
 *   full avg10=0.00 avg60=0.00 avg300=0.00 total=<µs>
 *
 * cpu has no "full" line before 5.13; irq (6.1) has only "full".
 */
#ifndef SONDE_PROCFS_PRESSURE_H
#define SONDE_PROCFS_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct procfs_pressure_line {
    bool present;
    double avg10;
    double avg60;
    double avg300;
    uint64_t total_us;
};

struct procfs_pressure {
    struct procfs_pressure_line some;
    struct procfs_pressure_line full;
};

/* 0, or ERR_CORRUPT when a line is malformed or the text has none. */
int procfs_pressure_parse(struct str text, struct procfs_pressure *pressure_out);

#endif
