/* Parser of /proc/<pid>/stat; the format is in the header. */
#include "procfs/process_stat.h"

#include "base/err.h"
#include "procfs/field.h"

/* Columns as proc(5) counts them. */
enum {
    COLUMN_AFTER_STATE = 4,
    COLUMN_MINOR_FAULTS = 10,
    COLUMN_MAJOR_FAULTS = 12,
    COLUMN_USER = 14,
    COLUMN_SYSTEM = 15,
    COLUMN_THREADS = 20,
    COLUMN_START = 22,
    COLUMN_VIRTUAL = 23,
    COLUMN_RESIDENT = 24,
};

static uint64_t *place_of(struct procfs_process_stat *stat, int column)
{
    switch (column) {
    case COLUMN_MINOR_FAULTS:
        return &stat->minor_faults;
    case COLUMN_MAJOR_FAULTS:
        return &stat->major_faults;
    case COLUMN_USER:
        return &stat->user_ticks;
    case COLUMN_SYSTEM:
        return &stat->system_ticks;
    case COLUMN_THREADS:
        return &stat->threads;
    case COLUMN_START:
        return &stat->start_ticks;
    case COLUMN_VIRTUAL:
        return &stat->virtual_bytes;
    case COLUMN_RESIDENT:
        return &stat->resident_pages;
    default:
        return NULL;
    }
}

int procfs_process_stat_parse(struct str text, struct procfs_process_stat *stat_out)
{
    struct str line, field;
    struct procfs_process_stat stat;
    if (field_next_line(&text, &line) != 1) {
        return ERR_CORRUPT;
    }
    ptrdiff_t open = str_find(line, '(');
    const char *close = line.len > 0 ? memrchr(line.ptr, ')', line.len) : NULL;
    if (open < 0 || close == NULL || close < line.ptr + open) {
        return ERR_CORRUPT;
    }
    struct str pid = str_trim(str_make(line.ptr, (size_t)open));
    stat.command = str_make(line.ptr + open + 1, (size_t)(close - line.ptr - open - 1));
    line = str_skip(line, (size_t)(close - line.ptr) + 1);
    if (field_u64(pid, &stat.pid) != 0 || !field_next(&line, &field) || field.len != 1) {
        return ERR_CORRUPT;
    }
    stat.state = field.ptr[0];
    for (int column = COLUMN_AFTER_STATE; column <= COLUMN_RESIDENT; column++) {
        uint64_t *place = place_of(&stat, column);
        if (!field_next(&line, &field) || (place != NULL && field_u64(field, place) != 0)) {
            return ERR_CORRUPT;
        }
    }
    *stat_out = stat;
    return 0;
}
