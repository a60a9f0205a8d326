/* Memory of the host: every line of /proc/meminfo is a metric.
 *
 * "Active(anon):  12 kB" becomes node_memory_Active_anon_bytes 12288; lines without a unit keep their
 * number and have no _bytes. No list of known lines is kept: what a newer kernel adds appears.
 */
#include "collectors/metric_names.h"
#include "collectors/rows.h"
#include "procfs/meminfo.h"

#define KIB 1024.0

struct meminfo_state {
    struct kept_file file;
    struct metric_names names;
};

static int meminfo_open(struct collect *c, void *state, struct err *e)
{
    struct meminfo_state *s = state;
    (void)c;
    (void)e;
    s->names.prefix = "node_memory_";
    return 0;
}

/* "Active(anon)" without its closing parenthesis; the opening one becomes '_' in the name. */
static struct str without_parenthesis(struct str name)
{
    if (str_ends_with(name, STR(")"))) {
        name.len--;
    }
    return name;
}

static int meminfo_collect(struct collect *c, void *state)
{
    struct meminfo_state *s = state;
    struct str text;
    int status = collect_read(c, &s->file, COLLECT_PROC, "meminfo", &text);
    if (status != 0) {
        return status;
    }
    struct procfs_meminfo_line line;
    for (size_t row = 0; (status = procfs_meminfo_next(&text, &line)) > 0; row++) {
        const char *name = metric_names_get(&s->names, row, str_make(NULL, 0),
            without_parenthesis(line.name), line.is_kib ? "_bytes" : "");
        if (name != NULL) {
            metric_single(c->sink, name, METRIC_TYPE_GAUGE,
                "The line of the same name in /proc/meminfo.",
                line.is_kib ? (double)line.value * KIB : (double)line.value);
        }
    }
    return status;
}

static void meminfo_close(struct collect *c, void *state)
{
    struct meminfo_state *s = state;
    kept_file_close(c, &s->file);
    metric_names_release(&s->names);
}

const struct collector meminfo_collector = {
    .name = "meminfo",
    .help = "Memory of the host (/proc/meminfo)",
    .default_enabled = true,
    .state_size = sizeof(struct meminfo_state),
    .open = meminfo_open,
    .collect = meminfo_collect,
    .close = meminfo_close,
};
