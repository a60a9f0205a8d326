/* The data that texts of messages are executed with, and the texts themselves.
 *
 * Fields and methods are Alertmanager's; an alert has `Value`, `TraceIDs` and
 * `TraceURLs` besides.
 */
#include "alert/message_texts.h"

#include <stdio.h>

#include "alert/message_templates.h"
#include "base/log.h"
#include "base/mem.h"

enum { DATA_FIELDS = 10, ALERT_FIELDS = 11 };

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

/* Ids of traces, or the links to them. */
static struct template_value traces_value(
    struct arena *arena, const struct message *message, const struct alert *a, bool links)
{
    struct template_list *list = arena_calloc(arena, 1, sizeof(*list));
    struct template_value *items = arena_calloc(arena, a->exemplar_count + 1, sizeof(*items));
    if (list == NULL || items == NULL) {
        return template_nil();
    }
    for (size_t i = 0; i < a->exemplar_count; i++) {
        struct strbuf url = STRBUF_INIT;
        struct str text = a->exemplars[i].trace_id;
        if (links) {
            message_trace_url_write(message, a->exemplars[i].trace_id, &url);
            char *kept = arena_strndup(arena, url.data != NULL ? url.data : "", url.size);
            text = kept != NULL ? str_make(kept, url.size) : STR("");
        }
        items[i] = template_string(text);
        strbuf_release(&url);
    }
    *list = (struct template_list){.items = items, .count = a->exemplar_count};
    return template_list_of(list);
}

static struct template_value alert_value(
    struct arena *arena, const struct message *message, const struct alert_item *item)
{
    int64_t now_ms = message->now_ms;
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
    add_field(&m, "TraceIDs", traces_value(arena, message, a, false));
    add_field(&m, "TraceURLs", traces_value(arena, message, a, true));
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
        items[i] = alert_value(arena, message, message->items[i]);
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

/* Takes the reference: labels live as long as the arena. */
static struct template_value owned_labels(struct arena *arena, const struct labels *labels)
{
    if (arena_on_release(arena, release_labels, (void *)(uintptr_t)labels) != 0) {
        labels_unref(labels);
        return template_nil();
    }
    return labels_value(arena, labels);
}

static struct template_value common_value(struct arena *arena, const struct message *m,
    int (*find)(const struct message *m, const struct labels **out))
{
    const struct labels *labels = NULL;
    return find(m, &labels) == 0 ? owned_labels(arena, labels) : template_nil();
}

/* ---- Labels of routes ---- */

/* One that is asked for by another is expanded first; `stack` says for whom. */
struct route_labels {
    struct message_texts *texts;
    const struct label *raw; /* by name */
    size_t count;
    struct str *made;
    enum { WAITS, UNDER_WAY, MADE } * states;
};

static int expand_label(struct route_labels *r, size_t i, struct err *e)
{
    struct strbuf out = STRBUF_INIT;
    strbuf_add_c(&out, "");
    r->states[i] = UNDER_WAY;
    int status = message_texts_write(r->texts, r->raw[i].value.ptr, false, &out, e);
    if (status == 0) {
        char *kept = arena_strndup(&r->texts->arena, out.data, out.size);
        status = kept != NULL ? 0 : arena_error(&r->texts->arena);
        r->made[i] = str_make(kept, out.size);
    }
    strbuf_release(&out);
    r->states[i] = status == 0 ? MADE : WAITS;
    return status;
}

/* The recursion ends because each label is under way once. */
static int find_label(void *context, struct str name, struct str *value_out, struct err *e)
{
    struct route_labels *r = context;
    *value_out = STR("");
    for (size_t i = 0; i < r->count; i++) {
        if (!str_eq(r->raw[i].name, name)) {
            continue;
        }
        if (r->states[i] == UNDER_WAY) {
            return err_set(e, ERR_INVALID, -1, "route label cycle detected: %.*s", STR_ARG(name));
        }
        int status = r->states[i] == MADE ? 0 : expand_label(r, i, e);
        *value_out = status == 0 ? r->made[i] : STR("");
        return status;
    }
    return 0;
}

static int build(struct route_labels *r, const struct message *m, const struct labels **labels_out)
{
    struct labels_builder b;
    labels_builder_init(&b);
    for (size_t i = 0; i < r->count; i++) {
        struct err e = ERR_INIT;
        if (r->states[i] == MADE || expand_label(r, i, &e) == 0) {
            labels_builder_set(&b, r->raw[i].name, r->made[i]);
        } else {
            LOG_WARN("alerts: a label of a route cannot be expanded, and is left out",
                LOG_S("receiver", m->receiver->name), LOG_STR("label", r->raw[i].name),
                LOG_S("error", e.message));
        }
    }
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status;
}

static int begin(struct message_texts *t, const struct message *m, const struct labels *route);

static int expand_labels(const struct message *m, const struct labels **labels_out)
{
    struct message_texts texts;
    const struct labels *none = labels_ref(labels_empty());
    size_t count = m->route->own_label_count;
    int status = begin(&texts, m, none);
    struct route_labels r = {.texts = &texts, .raw = m->route->own_labels, .count = count};
    r.made = arena_calloc(&texts.arena, count, sizeof(*r.made));
    r.states = arena_calloc(&texts.arena, count, sizeof(*r.states));
    texts.hooks.route_label = find_label;
    texts.hooks.context = &r;
    status = status == 0 ? texts.arena.error : status;
    status = status == 0 ? build(&r, m, labels_out) : status;
    message_texts_end(&texts);
    return status;
}

int message_route_labels(const struct message *m, const struct labels **labels_out)
{
    if (m->route == NULL || m->route->own_label_count == 0) {
        *labels_out = labels_ref(labels_empty());
        return 0;
    }
    return expand_labels(m, labels_out);
}

/* ---- The doors ---- */

static int expanded_label(void *context, struct str name, struct str *value_out, struct err *e)
{
    (void)e;
    *value_out = labels_get(context, name);
    return 0;
}

/* Has the labels of the route from here on. */
static int begin(struct message_texts *t, const struct message *m, const struct labels *route)
{
    struct maker maker;
    *t = (struct message_texts){.message = m};
    t->hooks.external_url = str_of(m->external_url);
    t->hooks.time_ms = m->now_ms;
    t->hooks.route_label = expanded_label;
    t->hooks.context = (void *)(uintptr_t)route;
    arena_init(&t->arena, TEMPLATE_MEMORY_BYTES_DEFAULT);
    struct arena *arena = &t->arena;
    struct template_value route_value = owned_labels(arena, route);
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
        add_field(&maker, "RouteLabels", route_value);
        add_field(&maker, "ExternalURL", template_string(str_of(m->external_url)));
        t->data = end_struct(&maker, "template.Data");
    }
    return arena->error;
}

int message_texts_begin(struct message_texts *t, const struct message *m, struct err *e)
{
    const struct labels *route = NULL;
    int status = message_route_labels(m, &route);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    status = begin(t, m, route);
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
    struct template *parsed = NULL;
    int status = message_templates_parse(t->message->templates, str_of(text), html, &parsed, e);
    if (status == 0) {
        status = template_execute(parsed, &t->data, &t->hooks, NULL, out, e);
    }
    template_free(parsed);
    return status;
}
