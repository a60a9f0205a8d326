/* API version 2, from the thread that owns the state: each door makes a question, which is answered on the
 * notification thread (notify_run) and leaves JSON in the asker's buffer.
 */
#include "alert/notify_private.h"

#include <stdlib.h>

#include "alert/alert_json.h"
#include "alert/message_templates.h"
#include "alert/message_texts.h"
#include "alert/notify_parse.h"
#include "base/mem.h"

/* What all questions have. */
struct ask {
    struct strbuf *out;
    struct err *err;
    int status;
    struct json_writer json;
    const void *query;
    struct str id;
    struct label_matchers matchers;
    struct regex *receiver; /* NULL: all */
    struct label_matchers receiver_matchers;
    int64_t now_ms;
};

static int parse_matchers(
    struct label_matchers *set, const struct str *texts, size_t count, struct err *e)
{
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        status = label_matchers_parse(set, texts[i], e);
    }
    return status == ERR_LIMIT ? ERR_INVALID : status;
}

static int prepare(struct ask *a, const struct notify_filter *filter)
{
    if (filter == NULL) {
        return 0;
    }
    int status = parse_matchers(&a->matchers, filter->matchers, filter->count, a->err);
    if (status == 0) {
        status = parse_matchers(&a->receiver_matchers, filter->receiver_matchers,
            filter->receiver_matcher_count, a->err);
    }
    if (status == 0 && filter->receiver.len > 0) {
        status = regex_new(filter->receiver, &a->receiver, a->err);
    }
    return status;
}

static bool is_receiver(const struct ask *a, const struct alerting_receiver *receiver)
{
    return (a->receiver == NULL || regex_matches(a->receiver, str_of(receiver->name))) &&
           label_matchers_match(&a->receiver_matchers, receiver->labels);
}

/* Asks, and says what came of it. */
static int ask(struct notify *n, struct ask *a, const struct notify_filter *filter,
    void (*work)(struct notify *n, void *context))
{
    a->now_ms = clock_now_ms(n->clock);
    a->status = prepare(a, filter);
    if (a->status == 0) {
        if (a->out != NULL) {
            json_init(&a->json, a->out);
        }
        int status = notify_run(n, work, a);
        a->status = status != 0 ? status : a->status;
    }
    if (a->status == 0 && a->out != NULL) {
        a->status = strbuf_error(a->out);
    }
    label_matchers_release(&a->matchers);
    label_matchers_release(&a->receiver_matchers);
    regex_free(a->receiver);
    if (a->status != 0 && a->err->message[0] == '\0') {
        err_set(a->err, a->status, -1, "%s", err_text(a->status));
    }
    return a->status;
}

/* ---- Alerts ---- */

struct taken_alerts {
    struct notify_parsed_alerts alerts;
    int status;
};

static void take_alerts(struct notify *n, void *context)
{
    struct taken_alerts *t = context;
    int64_t now_ms = clock_now_ms(n->clock);
    n->pipeline.counters.alerts_invalid += t->alerts.invalid;
    for (size_t i = 0; t->status == 0 && i < t->alerts.count; i++) {
        const struct alert_item *item = t->alerts.items[i];
        t->status = pipeline_receive(&n->pipeline, &item->alert, item->guessed_end, now_ms);
    }
}

static void read_resolve_timeout(struct notify *n, void *context)
{
    struct taken_alerts *t = context;
    t->alerts.resolve_timeout_ms = n->config->config->global.resolve_timeout_ms;
}

int notify_post_alerts(struct notify *n, struct str body, struct err *e)
{
    struct taken_alerts t = {0};
    int status = notify_run(n, read_resolve_timeout, &t);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    int parsed = notify_parse_alerts(body, clock_now_ms(n->clock), &t.alerts, e);
    status = notify_run(n, take_alerts, &t);
    status = status != 0 ? status : t.status;
    notify_parsed_alerts_release(&t.alerts);
    return status != 0 ? err_set(e, status, -1, "%s", err_text(status)) : parsed;
}

struct receivers {
    struct json_writer *json;
    const struct ask *ask;
    bool any;
};

static void match_receiver(void *context, const struct alerting_route *route)
{
    struct receivers *r = context;
    r->any = r->any || is_receiver(r->ask, route->receiver);
}

static void write_receiver(void *context, const struct alerting_route *route)
{
    struct receivers *r = context;
    json_begin_object(r->json);
    alert_json_text(r->json, "name", route->receiver->name);
    json_end(r->json);
}

/* Who holds an alert back, and how many. */
struct standing {
    bool silenced;
    const struct alert_item *inhibitor;
    const char *muted_by;
};

static struct standing standing_of(struct notify *n, const struct labels *labels, int64_t now_ms)
{
    size_t at = 0;
    return (struct standing){
        .silenced = silences_next_match(&n->pipeline.silences, labels, now_ms, &at) != NULL,
        .inhibitor = pipeline_inhibitor(&n->pipeline, labels, now_ms)};
}

static void write_silenced_by(
    struct json_writer *w, const struct notify *n, const struct labels *labels, int64_t now_ms)
{
    const struct silence *s;
    size_t at = 0;
    json_key(w, "silencedBy");
    json_begin_array(w);
    while ((s = silences_next_match(&n->pipeline.silences, labels, now_ms, &at)) != NULL) {
        json_cstring(w, s->id);
    }
    json_end(w);
}

static void write_fingerprint(struct json_writer *w, uint64_t fingerprint)
{
    char text[17];
    (void)snprintf(text, sizeof(text), "%016llx", (unsigned long long)fingerprint);
    json_cstring(w, text);
}

static void write_status(struct json_writer *w, struct notify *n, const struct alert_item *item,
    const struct standing *s, int64_t now_ms)
{
    json_key(w, "status");
    json_begin_object(w);
    write_silenced_by(w, n, item->alert.labels, now_ms);
    json_key(w, "inhibitedBy");
    json_begin_array(w);
    if (s->inhibitor != NULL) {
        write_fingerprint(w, s->inhibitor->fingerprint);
    }
    json_end(w);
    json_key(w, "mutedBy");
    json_begin_array(w);
    if (s->muted_by != NULL) {
        json_cstring(w, s->muted_by);
    }
    json_end(w);
    bool suppressed = s->silenced || s->inhibitor != NULL || s->muted_by != NULL;
    alert_json_text(w, "state", suppressed ? "suppressed" : "active");
    json_end(w);
}

static void write_alert(struct json_writer *w, struct notify *n, const struct alert_item *item,
    const struct standing *s, int64_t now_ms)
{
    const struct alert *a = &item->alert;
    struct receivers to = {.json = w};
    json_begin_object(w);
    alert_json_pairs(w, "annotations", a->annotations, a->annotation_count);
    alert_json_time(w, "endsAt", a->ends_at_ms);
    json_key(w, "fingerprint");
    write_fingerprint(w, item->fingerprint);
    json_key(w, "receivers");
    json_begin_array(w);
    pipeline_routes(n->config->config, a->labels, write_receiver, &to);
    json_end(w);
    alert_json_time(w, "startsAt", a->starts_at_ms);
    write_status(w, n, item, s, now_ms);
    alert_json_time(w, "updatedAt", item->updated_at_ms);
    json_key(w, "generatorURL");
    json_string(w, a->generator_url);
    alert_json_pairs(w, "labels", labels_pairs(a->labels), labels_count(a->labels));
    json_end(w);
}

static bool is_shown(const struct ask *a, const struct alert_item *item, const struct standing *s)
{
    const struct notify_alert_query *q = a->query;
    bool held = s->silenced || s->inhibitor != NULL || s->muted_by != NULL;
    return alert_item_fires(item, a->now_ms) &&
           label_matchers_match(&a->matchers, item->alert.labels) && (q->active || held) &&
           (q->silenced || !s->silenced) && (q->inhibited || s->inhibitor == NULL) &&
           (q->muted || s->muted_by == NULL);
}

static int compare_items(const void *a, const void *b)
{
    uint64_t x = (*(struct alert_item *const *)a)->fingerprint;
    uint64_t y = (*(struct alert_item *const *)b)->fingerprint;
    return x < y ? -1 : x > y;
}

static void write_alerts(struct notify *n, void *context)
{
    struct ask *a = context;
    size_t at = 0, count = 0;
    struct alert_item *item;
    struct alert_item **items =
        mem_calloc(n->pipeline.alerts.count + 1, sizeof(struct alert_item *));
    if (items == NULL) {
        a->status = ERR_NOMEM;
        return;
    }
    while ((item = pointer_table_next(&n->pipeline.alerts, &at)) != NULL) {
        items[count++] = item;
    }
    if (count > 1) {
        qsort(items, count, sizeof(struct alert_item *), compare_items);
    }
    json_begin_array(&a->json);
    for (size_t i = 0; i < count; i++) {
        struct receivers to = {.ask = a};
        pipeline_routes(n->config->config, items[i]->alert.labels, match_receiver, &to);
        struct standing s = standing_of(n, items[i]->alert.labels, a->now_ms);
        if (to.any && is_shown(a, items[i], &s)) {
            write_alert(&a->json, n, items[i], &s, a->now_ms);
        }
    }
    json_end(&a->json);
    mem_free(items);
}

int notify_write_alerts(
    struct notify *n, const struct notify_alert_query *query, struct strbuf *out, struct err *e)
{
    struct ask a = {.out = out, .err = e, .query = query};
    return ask(n, &a, &query->filter, write_alerts);
}

/* ---- Groups ---- */

static int compare_groups(const void *a, const void *b)
{
    const struct alert_group *x = *(struct alert_group *const *)a;
    const struct alert_group *y = *(struct alert_group *const *)b;
    int order = labels_cmp(x->labels, y->labels);
    return order != 0 ? order : strcmp(x->route->receiver->name, y->route->receiver->name);
}

static void write_route_labels(struct ask *a, struct notify *n, const struct alert_group *g)
{
    const struct labels *labels = NULL;
    const struct message m = {.config = n->config->config,
        .receiver = g->route->receiver,
        .route = g->route,
        .group_key = g->key,
        .group_labels = g->labels,
        .items = g->items,
        .count = g->count,
        .now_ms = a->now_ms,
        .external_url = n->pipeline.options.external_url,
        .trace_url = n->pipeline.options.trace_url,
        .templates = n->config->templates};
    if (g->route->own_label_count > 0 && message_route_labels(&m, &labels) == 0) {
        alert_json_pairs(&a->json, "routeLabels", labels_pairs(labels), labels_count(labels));
        labels_unref(labels);
    }
}

static void write_group(struct ask *a, struct notify *n, const struct alert_group *g)
{
    size_t shown = 0;
    for (size_t i = 0; i < g->count; i++) {
        struct standing s = standing_of(n, g->items[i]->alert.labels, a->now_ms);
        s.muted_by = g->muted_by;
        if (!is_shown(a, g->items[i], &s)) {
            continue;
        }
        if (shown++ == 0) {
            json_begin_object(&a->json);
            alert_json_pairs(&a->json, "labels", labels_pairs(g->labels), labels_count(g->labels));
            json_key(&a->json, "receiver");
            json_begin_object(&a->json);
            alert_json_text(&a->json, "name", g->route->receiver->name);
            json_end(&a->json);
            write_route_labels(a, n, g);
            json_key(&a->json, "alerts");
            json_begin_array(&a->json);
        }
        write_alert(&a->json, n, g->items[i], &s, a->now_ms);
    }
    if (shown > 0) {
        json_end(&a->json);
        json_end(&a->json);
    }
}

static void write_groups(struct notify *n, void *context)
{
    struct ask *a = context;
    size_t at = 0, count = 0;
    struct alert_group *g;
    struct alert_group **groups =
        mem_calloc(n->pipeline.groups.count + 1, sizeof(struct alert_group *));
    if (groups == NULL) {
        a->status = ERR_NOMEM;
        return;
    }
    while ((g = pointer_table_next(&n->pipeline.groups, &at)) != NULL) {
        groups[count++] = g;
    }
    if (count > 1) {
        qsort(groups, count, sizeof(struct alert_group *), compare_groups);
    }
    json_begin_array(&a->json);
    for (size_t i = 0; i < count; i++) {
        if (is_receiver(a, groups[i]->route->receiver)) {
            write_group(a, n, groups[i]);
        }
    }
    json_end(&a->json);
    mem_free(groups);
}

int notify_write_groups(
    struct notify *n, const struct notify_alert_query *query, struct strbuf *out, struct err *e)
{
    struct ask a = {.out = out, .err = e, .query = query};
    return ask(n, &a, &query->filter, write_groups);
}

/* ---- Silences ---- */

static void write_matchers(struct json_writer *w, const struct label_matchers *set)
{
    json_key(w, "matchers");
    json_begin_array(w);
    for (size_t i = 0; i < set->count; i++) {
        const struct matcher *m = set->items[i];
        json_begin_object(w);
        json_key(w, "isEqual");
        json_bool(w, m->type == MATCHER_EQUAL || m->type == MATCHER_REGEX);
        json_key(w, "isRegex");
        json_bool(w, m->type == MATCHER_REGEX || m->type == MATCHER_NOT_REGEX);
        json_key(w, "name");
        json_string(w, m->name);
        json_key(w, "value");
        json_string(w, m->value);
        json_end(w);
    }
    json_end(w);
}

static void write_one_silence(struct json_writer *w, const struct silence *s, int64_t now_ms)
{
    json_begin_object(w);
    alert_json_text(w, "id", s->id);
    json_key(w, "status");
    json_begin_object(w);
    alert_json_text(w, "state", silence_state_name(silence_state_at(s, now_ms)));
    json_end(w);
    alert_json_time(w, "updatedAt", s->updated_at_ms);
    alert_json_text(w, "comment", s->comment);
    alert_json_text(w, "createdBy", s->created_by);
    alert_json_time(w, "endsAt", s->ends_at_ms);
    write_matchers(w, &s->matchers);
    alert_json_time(w, "startsAt", s->starts_at_ms);
    json_end(w);
}

/* As Alertmanager filters silences: by what their own matchers say of a label, as texts. */
static bool silence_passes(const struct label_matchers *filter, const struct silence *s)
{
    for (size_t i = 0; i < filter->count; i++) {
        bool found = false;
        for (size_t j = 0; !found && j < s->matchers.count; j++) {
            found = str_eq(s->matchers.items[j]->name, filter->items[i]->name) &&
                    matcher_matches(filter->items[i], s->matchers.items[j]->value);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* Active ones by their end, then pending ones by their beginning, then expired ones, the last first. */
static int compare_silences(const struct silence *x, const struct silence *y, int64_t now_ms)
{
    static const int order[] = {[SILENCE_ACTIVE] = 0, [SILENCE_PENDING] = 1, [SILENCE_EXPIRED] = 2};
    enum silence_state a = silence_state_at(x, now_ms), b = silence_state_at(y, now_ms);
    if (a != b) {
        return order[a] - order[b];
    }
    int64_t left = a == SILENCE_PENDING ? x->starts_at_ms : x->ends_at_ms;
    int64_t right = a == SILENCE_PENDING ? y->starts_at_ms : y->ends_at_ms;
    int rising = left < right ? -1 : left > right;
    return a == SILENCE_EXPIRED ? -rising : rising;
}

static int compare_silence_pointers(const void *a, const void *b, void *now_ms)
{
    return compare_silences(
        *(struct silence *const *)a, *(struct silence *const *)b, *(const int64_t *)now_ms);
}

static void write_silences(struct notify *n, void *context)
{
    struct ask *a = context;
    const struct notify_silence_query *q = a->query;
    struct silences *set = &n->pipeline.silences;
    const bool shown[] = {[SILENCE_PENDING] = q->pending,
        [SILENCE_ACTIVE] = q->active,
        [SILENCE_EXPIRED] = q->expired};
    if (set->count > 1) {
        qsort_r(
            set->items, set->count, sizeof(struct silence *), compare_silence_pointers, &a->now_ms);
    }
    json_begin_array(&a->json);
    for (size_t i = 0; i < set->count; i++) {
        const struct silence *s = set->items[i];
        if (shown[silence_state_at(s, a->now_ms)] && silence_passes(&a->matchers, s)) {
            write_one_silence(&a->json, s, a->now_ms);
        }
    }
    json_end(&a->json);
}

int notify_write_silences(
    struct notify *n, const struct notify_silence_query *query, struct strbuf *out, struct err *e)
{
    struct ask a = {.out = out, .err = e, .query = query};
    return ask(n, &a, &query->filter, write_silences);
}

static void write_silence(struct notify *n, void *context)
{
    struct ask *a = context;
    const struct silence *s = silences_get(&n->pipeline.silences, a->id);
    if (s == NULL) {
        a->status = err_set(a->err, ERR_NOT_FOUND, -1, "silence not found");
        return;
    }
    write_one_silence(&a->json, s, a->now_ms);
}

int notify_write_silence(struct notify *n, struct str id, struct strbuf *out, struct err *e)
{
    struct ask a = {.out = out, .err = e, .id = id};
    return ask(n, &a, NULL, write_silence);
}

static void put_silence(struct notify *n, void *context)
{
    struct ask *a = context;
    const struct silence *made = NULL;
    struct silence *wanted = (struct silence *)(uintptr_t)a->query;
    int64_t now_ms = clock_now_ms(n->clock);
    a->status = pipeline_put_silence(&n->pipeline, wanted, now_ms, &made, a->err);
    if (made == NULL) {
        silence_free(wanted);
        return;
    }
    json_begin_object(&a->json);
    alert_json_text(&a->json, "silenceID", made->id);
    json_end(&a->json);
}

int notify_post_silence(struct notify *n, struct str body, struct strbuf *out, struct err *e)
{
    struct silence *wanted = NULL;
    int status = notify_parse_silence(body, &wanted, e);
    if (status != 0) {
        return status;
    }
    struct ask a = {.out = out, .err = e, .query = wanted};
    return ask(n, &a, NULL, put_silence);
}

static void expire_silence(struct notify *n, void *context)
{
    struct ask *a = context;
    a->status = pipeline_expire_silence(&n->pipeline, a->id, clock_now_ms(n->clock), a->err);
}

int notify_expire_silence(struct notify *n, struct str id, struct err *e)
{
    struct ask a = {.err = e, .id = id};
    return ask(n, &a, NULL, expire_silence);
}

/* ---- Receivers and status ---- */

static void write_receivers(struct notify *n, void *context)
{
    struct ask *a = context;
    const struct alerting_receiver *items = n->config->config->receivers.items;
    json_begin_array(&a->json);
    for (size_t i = 0; i < n->config->config->receivers.count; i++) {
        if (!is_receiver(a, &items[i])) {
            continue;
        }
        const struct labels *labels = items[i].labels;
        json_begin_object(&a->json);
        if (labels_count(labels) > 0) {
            alert_json_pairs(&a->json, "labels", labels_pairs(labels), labels_count(labels));
        }
        alert_json_text(&a->json, "name", items[i].name);
        json_end(&a->json);
    }
    json_end(&a->json);
}

int notify_write_receivers(
    struct notify *n, const struct notify_filter *filter, struct strbuf *out, struct err *e)
{
    struct ask a = {.out = out, .err = e};
    return ask(n, &a, filter, write_receivers);
}

static void write_status_page(struct notify *n, void *context)
{
    struct ask *a = context;
    struct json_writer *w = &a->json;
    struct strbuf original = STRBUF_INIT;
    alerting_config_write_public(n->config->config, &original);
    json_begin_object(w);
    json_key(w, "cluster");
    json_begin_object(w);
    json_key(w, "peers");
    json_begin_array(w);
    json_end(w);
    alert_json_text(w, "status", "disabled");
    json_end(w);
    json_key(w, "config");
    json_begin_object(w);
    json_key(w, "original");
    json_string(w, strbuf_str(&original));
    json_end(w);
    alert_json_time(w, "uptime", n->started_ms);
    json_key(w, "versionInfo");
    json_begin_object(w);
    alert_json_text(w, "branch", "");
    alert_json_text(w, "buildDate", "");
    alert_json_text(w, "buildUser", "");
    alert_json_text(w, "goVersion", "");
    alert_json_text(w, "revision", "");
    alert_json_text(w, "version", "sonde " SONDE_VERSION);
    json_end(w);
    json_end(w);
    strbuf_release(&original);
}

int notify_write_status(struct notify *n, struct strbuf *out, struct err *e)
{
    struct ask a = {.out = out, .err = e};
    return ask(n, &a, NULL, write_status_page);
}

static void write_alertmanagers(struct notify *n, void *context)
{
    struct ask *a = context;
    external_set_write_urls(&n->externals, a->out);
}

int notify_write_alertmanagers(struct notify *n, struct strbuf *out, struct err *e)
{
    struct ask a = {.out = out, .err = e};
    return ask(n, &a, NULL, write_alertmanagers);
}

int notify_check(const char *config_path, struct strbuf *report, struct err *e)
{
    struct notify_config *c = NULL;
    int status = notify_config_load(config_path, &c, e);
    if (status != 0) {
        return status;
    }
    size_t ways = 0;
    const struct alerting_receiver *receivers = c->config->receivers.items;
    for (size_t i = 0; i < c->config->receivers.count; i++) {
        ways += receivers[i].integration_count;
    }
    strbuf_addf(report,
        "%s is good: %zu routes, %zu receivers with %zu ways of sending, %zu inhibit rules, %zu "
        "time intervals, %zu files of templates.\n",
        config_path, c->config->route_count, c->config->receivers.count, ways,
        c->config->inhibitions.count, c->config->intervals.count + c->config->mute_intervals.count,
        message_templates_file_count(c->templates));
    notify_config_unref(c);
    return strbuf_error(report);
}
