/* Parser of the protocol counters; the formats are in the header. */
#include "procfs/net_snmp.h"

#include "base/err.h"
#include "procfs/field.h"

/* The protocol before the colon of a line. */
static int take_protocol(struct str *line, struct str *protocol_out)
{
    ptrdiff_t colon = str_find(*line, ':');
    if (colon <= 0) {
        return ERR_CORRUPT;
    }
    *protocol_out = str_make(line->ptr, (size_t)colon);
    *line = str_skip(*line, (size_t)colon + 1);
    return 0;
}

/* Moves on to the next pair of lines. */
static int next_pair(struct procfs_snmp_iter *iter)
{
    int status = field_next_line(&iter->rest, &iter->names);
    if (status <= 0) {
        return status;
    }
    struct str second;
    if (take_protocol(&iter->names, &iter->protocol) != 0 ||
        field_next_line(&iter->rest, &iter->values) != 1 ||
        take_protocol(&iter->values, &second) != 0 || !str_eq(iter->protocol, second)) {
        return ERR_CORRUPT;
    }
    return 1;
}

int procfs_snmp_next(struct procfs_snmp_iter *iter, struct procfs_snmp_value *value_out)
{
    struct procfs_snmp_value found;
    struct str number;
    while (!field_next(&iter->names, &found.field)) {
        if (field_next(&iter->values, &number)) {
            return ERR_CORRUPT; // more values than names
        }
        int status = next_pair(iter);
        if (status <= 0) {
            return status;
        }
    }
    if (!field_next(&iter->values, &number) || field_number(number, &found.value) != 0) {
        return ERR_CORRUPT;
    }
    found.protocol = iter->protocol;
    *value_out = found;
    return 1;
}

int procfs_snmp6_next(struct str *rest, struct procfs_snmp_value *value_out)
{
    struct str line;
    int status = field_next_line(rest, &line);
    if (status <= 0) {
        return status;
    }
    struct procfs_snmp_value found;
    struct str name;
    struct str number;
    if (!field_next(&line, &name) || !field_next(&line, &number) ||
        field_number(number, &found.value) != 0) {
        return ERR_CORRUPT;
    }
    size_t split = (size_t)(str_find(name, '6') + 1);
    found.protocol = str_make(name.ptr, split);
    found.field = str_skip(name, split);
    *value_out = found;
    return 1;
}
