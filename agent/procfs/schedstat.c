/* Parser of /proc/schedstat; the format is in the header. */
#include "procfs/schedstat.h"

#include "base/err.h"
#include "procfs/field.h"

#define SCHEDSTAT_COLUMNS 9

int procfs_schedstat_next(struct str *rest, struct procfs_schedstat_cpu *cpu_out)
{
    struct str line;
    int status;
    while ((status = field_next_line(rest, &line)) > 0) {
        if (!field_take_prefix(&line, STR("cpu"))) {
            continue;
        }
        uint64_t columns[SCHEDSTAT_COLUMNS];
        struct procfs_schedstat_cpu cpu;
        if (field_next_u64(&line, &cpu.cpu) != 0 ||
            field_next_u64s(&line, columns, SCHEDSTAT_COLUMNS) != SCHEDSTAT_COLUMNS) {
            return ERR_CORRUPT;
        }
        cpu.running_ns = columns[6];
        cpu.waiting_ns = columns[7];
        cpu.timeslices = columns[8];
        *cpu_out = cpu;
        return 1;
    }
    return status;
}
