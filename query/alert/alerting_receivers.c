/* The rows of receivers: how each way of sending is set up, and what it has from `global` when it does not
 * say so itself. Ways that are Alertmanager's but not ours are known by name and refused in words: a receiver
 * that silently tells nobody is the worst a file can have.
 */
#include "alert/alerting_config.h"

#include <assert.h>

#include "alert/webhook_url.h"
#include "base/mem.h"

#define TIMEOUT_MS_MAX ((int64_t)3600 * 1000)

/* ---- Custom members ---- */

/* http_config: a profile of its own, or NULL. */
struct http_settings {
    struct http_profile profile;
};

#define REFUSED(name, function)                                                                    \
    {                                                                                              \
        .key = (name), .kind = CONFIG_CUSTOM, .read = (function), .help = "Not supported"          \
    }

static const struct config_field http_fields[] = {
    HTTP_PROFILE_FIELDS(struct http_settings),
    {.key = NULL},
};

static int read_http(struct config_reader *r, const struct yaml_node *node, void *member)
{
    struct http_settings *settings = arena_calloc(r->arena, 1, sizeof(*settings));
    if (settings == NULL) {
        return arena_error(r->arena);
    }
    int status = config_read(r->arena, r->file, node, http_fields, settings, r->err);
    struct err e = ERR_INIT;
    if (status == 0 && http_profile_check(&settings->profile, &e) != 0) {
        return config_fail(r, node, "%s", e.message);
    }
    *(const struct http_profile **)member = &settings->profile;
    return status;
}

int alerting_read_networks(struct config_reader *r, const struct yaml_node *node, void *member)
{
    struct network_list *list = member;
    if (node->kind != YAML_SEQUENCE || node->count > NETWORKS_MAX) {
        return config_fail(r, node, "expected a list of at most %d networks", NETWORKS_MAX);
    }
    list->items = arena_calloc(r->arena, node->count + 1, sizeof(*list->items));
    if (list->items == NULL) {
        return arena_error(r->arena);
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *item = node->entries[i].value;
        struct err e = ERR_INIT;
        if (network_parse(item->kind == YAML_SCALAR ? item->text : STR(""), &list->items[i], &e) !=
            0) {
            return config_fail(r, item, "%s", e.message);
        }
    }
    list->count = node->count;
    return 0;
}

static int read_given_bool(struct config_reader *r, const struct yaml_node *node, void *member)
{
    bool *value = member; /* `require_tls`, and behind it whether it was given */
    if (node->kind != YAML_SCALAR ||
        (!str_eq_c(node->text, "true") && !str_eq_c(node->text, "false"))) {
        return config_fail(r, node, "expected true or false");
    }
    value[0] = str_eq_c(node->text, "true");
    value[1] = true;
    return 0;
}

static_assert(offsetof(struct alerting_email, require_tls_given) ==
                  offsetof(struct alerting_email, require_tls) + 1,
    "read_given_bool writes both");

/* Kept as it is: what it holds is anybody's guess. */
static int read_payload(struct config_reader *r, const struct yaml_node *node, void *member)
{
    (void)r;
    *(const struct yaml_node **)member = yaml_is_null(node) ? NULL : node;
    return 0;
}

static int read_tls(struct config_reader *r, const struct yaml_node *node, void *member)
{
    struct alerting_email *email =
        (struct alerting_email *)((char *)member - offsetof(struct alerting_email, tls));
    email->tls_given = true;
    return config_read(r->arena, r->file, node, http_tls_fields, &email->tls, r->err);
}

/* ---- Rows ---- */

#define TEXT(type, name, member, text)                                                             \
    {                                                                                              \
        .key = (name), .kind = CONFIG_STRING, .offset = offsetof(type, member),                    \
        .default_text = "", .help = (text)                                                         \
    }
#define BOOL(type, name, member, value, text)                                                      \
    {                                                                                              \
        .key = (name), .kind = CONFIG_BOOL, .offset = offsetof(type, member),                      \
        .default_text = (value), .help = (text)                                                    \
    }
#define SECRET(type, name, member)                                                                 \
    TEXT(type, name, member.text, "Secret"), TEXT(type, name "_file", member.file, "Its file")
#define COMMON(type, resolved)                                                                     \
    BOOL(type, "send_resolved", common.send_resolved, resolved, "Tell of ends, too"),              \
        {.key = "timeout",                                                                         \
            .kind = CONFIG_DURATION,                                                               \
            .offset = offsetof(type, common.timeout_ms),                                           \
            .max = TIMEOUT_MS_MAX,                                                                 \
            .help = "Of one attempt; 30s by default"},                                             \
    {                                                                                              \
        .key = "http_config", .kind = CONFIG_CUSTOM, .offset = offsetof(type, common.http),        \
        .read = read_http, .help = "How to present oneself"                                        \
    }

#define NETWORKS(type)                                                                             \
    {                                                                                              \
        .key = "allow_networks", .kind = CONFIG_CUSTOM, .offset = offsetof(type, allowed),         \
        .read = alerting_read_networks, .help = "Networks of our own that it may lead into"        \
    }

static const struct config_field webhook_own_fields[] = {
    {.key = "signing_secrets",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct alerting_webhook, signing_secrets),
        .help = "whsec_ and base64 of 24 to 64 bytes; the first is the newest"},
    {.key = "signing_secret_files",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct alerting_webhook, signing_secret_files),
        .help = "Files that hold one each, read for each message"},
    NETWORKS(struct alerting_webhook),
    {.key = NULL},
};

static const struct config_field webhook_fields[] = {
    COMMON(struct alerting_webhook, "true"),
    SECRET(struct alerting_webhook, "url", url),
    {.key = "max_alerts",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct alerting_webhook, alerts_max),
        .default_text = "0",
        .min = 0,
        .max = 1000000,
        .help = "Alerts of one message; 0: all"},
    {.key = "payload",
        .kind = CONFIG_CUSTOM,
        .offset = offsetof(struct alerting_webhook, payload),
        .read = read_payload,
        .help = "A body of one's own: texts are templates"},
    /* Members of the same struct, told apart by the key above them. */
    {.key = "sonde", .kind = CONFIG_OBJECT, .fields = webhook_own_fields, .help = "Our own keys"},
    {.key = NULL},
};

#define EMAIL(name, member, text) TEXT(struct alerting_email, name, member, text)
static const struct config_field email_fields[] = {
    COMMON(struct alerting_email, "false"),
    EMAIL("to", to, "Who gets it; several with commas"),
    EMAIL("from", from, "Sender"),
    EMAIL("smarthost", smarthost, "host:port of the mail server"),
    EMAIL("hello", hello, "Name to introduce oneself by"),
    EMAIL("auth_username", auth_username, "Name"),
    EMAIL("auth_identity", auth_identity, "Identity"),
    SECRET(struct alerting_email, "auth_password", auth_password),
    SECRET(struct alerting_email, "auth_secret", auth_secret),
    {.key = "require_tls",
        .kind = CONFIG_CUSTOM,
        .offset = offsetof(struct alerting_email, require_tls),
        .read = read_given_bool,
        .help = "No message without STARTTLS"},
    {.key = "tls_config",
        .kind = CONFIG_CUSTOM,
        .offset = offsetof(struct alerting_email, tls),
        .read = read_tls,
        .help = "Certificates"},
    {.key = "html",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct alerting_email, html),
        .default_text = "{{ template \"email.default.html\" . }}",
        .help = "The message as HTML"},
    EMAIL("text", text, "The message as text"),
    {.key = "headers",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct alerting_email, headers),
        .help = "More headers; Subject too"},
    {.key = NULL},
};

static const struct config_field slack_field_fields[] = {
    TEXT(struct alerting_slack_field, "title", title, "Title"),
    TEXT(struct alerting_slack_field, "value", value, "Value"),
    BOOL(struct alerting_slack_field, "short", is_short, "false", "Beside another"),
    {.key = NULL},
};

#define ACTION(name, member) TEXT(struct alerting_slack_action, name, member, "Of a button")
static const struct config_field slack_action_fields[] = {
    ACTION("type", type),
    ACTION("text", text),
    ACTION("url", url),
    ACTION("style", style),
    ACTION("name", name),
    ACTION("value", value),
    {.key = NULL},
};

static const struct config_field slack_own_fields[] = {
    NETWORKS(struct alerting_slack),
    {.key = NULL},
};

#define SLACK(name, member) TEXT(struct alerting_slack, name, member, "As Slack names it")
#define SLACK_TEMPLATE(name, member)                                                               \
    {                                                                                              \
        .key = (name), .kind = CONFIG_STRING, .offset = offsetof(struct alerting_slack, member),   \
        .default_text = "{{ template \"slack.default." name "\" . }}", .help = "As Slack names it" \
    }
static const struct config_field slack_fields[] = {
    COMMON(struct alerting_slack, "false"),
    SECRET(struct alerting_slack, "api_url", api_url),
    SLACK("channel", channel),
    SLACK_TEMPLATE("username", username),
    {.key = "color",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct alerting_slack, color),
        .default_text = "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}",
        .help = "Of the bar beside the message"},
    SLACK_TEMPLATE("title", title),
    {.key = "title_link",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct alerting_slack, title_link),
        .default_text = "{{ template \"slack.default.titlelink\" . }}",
        .help = "As Slack names it"},
    SLACK_TEMPLATE("pretext", pretext),
    SLACK_TEMPLATE("text", text),
    SLACK_TEMPLATE("footer", footer),
    SLACK_TEMPLATE("fallback", fallback),
    {.key = "callback_id",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct alerting_slack, callback_id),
        .default_text = "{{ template \"slack.default.callbackid\" . }}",
        .help = "As Slack names it"},
    {.key = "icon_emoji",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct alerting_slack, icon_emoji),
        .default_text = "{{ template \"slack.default.iconemoji\" . }}",
        .help = "As Slack names it"},
    {.key = "icon_url",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct alerting_slack, icon_url),
        .default_text = "{{ template \"slack.default.iconurl\" . }}",
        .help = "As Slack names it"},
    SLACK("image_url", image_url),
    SLACK("thumb_url", thumb_url),
    BOOL(struct alerting_slack, "short_fields", short_fields, "false", "All fields are short"),
    BOOL(struct alerting_slack, "link_names", link_names, "false", "As Slack names it"),
    {.key = "mrkdwn_in",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct alerting_slack, mrkdwn_in),
        .default_text = "[fallback, pretext, text]",
        .help = "Which texts are Markdown"},
    {.key = "fields",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct alerting_slack, fields),
        .fields = slack_field_fields,
        .item_size = sizeof(struct alerting_slack_field),
        .help = "Table"},
    {.key = "actions",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct alerting_slack, actions),
        .fields = slack_action_fields,
        .item_size = sizeof(struct alerting_slack_action),
        .help = "Buttons"},
    {.key = "sonde", .kind = CONFIG_OBJECT, .fields = slack_own_fields, .help = "Our own keys"},
    {.key = NULL},
};

static const struct config_field pagerduty_image_fields[] = {
    TEXT(struct alerting_pagerduty_image, "src", src, "URL of the image"),
    TEXT(struct alerting_pagerduty_image, "alt", alt, "Text"),
    TEXT(struct alerting_pagerduty_image, "href", href, "Where it leads"),
    {.key = NULL},
};

static const struct config_field pagerduty_link_fields[] = {
    TEXT(struct alerting_pagerduty_link, "href", href, "Where it leads"),
    TEXT(struct alerting_pagerduty_link, "text", text, "Text"),
    {.key = NULL},
};

static const struct config_field pagerduty_own_fields[] = {
    NETWORKS(struct alerting_pagerduty),
    {.key = NULL},
};

#define DUTY(name, member, value)                                                                  \
    {                                                                                              \
        .key = (name), .kind = CONFIG_STRING,                                                      \
        .offset = offsetof(struct alerting_pagerduty, member), .default_text = (value),            \
        .help = "As PagerDuty names it"                                                            \
    }
static const struct config_field pagerduty_fields[] = {
    COMMON(struct alerting_pagerduty, "true"),
    SECRET(struct alerting_pagerduty, "routing_key", routing_key),
    SECRET(struct alerting_pagerduty, "service_key", service_key),
    DUTY("url", url, ""),
    DUTY("client", client, "{{ template \"pagerduty.default.client\" . }}"),
    DUTY("client_url", client_url, "{{ template \"pagerduty.default.clientURL\" . }}"),
    DUTY("description", description, "{{ template \"pagerduty.default.description\" .}}"),
    DUTY("severity", severity, "error"),
    DUTY("class", class_, ""),
    DUTY("component", component, ""),
    DUTY("group", group, ""),
    DUTY("source", source, ""),
    {.key = "details",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct alerting_pagerduty, details),
        .help = "More to know"},
    {.key = "images",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct alerting_pagerduty, images),
        .fields = pagerduty_image_fields,
        .item_size = sizeof(struct alerting_pagerduty_image),
        .help = "Images"},
    {.key = "links",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct alerting_pagerduty, links),
        .fields = pagerduty_link_fields,
        .item_size = sizeof(struct alerting_pagerduty_link),
        .help = "Links"},
    {.key = "sonde", .kind = CONFIG_OBJECT, .fields = pagerduty_own_fields, .help = "Our own keys"},
    {.key = NULL},
};

static int refuse_integration(struct config_reader *r, const struct yaml_node *node, void *member)
{
    (void)member;
    return config_fail(r, node,
        "this kind of receiver is not supported: Sonde sends webhook, email, slack and pagerduty "
        "itself. Most other services take a webhook; or send the alerts to an Alertmanager, with "
        "alerting.alertmanagers in the server's configuration");
}

static const struct config_field receiver_own_fields[] = {
    {.key = "heartbeat",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct alerting_receiver, heartbeat_ms),
        .default_text = "0s",
        .min = 0,
        .max = (int64_t)24 * 3600 * 1000,
        .help = "How often to tell that notification itself works; 0: never"},
    {.key = NULL},
};

#define WAY(name, member, table, type)                                                             \
    {                                                                                              \
        .key = (name), .kind = CONFIG_LIST, .offset = offsetof(struct alerting_receiver, member),  \
        .fields = (table), .item_size = sizeof(type), .help = "Ways of sending"                    \
    }
const struct config_field alerting_receiver_fields[] = {
    TEXT(struct alerting_receiver, "name", name, "What routes call it"),
    {.key = "labels",
        .kind = CONFIG_STRING_MAP,
        .offset = offsetof(struct alerting_receiver, labels_map),
        .help = "To find it by, over the API"},
    WAY("webhook_configs", webhooks, webhook_fields, struct alerting_webhook),
    WAY("email_configs", emails, email_fields, struct alerting_email),
    WAY("slack_configs", slacks, slack_fields, struct alerting_slack),
    WAY("pagerduty_configs", pagerduties, pagerduty_fields, struct alerting_pagerduty),
    {.key = "sonde", .kind = CONFIG_OBJECT, .fields = receiver_own_fields, .help = "Our own keys"},
    REFUSED("discord_configs", refuse_integration),
    REFUSED("incidentio_configs", refuse_integration),
    REFUSED("jira_configs", refuse_integration),
    REFUSED("mattermost_configs", refuse_integration),
    REFUSED("msteams_configs", refuse_integration),
    REFUSED("msteamsv2_configs", refuse_integration),
    REFUSED("opsgenie_configs", refuse_integration),
    REFUSED("pushover_configs", refuse_integration),
    REFUSED("rocketchat_configs", refuse_integration),
    REFUSED("sns_configs", refuse_integration),
    REFUSED("telegram_configs", refuse_integration),
    REFUSED("victorops_configs", refuse_integration),
    REFUSED("webex_configs", refuse_integration),
    REFUSED("wechat_configs", refuse_integration),
    {.key = NULL},
};

/* ---- Global ---- */

/* What belongs to ways of sending that are not ours: taken and of no effect, since nothing can use it. */
static int ignore(struct config_reader *r, const struct yaml_node *node, void *member)
{
    (void)r, (void)node, (void)member;
    return 0;
}

#define GLOBAL(name, member, value)                                                                \
    {                                                                                              \
        .key = (name), .kind = CONFIG_STRING, .offset = offsetof(struct alerting_global, member),  \
        .default_text = (value), .help = "Where receivers do not say"                              \
    }
#define IGNORED(name)                                                                              \
    {                                                                                              \
        .key = (name), .kind = CONFIG_CUSTOM, .read = ignore, .help = "Has no effect"              \
    }
const struct config_field alerting_global_fields[] = {
    {.key = "http_config",
        .kind = CONFIG_CUSTOM,
        .offset = offsetof(struct alerting_global, http),
        .read = read_http,
        .help = "How to present oneself"},
    {.key = "resolve_timeout",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct alerting_global, resolve_timeout_ms),
        .default_text = "5m",
        .min = 1,
        .max = (int64_t)365 * 24 * 3600 * 1000,
        .help = "When an alert without an end is taken to have ended"},
    GLOBAL("smtp_from", smtp_from, ""),
    GLOBAL("smtp_hello", smtp_hello, "localhost"),
    GLOBAL("smtp_smarthost", smtp_smarthost, ""),
    GLOBAL("smtp_auth_username", smtp_auth_username, ""),
    GLOBAL("smtp_auth_identity", smtp_auth_identity, ""),
    SECRET(struct alerting_global, "smtp_auth_password", smtp_auth_password),
    SECRET(struct alerting_global, "smtp_auth_secret", smtp_auth_secret),
    BOOL(struct alerting_global, "smtp_require_tls", smtp_require_tls, "true",
        "No message without STARTTLS"),
    {.key = "smtp_tls_config",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct alerting_global, smtp_tls),
        .fields = http_tls_fields,
        .help = "Certificates"},
    SECRET(struct alerting_global, "slack_api_url", slack_api_url),
    GLOBAL("pagerduty_url", pagerduty_url, "https://events.pagerduty.com/v2/enqueue"),
    IGNORED("jira_api_url"),
    IGNORED("mattermost_webhook_url"),
    IGNORED("mattermost_webhook_url_file"),
    IGNORED("opsgenie_api_key"),
    IGNORED("opsgenie_api_key_file"),
    IGNORED("opsgenie_api_url"),
    IGNORED("rocketchat_api_url"),
    IGNORED("rocketchat_token"),
    IGNORED("rocketchat_token_file"),
    IGNORED("rocketchat_token_id"),
    IGNORED("rocketchat_token_id_file"),
    IGNORED("slack_app_token"),
    IGNORED("slack_app_token_file"),
    IGNORED("slack_app_url"),
    IGNORED("telegram_api_url"),
    IGNORED("telegram_bot_token"),
    IGNORED("telegram_bot_token_file"),
    IGNORED("victorops_api_key"),
    IGNORED("victorops_api_key_file"),
    IGNORED("victorops_api_url"),
    IGNORED("webex_api_url"),
    IGNORED("wechat_api_corp_id"),
    IGNORED("wechat_api_secret"),
    IGNORED("wechat_api_secret_file"),
    IGNORED("wechat_api_url"),
    {.key = NULL},
};

/* ---- What is left out ---- */

static bool is_given(const char *text)
{
    return text[0] != '\0';
}

static bool is_secret(const struct alerting_secret *s)
{
    return is_given(s->text) || is_given(s->file);
}

static void inherit(const char **own, const char *global)
{
    *own = is_given(*own) ? *own : global;
}

static int fail(const struct alerting_config *c, const struct alerting_receiver *r, struct err *e,
    const char *what)
{
    return err_set(e, ERR_INVALID, -1, "%s: receiver \"%s\": %s", c->path, r->name, what);
}

static int check_secret(const struct alerting_config *c, const struct alerting_receiver *r,
    const struct alerting_secret *s, const char *name, struct err *e)
{
    if (!is_secret(s)) {
        return err_set(e, ERR_INVALID, -1, "%s: receiver \"%s\": %s or %s_file is required",
            c->path, r->name, name, name);
    }
    if (is_given(s->text) && is_given(s->file)) {
        return err_set(e, ERR_INVALID, -1, "%s: receiver \"%s\": both %s and %s_file are set",
            c->path, r->name, name, name);
    }
    return 0;
}

static int finish_webhook(const struct alerting_config *c, const struct alerting_receiver *r,
    struct alerting_webhook *w, struct err *e)
{
    int status = check_secret(c, r, &w->url, "url", e);
    if (status == 0 &&
        w->signing_secrets.count + w->signing_secret_files.count > ALERTING_SECRETS_MAX) {
        return fail(c, r, e, "at most 8 signing secrets may be in use at once");
    }
    struct err why = ERR_INIT;
    if (status == 0 && is_given(w->url.text) && webhook_url_check(str_of(w->url.text), &why) != 0) {
        return fail(c, r, e, why.message);
    }
    return status;
}

static int finish_email(const struct alerting_config *c, const struct alerting_receiver *r,
    struct alerting_email *m, struct err *e)
{
    const struct alerting_global *g = &c->global;
    inherit(&m->from, g->smtp_from);
    inherit(&m->hello, g->smtp_hello);
    inherit(&m->smarthost, g->smtp_smarthost);
    inherit(&m->auth_username, g->smtp_auth_username);
    inherit(&m->auth_identity, g->smtp_auth_identity);
    m->auth_password = is_secret(&m->auth_password) ? m->auth_password : g->smtp_auth_password;
    m->auth_secret = is_secret(&m->auth_secret) ? m->auth_secret : g->smtp_auth_secret;
    m->require_tls = m->require_tls_given ? m->require_tls : g->smtp_require_tls;
    m->tls = m->tls_given ? m->tls : g->smtp_tls;
    if (!is_given(m->to)) {
        return fail(c, r, e, "email_configs: to is required");
    }
    if (!is_given(m->from) || !is_given(m->smarthost)) {
        return fail(c, r, e,
            "email_configs: from and smarthost are required, here or as smtp_from and "
            "smtp_smarthost in global");
    }
    return strchr(m->smarthost, ':') != NULL
               ? 0
               : fail(c, r, e, "email_configs: smarthost needs a port, like mail.example.org:587");
}

static int finish_slack(const struct alerting_config *c, const struct alerting_receiver *r,
    struct alerting_slack *s, struct err *e)
{
    s->api_url = is_secret(&s->api_url) ? s->api_url : c->global.slack_api_url;
    return check_secret(c, r, &s->api_url, "api_url", e);
}

static int finish_pagerduty(const struct alerting_config *c, const struct alerting_receiver *r,
    struct alerting_pagerduty *p, struct err *e)
{
    inherit(&p->url, c->global.pagerduty_url);
    if (is_secret(&p->service_key)) {
        return fail(c, r, e,
            "pagerduty_configs: service_key is of events version 1, which is not supported; make "
            "an "
            "Events API v2 integration and give its routing_key");
    }
    return check_secret(c, r, &p->routing_key, "routing_key", e);
}

static int finish_one(const struct alerting_config *c, const struct alerting_receiver *r,
    enum alerting_kind kind, void *settings, struct err *e)
{
    struct alerting_common *common = settings; /* the first member of all of them */
    common->http = common->http != NULL ? common->http : c->global.http;
    switch (kind) {
    case ALERTING_WEBHOOK:
        return finish_webhook(c, r, settings, e);
    case ALERTING_EMAIL:
        return finish_email(c, r, settings, e);
    case ALERTING_SLACK:
        return finish_slack(c, r, settings, e);
    case ALERTING_PAGERDUTY:
        return finish_pagerduty(c, r, settings, e);
    }
    return ERR_INTERNAL;
}

static void release_labels(void *labels)
{
    labels_unref(labels);
}

static int finish_labels(struct alerting_config *c, struct alerting_receiver *r, struct err *e)
{
    struct labels_builder b;
    struct err why = ERR_INIT;
    labels_builder_init(&b);
    for (size_t i = 0; i < r->labels_map.count; i++) {
        labels_builder_set(
            &b, str_of(r->labels_map.items[i].key), str_of(r->labels_map.items[i].value));
    }
    int status = labels_builder_finish(&b, &r->labels);
    labels_builder_release(&b);
    if (status != 0) {
        (void)err_set(&why, status, -1, "labels: %s", err_text(status));
        return fail(c, r, e, why.message);
    }
    status = arena_on_release(&c->arena, release_labels, (void *)(uintptr_t)r->labels);
    if (status != 0) {
        labels_unref(r->labels);
    }
    return status;
}

static int finish_receiver(struct alerting_config *c, struct alerting_receiver *r, struct err *e)
{
    const struct {
        enum alerting_kind kind;
        const struct config_list *list;
        size_t size;
    } ways[] = {{ALERTING_WEBHOOK, &r->webhooks, sizeof(struct alerting_webhook)},
        {ALERTING_EMAIL, &r->emails, sizeof(struct alerting_email)},
        {ALERTING_SLACK, &r->slacks, sizeof(struct alerting_slack)},
        {ALERTING_PAGERDUTY, &r->pagerduties, sizeof(struct alerting_pagerduty)}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        count += ways[i].list->count;
    }
    r->integrations = arena_calloc(&c->arena, count + 1, sizeof(*r->integrations));
    if (r->integrations == NULL) {
        return err_set(e, arena_error(&c->arena), -1, "%s: too large", c->path);
    }
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        for (size_t j = 0; j < ways[i].list->count; j++) {
            void *settings = (char *)ways[i].list->items + j * ways[i].size;
            int status = finish_one(c, r, ways[i].kind, settings, e);
            if (status != 0) {
                return status;
            }
            r->integrations[r->integration_count++] = (struct alerting_integration){
                .kind = ways[i].kind, .index = (uint32_t)j, .settings = settings};
        }
    }
    return 0;
}

int alerting_receivers_finish(struct alerting_config *c, struct err *e)
{
    if (c->global.http == NULL) {
        struct http_settings *settings = arena_calloc(&c->arena, 1, sizeof(*settings));
        if (settings == NULL) {
            return err_set(e, arena_error(&c->arena), -1, "%s: too large", c->path);
        }
        int status = config_defaults(&c->arena, http_fields, settings, e);
        if (status != 0) {
            return status;
        }
        c->global.http = &settings->profile;
    }
    struct alerting_receiver *receivers = c->receivers.items;
    for (size_t i = 0; i < c->receivers.count; i++) {
        if (!is_given(receivers[i].name)) {
            return err_set(e, ERR_INVALID, -1, "%s: a receiver has no name", c->path);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(receivers[i].name, receivers[j].name) == 0) {
                return fail(c, &receivers[i], e, "the name is not unique");
            }
        }
        int status = finish_labels(c, &receivers[i], e);
        status = status == 0 ? finish_receiver(c, &receivers[i], e) : status;
        if (status != 0) {
            return status;
        }
    }
    return 0;
}
