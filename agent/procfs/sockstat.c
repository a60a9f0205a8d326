/* Parser of the sockstat files; the format is in the header. */
#include "procfs/sockstat.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_sockstat_next(struct procfs_sockstat_iter *iter, struct procfs_sockstat_value *value_out)
{
    struct procfs_sockstat_value found;
    while (!field_next(&iter->line, &found.field)) {
        int status = field_next_line(&iter->rest, &iter->line);
        if (status <= 0) {
            return status;
        }
        if (!field_next(&iter->line, &iter->protocol) || iter->protocol.len < 2 ||
            !str_ends_with(iter->protocol, STR(":"))) {
            return ERR_CORRUPT;
        }
        iter->protocol.len--;
    }
    struct str number;
    if (!field_next(&iter->line, &number) || field_number(number, &found.value) != 0) {
        return ERR_CORRUPT;
    }
    found.protocol = iter->protocol;
    *value_out = found;
    return 1;
}
