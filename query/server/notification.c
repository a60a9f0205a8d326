/* The settings of notification, and its start. */
#include "server/notification.h"

#include <unistd.h>

#include "base/mem.h"

static const struct config_field static_fields[] = {
    {.key = "targets",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct notification_static_config, targets),
        .help = "host:port of each."},
    {.key = "labels",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct notification_static_config, labels),
        .help = "That relabel_configs see."},
    {.key = NULL},
};

#define GROUP(member) offsetof(struct notification_alertmanagers, member)
static const struct config_field alertmanager_fields[] = {
    {.key = "static_configs",
        .kind = CONFIG_LIST,
        .offset = GROUP(static_configs),
        .fields = static_fields,
        .item_size = sizeof(struct notification_static_config),
        .help = "Where they are."},
    {.key = "scheme",
        .kind = CONFIG_STRING,
        .offset = GROUP(scheme),
        .default_text = "http",
        .help = "http or https."},
    {.key = "path_prefix",
        .kind = CONFIG_STRING,
        .offset = GROUP(path_prefix),
        .default_text = "/",
        .help = "Stands before /api/v2/alerts."},
    {.key = "api_version",
        .kind = CONFIG_STRING,
        .offset = GROUP(api_version),
        .default_text = "v2",
        .help = "v2; there is no other any more."},
    {.key = "timeout",
        .kind = CONFIG_DURATION,
        .offset = GROUP(timeout_ms),
        .default_text = "10s",
        .min = 1,
        .max = (int64_t)3600 * 1000,
        .help = "Of one request."},
    {.key = "relabel_configs",
        .kind = CONFIG_LIST,
        .offset = GROUP(relabel),
        .fields = relabel_fields,
        .item_size = sizeof(struct relabel_rule),
        .help =
            "Rewrite or drop targets: __address__, __scheme__, __alerts_path__ and their labels."},
    {.key = "alert_relabel_configs",
        .kind = CONFIG_LIST,
        .offset = GROUP(alert_relabel),
        .fields = relabel_fields,
        .item_size = sizeof(struct relabel_rule),
        .help = "Rewrite or drop alerts on their way to these Alertmanagers."},
    HTTP_PROFILE_FIELDS(struct notification_alertmanagers),
    {.key = NULL},
};

const struct config_field notification_fields[] = {
    {.key = "config_file",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct server_alerting_config, config_file),
        .default_text = "",
        .help =
            "Alertmanager's configuration file: who is told of what. Empty: alerts are kept and "
            "shown, and nobody is told. Read again by a reload."},
    {.key = "trace_url",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct server_alerting_config, trace_url),
        .default_text = "",
        .help = "Where messages link to the traces of an alert, with {traceID} in it. Empty: "
                "the page of this server, /traces?trace={traceID}."},
    {.key = "alert_relabel_configs",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct server_alerting_config, alert_relabel),
        .fields = relabel_fields,
        .item_size = sizeof(struct relabel_rule),
        .help =
            "Rewrite or drop alerts of rules and objectives before anybody is told; Prometheus' "
            "keys."},
    {.key = "alertmanagers",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct server_alerting_config, alertmanagers),
        .fields = alertmanager_fields,
        .item_size = sizeof(struct notification_alertmanagers),
        .help = "Alertmanagers elsewhere, which get every alert; Prometheus' keys."},
    {.key = NULL},
};

const char *notification_file(const struct server_alerting_config *config)
{
    return config->config_file[0] != '\0' ? config->config_file : NULL;
}

static int check_group(const struct notification_alertmanagers *g, struct err *e)
{
    if (strcmp(g->api_version, "v2") != 0) {
        return err_set(e, ERR_INVALID, -1,
            "alerting.alertmanagers: api_version \"%s\": expected v2", g->api_version);
    }
    int status = http_profile_check(&g->profile, e);
    return status != 0 ? err_prefix(e, "alerting.alertmanagers") : 0;
}

static int check_rules(const struct config_list *rules, const char *where, struct err *e)
{
    struct relabel *compiled = NULL;
    int status = relabel_new(rules->items, rules->count, &compiled, e);
    relabel_unref(compiled);
    return status != 0 ? err_prefix(e, "%s", where) : 0;
}

/* A path or a user in a target would be shown, and sent, as a part of the host's name. */
static int check_target(struct str target, struct err *e)
{
    bool right = target.len > 0;
    for (size_t i = 0; i < target.len; i++) {
        right &= strchr("/?#@ ", target.ptr[i]) == NULL;
    }
    return right ? 0
                 : err_set(e, ERR_INVALID, -1,
                       "alerting.alertmanagers: a target must be host:port; what comes before and "
                       "after it are scheme, basic_auth and path_prefix");
}

/* ---- Targets ---- */

#define ALERTS_PATH "/api/v2/alerts"

/* What relabelling sees of a target. */
static void describe(const struct notification_alertmanagers *g,
    const struct notification_static_config *config, const char *target, struct arena *arena,
    struct labels_builder *b)
{
    struct strbuf path = STRBUF_INIT;
    size_t prefix = strlen(g->path_prefix);
    while (prefix > 0 && g->path_prefix[prefix - 1] == '/') {
        prefix--;
    }
    strbuf_addf(&path, "%s%.*s%s", g->path_prefix[0] == '/' || prefix == 0 ? "" : "/", (int)prefix,
        g->path_prefix, ALERTS_PATH);
    for (size_t i = 0; i < config->labels.count; i++) {
        labels_builder_set(
            b, str_of(config->labels.items[i].key), str_of(config->labels.items[i].value));
    }
    char *kept = strbuf_error(&path) == 0 ? arena_strndup(arena, path.data, path.size) : NULL;
    labels_builder_set(b, STR("__address__"), str_of(target));
    labels_builder_set(b, STR("__scheme__"), str_of(g->scheme));
    labels_builder_set(b, STR("__alerts_path__"), kept != NULL ? str_of(kept) : STR(ALERTS_PATH));
    strbuf_release(&path);
}

static int make_url(
    const struct labels_builder *b, struct arena *arena, const char **url_out, struct err *e)
{
    struct str address = labels_builder_get(b, STR("__address__"));
    struct str scheme = labels_builder_get(b, STR("__scheme__"));
    struct str path = labels_builder_get(b, STR("__alerts_path__"));
    int status = check_target(address, e);
    if (status == 0 && !str_eq_c(scheme, "http") && !str_eq_c(scheme, "https")) {
        status = err_set(e, ERR_INVALID, -1,
            "alerting.alertmanagers: scheme \"%.*s\": expected http or https", STR_ARG(scheme));
    }
    if (status == 0 && !str_ends_with(path, STR(ALERTS_PATH))) {
        status = err_set(e, ERR_INVALID, -1,
            "alerting.alertmanagers: __alerts_path__ \"%.*s\": expected one that ends "
            "with " ALERTS_PATH,
            STR_ARG(path));
    }
    if (status != 0) {
        return status;
    }
    struct strbuf url = STRBUF_INIT;
    strbuf_addf(&url, "%.*s://%.*s%.*s", STR_ARG(scheme), STR_ARG(address),
        (int)(path.len - (sizeof(ALERTS_PATH) - 1)), path.ptr);
    *url_out = strbuf_error(&url) == 0 ? arena_strndup(arena, url.data, url.size) : NULL;
    strbuf_release(&url);
    return *url_out != NULL ? 0 : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
}

/* NULL: relabelling dropped it. */
static int target_url(const struct notification_alertmanagers *g,
    const struct notification_static_config *config, const char *target,
    const struct relabel *relabel, struct arena *arena, const char **url_out, struct err *e)
{
    struct labels_builder b;
    labels_builder_init(&b);
    describe(g, config, target, arena, &b);
    int status = check_target(str_of(target), e);
    int kept = status == 0 ? relabel_apply(relabel, &b, arena) : 0;
    *url_out = NULL;
    if (kept < 0) {
        status = err_set(e, kept, -1, "alerting.alertmanagers: %s", err_text(kept));
    } else if (kept > 0) {
        status = make_url(&b, arena, url_out, e);
    }
    labels_builder_release(&b);
    return status;
}

struct targets {
    struct arena *arena; /* has their URLs */
    struct notify_alertmanager list[NOTIFY_ALERTMANAGERS_MAX];
    size_t count;
};

static void targets_release(struct targets *t)
{
    for (size_t i = 0; i < t->count; i++) {
        relabel_unref(t->list[i].alert_relabel);
    }
}

static int add_target(struct targets *t, const struct notification_alertmanagers *g,
    const char *url, struct relabel *alert_relabel, struct err *e)
{
    if (t->count == NOTIFY_ALERTMANAGERS_MAX) {
        return err_set(e, ERR_INVALID, -1, "alerting.alertmanagers: at most %d targets",
            NOTIFY_ALERTMANAGERS_MAX);
    }
    t->list[t->count++] =
        (struct notify_alertmanager){url, g->profile, g->timeout_ms, relabel_ref(alert_relabel)};
    return 0;
}

static int list_group(struct targets *t, const struct notification_alertmanagers *g, struct err *e)
{
    struct relabel *relabel = NULL, *alert_relabel = NULL;
    const struct notification_static_config *configs = g->static_configs.items;
    int status = relabel_new(g->relabel.items, g->relabel.count, &relabel, e);
    if (status == 0) {
        status = relabel_new(g->alert_relabel.items, g->alert_relabel.count, &alert_relabel, e);
    }
    if (status != 0) {
        (void)err_prefix(e, "alerting.alertmanagers");
    }
    for (size_t j = 0; j < g->static_configs.count && status == 0; j++) {
        for (size_t k = 0; k < configs[j].targets.count && status == 0; k++) {
            const char *url = NULL;
            status =
                target_url(g, &configs[j], configs[j].targets.items[k], relabel, t->arena, &url, e);
            if (status == 0 && url != NULL) {
                status = add_target(t, g, url, alert_relabel, e);
            }
        }
    }
    relabel_unref(relabel);
    relabel_unref(alert_relabel);
    return status;
}

static int list_targets(
    const struct server_alerting_config *config, struct targets *t, struct err *e)
{
    const struct notification_alertmanagers *groups = config->alertmanagers.items;
    int status = 0;
    for (size_t i = 0; i < config->alertmanagers.count && status == 0; i++) {
        status = check_group(&groups[i], e);
        status = status == 0 ? list_group(t, &groups[i], e) : status;
    }
    return status;
}

int notification_check(const struct server_alerting_config *config, struct err *e)
{
    const char *url = config->trace_url;
    if (url[0] != '\0' &&
        (strstr(url, "{traceID}") == NULL ||
            (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))) {
        return err_set(e, ERR_INVALID, -1,
            "alerting.trace_url: expected an http or https URL with {traceID} in it");
    }
    struct arena arena;
    arena_init(&arena, 0);
    struct targets targets = {.arena = &arena};
    int status = check_rules(&config->alert_relabel, "alerting.alert_relabel_configs", e);
    status = status == 0 ? list_targets(config, &targets, e) : status;
    targets_release(&targets);
    arena_release(&arena);
    return status;
}

static int open_with(struct arena *arena, const struct server_alerting_config *config,
    const char *data, const char *external_url, struct notify **notify_out, struct err *e)
{
    struct targets targets = {.arena = arena};
    struct notify_options options = {.data_path = data,
        .config_path = notification_file(config),
        .external_url = external_url,
        .trace_url = config->trace_url[0] != '\0' ? config->trace_url : NULL,
        .alertmanagers = targets.list};
    int status = relabel_new(
        config->alert_relabel.items, config->alert_relabel.count, &options.alert_relabel, e);
    status = status == 0 ? list_targets(config, &targets, e) : status;
    options.alertmanager_count = targets.count;
    status = status == 0 ? notify_open(&options, notify_out, e) : status;
    targets_release(&targets);
    relabel_unref(options.alert_relabel);
    return status;
}

int notification_open(const struct server_alerting_config *config, const char *data,
    const char *external_url, uint16_t port, struct notify **notify_out, struct err *e)
{
    char own[320], host[256];
    struct arena arena;
    if (external_url[0] == '\0') {
        if (gethostname(host, sizeof(host)) != 0) {
            (void)snprintf(host, sizeof(host), "localhost");
        }
        host[sizeof(host) - 1] = '\0';
        (void)snprintf(own, sizeof(own), "http://%s:%u", host, port);
        external_url = own;
    }
    arena_init(&arena, 0);
    int status = open_with(&arena, config, data, external_url, notify_out, e);
    arena_release(&arena);
    return status;
}
