/* Parser of the connection tracking counters; the format is in the header. */
#include "procfs/nf_conntrack_stat.h"

#include "base/err.h"
#include "procfs/field.h"

#define CONNTRACK_COLUMNS 17

int procfs_conntrack_parse(struct str text, struct procfs_conntrack *conntrack_out)
{
    struct procfs_conntrack sum = {0};
    struct str line;
    if (field_next_line(&text, &line) != 1) {
        return ERR_CORRUPT;
    }
    int status;
    while ((status = field_next_line(&text, &line)) > 0) {
        uint64_t columns[CONNTRACK_COLUMNS];
        for (int i = 0; i < CONNTRACK_COLUMNS; i++) {
            if (field_next_hex(&line, &columns[i]) != 0) {
                return ERR_CORRUPT;
            }
        }
        sum.found += columns[2];
        sum.invalid += columns[4];
        sum.ignore += columns[5];
        sum.insert += columns[8];
        sum.insert_failed += columns[9];
        sum.drop += columns[10];
        sum.early_drop += columns[11];
        sum.search_restart += columns[16];
    }
    if (status == 0) {
        *conntrack_out = sum;
    }
    return status;
}
