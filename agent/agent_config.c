/* The table of all settings, and how a file is read. */
#include "agent_config.h"

#include "agent_config_expand.h"
#include "agent_config_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vfs.h"
#include "base/yaml.h"

static const struct config_field agent_fields[] = {
    {.key = "global",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct agent_config, global),
        .fields = agent_global_fields,
        .help = "Defaults of all scrapes"},
    {.key = "host",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct agent_config, host),
        .fields = agent_host_fields,
        .help = "This host's own metrics"},
    {.key = "scrape_configs",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct agent_config, scrape_configs),
        .fields = agent_scrape_fields,
        .item_size = sizeof(struct agent_scrape),
        .help = "Services to scrape"},
    {.key = "scrape_config_files",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct agent_config, scrape_config_files),
        .help = "Files with more of scrape_configs, as patterns; relative to this file"},
    {.key = "remote_write",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct agent_config, remote_write),
        .fields = agent_remote_write_fields,
        .item_size = sizeof(struct agent_destination),
        .help = "Where samples go; --server replaces it"},
    {.key = "otlp",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct agent_config, otlp),
        .fields = agent_otlp_fields,
        .item_size = sizeof(struct agent_destination),
        .help = "Receivers of OTLP/HTTP that samples go to as well"},
    {.key = "stream_aggr",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct agent_config, stream_aggr),
        .fields = stream_rule_fields,
        .item_size = sizeof(struct stream_rule),
        .help = "Rules that make few series of many before they are queued"},
    {.key = "access_logs",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct agent_config, access_logs),
        .fields = access_log_fields,
        .item_size = sizeof(struct access_log_config),
        .help = "Access logs whose requests are counted"},
    {.key = "receive",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct agent_config, receive),
        .fields = receive_fields,
        .help = "What others send to the agent"},
    {.key = "traces",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct agent_config, traces),
        .fields = spans_fields,
        .help = "What is done with spans"},
    {.key = "queue",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct agent_config, queue),
        .fields = agent_queue_fields,
        .help = "Samples waiting on disk"},
    AGENT_CONFIG_IGNORED(
        "rule_files", "Accepted, without effect: rules are the server's (its setting rules)"),
    AGENT_CONFIG_IGNORED(
        "alerting", "Accepted, without effect: alerts are the server's (its setting alerting)"),
    AGENT_CONFIG_IGNORED(
        "storage", "Accepted, without effect: the agent has a queue, and no store (see queue)"),
    AGENT_CONFIG_IGNORED(
        "tracing", "Accepted, without effect: the agent sends no spans of its own"),
    AGENT_CONFIG_IGNORED("remote_read", "Accepted, without effect: the agent answers no queries"),
    AGENT_CONFIG_IGNORED("runtime", "Accepted, without effect: there is no garbage collector"),
    {.key = "memory_max",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct agent_config, memory_max),
        .default_text = "0",
        .max = (int64_t)1 << 40,
        .help = "What the agent may hold; from 85 % on receivers refuse, from 95 % on nobody takes "
                "new series; 0 = a tenth of the host's or the control group's memory, at most "
                "256MiB"},
    {.key = NULL},
};

const struct config_field *agent_config_fields(void)
{
    return agent_fields;
}

bool agent_config_same(const struct agent_config *a, const struct agent_config *b, const char *key)
{
    struct config_field row[2] = {{.key = NULL}, {.key = NULL}};
    for (const struct config_field *f = agent_fields; f->key != NULL; f++) {
        if (strcmp(f->key, key) == 0) {
            row[0] = *f;
        }
    }
    assert(row[0].key != NULL);
    return config_eq(row, a, b);
}

/* ---- Settings without effect ---- */

struct noting {
    const char *file;
    size_t count;
    struct strbuf *out;
};

/* As deep as the tables are. */
static void note(struct noting *n, const struct config_field *fields, const struct yaml_node *node)
{
    for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->count; i++) {
        note(n, fields, node->entries[i].value);
    }
    for (size_t i = 0; node->kind == YAML_MAPPING && i < node->count; i++) {
        const struct yaml_entry *pair = &node->entries[i];
        const struct config_field *f = fields;
        while (f->key != NULL && !str_eq_c(pair->key->text, f->key)) {
            f++;
        }
        if (f->key != NULL && strncmp(f->help, "Accepted", strlen("Accepted")) == 0 &&
            n->count++ < AGENT_CONFIG_NOTES_MAX) {
            strbuf_addf(n->out, "%s:%zu:%zu: %s: a%s\n", n->file, pair->key->line,
                pair->key->column, f->key, f->help + 1);
        } else if (f->key != NULL && (f->kind == CONFIG_OBJECT || f->kind == CONFIG_LIST)) {
            note(n, f->fields, pair->value);
        }
    }
}

void agent_config_write_notes(const char *path, struct strbuf *out)
{
    struct arena arena;
    struct yaml_node *root = NULL;
    struct noting noting = {.file = path, .out = out};
    arena_init(&arena, 0);
    if (agent_config_parse(path, &arena, &root, NULL) == 0 && root != NULL) {
        note(&noting, agent_fields, root);
    }
    arena_release(&arena);
}

/* ---- Places ---- */

struct agent_config_place agent_config_item(
    const char *file, const struct yaml_node *root, const char *list, size_t index)
{
    const struct yaml_node *items = root != NULL ? yaml_get(root, list) : NULL;
    bool is_there = items != NULL && items->kind == YAML_SEQUENCE && index < items->count;
    return (struct agent_config_place){file, is_there ? items->entries[index].value : NULL};
}

static int fail_at(
    const char *file, const struct yaml_node *node, struct err *e, const char *sentence)
{
    return node != NULL ? err_set(e, ERR_INVALID, -1, "%s:%zu:%zu: %s", file, node->line,
                              node->column, sentence)
                        : err_set(e, ERR_INVALID, -1, "%s: %s", file, sentence);
}

int agent_config_fail(
    const struct agent_config_place *place, const char *key, struct err *e, const char *format, ...)
{
    struct err why = ERR_INIT;
    const struct yaml_node *node =
        place->node != NULL && key != NULL ? yaml_get(place->node, key) : NULL;
    va_list arguments;
    va_start(arguments, format);
    err_vset(&why, ERR_INVALID, -1, format, arguments);
    va_end(arguments);
    return fail_at(place->file, node != NULL ? node : place->node, e, why.message);
}

int agent_config_relabel(const struct agent_config_place *place, const char *key,
    const struct config_list *rules, struct relabel **relabel_out, struct err *e)
{
    const struct relabel_rule *items = rules->items;
    const struct yaml_node *list = place->node != NULL ? yaml_get(place->node, key) : NULL;
    struct err why = ERR_INIT;
    int status = relabel_new(items, rules->count, relabel_out, &why);
    if (status == 0) {
        return 0;
    }
    size_t i = 0; /* the first that is refused alone */
    for (struct relabel *one = NULL; i < rules->count && relabel_new(&items[i], 1, &one, NULL) == 0;
         i++) {
        relabel_unref(one);
    }
    bool is_there = list != NULL && list->kind == YAML_SEQUENCE && i < list->count;
    struct strbuf sentence = STRBUF_INIT;
    strbuf_addf(&sentence, "%s: %s", key, why.message);
    (void)fail_at(place->file, is_there ? list->entries[i].value : place->node, e,
        sentence.data != NULL ? sentence.data : key);
    strbuf_release(&sentence);
    return status;
}

/* ---- Loading ---- */

static const char *read_environment(const char *name)
{
    return getenv(name);
}

/* $NAME in the values of external labels. */
static int expand_external(struct agent_config *config, struct arena *arena)
{
    struct config_map *map = &config->global.external_labels;
    for (size_t i = 0; i < map->count; i++) {
        struct strbuf value;
        strbuf_init(&value, LABELS_BYTES_MAX);
        agent_config_expand_label(str_of(map->items[i].value), read_environment, &value);
        map->items[i].value =
            strbuf_error(&value) == 0 ? arena_strndup(arena, value.data, value.size) : NULL;
        strbuf_release(&value);
        if (map->items[i].value == NULL) {
            return ERR_NOMEM;
        }
    }
    return 0;
}

int agent_config_parse(
    const char *path, struct arena *arena, struct yaml_node **root_out, struct err *e)
{
    char *text = NULL;
    size_t size = 0;
    int status = vfs_read_file(vfs_posix(), path, AGENT_CONFIG_BYTES_MAX, &text, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: cannot be read: %s", path, err_text(status));
    }
    struct strbuf expanded;
    strbuf_init(&expanded, AGENT_CONFIG_BYTES_MAX * 2);
    status = agent_config_expand(str_make(text, size), path, read_environment, &expanded, e);
    status = status == 0 ? yaml_parse(arena, path, strbuf_str(&expanded), root_out, e) : status;
    strbuf_release(&expanded);
    mem_free(text);
    return status;
}

/* Prometheus' file has how OTLP is taken in at its top, where this one has receivers to send to; a mapping there is
 * moved to receive.otlp. Without memory it stays, and is refused as a list that is none. */
static void move_otlp(struct arena *arena, struct yaml_node *root)
{
    for (size_t i = 0; i < root->count && yaml_get(root, "receive") == NULL; i++) {
        struct yaml_entry *entry = &root->entries[i];
        struct yaml_node *nodes = NULL;
        if (str_eq_c(entry->key->text, "otlp") && entry->value->kind == YAML_MAPPING) {
            nodes = arena_calloc(arena, 2, sizeof(*nodes));
        }
        struct yaml_entry *inner = nodes != NULL ? arena_dup(arena, entry, sizeof(*entry)) : NULL;
        if (inner != NULL) {
            nodes[0] = *entry->key;
            nodes[0].text = STR("receive");
            nodes[1] = *entry->value;
            nodes[1].entries = inner;
            nodes[1].count = 1;
            *entry = (struct yaml_entry){&nodes[0], &nodes[1]};
        }
    }
}

static int read_file(const char *path, struct arena *arena, struct agent_config *config,
    struct yaml_node **root_out, struct err *e)
{
    struct yaml_node *root = NULL;
    int status = agent_config_parse(path, arena, &root, e);
    if (status == 0 && root != NULL && root->kind == YAML_MAPPING) {
        move_otlp(arena, root);
    }
    if (status == 0) {
        status = config_read(arena, path, root, agent_fields, config, e);
        *root_out = root != NULL && root->kind == YAML_MAPPING ? root : NULL;
    }
    return status;
}

/* A job's name stands for its targets everywhere: on the page of targets, in limits, in dry runs. */
static int check_name(const struct agent_scrape *jobs, size_t i,
    const struct agent_config_place *place, struct err *e)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(jobs[k].job_name, jobs[i].job_name) == 0) {
            return agent_config_fail(place, "job_name", e,
                "job_name \"%s\" is here twice, first in %s on line %zu", jobs[i].job_name,
                jobs[k].file, jobs[k].node != NULL ? jobs[k].node->line : 0);
        }
    }
    return 0;
}

static int finish_jobs(struct agent_config *config, struct err *e)
{
    struct agent_scrape *jobs = config->scrape_configs.items;
    int status = 0;
    for (size_t i = 0; status == 0 && i < config->scrape_configs.count; i++) {
        const struct agent_config_place place = {jobs[i].file, jobs[i].node};
        status = check_name(jobs, i, &place, e);
        status = status == 0 ? agent_config_finish_scrape(config, &jobs[i], &place, e) : status;
    }
    return status;
}

int agent_config_load(const char *path, const char *const *servers, size_t server_count,
    struct arena *arena, struct agent_config *config_out, struct err *e)
{
    struct agent_config config = {0};
    const char *file = path != NULL ? path : "command line";
    struct yaml_node *root = NULL;
    int status = path != NULL ? read_file(path, arena, &config, &root, e)
                              : config_defaults(arena, agent_fields, &config, e);
    if (status == 0 && expand_external(&config, arena) != 0) {
        status = err_set(e, ERR_NOMEM, -1, "out of memory for the configuration");
    }
    if (status == 0) {
        status = agent_config_servers(&config, servers, server_count, arena, e);
    }
    agent_config_place_jobs(&config.scrape_configs, file, root);
    status =
        status == 0 && path != NULL ? agent_config_read_parts(&config, path, arena, e) : status;
    status = status == 0 ? finish_jobs(&config, e) : status;
    if (status == 0) {
        status = agent_config_destinations(&config, file, root, arena, e);
    }
    status = status == 0 ? receive_config_check(&config.receive, file, e) : status;
    if (status == 0) {
        *config_out = config;
    }
    return status;
}
