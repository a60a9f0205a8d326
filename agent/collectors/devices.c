/* A sorted table of devices, merged with the directory at each pass. */
#include "collectors/devices.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "procfs/field.h"

void devices_init(struct devices *d, enum collect_root root, const char *directory,
    const char *const *files, size_t file_count)
{
    assert(file_count <= DEVICE_FILES_MAX);
    *d = (struct devices){
        .root = root, .directory = directory, .files = files, .file_count = file_count};
}

static void release_device(struct collect *c, struct devices *d, struct device *device)
{
    for (size_t i = 0; device->files != NULL && i < d->file_count; i++) {
        kept_file_close(c, &device->files[i]);
    }
    mem_free(device->files);
    mem_free(device->name);
}

/* Where `name` is or would be; `*found_out` says which. */
static size_t find_device(const struct devices *d, const char *name, bool *found_out)
{
    size_t low = 0;
    size_t high = d->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(d->list[middle].name, name);
        if (order == 0) {
            *found_out = true;
            return middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    *found_out = false;
    return low;
}

ptrdiff_t devices_find(const struct devices *d, const char *name)
{
    bool found;
    size_t at = find_device(d, name, &found);
    return found ? (ptrdiff_t)at : -1;
}

static int insert_device(struct devices *d, size_t at, const char *name)
{
    int status =
        mem_array_grow((void **)&d->list, &d->cap, d->count + 1, sizeof(*d->list), DEVICES_MAX);
    if (status != 0) {
        return status;
    }
    struct device device = {.name = mem_strdup(name),
        .name_length = strlen(name),
        .files = mem_calloc(d->file_count, sizeof(*device.files)),
        .seen = true};
    if (device.name == NULL || device.files == NULL) {
        mem_free(device.name);
        mem_free(device.files);
        return ERR_NOMEM;
    }
    memmove(&d->list[at + 1], &d->list[at], (d->count - at) * sizeof(*d->list));
    d->list[at] = device;
    d->count++;
    return 0;
}

struct refresh {
    struct devices *devices;
    bool (*accept)(void *context, struct str name);
    void *context;
};

static int see_entry(void *context, const char *name, bool is_directory)
{
    struct refresh *r = context;
    (void)is_directory;
    if (strlen(name) > DEVICE_NAME_MAX ||
        (r->accept != NULL && !r->accept(r->context, str_of(name)))) {
        return 0;
    }
    bool found;
    size_t at = find_device(r->devices, name, &found);
    if (found) {
        r->devices->list[at].seen = true;
        return 0;
    }
    return insert_device(r->devices, at, name);
}

static void drop_unseen(struct collect *c, struct devices *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (d->list[i].seen) {
            d->list[kept++] = d->list[i];
        } else {
            release_device(c, d, &d->list[i]);
        }
    }
    d->count = kept;
}

int devices_refresh(struct collect *c, struct devices *d,
    bool (*accept)(void *context, struct str name), void *context)
{
    if (c->pass < d->listing.retry_at) {
        return ERR_NOT_FOUND;
    }
    char path[COLLECT_PATH_MAX];
    int status = collect_path(c, d->root, d->directory, path, sizeof(path));
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < d->count; i++) {
        d->list[i].seen = false;
    }
    struct refresh refresh = {.devices = d, .accept = accept, .context = context};
    status = vfs_list(c->vfs, path, see_entry, &refresh);
    drop_unseen(c, d);
    d->listing.retry_at = status == ERR_NOT_FOUND ? c->pass + COLLECT_RETRY_PASSES : 0;
    return status;
}

int devices_refresh_seldom(struct collect *c, struct devices *d,
    bool (*accept)(void *context, struct str name), void *context)
{
    if (c->pass >= d->listing_due) {
        d->listing_status = devices_refresh(c, d, accept, context);
        d->listing_due = c->pass + DEVICES_SELDOM_PASSES;
    }
    return d->listing_status;
}

void devices_close(struct collect *c, struct devices *d)
{
    for (size_t i = 0; i < d->count; i++) {
        release_device(c, d, &d->list[i]);
    }
    mem_free(d->list);
    d->list = NULL;
    d->count = 0;
    d->cap = 0;
}

int devices_read(
    struct collect *c, struct devices *d, size_t index, size_t file, struct str *text_out)
{
    assert(index < d->count);
    assert(file < d->file_count);
    struct kept_file *kept = &d->list[index].files[file];
    struct str text;
    int status = collect_read_again(c, kept, d->root == COLLECT_SYS, &text);
    if (status == ERR_CLOSED) {
        char path[COLLECT_PATH_MAX];
        int length = snprintf(
            path, sizeof(path), "%s/%s/%s", d->directory, d->list[index].name, d->files[file]);
        if (length < 0 || (size_t)length >= sizeof(path)) {
            return ERR_LIMIT;
        }
        status = collect_read(c, kept, d->root, path, &text);
    }
    if (status == 0) {
        *text_out = str_trim(text);
    }
    return status;
}

int devices_read_number(
    struct collect *c, struct devices *d, size_t index, size_t file, double *value_out)
{
    struct str text;
    int status = devices_read(c, d, index, file, &text);
    return status == 0 ? field_number(text, value_out) : status;
}

int devices_read_once(
    struct collect *c, struct devices *d, size_t index, size_t file, struct str *text_out)
{
    assert(index < d->count);
    assert(file < d->file_count);
    char path[COLLECT_PATH_MAX];
    int length =
        snprintf(path, sizeof(path), "%s/%s/%s", d->directory, d->list[index].name, d->files[file]);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return ERR_LIMIT;
    }
    struct str text;
    int status = collect_read_once(c, d->root, path, &text);
    if (status == 0) {
        *text_out = str_trim(text);
    }
    return status;
}

void devices_give(struct collect *c, struct devices *d, const char *label, size_t skip,
    const struct device_metric *rows, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        metric_family(c->sink, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < d->count; i++) {
            double value;
            if (devices_read_number(c, d, i, rows[r].file, &value) == 0) {
                struct label_pair pair = {label, str_skip(device_name(d, i), skip)};
                value = rows[r].factor != 0 ? value * rows[r].factor : value;
                value = rows[r].divisor != 0 ? value / rows[r].divisor : value;
                metric_sample(c->sink, &pair, 1, value);
            }
        }
    }
}
