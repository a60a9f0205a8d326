/* The configuration of notification: Alertmanager's file, read whole and checked.
 *
 * Everything lives in one arena and is immutable after it was read. What a route leaves out it has from
 * its parent; what a receiver leaves out, from `global`: both are filled in here, so that nobody else asks.
 * Keys that are ours stand below a key `sonde`, which Alertmanager's own tools refuse and which is left out of
 * what alerting_config_write_public shows them.
 */
#ifndef SONDE_QUERY_ALERTING_CONFIG_H
#define SONDE_QUERY_ALERTING_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/label_matchers.h"
#include "alert/network_list.h"
#include "alert/time_interval.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/http_profile.h"
#include "base/strbuf.h"

#define ALERTING_FILE_BYTES_MAX ((size_t)16 << 20)
/* Depth of the tree of routes, and routes altogether. */
#define ALERTING_ROUTE_DEPTH_MAX 32
#define ALERTING_ROUTES_MAX 10000
/* Secrets a webhook is signed with at once, while they are rotated. */
#define ALERTING_SECRETS_MAX 8

/* A secret, or the file that holds it; both empty: none. */
struct alerting_secret {
    const char *text, *file;
};

struct alerting_global {
    struct http_profile *http; /* never NULL once read */
    int64_t resolve_timeout_ms;
    const char *smtp_from, *smtp_hello, *smtp_smarthost, *smtp_auth_username, *smtp_auth_identity;
    struct alerting_secret smtp_auth_password, smtp_auth_secret;
    bool smtp_require_tls;
    struct http_tls smtp_tls;
    struct alerting_secret slack_api_url;
    const char *pagerduty_url;
};

/* What every way of sending has. */
struct alerting_common {
    bool send_resolved;
    int64_t timeout_ms; /* 0: the default of 30 s */
    const struct http_profile *http;
};

struct alerting_webhook {
    struct alerting_common common;
    struct alerting_secret url;
    int64_t alerts_max;              /* 0: all */
    const struct yaml_node *payload; /* of templates; NULL: Alertmanager's own, version 4 */
    struct config_strings signing_secrets, signing_secret_files;
    struct network_list allowed;
};

struct alerting_email {
    struct alerting_common common;
    const char *to, *from, *smarthost, *hello, *auth_username, *auth_identity;
    struct alerting_secret auth_password, auth_secret;
    bool require_tls, require_tls_given;
    struct http_tls tls;
    bool tls_given;
    const char *html, *text;
    struct config_map headers;
};

struct alerting_slack_field {
    const char *title, *value;
    bool is_short;
};

struct alerting_slack_action {
    const char *type, *text, *url, *style, *name, *value;
};

struct alerting_slack {
    struct alerting_common common;
    struct alerting_secret api_url;
    const char *channel, *username, *color, *title, *title_link, *pretext, *text, *footer,
        *fallback, *callback_id, *icon_emoji, *icon_url, *image_url, *thumb_url;
    bool short_fields, link_names;
    struct config_strings mrkdwn_in;
    struct config_list fields, actions;
    struct network_list allowed;
};

struct alerting_pagerduty_image {
    const char *src, *alt, *href;
};

struct alerting_pagerduty_link {
    const char *href, *text;
};

struct alerting_pagerduty {
    struct alerting_common common;
    struct alerting_secret routing_key, service_key;
    const char *url, *client, *client_url, *description, *severity, *class_, *component, *group,
        *source;
    struct config_map details;
    struct config_list images, links;
    struct network_list allowed;
};

enum alerting_kind { ALERTING_WEBHOOK, ALERTING_EMAIL, ALERTING_SLACK, ALERTING_PAGERDUTY };

/* One way of sending of one receiver. */
struct alerting_integration {
    enum alerting_kind kind;
    uint32_t index; /* among those of the kind, as they stand in the file */
    union {
        const void *settings;
        const struct alerting_common *common;
        const struct alerting_webhook *webhook;
        const struct alerting_email *email;
        const struct alerting_slack *slack;
        const struct alerting_pagerduty *pagerduty;
    };
};

struct alerting_receiver {
    const char *name;
    struct config_map labels_map;
    const struct labels *labels; /* the same: to find it by, over the API; the arena's */
    struct config_list webhooks, emails, slacks, pagerduties;
    int64_t heartbeat_ms; /* an alert that always fires is told so often; 0 = none */
    struct alerting_integration *integrations;
    size_t integration_count;
};

struct alerting_duration {
    bool given;
    int64_t ms;
};

struct alerting_route {
    const char *receiver_name;
    struct config_strings group_by;
    bool group_by_given, group_by_all;
    struct config_map match, match_re, labels;
    struct config_strings matcher_texts, mute, active;
    struct alerting_duration group_wait, group_interval, repeat_interval;
    bool goes_on; /* `continue` */
    struct config_list routes;
    /* Filled in. */
    struct label_matchers matchers;
    const struct label *own_labels; /* templates; its own and its parents', by name */
    size_t own_label_count;
    const struct alerting_receiver *receiver;
    struct str *group_names; /* sorted */
    const char *key;         /* "{}/{severity=\"page\"}" */
};

struct alerting_inhibition {
    const char *name;
    struct config_map source_match, source_match_re, target_match, target_match_re;
    struct config_strings source_matchers, target_matchers, equal;
    /* Filled in. */
    struct label_matchers source, target;
    struct str *equal_names; /* sorted */
};

struct alerting_interval {
    const char *name;
    struct config_list parts; /* of struct time_interval: any of them */
};

struct alerting_config {
    struct arena arena;
    const char *path;
    struct str text; /* the file as it is: secrets included */
    const struct yaml_node *root;
    struct alerting_global global;
    struct alerting_route *route; /* NULL: the file was empty of it, only without a file */
    struct config_list receivers, inhibitions, intervals, mute_intervals;
    struct config_strings templates;
    struct network_list allowed; /* private networks that every receiver may reach */
    int64_t retry_pause_ms;      /* after the first attempt that failed */
    size_t route_count;
};

/* Reads a file's text; `path` is used in sentences, and templates are relative to it. ERR_INVALID with file,
 * line and column where there are any. */
int alerting_config_parse(
    const char *path, struct str text, struct alerting_config **config_out, struct err *e);
int alerting_config_load(const char *path, struct alerting_config **config_out, struct err *e);
/* No file: one route to one receiver that tells nobody. */
int alerting_config_silent(struct alerting_config **config_out, struct err *e);
void alerting_config_free(struct alerting_config *config);

const struct alerting_receiver *alerting_config_receiver(
    const struct alerting_config *config, struct str name);
/* Of both lists; NULL when there is none. */
const struct alerting_interval *alerting_config_interval(
    const struct alerting_config *config, struct str name);
/* Whether the moment lies in the interval. */
bool alerting_interval_contains(const struct alerting_interval *interval, int64_t time_ms);
/* "webhook", "email" … */
const char *alerting_kind_name(enum alerting_kind kind);

/* The file as others may see it: secrets are `<secret>`, our own keys are left out. */
void alerting_config_write_public(const struct alerting_config *config, struct strbuf *out);

/* In alerting_receivers.c: the rows of receivers, and what they have from `global`. */
extern const struct config_field alerting_receiver_fields[];
extern const struct config_field alerting_global_fields[];
int alerting_receivers_finish(struct alerting_config *config, struct err *e);
/* Custom reader of a list of networks, for rows. */
int alerting_read_networks(
    struct config_reader *reader, const struct yaml_node *node, void *member);

#endif
