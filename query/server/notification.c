/* The settings of notification, and its start. */
#include "server/notification.h"

#include <unistd.h>

#include "base/mem.h"

static const struct config_field static_fields[] = {
    {.key = "targets",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct notification_static_config, targets),
        .help = "host:port of each."},
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
    if (strcmp(g->scheme, "http") != 0 && strcmp(g->scheme, "https") != 0) {
        return err_set(e, ERR_INVALID, -1,
            "alerting.alertmanagers: scheme \"%s\": expected http or https", g->scheme);
    }
    if (strcmp(g->api_version, "v2") != 0) {
        return err_set(e, ERR_INVALID, -1,
            "alerting.alertmanagers: api_version \"%s\": expected v2", g->api_version);
    }
    int status = http_profile_check(&g->profile, e);
    return status != 0 ? err_prefix(e, "alerting.alertmanagers") : 0;
}

/* A path or a user in a target would be shown, and sent, as a part of the host's name. */
static int check_target(const char *target, struct err *e)
{
    if (target[0] == '\0' || strpbrk(target, "/?#@ ") != NULL) {
        return err_set(e, ERR_INVALID, -1,
            "alerting.alertmanagers: a target must be host:port; what comes before and after it "
            "are "
            "scheme, basic_auth and path_prefix");
    }
    return 0;
}

int notification_check(const struct server_alerting_config *config, struct err *e)
{
    const struct notification_alertmanagers *groups = config->alertmanagers.items;
    size_t count = 0;
    for (size_t i = 0; i < config->alertmanagers.count; i++) {
        const struct notification_static_config *list = groups[i].static_configs.items;
        int status = check_group(&groups[i], e);
        if (status != 0) {
            return status;
        }
        for (size_t j = 0; j < groups[i].static_configs.count; j++) {
            count += list[j].targets.count;
            for (size_t k = 0; k < list[j].targets.count && status == 0; k++) {
                status = check_target(list[j].targets.items[k], e);
            }
            if (status != 0) {
                return status;
            }
        }
    }
    if (count > NOTIFY_ALERTMANAGERS_MAX) {
        return err_set(e, ERR_INVALID, -1, "alerting.alertmanagers: at most %d targets",
            NOTIFY_ALERTMANAGERS_MAX);
    }
    return 0;
}

/* Their URLs live in the arena. */
static int list_targets(struct arena *arena, const struct server_alerting_config *config,
    struct notify_alertmanager list[NOTIFY_ALERTMANAGERS_MAX], size_t *count_out)
{
    const struct notification_alertmanagers *groups = config->alertmanagers.items;
    size_t count = 0;
    for (size_t i = 0; i < config->alertmanagers.count; i++) {
        const struct notification_alertmanagers *g = &groups[i];
        const struct notification_static_config *configs = g->static_configs.items;
        for (size_t j = 0; j < g->static_configs.count; j++) {
            for (size_t k = 0; k < configs[j].targets.count; k++) {
                struct strbuf url = STRBUF_INIT;
                strbuf_addf(&url, "%s://%s%s%s", g->scheme, configs[j].targets.items[k],
                    g->path_prefix[0] == '/' ? "" : "/", g->path_prefix);
                char *copy =
                    strbuf_error(&url) == 0 ? arena_strndup(arena, url.data, url.size) : NULL;
                strbuf_release(&url);
                if (copy == NULL) {
                    return ERR_NOMEM;
                }
                list[count++] = (struct notify_alertmanager){copy, g->profile, g->timeout_ms};
            }
        }
    }
    *count_out = count;
    return 0;
}

static int open_with(struct arena *arena, const struct server_alerting_config *config,
    const char *data, const char *external_url, struct notify **notify_out, struct err *e)
{
    struct notify_alertmanager list[NOTIFY_ALERTMANAGERS_MAX];
    struct notify_options options = {.data_path = data,
        .config_path = notification_file(config),
        .external_url = external_url,
        .alertmanagers = list};
    int status = list_targets(arena, config, list, &options.alertmanager_count);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    return notify_open(&options, notify_out, e);
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
