/* Parsing templates of messages.
 *
 * The names and what they are for are Alertmanager's, so that files written for it replace ours; the texts
 * are our own.
 */
#include "alert/message_templates.h"

#include <glob.h>
#include <stdio.h>

#include "alert/webhook_url.h"
#include "base/mem.h"
#include "base/vfs.h"

static const char default_text[] =
    "{{ define \"__alertmanager\" }}Sonde{{ end }}"
    "{{ define \"__alertmanagerURL\" }}{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | "
    "urlquery }}{{ end }}"
    "{{ define \"__subject\" }}[{{ .Status | toUpper }}{{ if eq .Status \"firing\" }}:{{ "
    ".Alerts.Firing | len }}{{ end }}] {{ .GroupLabels.SortedPairs.Values | join \" \" }}{{ if gt "
    "(len .CommonLabels) (len .GroupLabels) }} ({{ with .CommonLabels.Remove .GroupLabels.Names "
    "}}{{ .Values | join \" \" }}{{ end }}){{ end }}{{ end }}"
    "{{ define \"__description\" }}{{ end }}"
    "{{ define \"__text_alert_list\" }}{{ range . }}"
    "{{ with .Annotations.summary }}{{ . }}\n{{ end }}"
    "{{ with .Annotations.description }}{{ . }}\n{{ end }}"
    "{{ range .Labels.SortedPairs }}  {{ .Name }} = {{ .Value }}\n{{ end }}"
    "{{ with .Annotations.runbook_url }}Runbook: {{ . }}\n{{ end }}"
    "{{ range .TraceURLs }}Trace: {{ . }}\n{{ end }}"
    "Source: {{ .GeneratorURL }}\n\n{{ end }}{{ end }}"
    "{{ define \"slack.default.title\" }}{{ template \"__subject\" . }}{{ end }}"
    "{{ define \"slack.default.username\" }}{{ template \"__alertmanager\" . }}{{ end }}"
    "{{ define \"slack.default.fallback\" }}{{ template \"slack.default.title\" . }} | {{ template "
    "\"slack.default.titlelink\" . }}{{ end }}"
    "{{ define \"slack.default.titlelink\" }}{{ template \"__alertmanagerURL\" . }}{{ end }}"
    "{{ define \"slack.default.callbackid\" }}{{ end }}"
    "{{ define \"slack.default.pretext\" }}{{ end }}"
    "{{ define \"slack.default.iconemoji\" }}{{ end }}"
    "{{ define \"slack.default.iconurl\" }}{{ end }}"
    "{{ define \"slack.default.footer\" }}{{ end }}"
    "{{ define \"slack.default.text\" }}{{ range .Alerts }}{{ if eq .Status \"firing\" }}*{{ "
    ".Labels.alertname }}*{{ else }}~{{ .Labels.alertname }}~ (over){{ end }}"
    "{{ with .Annotations.summary }} {{ . }}{{ end }}"
    "{{ with .Annotations.runbook_url }} <{{ . }}|runbook>{{ end }}"
    "{{ with .GeneratorURL }} <{{ . }}|source>{{ end }}"
    "{{ range .TraceURLs }} <{{ . }}|trace>{{ end }}\n{{ end }}{{ end }}"
    "{{ define \"pagerduty.default.description\" }}{{ template \"__subject\" . }}{{ end }}"
    "{{ define \"pagerduty.default.client\" }}{{ template \"__alertmanager\" . }}{{ end }}"
    "{{ define \"pagerduty.default.clientURL\" }}{{ template \"__alertmanagerURL\" . }}{{ end }}"
    "{{ define \"pagerduty.default.instances\" }}{{ template \"__text_alert_list\" . }}{{ end }}"
    "{{ define \"email.default.subject\" }}{{ template \"__subject\" . }}{{ end }}"
    "{{ define \"email.default.html\" }}<!DOCTYPE html><html><body "
    "style=\"font-family:sans-serif\">"
    "<h2>{{ template \"__subject\" . }}</h2>{{ range .Alerts }}<h3 style=\"color:{{ if eq .Status "
    "\"firing\" }}#b00020{{ else }}#2e7d32{{ end }}\">{{ .Labels.alertname }} {{ .Status }}</h3>"
    "{{ with .Annotations.summary }}<p>{{ . }}</p>{{ end }}"
    "{{ with .Annotations.description }}<p>{{ . }}</p>{{ end }}"
    "<table>{{ range .Labels.SortedPairs }}<tr><td>{{ .Name }}</td><td>{{ .Value "
    "}}</td></tr>{{ end }}</table><p>"
    "{{ with .Annotations.runbook_url }}<a href=\"{{ . }}\">Runbook</a> {{ end }}"
    "{{ with .GeneratorURL }}<a href=\"{{ . }}\">Source</a>{{ end }}</p>"
    "{{ range .TraceURLs }}<p><a href=\"{{ . }}\">Trace</a></p>{{ end }}{{ end }}"
    "<p><a href=\"{{ template \"__alertmanagerURL\" . }}\">All alerts of this "
    "receiver</a></p></body></html>{{ end }}";

/* One on another: the defaults, then each file. */
struct chain {
    struct template *items[MESSAGE_TEMPLATE_FILES_MAX + 1];
    size_t count;
};

struct message_templates {
    struct chain text, html;
};

static struct template_options options_of(const struct chain *chain, bool html)
{
    return (struct template_options){.functions = TEMPLATE_FUNCTIONS_NOTIFICATIONS,
        .html = html,
        .base = chain->count > 0 ? chain->items[chain->count - 1] : NULL};
}

static int add(struct chain *chain, bool html, const char *name, struct str text, struct err *e)
{
    if (chain->count > MESSAGE_TEMPLATE_FILES_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "more than %d files of templates", MESSAGE_TEMPLATE_FILES_MAX);
    }
    struct template_options options = options_of(chain, html);
    int status = template_parse(str_of(name), text, &options, &chain->items[chain->count], e);
    chain->count += status == 0;
    return status;
}

static int add_file(struct message_templates *t, const char *path, struct err *e)
{
    char *bytes = NULL;
    size_t size = 0;
    int status = vfs_read_file(vfs_posix(), path, TEMPLATE_TEXT_BYTES_MAX, &bytes, &size);
    if (status != 0) {
        return err_set(e, status, -1, "cannot read %s: %s", path, err_text(status));
    }
    status = add(&t->text, false, path, str_make(bytes, size), e);
    if (status == 0) {
        status = add(&t->html, true, path, str_make(bytes, size), e);
    }
    mem_free(bytes);
    return status;
}

/* Patterns are relative to the configuration file. */
static int add_files(struct message_templates *t, const struct alerting_config *c,
    const char *pattern, struct err *e)
{
    struct strbuf path = STRBUF_INIT;
    const char *slash = strrchr(c->path, '/');
    if (pattern[0] != '/' && slash != NULL) {
        strbuf_add(&path, c->path, (size_t)(slash + 1 - c->path));
    }
    strbuf_add_c(&path, pattern);
    glob_t found = {0};
    int status = strbuf_error(&path);
    if (status == 0 && glob(path.data, 0, NULL, &found) == 0) {
        for (size_t i = 0; status == 0 && i < found.gl_pathc; i++) {
            status = add_file(t, found.gl_pathv[i], e);
        }
    }
    globfree(&found);
    strbuf_release(&path);
    return status;
}

/* ---- Checking the texts of receivers ---- */

struct check {
    const struct message_templates *templates;
    const struct alerting_receiver *receiver;
    struct err *err;
    int status;
};

static void check_text(struct check *c, const char *text, bool html)
{
    if (c->status != 0 || text == NULL || strstr(text, "{{") == NULL) {
        return;
    }
    const struct chain *chain = html ? &c->templates->html : &c->templates->text;
    struct template_options options = options_of(chain, html);
    struct template *t = NULL;
    c->status = template_parse(str_of(c->receiver->name), str_of(text), &options, &t, c->err);
    if (c->status != 0) {
        err_prefix(c->err, "receiver \"%s\"", c->receiver->name);
    }
    template_free(t);
}

static void check_map(struct check *c, const struct config_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        check_text(c, map->items[i].value, false);
    }
}

static void check_slack(struct check *c, const struct alerting_slack *s)
{
    const char *const texts[] = {s->channel, s->username, s->color, s->title, s->title_link,
        s->pretext, s->text, s->footer, s->fallback, s->callback_id, s->icon_emoji, s->icon_url,
        s->image_url, s->thumb_url};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_text(c, texts[i], false);
    }
    const struct alerting_slack_field *fields = s->fields.items;
    for (size_t i = 0; i < s->fields.count; i++) {
        check_text(c, fields[i].title, false);
        check_text(c, fields[i].value, false);
    }
    const struct alerting_slack_action *actions = s->actions.items;
    for (size_t i = 0; i < s->actions.count; i++) {
        check_text(c, actions[i].text, false);
        check_text(c, actions[i].url, false);
    }
}

static int check_payload(void *context, const char *text)
{
    struct check *c = context;
    check_text(c, text, false);
    return c->status;
}

static void check_way(struct check *c, const struct alerting_integration *way)
{
    switch (way->kind) {
    case ALERTING_WEBHOOK:
        check_text(c, way->webhook->url.text, false);
        if (way->webhook->payload != NULL) {
            (void)webhook_each_text(way->webhook->payload, check_payload, c); // c->status has it
        }
        break;
    case ALERTING_EMAIL:
        check_text(c, way->email->to, false);
        check_text(c, way->email->html, true);
        check_text(c, way->email->text, false);
        check_map(c, &way->email->headers);
        break;
    case ALERTING_SLACK:
        check_slack(c, way->slack);
        break;
    case ALERTING_PAGERDUTY: {
        const struct alerting_pagerduty *p = way->pagerduty;
        const char *const texts[] = {p->client, p->client_url, p->description, p->severity,
            p->class_, p->component, p->group, p->source};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
            check_text(c, texts[i], false);
        }
        check_map(c, &p->details);
        break;
    }
    }
}

/* The recursion ends at ALERTING_ROUTE_DEPTH_MAX. */
static void check_route(struct check *c, const struct alerting_route *route)
{
    const struct alerting_route *children = route->routes.items;
    c->receiver = route->receiver;
    check_map(c, &route->labels);
    for (size_t i = 0; i < route->routes.count; i++) {
        check_route(c, &children[i]);
    }
}

static int check_texts(
    const struct message_templates *t, const struct alerting_config *config, struct err *e)
{
    const struct alerting_receiver *receivers = config->receivers.items;
    struct check c = {.templates = t, .err = e};
    for (size_t i = 0; i < config->receivers.count; i++) {
        c.receiver = &receivers[i];
        for (size_t j = 0; j < receivers[i].integration_count; j++) {
            check_way(&c, &receivers[i].integrations[j]);
        }
    }
    check_route(&c, config->route);
    return c.status;
}

/* ---- Life ---- */

int message_templates_new(
    const struct alerting_config *config, struct message_templates **templates_out, struct err *e)
{
    struct message_templates *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    struct str defaults = str_of(default_text);
    int status = add(&t->text, false, "default.tmpl", defaults, e);
    if (status == 0) {
        status = add(&t->html, true, "default.tmpl", defaults, e);
    }
    for (size_t i = 0; status == 0 && i < config->templates.count; i++) {
        status = add_files(t, config, config->templates.items[i], e);
    }
    if (status == 0) {
        status = check_texts(t, config, e);
    }
    if (status != 0) {
        message_templates_free(t);
        return status;
    }
    *templates_out = t;
    return 0;
}

static void free_chain(struct chain *chain)
{
    while (chain->count > 0) {
        template_free(chain->items[--chain->count]); /* each is the base of the one after it */
    }
}

void message_templates_free(struct message_templates *t)
{
    if (t == NULL) {
        return;
    }
    free_chain(&t->text);
    free_chain(&t->html);
    mem_free(t);
}

size_t message_templates_file_count(const struct message_templates *t)
{
    return t->text.count - 1;
}

int message_templates_parse(const struct message_templates *t, struct str text, bool html,
    struct template **template_out, struct err *e)
{
    struct template_options options = options_of(html ? &t->html : &t->text, html);
    return template_parse(STR("text"), text, &options, template_out, e);
}
