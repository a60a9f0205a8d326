/* Parser of /proc/vmstat; the format is in the header. */
#include "procfs/vmstat.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_vmstat_next(struct str *rest, struct procfs_vmstat_line *line_out)
{
    struct str line;
    int status = field_next_line(rest, &line);
    if (status <= 0) {
        return status;
    }
    struct str value;
    struct procfs_vmstat_line parsed;
    if (!field_next(&line, &parsed.name) || !field_next(&line, &value) ||
        field_number(value, &parsed.value) != 0) {
        return ERR_CORRUPT;
    }
    *line_out = parsed;
    return 1;
}
