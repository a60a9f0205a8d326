/* NVMe controllers and their namespaces. What a drive is changes with the drive, and how much of a
 * namespace is used changes slowly, so both are read once in METRIC_FILES_PASSES passes. */
#include <stdio.h>

#include "collectors/devices.h"
#include "collectors/metric_files.h"
#include "collectors/rows.h"
#include "procfs/field.h"

#define NVME_TEXT_MAX 128

enum { FILE_CNTLID, FILE_FIRMWARE, FILE_MODEL, FILE_SERIAL, FILE_STATE, FILE_COUNT };
static const char *const nvme_files[FILE_COUNT] = {
    [FILE_CNTLID] = "cntlid",
    [FILE_FIRMWARE] = "firmware_rev",
    [FILE_MODEL] = "model",
    [FILE_SERIAL] = "serial",
    [FILE_STATE] = "state",
};

struct nvme_state {
    struct devices controllers;
    struct metric_files files;
    int status;
};

static int nvme_open(struct collect *c, void *state, struct err *e)
{
    struct nvme_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->controllers, COLLECT_SYS, "class/nvme", nvme_files, FILE_COUNT);
    return 0;
}

static struct str copy_text(int status, struct str text, char buffer[NVME_TEXT_MAX])
{
    if (status != 0) {
        return STR("");
    }
    text = str_trim(text);
    text.len = text.len < NVME_TEXT_MAX ? text.len : NVME_TEXT_MAX;
    struct str clean = collect_label_text(text, buffer, NVME_TEXT_MAX);
    memmove(buffer, clean.ptr, clean.len);
    return str_make(buffer, clean.len);
}

static struct str controller_text(
    struct collect *c, struct nvme_state *s, size_t index, size_t file, char buffer[NVME_TEXT_MAX])
{
    struct str text = STR("");
    int status = devices_read_once(c, &s->controllers, index, file, &text);
    return copy_text(status, text, buffer);
}

static void add_controller(struct collect *c, struct nvme_state *s, size_t index)
{
    char cntlid[NVME_TEXT_MAX], firmware[NVME_TEXT_MAX], model[NVME_TEXT_MAX],
        serial[NVME_TEXT_MAX];
    char text[NVME_TEXT_MAX];
    metric_files_add(&s->files,
        &(struct metric_file){
            .name = "node_nvme_info",
            .type = METRIC_TYPE_GAUGE,
            .help = "What an NVMe drive is, always 1.",
            .constant = 1,
            .label_count = 6,
            .labels =
                {
                    {"cntlid", controller_text(c, s, index, FILE_CNTLID, cntlid)},
                    {"device", device_name(&s->controllers, index)},
                    {"firmware_revision", controller_text(c, s, index, FILE_FIRMWARE, firmware)},
                    {"model", controller_text(c, s, index, FILE_MODEL, model)},
                    {"serial", controller_text(c, s, index, FILE_SERIAL, serial)},
                    {"state", controller_text(c, s, index, FILE_STATE, text)},
                },
        });
}

/* A namespace being looked at: nvme0n1, or nvme0c1n1 for a path of a shared one. */
struct namespace_walk {
    struct collect *collect;
    struct metric_files *files;
    const char *controller;
};

/* The number behind the last n of "nvme0n1". */
static bool namespace_number(const char *name, const char *controller, struct str *number_out)
{
    struct str text = str_of(name);
    const char *n = memrchr(text.ptr, 'n', text.len);
    uint64_t number;
    if (!str_starts_with(text, str_of(controller)) || n == NULL || n == text.ptr) {
        return false;
    }
    *number_out = str_skip(text, (size_t)(n - text.ptr) + 1);
    return field_u64(*number_out, &number) == 0;
}

static double namespace_value(struct namespace_walk *walk, const char *name, const char *file)
{
    char path[COLLECT_PATH_MAX];
    struct str text;
    double value = 0;
    (void)snprintf(path, sizeof(path), "class/nvme/%s/%s/%s", walk->controller, name, file);
    if (collect_read_once(walk->collect, COLLECT_SYS, path, &text) == 0) {
        (void)field_number(str_trim(text), &value); // what is no number reads as 0
    }
    return value;
}

static void add_number(struct namespace_walk *walk, struct str number, const char *name,
    const char *help, double value)
{
    metric_files_add(
        walk->files, &(struct metric_file){
                         .name = name,
                         .type = METRIC_TYPE_GAUGE,
                         .help = help,
                         .constant = value,
                         .label_count = 2,
                         .labels = {{"device", str_of(walk->controller)}, {"nsid", number}},
                     });
}

static int see_namespace(void *context, const char *name, bool is_directory)
{
    struct namespace_walk *walk = context;
    struct str number, text = STR("");
    char path[COLLECT_PATH_MAX], ana_state[NVME_TEXT_MAX];
    (void)is_directory;
    if (!namespace_number(name, walk->controller, &number)) {
        return 0;
    }
    double block = namespace_value(walk, name, "queue/logical_block_size");
    double size = namespace_value(walk, name, "size") * block;
    (void)snprintf(path, sizeof(path), "class/nvme/%s/%s/ana_state", walk->controller, name);
    int status = collect_read_once(walk->collect, COLLECT_SYS, path, &text);
    metric_files_add(walk->files,
        &(struct metric_file){
            .name = "node_nvme_namespace_info",
            .type = METRIC_TYPE_GAUGE,
            .help = "State of a namespace's path, always 1.",
            .constant = 1,
            .label_count = 3,
            .labels = {{"ana_state", status == 0 ? copy_text(0, text, ana_state) : STR("unknown")},
                {"device", str_of(walk->controller)}, {"nsid", number}},
        });
    add_number(
        walk, number, "node_nvme_namespace_capacity_bytes", "Capacity of a namespace.", size);
    add_number(walk, number, "node_nvme_namespace_logical_block_size_bytes",
        "Block size of a namespace.", block);
    add_number(walk, number, "node_nvme_namespace_size_bytes", "Size of a namespace.", size);
    add_number(walk, number, "node_nvme_namespace_used_bytes", "Used part of a namespace.",
        namespace_value(walk, name, "nuse") * block);
    return 0;
}

static int find_drives(struct collect *c, struct nvme_state *s)
{
    int status = devices_refresh(c, &s->controllers, NULL, NULL);
    for (size_t i = 0; status == 0 && i < s->controllers.count; i++) {
        char below[COLLECT_PATH_MAX], path[COLLECT_PATH_MAX];
        struct namespace_walk walk = {c, &s->files, s->controllers.list[i].name};
        add_controller(c, s, i);
        (void)snprintf(below, sizeof(below), "class/nvme/%s", walk.controller);
        if (collect_path(c, COLLECT_SYS, below, path, sizeof(path)) == 0) {
            (void)vfs_list(c->vfs, path, see_namespace, &walk); // a drive that has gone has none
        }
    }
    return status;
}

static int nvme_collect(struct collect *c, void *state)
{
    struct nvme_state *s = state;
    if (metric_files_due(c, &s->files)) {
        metric_files_begin(c, &s->files);
        s->status = find_drives(c, s);
        metric_files_end(c, &s->files);
    }
    int status = metric_files_give(c, &s->files);
    return s->status != 0 ? s->status : status;
}

static void nvme_close(struct collect *c, void *state)
{
    struct nvme_state *s = state;
    devices_close(c, &s->controllers);
    metric_files_release(c, &s->files);
}

const struct collector nvme_collector = {
    .name = "nvme",
    .help = "NVMe drives and their namespaces (/sys/class/nvme)",
    .default_enabled = true,
    .state_size = sizeof(struct nvme_state),
    .open = nvme_open,
    .collect = nvme_collect,
    .close = nvme_close,
};
