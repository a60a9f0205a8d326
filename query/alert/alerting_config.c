/* Reading the file: the tables read it, then one walk over routes, inhibitions and intervals turns texts
 * into matchers, names into pointers, and fills in what is left out.
 */
#include "alert/alerting_config.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/vfs.h"

#define YEAR_MS ((int64_t)365 * 24 * 3600 * 1000)
/* Alertmanager's. */
#define GROUP_WAIT_MS ((int64_t)30 * 1000)
#define GROUP_INTERVAL_MS ((int64_t)5 * 60 * 1000)
#define REPEAT_INTERVAL_MS ((int64_t)4 * 3600 * 1000)

/* ---- Rows ---- */

static int read_duration(struct config_reader *r, const struct yaml_node *node, void *member)
{
    struct alerting_duration *d = member;
    if (node->kind != YAML_SCALAR || config_parse_duration(node->text, &d->ms) != 0 || d->ms < 0 ||
        d->ms > YEAR_MS) {
        return config_fail(r, node, "expected a duration of at most a year, like 30s or 4h");
    }
    d->given = true;
    return 0;
}

static int read_group_by(struct config_reader *r, const struct yaml_node *node, void *member)
{
    struct alerting_route *route =
        (struct alerting_route *)((char *)member - offsetof(struct alerting_route, group_by));
    static const struct config_field rows[] = {
        {.key = "group_by", .kind = CONFIG_STRING_LIST, .help = "Labels"}, {.key = NULL}};
    struct yaml_entry entry = {
        .key = &(struct yaml_node){.kind = YAML_SCALAR, .text = STR("group_by")},
        .value = (struct yaml_node *)(uintptr_t)node};
    struct yaml_node mapping = {
        .kind = YAML_MAPPING, .line = node->line, .entries = &entry, .count = 1};
    route->group_by_given = true;
    return config_read(r->arena, r->file, &mapping, rows, &route->group_by, r->err);
}

#define ROUTE(member) offsetof(struct alerting_route, member)
#define DURATION(name, member, text)                                                               \
    {                                                                                              \
        .key = (name), .kind = CONFIG_CUSTOM, .offset = ROUTE(member), .read = read_duration,      \
        .help = (text)                                                                             \
    }
#define WORDS(type, name, member, text)                                                            \
    {                                                                                              \
        .key = (name), .kind = CONFIG_STRING_LIST, .offset = offsetof(type, member),               \
        .help = (text)                                                                             \
    }
#define MAP(type, name, member, text)                                                              \
    {                                                                                              \
        .key = (name), .kind = CONFIG_STRING_MAP, .offset = offsetof(type, member), .help = (text) \
    }
static const struct config_field route_fields[] = {
    {.key = "receiver",
        .kind = CONFIG_STRING,
        .offset = ROUTE(receiver_name),
        .default_text = "",
        .help = "Who is told"},
    {.key = "group_by",
        .kind = CONFIG_CUSTOM,
        .offset = ROUTE(group_by),
        .read = read_group_by,
        .help = "Labels whose values make a group; ... is all"},
    MAP(struct alerting_route, "match", match, "Labels that are equal"),
    MAP(struct alerting_route, "match_re", match_re, "Labels that match a regular expression"),
    WORDS(struct alerting_route, "matchers", matcher_texts, "Which alerts"),
    MAP(struct alerting_route, "labels", labels, "Labels of the message"),
    DURATION("group_wait", group_wait, "How long a new group waits for more"),
    DURATION("group_interval", group_interval, "How long until what is new in a group is told"),
    DURATION("repeat_interval", repeat_interval, "How long until the same is told again"),
    {.key = "continue",
        .kind = CONFIG_BOOL,
        .offset = ROUTE(goes_on),
        .default_text = "false",
        .help = "Ask the next ones, too"},
    WORDS(struct alerting_route, "mute_time_intervals", mute, "When nobody is told"),
    WORDS(struct alerting_route, "active_time_intervals", active, "When alone somebody is told"),
    {.key = "routes",
        .kind = CONFIG_LIST,
        .offset = ROUTE(routes),
        .fields = route_fields,
        .item_size = sizeof(struct alerting_route),
        .help = "More particular ones"},
    {.key = NULL},
};

#define INHIBIT(kind, name, member, text) kind(struct alerting_inhibition, name, member, text)
static const struct config_field inhibition_fields[] = {
    {.key = "name",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct alerting_inhibition, name),
        .default_text = "",
        .help = "For people"},
    INHIBIT(MAP, "source_match", source_match, "What inhibits"),
    INHIBIT(MAP, "source_match_re", source_match_re, "What inhibits"),
    INHIBIT(WORDS, "source_matchers", source_matchers, "What inhibits"),
    INHIBIT(MAP, "target_match", target_match, "What is inhibited"),
    INHIBIT(MAP, "target_match_re", target_match_re, "What is inhibited"),
    INHIBIT(WORDS, "target_matchers", target_matchers, "What is inhibited"),
    INHIBIT(WORDS, "equal", equal, "Labels that both have alike"),
    {.key = NULL},
};

static const struct config_field interval_fields[] = {
    {.key = "name",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct alerting_interval, name),
        .required = true,
        .default_text = "",
        .help = "What routes call it"},
    {.key = "time_intervals",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct alerting_interval, parts),
        .fields = time_interval_fields,
        .item_size = sizeof(struct time_interval),
        .help = "Any of them"},
    {.key = NULL},
};

static int read_route(struct config_reader *r, const struct yaml_node *node, void *member)
{
    struct alerting_route *route = arena_calloc(r->arena, 1, sizeof(*route));
    if (route == NULL) {
        return arena_error(r->arena);
    }
    *(struct alerting_route **)member = route;
    return config_read(r->arena, r->file, node, route_fields, route, r->err);
}

static const struct config_field own_fields[] = {
    {.key = "allow_networks",
        .kind = CONFIG_CUSTOM,
        .offset = offsetof(struct alerting_config, allowed),
        .read = alerting_read_networks,
        .help = "Networks of our own that every receiver may lead into"},
    {.key = "retry_pause",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct alerting_config, retry_pause_ms),
        .default_text = "5s",
        .min = 10,
        .max = (int64_t)5 * 60 * 1000,
        .help = "Pause after the first attempt that failed; it doubles with each, up to 5m"},
    {.key = NULL},
};

#define TOP(member) offsetof(struct alerting_config, member)
#define LIST(name, member, table, type, text)                                                      \
    {                                                                                              \
        .key = (name), .kind = CONFIG_LIST, .offset = TOP(member), .fields = (table),              \
        .item_size = sizeof(type), .help = (text)                                                  \
    }
static const struct config_field file_fields[] = {
    {.key = "global",
        .kind = CONFIG_OBJECT,
        .offset = TOP(global),
        .fields = alerting_global_fields,
        .help = "What holds for all"},
    {.key = "route",
        .kind = CONFIG_CUSTOM,
        .offset = TOP(route),
        .read = read_route,
        .help = "Who is told of what"},
    LIST("receivers", receivers, alerting_receiver_fields, struct alerting_receiver,
        "Who can be told"),
    LIST("inhibit_rules", inhibitions, inhibition_fields, struct alerting_inhibition,
        "What need not be told while something else fires"),
    LIST("time_intervals", intervals, interval_fields, struct alerting_interval, "Named times"),
    LIST("mute_time_intervals", mute_intervals, interval_fields, struct alerting_interval,
        "Named times; the old name"),
    WORDS(struct alerting_config, "templates", templates, "Files of templates"),
    {.key = "sonde", .kind = CONFIG_OBJECT, .fields = own_fields, .help = "Our own keys"},
    {.key = NULL},
};

/* ---- Matchers ---- */

static void release_matchers(void *set)
{
    label_matchers_release(set);
}

static int add_map(
    struct label_matchers *set, const struct config_map *map, enum matcher_type type, struct err *e)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < map->count; i++) {
        status = label_matchers_add(
            set, type, str_of(map->items[i].key), str_of(map->items[i].value), e);
    }
    return status;
}

/* The three ways to write conditions, all of which must hold. */
static int build_matchers(struct alerting_config *c, struct label_matchers *set,
    const struct config_map *equal, const struct config_map *regex,
    const struct config_strings *texts, struct err *e)
{
    int status = arena_on_release(&c->arena, release_matchers, set);
    if (status == 0) {
        status = add_map(set, equal, MATCHER_EQUAL, e);
    }
    if (status == 0) {
        status = add_map(set, regex, MATCHER_REGEX, e);
    }
    for (size_t i = 0; status == 0 && i < texts->count; i++) {
        status = label_matchers_parse(set, str_of(texts->items[i]), e);
    }
    label_matchers_sort(set);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static int sort_names(struct alerting_config *c, const struct config_strings *words,
    struct str **names_out, const char *what, struct err *e)
{
    struct str *names = arena_calloc(&c->arena, words->count + 1, sizeof(*names));
    if (names == NULL) {
        return arena_error(&c->arena);
    }
    for (size_t i = 0; i < words->count; i++) {
        names[i] = str_of(words->items[i]);
        if (names[i].len == 0 || !str_is_utf8(names[i])) {
            return err_set(e, ERR_INVALID, -1, "%s: a label name is empty or not UTF-8", what);
        }
    }
    qsort(names, words->count, sizeof(*names), compare_names);
    for (size_t i = 1; i < words->count; i++) {
        if (str_eq(names[i - 1], names[i])) {
            return err_set(
                e, ERR_INVALID, -1, "%s: label %.*s comes twice", what, STR_ARG(names[i]));
        }
    }
    *names_out = names;
    return 0;
}

/* ---- Routes ---- */

static int check_intervals(
    const struct alerting_config *c, const struct config_strings *names, struct err *e)
{
    for (size_t i = 0; i < names->count; i++) {
        if (alerting_config_interval(c, str_of(names->items[i])) == NULL) {
            return err_set(e, ERR_INVALID, -1,
                "undefined time interval \"%s\" used in a route; time_intervals defines them",
                names->items[i]);
        }
    }
    return 0;
}

static void take_duration(struct alerting_duration *own, const struct alerting_duration *parent)
{
    own->ms = own->given ? own->ms : parent->ms;
}

static void inherit_route(struct alerting_route *route, const struct alerting_route *parent)
{
    static const struct alerting_route defaults = {.group_wait = {.ms = GROUP_WAIT_MS},
        .group_interval = {.ms = GROUP_INTERVAL_MS},
        .repeat_interval = {.ms = REPEAT_INTERVAL_MS}};
    parent = parent != NULL ? parent : &defaults;
    take_duration(&route->group_wait, &parent->group_wait);
    take_duration(&route->group_interval, &parent->group_interval);
    take_duration(&route->repeat_interval, &parent->repeat_interval);
    if (!route->group_by_given) {
        route->group_by = parent->group_by;
    }
    if (route->receiver_name[0] == '\0' && parent->receiver != NULL) {
        route->receiver_name = parent->receiver_name;
    }
}

/* Its parents' labels with its own over them, by name. */
static int inherit_labels(
    struct alerting_config *c, struct alerting_route *route, const struct alerting_route *parent)
{
    size_t count = parent != NULL ? parent->own_label_count : 0;
    if (route->labels.count == 0 && parent != NULL) {
        route->own_labels = parent->own_labels;
        route->own_label_count = count;
        return 0;
    }
    struct label *merged =
        arena_calloc(&c->arena, count + route->labels.count + 1, sizeof(*merged));
    if (merged == NULL) {
        return arena_error(&c->arena);
    }
    for (size_t i = 0; i < count; i++) {
        merged[i] = parent->own_labels[i];
    }
    for (size_t i = 0; i < route->labels.count; i++) {
        struct label own = {
            str_of(route->labels.items[i].key), str_of(route->labels.items[i].value)};
        size_t at = 0;
        while (at < count && !str_eq(merged[at].name, own.name)) {
            at++;
        }
        count += at == count;
        merged[at] = own;
    }
    qsort(merged, count, sizeof(*merged), compare_names); /* the name is the first member */
    route->own_labels = merged;
    route->own_label_count = count;
    return 0;
}

static int name_route(
    struct alerting_config *c, struct alerting_route *route, const struct alerting_route *parent)
{
    struct strbuf key = STRBUF_INIT;
    if (parent != NULL) {
        strbuf_addf(&key, "%s/", parent->key);
    }
    label_matchers_write(&route->matchers, &key);
    int status = strbuf_error(&key);
    route->key = status == 0 ? arena_strndup(&c->arena, key.data, key.size) : NULL;
    strbuf_release(&key);
    return route->key != NULL ? 0 : status != 0 ? status : arena_error(&c->arena);
}

static int check_root(const struct alerting_route *root, struct err *e)
{
    if (root->receiver_name[0] == '\0') {
        return err_set(e, ERR_INVALID, -1, "root route must specify a default receiver");
    }
    if (root->matchers.count > 0) {
        return err_set(e, ERR_INVALID, -1, "root route must not have any matchers");
    }
    if (root->mute.count > 0 || root->active.count > 0) {
        return err_set(e, ERR_INVALID, -1,
            "root route must not have mute_time_intervals or active_time_intervals");
    }
    return 0;
}

static int finish_route(struct alerting_config *c, struct alerting_route *route,
    const struct alerting_route *parent, size_t depth, struct err *e)
{
    if (depth > ALERTING_ROUTE_DEPTH_MAX || ++c->route_count > ALERTING_ROUTES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "more than %d routes, or routes deeper than %d",
            ALERTING_ROUTES_MAX, ALERTING_ROUTE_DEPTH_MAX);
    }
    int status = build_matchers(
        c, &route->matchers, &route->match, &route->match_re, &route->matcher_texts, e);
    if (status == 0 && parent == NULL) {
        status = check_root(route, e);
    }
    inherit_route(route, parent);
    status = status == 0 ? inherit_labels(c, route, parent) : status;
    if (status == 0) {
        status = name_route(c, route, parent);
    }
    if (status == 0) {
        status = sort_names(c, &route->group_by, &route->group_names, "group_by", e);
    }
    for (size_t i = 0; status == 0 && i < route->group_by.count; i++) {
        route->group_by_all |= str_eq_c(route->group_names[i], "...");
    }
    if (status == 0 && route->group_by_all && route->group_by.count > 1) {
        return err_set(e, ERR_INVALID, -1, "group_by: \"...\" is all labels and stands alone");
    }
    if (status == 0 && (route->group_interval.ms == 0 || route->repeat_interval.ms == 0)) {
        return err_set(e, ERR_INVALID, -1, "group_interval and repeat_interval cannot be zero");
    }
    route->receiver = alerting_config_receiver(c, str_of(route->receiver_name));
    if (status == 0 && route->receiver == NULL) {
        return err_set(
            e, ERR_INVALID, -1, "undefined receiver \"%s\" used in a route", route->receiver_name);
    }
    status = status != 0 ? status : check_intervals(c, &route->mute, e);
    status = status != 0 ? status : check_intervals(c, &route->active, e);
    struct alerting_route *children = route->routes.items;
    for (size_t i = 0; status == 0 && i < route->routes.count; i++) {
        status = finish_route(c, &children[i], route, depth + 1, e);
    }
    return status;
}

/* ---- The whole ---- */

static int finish_inhibition(
    struct alerting_config *c, struct alerting_inhibition *rule, struct err *e)
{
    int status = build_matchers(
        c, &rule->source, &rule->source_match, &rule->source_match_re, &rule->source_matchers, e);
    if (status == 0) {
        status = build_matchers(c, &rule->target, &rule->target_match, &rule->target_match_re,
            &rule->target_matchers, e);
    }
    return status == 0 ? sort_names(c, &rule->equal, &rule->equal_names, "equal", e) : status;
}

static int check_interval_names(const struct alerting_config *c, struct err *e)
{
    const struct config_list *lists[] = {&c->intervals, &c->mute_intervals};
    for (size_t l = 0; l < 2; l++) {
        const struct alerting_interval *items = lists[l]->items;
        for (size_t i = 0; i < lists[l]->count; i++) {
            if (alerting_config_interval(c, str_of(items[i].name)) != &items[i]) {
                return err_set(
                    e, ERR_INVALID, -1, "time interval \"%s\" is not unique", items[i].name);
            }
        }
    }
    return 0;
}

static int finish(struct alerting_config *c, struct err *e)
{
    struct alerting_inhibition *rules = c->inhibitions.items;
    int status = check_interval_names(c, e);
    if (status == 0 && c->route == NULL) {
        status = err_set(e, ERR_INVALID, -1, "no routes provided: `route` is required");
    }
    if (status == 0) {
        status = finish_route(c, c->route, NULL, 1, e);
    }
    for (size_t i = 0; status == 0 && i < c->inhibitions.count; i++) {
        status = finish_inhibition(c, &rules[i], e);
    }
    if (status != 0) {
        if (e != NULL && e->message[0] == '\0') {
            err_set(e, status, -1, "%s", err_text(status));
        }
        return e != NULL ? err_prefix(e, "%s", c->path) : status;
    }
    return alerting_receivers_finish(c, e);
}

static int parse(struct alerting_config *c, const char *path, struct str text, struct err *e)
{
    c->path = arena_strndup(&c->arena, path, strlen(path));
    char *copy = arena_strndup(&c->arena, text.ptr, text.len);
    if (c->path == NULL || copy == NULL) {
        return err_set(e, arena_error(&c->arena), -1, "%s: too large", path);
    }
    c->text = str_make(copy, text.len);
    struct yaml_node *root = NULL;
    int status = yaml_parse(&c->arena, path, c->text, &root, e);
    if (status == 0) {
        c->root = root;
        status = config_read(&c->arena, c->path, root, file_fields, c, e);
    }
    return status == 0 ? finish(c, e) : status;
}

int alerting_config_parse(
    const char *path, struct str text, struct alerting_config **config_out, struct err *e)
{
    struct alerting_config *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    arena_init(&c->arena, 16 * ALERTING_FILE_BYTES_MAX);
    int status = parse(c, path, text, e);
    if (status != 0) {
        alerting_config_free(c);
        return status;
    }
    *config_out = c;
    return 0;
}

int alerting_config_load(const char *path, struct alerting_config **config_out, struct err *e)
{
    char *bytes = NULL;
    size_t size = 0;
    int status = vfs_read_file(vfs_posix(), path, ALERTING_FILE_BYTES_MAX, &bytes, &size);
    if (status != 0) {
        return err_set(e, status, -1, "cannot read %s: %s", path, err_text(status));
    }
    status = alerting_config_parse(path, str_make(bytes, size), config_out, e);
    explicit_bzero(bytes, size);
    mem_free(bytes);
    return status;
}

int alerting_config_silent(struct alerting_config **config_out, struct err *e)
{
    return alerting_config_parse(
        "(none)", STR("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), config_out, e);
}

void alerting_config_free(struct alerting_config *c)
{
    if (c == NULL) {
        return;
    }
    arena_release(&c->arena);
    mem_free(c);
}

const struct alerting_receiver *alerting_config_receiver(
    const struct alerting_config *c, struct str name)
{
    const struct alerting_receiver *items = c->receivers.items;
    for (size_t i = 0; i < c->receivers.count; i++) {
        if (str_eq_c(name, items[i].name)) {
            return &items[i];
        }
    }
    return NULL;
}

const struct alerting_interval *alerting_config_interval(
    const struct alerting_config *c, struct str name)
{
    const struct config_list *lists[] = {&c->intervals, &c->mute_intervals};
    for (size_t l = 0; l < 2; l++) {
        const struct alerting_interval *items = lists[l]->items;
        for (size_t i = 0; i < lists[l]->count; i++) {
            if (str_eq_c(name, items[i].name)) {
                return &items[i];
            }
        }
    }
    return NULL;
}

bool alerting_interval_contains(const struct alerting_interval *interval, int64_t time_ms)
{
    const struct time_interval *parts = interval->parts.items;
    for (size_t i = 0; i < interval->parts.count; i++) {
        if (time_interval_contains(&parts[i], time_ms)) {
            return true;
        }
    }
    return false;
}

const char *alerting_kind_name(enum alerting_kind kind)
{
    static const char *const names[] = {"webhook", "email", "slack", "pagerduty"};
    return names[kind];
}
