/* file_sd_configs: target groups in files, which others write.
 *
 * The folders of the files are watched by inotify, so that a change counts at once; besides, all files
 * are read each refresh_interval, for filesystems that tell nothing. A file that cannot be read or
 * understood keeps the targets it gave before; one that is gone ends them.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "discovery/discoverer.h"
#include "discovery/group_list.h"

/* Files of one entry. */
#define FILES_MAX 10000

/* What a writer may do to a file or a link in the folder so that it reads differently. */
#define WATCHED (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE)

enum { DAY_MS = 24 * 3600 * 1000, EVENTS_BYTES = 4096 };

const struct config_field file_discovery_fields[] = {
    {.key = "files",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct file_discovery_config, files),
        .required = true,
        .help = "Paths that end in .json, .yml or .yaml; the last part may hold one *"},
    {.key = "refresh_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct file_discovery_config, refresh_ms),
        .default_text = "5m",
        .min = 100,
        .max = DAY_MS,
        .help = "How often they are read even when nothing said that they changed"},
    {.key = NULL},
};

struct state {
    int notify; /* of inotify; -1: nothing is watched */
    struct loop_watch *watch;
};

/* The paths found in one pass. */
struct found {
    char **paths;
    size_t count, cap;
    const char *folder, *pattern;
    int error;
};

static bool is_json(const char *path)
{
    return str_ends_with(str_of(path), STR(".json")) || str_ends_with(str_of(path), STR(".JSON"));
}

static int check(const void *config, struct err *e)
{
    static const char *const endings[] = {".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"};
    const struct file_discovery_config *c = config;
    for (size_t i = 0; i < c->files.count; i++) {
        const char *path = c->files.items[i], *star = strchr(path, '*');
        bool good = star == NULL || (strchr(star, '/') == NULL && strchr(star + 1, '*') == NULL);
        bool known = false;
        for (size_t k = 0; k < sizeof(endings) / sizeof(endings[0]); k++) {
            known = known || str_ends_with(str_of(path), str_of(endings[k]));
        }
        if (!good || !known) {
            return err_set(e, ERR_INVALID, -1,
                "\"%s\"; accepted: a path that ends in .json, .yml or .yaml, with one * in its "
                "last "
                "part at most",
                path);
        }
    }
    return c->files.count > 0 ? 0
                              : err_set(e, ERR_INVALID, -1, "files must name one file at least");
}

/* ---- Finding ---- */

static int note_path(struct found *f, const char *path)
{
    int status =
        mem_array_grow((void **)&f->paths, &f->cap, f->count + 1, sizeof(*f->paths), FILES_MAX);
    char *copy = status == 0 ? mem_strdup(path) : NULL;
    if (copy == NULL) {
        return status != 0 ? status : ERR_NOMEM;
    }
    f->paths[f->count++] = copy;
    return 0;
}

static int note_entry(void *context, const char *name, bool is_directory)
{
    struct found *f = context;
    if (is_directory || fnmatch(f->pattern, name, FNM_PERIOD) != 0) {
        return 0;
    }
    struct strbuf path = STRBUF_INIT;
    strbuf_addf(&path, "%s%s", f->folder, name);
    int status = strbuf_error(&path) == 0 ? note_path(f, path.data) : ERR_NOMEM;
    strbuf_release(&path);
    return status;
}

/* The folder of a path, its last / included, as a copy of the caller's. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? mem_strdup("") : mem_strndup(path, (size_t)(slash - path) + 1);
}

static int find_files(struct discoverer *d, const char *pattern, struct found *f)
{
    if (strchr(pattern, '*') == NULL) {
        return note_path(f, pattern);
    }
    char *folder = folder_of(pattern);
    if (folder == NULL) {
        return ERR_NOMEM;
    }
    f->folder = folder;
    f->pattern = pattern + strlen(folder);
    const char *listed = folder[0] != '\0' ? folder : ".";
    int status = d->world->vfs->list(d->world->vfs, listed, note_entry, f);
    mem_free(folder);
    return status;
}

static void release_found(struct found *f)
{
    for (size_t i = 0; i < f->count; i++) {
        mem_free(f->paths[i]);
    }
    mem_free(f->paths);
}

static bool is_found(void *context, const char *source)
{
    const struct found *f = context;
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->paths[i], source) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Reading ---- */

/* Whether the file could be taken. One that is not there is no fault: its targets end. */
static bool read_one(struct discoverer *d, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    struct err why = ERR_INIT;
    struct target_list list = {0};
    int status = vfs_read_file(d->world->vfs, path, GROUP_LIST_BYTES_MAX, &text, &size);
    if (status == ERR_NOT_FOUND) {
        target_groups_remove(&d->groups, str_of(path));
        return true;
    }
    if (status == 0) {
        struct label meta = {STR("__meta_filepath"), str_of(path)};
        struct str bytes = str_make(text, size);
        status = is_json(path) ? group_list_parse_json(bytes, path, meta, &list, &why)
                               : group_list_parse_yaml(bytes, path, meta, &list, &why);
    }
    status = status == 0 ? target_groups_put(&d->groups, str_of(path), &list) : status;
    target_list_release(&list);
    mem_free(text);
    if (status != 0 && why.code == 0) {
        err_set(&why, status, -1, "%s: %s", path, err_text(status));
    }
    if (status != 0) {
        discoverer_failed(d, "%s", why.message);
    }
    return status == 0;
}

/* ---- Watching ---- */

static void on_notice(void *context, int fd, unsigned events)
{
    struct discoverer *d = context;
    char buffer[EVENTS_BYTES];
    (void)events; /* readable is all that was asked for */
    while (read(fd, buffer, sizeof(buffer)) > 0) {
        discoverer_due_in(d, 0); /* which file does not matter: all are read */
    }
}

static int start(struct discoverer *d)
{
    struct state *s = d->state;
    s->notify = -1;
    if (d->world->loop == NULL) {
        return 0;
    }
    s->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int status = s->notify < 0 ? ERR_LIMIT
                               : loop_watch_new(d->world->loop, s->notify, on_notice, d, &s->watch);
    status = status == 0 ? loop_watch_set(s->watch, LOOP_READABLE) : status;
    if (status != 0) {
        LOG_WARN("discovery: files cannot be watched, they are read at their interval alone",
            LOG_S("error", err_text(status)));
    }
    return 0;
}

/* Again each time: a folder may have come into being, or be another one under the same name. */
static void watch_folders(struct discoverer *d)
{
    const struct file_discovery_config *c = d->config;
    const struct state *s = d->state;
    for (size_t i = 0; s->notify >= 0 && i < c->files.count; i++) {
        char *folder = folder_of(c->files.items[i]);
        if (folder != NULL) {
            /* Without a watch, refresh_interval does it. */
            (void)inotify_add_watch(s->notify, folder[0] != '\0' ? folder : ".", WATCHED);
        }
        mem_free(folder);
    }
}

static void stop(struct discoverer *d)
{
    struct state *s = d->state;
    loop_watch_free(s->watch);
    if (s->notify >= 0) {
        (void)close(s->notify); /* nothing was written */
    }
}

static void step(struct discoverer *d)
{
    const struct file_discovery_config *c = d->config;
    struct found f = {0};
    bool good = true;
    watch_folders(d); /* first: what changes while files are read is seen again */
    for (size_t i = 0; i < c->files.count; i++) {
        int status = find_files(d, c->files.items[i], &f);
        if (status != 0 && status != ERR_NOT_FOUND) {
            discoverer_failed(d, "%s: %s", c->files.items[i], err_text(status));
            good = false;
        }
    }
    if (good) {
        target_groups_retain(&d->groups, is_found, &f);
    }
    for (size_t i = 0; i < f.count; i++) {
        good = read_one(d, f.paths[i]) && good;
    }
    if (good) {
        discoverer_answered(d);
    }
    release_found(&f);
    discoverer_due_in(d, c->refresh_ms);
}

const struct discovery_kind file_discovery_kind = {
    .name = "file",
    .offset = offsetof(struct discovery_configs, file),
    .fields = file_discovery_fields,
    .config_size = sizeof(struct file_discovery_config),
    .state_size = sizeof(struct state),
    .check = check,
    .start = start,
    .step = step,
    .stop = stop,
};
