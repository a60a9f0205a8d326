/* Parser of /proc/net/softnet_stat; the format is in the header. */
#include "procfs/softnet_stat.h"

#include "base/err.h"
#include "procfs/field.h"

#define SOFTNET_COLUMNS 13
#define SOFTNET_COLUMNS_MIN 9
#define SOFTNET_CPU_COLUMN 12

int procfs_softnet_next(struct str *rest, uint64_t row, struct procfs_softnet *softnet_out)
{
    struct str line;
    int status = field_next_line(rest, &line);
    if (status <= 0) {
        return status;
    }
    uint64_t columns[SOFTNET_COLUMNS] = {0};
    int count = 0;
    struct str field;
    while (count < SOFTNET_COLUMNS && field_next(&line, &field)) {
        if (field_hex(field, &columns[count++]) != 0) {
            return ERR_CORRUPT;
        }
    }
    if (count < SOFTNET_COLUMNS_MIN) {
        return ERR_CORRUPT;
    }
    *softnet_out = (struct procfs_softnet){
        .cpu = count > SOFTNET_CPU_COLUMN ? columns[SOFTNET_CPU_COLUMN] : row,
        .processed = columns[0],
        .dropped = columns[1],
        .times_squeezed = columns[2],
        .cpu_collisions = columns[8],
        .received_rps = columns[9],
        .flow_limit_count = columns[10],
        .backlog_length = columns[11],
    };
    return 1;
}
