/* scrape_config_files: jobs in files of their own, behind those of the main file.
 *
 * A file holds what the main one holds under scrape_configs, under that key (as Prometheus wants it) or as a
 * list alone (as vmagent does). Patterns are relative to the folder of the main file; one without a star
 * must exist.
 */
#include "agent_config_private.h"

#include <glob.h>
#include <string.h>

enum { FILES_MAX = 1000, JOBS_MAX = 100000 };

struct part_config {
    struct config_list scrape_configs;
};

static const struct config_field part_fields[] = {
    {.key = "scrape_configs",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct part_config, scrape_configs),
        .fields = agent_scrape_fields,
        .item_size = sizeof(struct agent_scrape),
        .help = "Services to scrape"},
    {.key = NULL},
};

void agent_config_place_jobs(
    struct config_list *jobs, const char *file, const struct yaml_node *root)
{
    struct agent_scrape *items = jobs->items;
    for (size_t i = 0; i < jobs->count; i++) {
        items[i].file = file;
        items[i].node = agent_config_item(file, root, "scrape_configs", i).node;
    }
}

/* A list alone as the mapping it stands for. */
static struct yaml_node *wrap(struct arena *arena, struct yaml_node *list)
{
    struct yaml_node *root = arena_calloc(arena, 2, sizeof(*root));
    struct yaml_entry *entry = arena_calloc(arena, 1, sizeof(*entry));
    if (root == NULL || entry == NULL) {
        return NULL;
    }
    root[1] = (struct yaml_node){.kind = YAML_SCALAR,
        .line = list->line,
        .column = list->column,
        .text = STR("scrape_configs")};
    *entry = (struct yaml_entry){&root[1], list};
    root[0] = (struct yaml_node){
        .kind = YAML_MAPPING, .line = 1, .column = 1, .entries = entry, .count = 1};
    return root;
}

static int append(struct config_list *all, const struct config_list *more, struct arena *arena)
{
    if (all->count + more->count > JOBS_MAX) {
        return ERR_LIMIT;
    }
    struct agent_scrape *items = arena_calloc(arena, all->count + more->count, sizeof(*items));
    if (items == NULL) {
        return arena_error(arena);
    }
    if (all->count > 0) {
        memcpy(items, all->items, all->count * sizeof(*items));
    }
    if (more->count > 0) {
        memcpy(items + all->count, more->items, more->count * sizeof(*items));
    }
    *all = (struct config_list){items, all->count + more->count};
    return 0;
}

static int read_part(
    struct agent_config *config, const char *path, struct arena *arena, struct err *e)
{
    struct yaml_node *root = NULL;
    struct part_config part = {.scrape_configs = {NULL, 0}};
    const char *file = arena_strndup(arena, path, strlen(path));
    int status = file != NULL ? agent_config_parse(file, arena, &root, e)
                              : err_set(e, ERR_NOMEM, -1, "out of memory for the configuration");
    if (status == 0 && root != NULL && root->kind == YAML_SEQUENCE) {
        root = wrap(arena, root);
        status = root != NULL ? 0 : err_set(e, ERR_NOMEM, -1, "out of memory for %s", path);
    }
    if (status == 0) {
        status = config_read(arena, file, root, part_fields, &part, e);
    }
    if (status != 0) {
        return status;
    }
    agent_config_place_jobs(&part.scrape_configs, file, root);
    status = append(&config->scrape_configs, &part.scrape_configs, arena);
    return status == 0 ? 0 : err_set(e, status, -1, "%s: %s", path, err_text(status));
}

/* The pattern as it is meant: below the folder of the main file. */
static const char *resolve(struct arena *arena, const char *main_path, const char *pattern)
{
    const char *slash = strrchr(main_path, '/');
    size_t folder = pattern[0] != '/' && slash != NULL ? (size_t)(slash - main_path) + 1 : 0;
    char *path = arena_alloc(arena, folder + strlen(pattern) + 1);
    if (path != NULL) {
        memcpy(path, main_path, folder);
        memcpy(path + folder, pattern, strlen(pattern) + 1);
    }
    return path;
}

int agent_config_read_parts(
    struct agent_config *config, const char *main_path, struct arena *arena, struct err *e)
{
    size_t files = 0;
    int status = 0;
    for (size_t i = 0; status == 0 && i < config->scrape_config_files.count; i++) {
        const char *pattern = resolve(arena, main_path, config->scrape_config_files.items[i]);
        glob_t found;
        if (pattern == NULL) {
            return err_set(e, ERR_NOMEM, -1, "out of memory for the configuration");
        }
        int result =
            glob(pattern, strpbrk(pattern, "*?[") == NULL ? GLOB_NOCHECK : 0, NULL, &found);
        if (result != 0) {
            status = result == GLOB_NOMATCH
                         ? 0
                         : err_set(e, ERR_IO, -1, "%s: scrape_config_files: %s cannot be read",
                               main_path, pattern);
            continue;
        }
        for (size_t k = 0; status == 0 && k < found.gl_pathc; k++) {
            status = ++files <= FILES_MAX
                         ? read_part(config, found.gl_pathv[k], arena, e)
                         : err_set(e, ERR_LIMIT, -1, "%s: scrape_config_files: more than %d files",
                               main_path, FILES_MAX);
        }
        globfree(&found);
    }
    return status;
}
