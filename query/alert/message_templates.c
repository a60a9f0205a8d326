/* Parsing and executing templates of messages.
 *
 * The names and what they are for are Alertmanager's, so that files written for it replace ours; the texts
 * are our own.
 */
#include "alert/message_templates.h"

#include <glob.h>
#include <stdio.h>

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
    "{{ range .TraceIDs }}Trace: {{ . }}\n{{ end }}"
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
    "{{ range .TraceIDs }} trace `{{ . }}`{{ end }}\n{{ end }}{{ end }}"
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
    "{{ range .TraceIDs }}<p>Trace {{ . }}</p>{{ end }}{{ end }}"
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

static void check_way(struct check *c, const struct alerting_integration *way)
{
    switch (way->kind) {
    case ALERTING_WEBHOOK:
        check_text(c, way->webhook->payload, false);
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

static int check_receivers(
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
        status = check_receivers(t, config, e);
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

/* ---- Data ---- */

enum { DATA_FIELDS = 10, ALERT_FIELDS = 10 };

static bool is_firing(const struct template_value *alert)
{
    const struct template_value *status = template_field(alert, STR("Status"));
    return status != NULL && str_eq_c(status->string, "firing");
}

static int select_alerts(struct template_run *run, const struct template_value *self, bool firing,
    struct template_value *value_out)
{
    struct arena *arena = template_run_arena(run);
    struct template_list *list = arena_calloc(arena, 1, sizeof(*list));
    struct template_value *items = arena_calloc(arena, self->list->count + 1, sizeof(*items));
    if (list == NULL || items == NULL) {
        return arena_error(arena);
    }
    *list = (struct template_list){
        .type = self->list->type, .methods = self->list->methods, .items = items};
    for (size_t i = 0; i < self->list->count; i++) {
        if (is_firing(&self->list->items[i]) == firing) {
            items[list->count++] = self->list->items[i];
        }
    }
    *value_out = template_list_of(list);
    return 0;
}

static int firing_method(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)arguments, (void)count, (void)e;
    return select_alerts(run, self, true, value_out);
}

static int resolved_method(struct template_run *run, const struct template_value *self,
    const struct template_value *arguments, size_t count, struct template_value *value_out,
    struct err *e)
{
    (void)arguments, (void)count, (void)e;
    return select_alerts(run, self, false, value_out);
}

static const struct template_method alerts_methods[] = {
    {.name = "Firing", .call = firing_method},
    {.name = "Resolved", .call = resolved_method},
    {.name = NULL},
};

/* A struct under construction, in an arena whose errors stick. */
struct maker {
    struct arena *arena;
    struct template_field *fields;
    struct template_value *values;
    size_t count;
};

static bool begin_struct(struct maker *m, struct arena *arena, size_t count)
{
    m->arena = arena;
    m->fields = arena_calloc(arena, count, sizeof(*m->fields));
    m->values = arena_calloc(arena, count, sizeof(*m->values));
    m->count = 0;
    return m->fields != NULL && m->values != NULL;
}

static void add_field(struct maker *m, const char *name, struct template_value value)
{
    m->values[m->count] = value;
    m->fields[m->count] = (struct template_field){str_of(name), &m->values[m->count]};
    m->count++;
}

static struct template_value end_struct(struct maker *m, const char *type)
{
    struct template_fields *fields = arena_calloc(m->arena, 1, sizeof(*fields));
    if (fields == NULL) {
        return template_nil();
    }
    *fields = (struct template_fields){.type = type, .items = m->fields, .count = m->count};
    return template_struct(fields);
}

static struct template_value pairs_of(struct arena *arena, const struct label *pairs, size_t count)
{
    return template_pairs(arena, pairs, count, true);
}

static struct template_value labels_value(struct arena *arena, const struct labels *labels)
{
    return pairs_of(arena, labels_pairs(labels), labels_count(labels));
}

static struct template_value traces_value(struct arena *arena, const struct alert *a)
{
    struct template_list *list = arena_calloc(arena, 1, sizeof(*list));
    struct template_value *items = arena_calloc(arena, a->exemplar_count + 1, sizeof(*items));
    if (list == NULL || items == NULL) {
        return template_nil();
    }
    for (size_t i = 0; i < a->exemplar_count; i++) {
        items[i] = template_string(a->exemplars[i].trace_id);
    }
    *list = (struct template_list){.items = items, .count = a->exemplar_count};
    return template_list_of(list);
}

static struct template_value alert_value(
    struct arena *arena, const struct alert_item *item, int64_t now_ms)
{
    const struct alert *a = &item->alert;
    bool fires = alert_item_fires(item, now_ms);
    struct maker m;
    char *fingerprint = arena_alloc(arena, 17);
    if (fingerprint == NULL || !begin_struct(&m, arena, ALERT_FIELDS)) {
        return template_nil();
    }
    (void)snprintf(fingerprint, 17, "%016llx", (unsigned long long)item->fingerprint);
    add_field(&m, "Status", template_string(fires ? STR("firing") : STR("resolved")));
    add_field(&m, "Labels", labels_value(arena, a->labels));
    add_field(&m, "Annotations", pairs_of(arena, a->annotations, a->annotation_count));
    add_field(&m, "StartsAt", template_time_ms(a->starts_at_ms));
    add_field(
        &m, "EndsAt", fires ? template_time(TEMPLATE_TIME_ZERO) : template_time_ms(a->ends_at_ms));
    add_field(&m, "GeneratorURL", template_string(a->generator_url));
    add_field(&m, "Fingerprint", template_string(str_of(fingerprint)));
    add_field(&m, "Value", a->has_value ? template_float(a->value) : template_nil());
    add_field(&m, "TraceIDs", traces_value(arena, a));
    return end_struct(&m, "template.Alert");
}

static struct template_value alerts_value(struct arena *arena, const struct message *message)
{
    struct template_list *list = arena_calloc(arena, 1, sizeof(*list));
    struct template_value *items = arena_calloc(arena, message->count + 1, sizeof(*items));
    if (list == NULL || items == NULL) {
        return template_nil();
    }
    for (size_t i = 0; i < message->count; i++) {
        items[i] = alert_value(arena, message->items[i], message->now_ms);
    }
    *list = (struct template_list){.type = "template.Alerts",
        .methods = alerts_methods,
        .items = items,
        .count = message->count};
    return template_list_of(list);
}

static void release_labels(void *labels)
{
    labels_unref(labels);
}

/* Common labels live as long as the arena. */
static struct template_value common_value(struct arena *arena, const struct message *m,
    int (*find)(const struct message *m, const struct labels **out))
{
    const struct labels *labels = NULL;
    if (find(m, &labels) != 0) {
        return template_nil();
    }
    if (arena_on_release(arena, release_labels, (void *)(uintptr_t)labels) != 0) {
        labels_unref(labels);
        return template_nil();
    }
    return labels_value(arena, labels);
}

static struct template_value route_value(struct arena *arena, const struct message *m)
{
    const struct config_map *map = m->route != NULL ? &m->route->labels : NULL;
    size_t count = map != NULL ? map->count : 0;
    struct label *pairs = arena_calloc(arena, count + 1, sizeof(*pairs));
    for (size_t i = 0; pairs != NULL && i < count; i++) {
        pairs[i] = (struct label){str_of(map->items[i].key), str_of(map->items[i].value)};
    }
    return pairs != NULL ? pairs_of(arena, pairs, count) : template_nil();
}

int message_texts_begin(struct message_texts *t, const struct message *m, struct err *e)
{
    struct maker maker;
    *t = (struct message_texts){.message = m};
    t->hooks.external_url = str_of(m->external_url);
    t->hooks.time_ms = m->now_ms;
    arena_init(&t->arena, TEMPLATE_MEMORY_BYTES_DEFAULT);
    struct arena *arena = &t->arena;
    if (begin_struct(&maker, arena, DATA_FIELDS)) {
        add_field(&maker, "Receiver", template_string(str_of(m->receiver->name)));
        add_field(
            &maker, "Status", template_string(message_fires(m) ? STR("firing") : STR("resolved")));
        add_field(&maker, "Alerts", alerts_value(arena, m));
        add_field(
            &maker, "NotificationReason", template_string(str_of(notice_reason_text(m->reason))));
        add_field(&maker, "GroupLabels", labels_value(arena, m->group_labels));
        add_field(&maker, "CommonLabels", common_value(arena, m, message_common_labels));
        add_field(&maker, "CommonAnnotations", common_value(arena, m, message_common_annotations));
        add_field(&maker, "RouteLabels", route_value(arena, m));
        add_field(&maker, "ExternalURL", template_string(str_of(m->external_url)));
        t->data = end_struct(&maker, "template.Data");
    }
    int status = arena->error;
    if (status != 0) {
        message_texts_end(t);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    return 0;
}

void message_texts_end(struct message_texts *t)
{
    arena_release(&t->arena);
}

int message_texts_write(
    struct message_texts *t, const char *text, bool html, struct strbuf *out, struct err *e)
{
    if (strstr(text, "{{") == NULL) {
        strbuf_add_c(out, text);
        return strbuf_error(out);
    }
    const struct message_templates *templates = t->message->templates;
    struct template_options options = options_of(html ? &templates->html : &templates->text, html);
    struct template *parsed = NULL;
    int status = template_parse(STR("text"), str_of(text), &options, &parsed, e);
    if (status == 0) {
        status = template_execute(parsed, &t->data, &t->hooks, NULL, out, e);
    }
    template_free(parsed);
    return status;
}
