/* Open files of the whole host: /proc/sys/fs/file-nr, "allocated  free (always 0)  maximum". */
#include "collectors/rows.h"
#include "procfs/field.h"

struct filefd_state {
    struct kept_file file;
};

static int filefd_collect(struct collect *c, void *state)
{
    struct filefd_state *s = state;
    struct str text, line;
    uint64_t numbers[3];
    int status = collect_read(c, &s->file, COLLECT_PROC, "sys/fs/file-nr", &text);
    if (status != 0) {
        return status;
    }
    if (field_next_line(&text, &line) != 1 || field_next_u64s(&line, numbers, 3) != 3) {
        return ERR_CORRUPT;
    }
    metric_single(c->sink, "node_filefd_allocated", METRIC_TYPE_GAUGE, "File handles in use.",
        (double)numbers[0]);
    metric_single(c->sink, "node_filefd_maximum", METRIC_TYPE_GAUGE, "File handles there may be.",
        (double)numbers[2]);
    return 0;
}

static void filefd_close(struct collect *c, void *state)
{
    struct filefd_state *s = state;
    kept_file_close(c, &s->file);
}

const struct collector filefd_collector = {
    .name = "filefd",
    .help = "Open files of the whole host (/proc/sys/fs/file-nr)",
    .default_enabled = true,
    .state_size = sizeof(struct filefd_state),
    .collect = filefd_collect,
    .close = filefd_close,
};
