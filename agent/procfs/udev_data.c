/* Parser of udev's database; the format is in the header. */
#include "procfs/udev_data.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_udev_next(struct str *rest, struct procfs_udev_property *property_out)
{
    struct str line;
    int status;
    while ((status = field_next_line(rest, &line)) > 0) {
        if (!field_take_prefix(&line, STR("E:"))) {
            continue;
        }
        ptrdiff_t equals = str_find(line, '=');
        if (equals <= 0) {
            return ERR_CORRUPT;
        }
        property_out->name = str_make(line.ptr, (size_t)equals);
        property_out->value = str_skip(line, (size_t)equals + 1);
        return 1;
    }
    return status;
}
