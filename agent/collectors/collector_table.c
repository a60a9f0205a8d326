/* The table of collectors, in order of their names. A new collector is a file and a row here. */
#include <assert.h>

#include "collectors/rows.h"

static const struct collector *const table[] = {
    &cpu_collector,
    &diskstats_collector,
    &filesystem_collector,
    &loadavg_collector,
    &meminfo_collector,
    &netclass_collector,
    &netdev_collector,
    &pressure_collector,
    &schedstat_collector,
    &stat_collector,
    &time_collector,
    &uname_collector,
    &vmstat_collector,
};

static_assert(sizeof(table) / sizeof(table[0]) <= COLLECTORS_MAX, "raise COLLECTORS_MAX");

const struct collector *const *collectors_table(size_t *count_out)
{
    *count_out = sizeof(table) / sizeof(table[0]);
    return table;
}
