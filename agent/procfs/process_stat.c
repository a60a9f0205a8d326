/* Parser of /proc/<pid>/stat; the format is in the header. */
#include "procfs/process_stat.h"

#include "base/err.h"
#include "procfs/field.h"

/* Columns between the state (3) and the number of threads (20). */
#define COLUMNS_BEFORE_THREADS 16

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
    for (int i = 0; i < COLUMNS_BEFORE_THREADS; i++) {
        if (!field_next(&line, &field)) {
            return ERR_CORRUPT;
        }
    }
    if (field_next_u64(&line, &stat.threads) != 0) {
        return ERR_CORRUPT;
    }
    *stat_out = stat;
    return 0;
}
