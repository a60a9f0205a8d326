/* The queue and the requests of each Alertmanager elsewhere. */
#include "alert/external.h"

#include "alert/alert_json.h"
#include "alert/alert_relabel.h"
#include "base/log.h"
#include "base/mem.h"

#define EXTERNAL_BODY_BYTES_MAX ((size_t)128 << 20)

struct external {
    const struct external_set *set;
    char *base_url, *url;
    struct arena arena; /* of the profile's texts */
    struct http_profile profile;
    int64_t timeout_ms;
    struct relabel *relabel;      /* NULL: none */
    struct pointer_table waiting; /* struct alert_item by labels_hash; a reference each */
    struct alert_item *batch[EXTERNAL_BATCH_MAX]; /* in the air; a reference each */
    size_t batch_count;
    struct strbuf body;
    bool in_flight;
    uint32_t failures; /* in a row */
    int64_t next_ms;
    struct clock *clock;
    uint64_t sent, errors, dropped;
};

static void external_free(struct external *x)
{
    if (x == NULL) {
        return;
    }
    struct alert_item *item;
    size_t at = 0;
    while ((item = pointer_table_next(&x->waiting, &at)) != NULL) {
        alert_item_unref(item);
    }
    for (size_t i = 0; i < x->batch_count; i++) {
        alert_item_unref(x->batch[i]);
    }
    pointer_table_release(&x->waiting);
    strbuf_release(&x->body);
    arena_release(&x->arena);
    relabel_unref(x->relabel);
    mem_free(x->base_url);
    mem_free(x->url);
    mem_free(x);
}

static int external_new(const struct notify_alertmanager *from, struct external **x_out)
{
    struct external *x = mem_calloc(1, sizeof(*x));
    struct strbuf url = STRBUF_INIT;
    if (x == NULL) {
        return ERR_NOMEM;
    }
    size_t length = strlen(from->url);
    while (length > 0 && from->url[length - 1] == '/') {
        length--;
    }
    strbuf_addf(&url, "%.*s/api/v2/alerts", (int)length, from->url);
    x->url = strbuf_take(&url, NULL);
    x->base_url = mem_strdup(from->url);
    x->relabel = relabel_ref(from->alert_relabel);
    x->timeout_ms = from->timeout_ms > 0 ? from->timeout_ms : EXTERNAL_TIMEOUT_MS_DEFAULT;
    strbuf_init(&x->body, EXTERNAL_BODY_BYTES_MAX);
    arena_init(&x->arena, 0);
    int status = http_profile_copy(&from->profile, &x->arena, &x->profile);
    if (status != 0 || x->url == NULL || x->base_url == NULL) {
        strbuf_release(&url);
        external_free(x);
        return status != 0 ? status : ERR_NOMEM;
    }
    *x_out = x;
    return 0;
}

int external_set_open(struct external_set *set, const struct notify_alertmanager *list,
    size_t count, void (*wake)(void *context), void *context)
{
    set->wake = wake;
    set->context = context;
    if (count > NOTIFY_ALERTMANAGERS_MAX) {
        return ERR_LIMIT;
    }
    set->items = mem_calloc(count + 1, sizeof(*set->items));
    if (set->items == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        int status = external_new(&list[i], &set->items[i]);
        if (status != 0) {
            return status;
        }
        set->items[i]->set = set;
        set->count++;
    }
    return 0;
}

void external_set_close(struct external_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        external_free(set->items[i]);
    }
    mem_free(set->items);
    *set = (struct external_set){0};
}

static void keep(struct external *x, struct alert_item *item)
{
    uint64_t key = labels_hash(item->alert.labels);
    struct alert_item *old = pointer_table_get(&x->waiting, key);
    if ((old == NULL && x->waiting.count >= EXTERNAL_QUEUE_MAX) ||
        pointer_table_put(&x->waiting, key, item) != 0) {
        x->dropped++; /* the next repetition brings it */
        return;
    }
    (void)alert_item_ref(item);
    alert_item_unref(old);
}

void external_set_add(struct external_set *set, struct alert_item *item)
{
    for (size_t i = 0; i < set->count; i++) {
        struct alert_item *told = NULL;
        int status = alert_relabel(set->items[i]->relabel, item, &told);
        if (status > 0) {
            keep(set->items[i], told);
        }
        set->items[i]->dropped += status < 0; /* the next repetition brings it */
        alert_item_unref(told);
    }
}

/* ---- Requests ---- */

static void write_batch(struct external *x)
{
    struct json_writer w;
    strbuf_reset(&x->body);
    json_init(&w, &x->body);
    json_begin_array(&w);
    for (size_t i = 0; i < x->batch_count; i++) {
        const struct alert *a = &x->batch[i]->alert;
        json_begin_object(&w);
        alert_json_pairs(&w, "labels", labels_pairs(a->labels), labels_count(a->labels));
        alert_json_pairs(&w, "annotations", a->annotations, a->annotation_count);
        alert_json_time(&w, "startsAt", a->starts_at_ms);
        alert_json_time(&w, "endsAt", a->ends_at_ms);
        json_key(&w, "generatorURL");
        json_string(&w, a->generator_url);
        json_end(&w);
    }
    json_end(&w);
}

static void take_batch(struct external *x)
{
    struct alert_item *item;
    size_t at = 0;
    while (x->batch_count < EXTERNAL_BATCH_MAX &&
           (item = pointer_table_next(&x->waiting, &at)) != NULL) {
        x->batch[x->batch_count++] = item;
    }
    for (size_t i = 0; i < x->batch_count; i++) {
        (void)pointer_table_remove(&x->waiting, labels_hash(x->batch[i]->alert.labels));
    }
}

/* What was not taken waits again, unless it has become old meanwhile. */
static void give_back(struct external *x, bool taken)
{
    for (size_t i = 0; i < x->batch_count; i++) {
        struct alert_item *item = x->batch[i];
        if (!taken && pointer_table_get(&x->waiting, labels_hash(item->alert.labels)) == NULL) {
            keep(x, item);
        }
        alert_item_unref(item);
    }
    x->batch_count = 0;
}

static void finish(struct external *x, bool taken, bool lost, const char *why, unsigned status)
{
    int64_t pause_ms = EXTERNAL_PAUSE_MS_MIN;
    x->in_flight = false;
    if (taken) {
        x->sent += x->batch_count;
        x->failures = 0;
        x->next_ms = 0;
    } else {
        x->errors += x->batch_count;
        for (uint32_t i = 0; i < x->failures && pause_ms < EXTERNAL_PAUSE_MS_MAX; i++) {
            pause_ms *= 2;
        }
        x->failures++;
        x->next_ms = clock_now_ms(x->clock) +
                     (pause_ms < EXTERNAL_PAUSE_MS_MAX ? pause_ms : EXTERNAL_PAUSE_MS_MAX);
        LOG_WARN("alerts: an Alertmanager did not take alerts", LOG_S("url", x->base_url),
            LOG_I("alerts", x->batch_count), LOG_I("status", status), LOG_S("error", why));
    }
    give_back(x, taken || lost);
    x->set->wake(x->set->context);
}

static void on_answer(void *context, const struct http_client_response *r)
{
    struct external *x = context;
    if (r->error == ERR_CANCELED) {
        x->in_flight = false;
        return; /* closing: the batch is freed with its owner */
    }
    bool taken = r->error == 0 && r->status / 100 == 2;
    /* What is refused for its content would be refused again; it comes by itself when it changes. */
    bool lost = r->error == 0 && r->status / 100 == 4 && r->status != 429 && r->status != 408;
    finish(x, taken, lost, r->error != 0 ? r->error_text : "", r->status);
}

static void start(struct external *x, struct http_client *http)
{
    static const struct http_client_header headers[] = {{"Content-Type", "application/json"}};
    take_batch(x);
    write_batch(x);
    struct http_client_request request = {.method = "POST",
        .url = x->url,
        .headers = headers,
        .header_count = 1,
        .body = strbuf_str(&x->body),
        .timeout_ms = x->timeout_ms,
        .body_max = 64 << 10,
        .follow_redirects = x->profile.follow_redirects,
        .profile = &x->profile};
    x->in_flight = true;
    int status = strbuf_error(&x->body);
    if (status == 0) {
        status = http->send(http, &request, on_answer, x, NULL);
    }
    if (status != 0) {
        finish(x, false, false, err_text(status), 0);
    }
}

int64_t external_set_advance(
    struct external_set *set, struct http_client *http, struct clock *clock, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < set->count; i++) {
        struct external *x = set->items[i];
        x->clock = clock;
        if (x->next_ms - now_ms > EXTERNAL_PAUSE_MS_MAX) {
            x->next_ms = now_ms; /* the clock was set back */
        }
        if (!x->in_flight && x->waiting.count > 0 && x->next_ms <= now_ms) {
            start(x, http);
        }
        if (!x->in_flight && x->waiting.count > 0) {
            next_ms = x->next_ms < next_ms ? x->next_ms : next_ms;
        }
    }
    return next_ms;
}

/* ---- For people ---- */

void external_set_write_urls(const struct external_set *set, struct strbuf *out)
{
    struct json_writer w;
    json_init(&w, out);
    json_begin_array(&w);
    for (size_t i = 0; i < set->count; i++) {
        json_begin_object(&w);
        json_key(&w, "url");
        json_cstring(&w, set->items[i]->url);
        json_end(&w);
    }
    json_end(&w);
}

void external_set_write_metrics(const struct external_set *set, struct strbuf *out)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } rows[] = {
        {"sonde_notifications_sent_total", "counter", "Alerts that Alertmanagers elsewhere took.",
            offsetof(struct external, sent)},
        {"sonde_notifications_errors_total", "counter",
            "Alerts in requests that Alertmanagers elsewhere did not take.",
            offsetof(struct external, errors)},
        {"sonde_notifications_dropped_total", "counter",
            "Alerts for which the queue to an Alertmanager elsewhere had no room.",
            offsetof(struct external, dropped)},
    };
    for (size_t r = 0; set->count > 0 && r < sizeof(rows) / sizeof(rows[0]); r++) {
        strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[r].name, rows[r].help, rows[r].name,
            rows[r].type);
        for (size_t i = 0; i < set->count; i++) {
            const uint64_t *value =
                (const uint64_t *)(const void *)((const char *)set->items[i] + rows[r].offset);
            strbuf_addf(out, "%s{alertmanager=\"%zu\"} %llu\n", rows[r].name, i,
                (unsigned long long)*value);
        }
    }
}
