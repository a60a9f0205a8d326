/* Parser of /proc/loadavg; the format is in the header. */
#include "procfs/loadavg.h"

#include "base/err.h"
#include "procfs/field.h"

static int next_load(struct str *line, double *load_out)
{
    struct str field;
    if (!field_next(line, &field) || str_to_double(field, load_out) != 0) {
        return ERR_CORRUPT;
    }
    return 0;
}

int procfs_loadavg_parse(struct str text, struct procfs_loadavg *loadavg_out)
{
    struct str line;
    struct procfs_loadavg loadavg;
    if (field_next_line(&text, &line) != 1 || next_load(&line, &loadavg.load1) != 0 ||
        next_load(&line, &loadavg.load5) != 0 || next_load(&line, &loadavg.load15) != 0) {
        return ERR_CORRUPT;
    }
    struct str entities;
    if (!field_next(&line, &entities)) {
        return ERR_CORRUPT;
    }
    struct str runnable = str_split(&entities, '/');
    if (field_u64(runnable, &loadavg.runnable) != 0 ||
        field_u64(entities, &loadavg.entities) != 0) {
        return ERR_CORRUPT;
    }
    *loadavg_out = loadavg;
    return 0;
}
