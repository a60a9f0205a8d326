/* Parsers of a process' files of names and numbers; the formats are in the header. */
#include "procfs/process_files.h"

#include "base/err.h"
#include "procfs/field.h"

#define KIBIBYTE 1024

/* A number that is wanted: the name before the colon, and where it goes. */
struct wanted {
    struct str name;
    uint64_t *value;
};

static int read_line(struct str line, const struct wanted *wanted, size_t count)
{
    ptrdiff_t colon = str_find(line, ':');
    for (size_t i = 0; i < count && colon > 0; i++) {
        if (!str_eq(str_make(line.ptr, (size_t)colon), wanted[i].name)) {
            continue;
        }
        struct str rest = str_skip(line, (size_t)colon + 1), unit;
        if (field_next_u64(&rest, wanted[i].value) != 0) {
            return ERR_CORRUPT;
        }
        if (field_next(&rest, &unit) && str_eq(unit, STR("kB"))) {
            *wanted[i].value *= KIBIBYTE;
        }
    }
    return 0;
}

static int read_lines(struct str text, const struct wanted *wanted, size_t count)
{
    struct str line;
    int more = field_next_line(&text, &line);
    while (more == 1) {
        if (read_line(line, wanted, count) != 0) {
            return ERR_CORRUPT;
        }
        more = field_next_line(&text, &line);
    }
    return more;
}

int procfs_process_io_parse(struct str text, struct procfs_process_io *io_out)
{
    struct procfs_process_io io = {0};
    const struct wanted wanted[] = {
        {STR("read_bytes"), &io.read_bytes}, {STR("write_bytes"), &io.write_bytes}};
    int status = read_lines(text, wanted, 2);
    if (status == 0) {
        *io_out = io;
    }
    return status;
}

int procfs_process_status_parse(struct str text, struct procfs_process_status *status_out)
{
    struct procfs_process_status found = {0};
    const struct wanted wanted[] = {{STR("VmSwap"), &found.swap_bytes},
        {STR("voluntary_ctxt_switches"), &found.voluntary_switches},
        {STR("nonvoluntary_ctxt_switches"), &found.involuntary_switches}};
    int status = read_lines(text, wanted, 3);
    if (status == 0) {
        *status_out = found;
    }
    return status;
}

int procfs_process_smaps_parse(struct str text, struct procfs_process_smaps *smaps_out)
{
    struct procfs_process_smaps smaps = {0};
    const struct wanted wanted[] = {
        {STR("Pss"), &smaps.proportional_bytes}, {STR("SwapPss"), &smaps.proportional_swap_bytes}};
    int status = read_lines(text, wanted, 2);
    if (status == 0) {
        *smaps_out = smaps;
    }
    return status;
}

int procfs_process_open_files_parse(struct str text, uint64_t *limit_out)
{
    struct str line, word;
    while (field_next_line(&text, &line) == 1) {
        if (!field_take_prefix(&line, STR("Max open files"))) {
            continue;
        }
        if (!field_next(&line, &word)) {
            return ERR_CORRUPT;
        }
        if (str_eq(word, STR("unlimited"))) {
            *limit_out = UINT64_MAX;
            return 0;
        }
        return field_u64(word, limit_out);
    }
    return ERR_CORRUPT;
}
