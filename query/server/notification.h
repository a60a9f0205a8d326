/* Who is told of alerts, as the server's settings have it: the key `alerting`. */
#ifndef SONDE_QUERY_NOTIFICATION_H
#define SONDE_QUERY_NOTIFICATION_H

#include "base/arena.h"
#include "base/config.h"
#include "base/http_profile.h"
#include "query/notify.h"

struct notification_static_config {
    struct config_strings targets; /* host:port */
    struct config_map labels;      /* that relabel_configs of the group see */
};

/* Alertmanagers that are reached the same way. */
struct notification_alertmanagers {
    const char *scheme, *path_prefix, *api_version;
    int64_t timeout_ms;
    struct http_profile profile;
    struct config_list static_configs;
    struct config_list relabel;       /* of targets */
    struct config_list alert_relabel; /* of alerts on their way there */
};

struct server_alerting_config {
    const char *config_file; /* Alertmanager's; empty: none */
    const char *trace_url;   /* with {traceID} in it; empty: this server's own */
    struct config_list alertmanagers;
    struct config_list alert_relabel;
};

/* The rows of `alerting`. */
extern const struct config_field notification_fields[];

/* Opens notification below the store's directory. `external_url` empty: from the address and the port that
 * are listened on. */
int notification_open(const struct server_alerting_config *config, const char *data,
    const char *external_url, uint16_t port, struct notify **notify_out, struct err *e);
int notification_check(const struct server_alerting_config *config, struct err *e);
/* The file, NULL when there is none. */
const char *notification_file(const struct server_alerting_config *config);

#endif
