/* Parser of the pressure files; the format is in the header. */
#include "procfs/pressure.h"

#include "base/err.h"
#include "procfs/field.h"

static int next_average(struct str *line, struct str key, double *value_out)
{
    struct str field;
    if (!field_next(line, &field) || !field_take_prefix(&field, key) ||
        str_to_double(field, value_out) != 0) {
        return ERR_CORRUPT;
    }
    return 0;
}

static int parse_line(struct str line, struct procfs_pressure_line *out)
{
    struct str total;
    if (next_average(&line, STR("avg10="), &out->avg10) != 0 ||
        next_average(&line, STR("avg60="), &out->avg60) != 0 ||
        next_average(&line, STR("avg300="), &out->avg300) != 0 || !field_next(&line, &total) ||
        !field_take_prefix(&total, STR("total="))) {
        return ERR_CORRUPT;
    }
    out->present = true;
    return field_u64(total, &out->total_us);
}

int procfs_pressure_parse(struct str text, struct procfs_pressure *pressure_out)
{
    struct procfs_pressure pressure = {.some = {.present = false}, .full = {.present = false}};
    struct str line;
    int status;
    while ((status = field_next_line(&text, &line)) > 0) {
        struct str kind;
        if (!field_next(&line, &kind)) {
            return ERR_CORRUPT;
        }
        if (str_eq(kind, STR("some"))) {
            status = parse_line(line, &pressure.some);
        } else if (str_eq(kind, STR("full"))) {
            status = parse_line(line, &pressure.full);
        } else {
            return ERR_CORRUPT;
        }
        if (status != 0) {
            return status;
        }
    }
    if (status != 0 || (!pressure.some.present && !pressure.full.present)) {
        return ERR_CORRUPT;
    }
    *pressure_out = pressure;
    return 0;
}
