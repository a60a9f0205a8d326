/* Parser of CPU lists; the format is in the header. */
#include "procfs/cpulist.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_cpulist_next(struct str *rest, struct procfs_cpu_range *range_out)
{
    *rest = str_trim(*rest);
    if (rest->len == 0) {
        return 0;
    }
    struct str item = str_split(rest, ',');
    struct procfs_cpu_range range;
    struct str first = str_split(&item, '-');
    if (field_u64(first, &range.first) != 0) {
        return ERR_CORRUPT;
    }
    range.last = range.first;
    if (item.ptr != NULL && field_u64(item, &range.last) != 0) {
        return ERR_CORRUPT;
    }
    if (range.last < range.first || range.last > PROCFS_CPULIST_CPU_MAX) {
        return ERR_CORRUPT;
    }
    *range_out = range;
    return 1;
}
