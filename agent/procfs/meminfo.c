/* Parser of /proc/meminfo; the format is in the header. */
#include "procfs/meminfo.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_meminfo_next(struct str *rest, struct procfs_meminfo_line *line_out)
{
    struct str line;
    int status = field_next_line(rest, &line);
    if (status <= 0) {
        return status;
    }
    struct procfs_meminfo_line parsed;
    if (!field_next(&line, &parsed.name) || !str_ends_with(parsed.name, STR(":")) ||
        parsed.name.len < 2 || field_next_u64(&line, &parsed.value) != 0) {
        return ERR_CORRUPT;
    }
    parsed.name.len--;
    struct str unit;
    parsed.is_kib = field_next(&line, &unit);
    if (parsed.is_kib && !str_eq(unit, STR("kB"))) {
        return ERR_CORRUPT;
    }
    *line_out = parsed;
    return 1;
}
