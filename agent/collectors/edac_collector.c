/* Memory errors that the hardware detected, by controller, row of chips (csrow) and channel. */
#include <stdio.h>

#include "collectors/metric_files.h"
#include "collectors/rows.h"

#define EDAC_DIRECTORY "devices/system/edac/mc"
#define DIMM_LABEL_MAX 64

struct edac_state {
    struct metric_files files;
};

/* What a walk carries from the controller down to the channel. */
struct edac_walk {
    struct collect *collect;
    struct metric_files *files;
    char path[COLLECT_PATH_MAX]; /* of the directory being listed, below the root */
    struct str controller;
    struct str csrow;
};

static void add(struct edac_walk *walk, const char *name, const char *help, const char *file,
    const struct label_pair *labels, size_t count)
{
    char path[COLLECT_PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s", walk->path, file);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return;
    }
    struct metric_file metric = {.name = name,
        .type = METRIC_TYPE_COUNTER,
        .help = help,
        .path = path,
        .label_count = count};
    memcpy(metric.labels, labels, count * sizeof(*labels));
    metric_files_add(walk->files, &metric);
}

/* Calls `each` for the entries of a directory; a directory that has gone has no entries. */
static void list(struct edac_walk *walk, vfs_list_callback each)
{
    char path[COLLECT_PATH_MAX];
    if (collect_path(walk->collect, COLLECT_SYS, walk->path, path, sizeof(path)) == 0) {
        (void)vfs_list(walk->collect->vfs, path, each, walk);
    }
}

/* Goes one directory down; `length_out` is what edac_up takes. */
static bool down(struct edac_walk *walk, const char *name, size_t *length_out)
{
    *length_out = strlen(walk->path);
    int added = snprintf(walk->path + *length_out, sizeof(walk->path) - *length_out, "/%s", name);
    return added > 0 && (size_t)added < sizeof(walk->path) - *length_out;
}

/* Appends `text` to the `length` bytes of `buffer`, as far as it fits. */
static size_t append(char *buffer, size_t length, struct str text)
{
    size_t room = DIMM_LABEL_MAX - length;
    size_t size = text.len < room ? text.len : room;
    memcpy(buffer + length, text.ptr, size);
    return length + size;
}

/* The label the firmware or the administrator gave to the module of a channel. The kernel's own one,
 * "mc#0csrow#1channel#0", becomes "mc0_csrow1_channel0". */
static struct str dimm_label(struct edac_walk *walk, struct str channel, char *buffer)
{
    char path[COLLECT_PATH_MAX], clean[DIMM_LABEL_MAX];
    struct str text;
    int path_length =
        snprintf(path, sizeof(path), "%s/ch%.*s_dimm_label", walk->path, STR_ARG(channel));
    if (path_length < 0 || (size_t)path_length >= sizeof(path) ||
        collect_read_once(walk->collect, COLLECT_SYS, path, &text) != 0) {
        return STR("unknown");
    }
    text = collect_label_text(str_trim(text), clean, sizeof(clean));
    size_t length = 0;
    while (text.len > 0) {
        if (str_starts_with(text, STR("csrow")) || str_starts_with(text, STR("channel"))) {
            length = append(buffer, length, STR("_"));
        }
        length = append(buffer, length, str_make(text.ptr, text.ptr[0] == '#' ? 0 : 1));
        text = str_skip(text, 1);
    }
    return str_make(buffer, length);
}

/* ch0_ce_count, and ch0_ue_count where it is. */
static int see_channel_file(void *context, const char *name, bool is_directory)
{
    struct edac_walk *walk = context;
    struct str channel = str_of(name);
    (void)is_directory;
    bool uncorrectable = str_ends_with(channel, STR("_ue_count"));
    if (!str_starts_with(channel, STR("ch")) ||
        (!uncorrectable && !str_ends_with(channel, STR("_ce_count")))) {
        return 0;
    }
    channel = str_make(channel.ptr + 2, channel.len - 2 - strlen("_ce_count"));
    char buffer[DIMM_LABEL_MAX];
    struct label_pair labels[] = {{"channel", channel}, {"controller", walk->controller},
        {"csrow", walk->csrow}, {"dimm_label", dimm_label(walk, channel, buffer)}};
    if (uncorrectable) {
        add(walk, "node_edac_channel_uncorrectable_errors_total",
            "Errors of a channel that lost data.", name, labels, 4);
    } else {
        add(walk, "node_edac_channel_correctable_errors_total",
            "Errors of a channel that were repaired.", name, labels, 4);
    }
    return 0;
}

static void add_csrow_counts(
    struct edac_walk *walk, const char *correctable, const char *uncorrectable)
{
    struct label_pair labels[] = {{"controller", walk->controller}, {"csrow", walk->csrow}};
    add(walk, "node_edac_csrow_correctable_errors_total",
        "Errors of a row of chips that were repaired.", correctable, labels, 2);
    add(walk, "node_edac_csrow_uncorrectable_errors_total",
        "Errors of a row of chips that lost data.", uncorrectable, labels, 2);
}

/* The digits behind a prefix; false when there are none. */
static bool take_number(const char *name, const char *prefix, struct str *number_out)
{
    struct str text = str_of(name);
    if (!str_starts_with(text, str_of(prefix))) {
        return false;
    }
    *number_out = str_skip(text, strlen(prefix));
    return number_out->len > 0 && number_out->ptr[0] >= '0' && number_out->ptr[0] <= '9';
}

static int see_csrow(void *context, const char *name, bool is_directory)
{
    struct edac_walk *walk = context;
    size_t length;
    (void)is_directory;
    if (take_number(name, "csrow", &walk->csrow)) {
        if (down(walk, name, &length)) {
            add_csrow_counts(walk, "ce_count", "ue_count");
            list(walk, see_channel_file);
        }
        walk->path[length] = '\0';
    }
    return 0;
}

static int see_controller(void *context, const char *name, bool is_directory)
{
    struct edac_walk *walk = context;
    size_t length;
    (void)is_directory;
    if (take_number(name, "mc", &walk->controller)) {
        if (down(walk, name, &length)) {
            struct label_pair label = {"controller", walk->controller};
            add(walk, "node_edac_correctable_errors_total", "Memory errors that were repaired.",
                "ce_count", &label, 1);
            add(walk, "node_edac_uncorrectable_errors_total", "Memory errors that lost data.",
                "ue_count", &label, 1);
            walk->csrow = STR("unknown");
            add_csrow_counts(walk, "ce_noinfo_count", "ue_noinfo_count");
            list(walk, see_csrow);
        }
        walk->path[length] = '\0';
    }
    return 0;
}

static int edac_collect(struct collect *c, void *state)
{
    struct edac_state *s = state;
    if (metric_files_due(c, &s->files)) {
        struct edac_walk walk = {.collect = c, .files = &s->files, .path = EDAC_DIRECTORY};
        metric_files_begin(c, &s->files);
        list(&walk, see_controller);
        metric_files_end(c, &s->files);
    }
    return metric_files_give(c, &s->files);
}

static void edac_close(struct collect *c, void *state)
{
    struct edac_state *s = state;
    metric_files_release(c, &s->files);
}

const struct collector edac_collector = {
    .name = "edac",
    .help = "Memory errors the hardware detected (/sys/devices/system/edac)",
    .default_enabled = true,
    .state_size = sizeof(struct edac_state),
    .collect = edac_collect,
    .close = edac_close,
};
