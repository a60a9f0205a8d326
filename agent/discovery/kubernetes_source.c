/* List, watch, and what comes between. The bodies of both are cut while they come in. */
#include "discovery/kubernetes_source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "discovery/kubernetes_store.h"
#include "discovery/url_text.h"

enum {
    PAGE_OBJECTS = 500,
    LIST_TIMEOUT_MS = 120 * 1000,
    /* The server ends a watch after this long and up to twice that, so that not all end at once. */
    WATCH_SECONDS = 300,
    WATCH_GRACE_MS = 30 * 1000,
    WAIT_MS_MIN = 1000,
    WAIT_MS_MAX = 30 * 1000,
    WAIT_DOUBLINGS_MAX = 5,
    URL_MAX = 16384,
    VERSION_MAX = 256,
    CONTINUE_MAX = 8192,
    REASON_MAX = 200,
};

/* ---- Time ---- */

static int64_t now_ms(const struct kubernetes_source *s)
{
    return clock_monotonic_ms(s->world->clock);
}

/* A number that differs between sources and calls. */
static uint64_t spread(const struct kubernetes_source *s)
{
    return hash_mix64((uint64_t)s->began_ms * 31 + s->index);
}

/* Half of the wait for this many failures, and up to as much again. */
static void wait_after_failure(struct kubernetes_source *s, int64_t at_least_ms)
{
    unsigned doublings = s->failures < WAIT_DOUBLINGS_MAX ? s->failures : WAIT_DOUBLINGS_MAX;
    int64_t wait = (int64_t)WAIT_MS_MIN << doublings;
    wait = wait < WAIT_MS_MAX ? wait : WAIT_MS_MAX;
    wait = wait / 2 + (int64_t)(spread(s) % (uint64_t)(wait / 2 + 1));
    wait = wait > at_least_ms ? wait : at_least_ms;
    s->due_ms = now_ms(s) + (wait < WAIT_MS_MAX ? wait : WAIT_MS_MAX);
    s->failures++;
}

static void answered(struct kubernetes_source *s)
{
    s->failing = false;
    s->failures = 0;
    s->error[0] = '\0';
    s->listener->on_news(s->listener->context, s);
}

static void failed(struct kubernetes_source *s, int64_t at_least_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void failed(struct kubernetes_source *s, int64_t at_least_ms, const char *format, ...)
{
    struct err why = ERR_INIT;
    va_list arguments;
    va_start(arguments, format);
    err_vset(&why, ERR_IO, -1, format, arguments);
    va_end(arguments);
    snprintf(s->error, sizeof(s->error), "%s", why.message);
    s->failing = true;
    wait_after_failure(s, at_least_ms);
    s->listener->on_news(s->listener->context, s);
}

/* ---- What comes in ---- */

static void keep_version(struct kubernetes_source *s, const json_t *metadata)
{
    struct str version = kubernetes_text(metadata, "resourceVersion");
    if (version.len > 0) {
        strbuf_reset(&s->version);
        strbuf_add_str(&s->version, version);
    }
}

static json_t *parse(struct str text)
{
    return json_loadb(text.ptr, text.len, JSON_DECODE_ANY, NULL);
}

/* A member of a list, or an element of its `items`. */
static int take_of_list(void *context, struct str key, struct str value)
{
    struct kubernetes_source *s = context;
    bool is_item = str_eq_c(key, "items"), is_metadata = str_eq_c(key, "metadata");
    json_t *json = is_item || is_metadata ? parse(value) : NULL;
    int status = (is_item || is_metadata) && json == NULL ? ERR_INVALID : 0;
    if (status == 0 && is_metadata) {
        keep_version(s, json);
        strbuf_reset(&s->continues);
        strbuf_add_str(&s->continues, kubernetes_text(json, "continue"));
    } else if (status == 0 && json_is_object(json)) {
        status = s->listener->on_object(s->listener->context, s, json, false);
    }
    json_decref(json);
    return status;
}

/* {"type": "ERROR", "object": {a Status}} */
static int take_error(struct kubernetes_source *s, const json_t *status)
{
    struct str message = kubernetes_text(status, "message");
    s->version_is_gone = json_integer_value(json_object_get(status, "code")) == 410;
    snprintf(s->error, sizeof(s->error), "%.*s",
        (int)(message.len < REASON_MAX ? message.len : REASON_MAX), message.ptr);
    return ERR_CLOSED;
}

/* {"type": "ADDED" or …, "object": {…}} */
static int take_event(void *context, struct str key, struct str value)
{
    struct kubernetes_source *s = context;
    json_t *event = parse(value);
    json_t *object = json_object_get(event, "object");
    struct str type = kubernetes_text(event, "type");
    bool gone = str_eq_c(type, "DELETED"), bookmark = str_eq_c(type, "BOOKMARK");
    (void)key; /* events have none */
    int status = 0;
    if (str_eq_c(type, "ERROR")) {
        status = take_error(s, object);
    } else if (!json_is_object(object)) {
        status = ERR_INVALID;
    } else {
        /* Before the object is taken, which may leave little of it. */
        struct strbuf version;
        strbuf_init(&version, VERSION_MAX);
        strbuf_add_str(&version, kubernetes_text(kubernetes_metadata(object), "resourceVersion"));
        if (gone || str_eq_c(type, "ADDED") || str_eq_c(type, "MODIFIED")) {
            status = s->listener->on_object(s->listener->context, s, object, gone);
        } else if (!bookmark) {
            status = ERR_INVALID;
        }
        if (status == 0 && version.size > 0) {
            strbuf_reset(&s->version);
            strbuf_add_str(&s->version, strbuf_str(&version));
        }
        strbuf_release(&version);
    }
    json_decref(event);
    if (status == 0 && s->events++ == 0) {
        answered(s);
    }
    return status;
}

static int on_body(void *context, struct str piece)
{
    struct kubernetes_source *s = context;
    return json_cutter_feed(&s->cutter, piece);
}

/* ---- How a call ends ---- */

/* The sentence of an answer that is a Status; else its first words. */
static void fail_by_status(struct kubernetes_source *s, const struct http_client_response *r)
{
    json_t *root = json_loadb(r->body.ptr != NULL ? r->body.ptr : "", r->body.len, 0, NULL);
    struct str reason = kubernetes_text(root, "message");
    failed(s, r->retry_after_ms, "%s of %s: status %u%s%.*s", s->watching ? "watch" : "list",
        kubernetes_kinds[s->resource].plural, r->status, reason.len > 0 ? ": " : "",
        (int)(reason.len < REASON_MAX ? reason.len : REASON_MAX), reason.ptr);
    json_decref(root);
}

static void fail_by_error(struct kubernetes_source *s, const struct http_client_response *r)
{
    const char *what = s->watching ? "watch" : "list";
    const char *plural = kubernetes_kinds[s->resource].plural;
    if (s->cutter.error == ERR_LIMIT && r->error == ERR_LIMIT) {
        failed(s, WAIT_MS_MAX,
            "%s of %s: more than the limits of one entry: %d objects, %zu MiB of them, %d targets; "
            "%zu MiB for one object",
            what, plural, KUBERNETES_OBJECTS_MAX, KUBERNETES_BYTES_MAX >> 20, DISCOVERY_TARGETS_MAX,
            KUBERNETES_OBJECT_BYTES_MAX >> 20);
    } else if (r->error == ERR_INVALID) {
        failed(s, 0, "%s of %s: this is no answer of the Kubernetes API", what, plural);
    } else {
        failed(s, 0, "%s of %s: %s", what, plural,
            r->error == ERR_CLOSED && s->error[0] != '\0' ? s->error : r->error_text);
    }
}

static void read_again(struct kubernetes_source *s)
{
    s->listed = false;
    s->exact = true;
    strbuf_reset(&s->continues);
    s->due_ms = now_ms(s);
}

static void end_list(struct kubernetes_source *s)
{
    if (s->continues.size > 0) {
        s->due_ms = now_ms(s); /* the next page */
        return;
    }
    s->listed = s->synced = true;
    s->listener->on_complete(s->listener->context, s);
    s->due_ms = now_ms(s);
    answered(s);
}

/* A watch has ended without an error: as it should after minutes, sooner when somebody in between does not
 * like it. */
static void end_watch(struct kubernetes_source *s)
{
    if (s->events == 0 && now_ms(s) - s->began_ms < WAIT_MS_MIN) {
        wait_after_failure(s, 0);
        return;
    }
    s->due_ms = now_ms(s);
    answered(s);
}

static void on_done(void *context, const struct http_client_response *r)
{
    struct kubernetes_source *s = context;
    s->call = NULL;
    if (r->error == ERR_CANCELED) {
        return;
    }
    bool gone = s->version_is_gone || r->status == 410;
    bool good = r->error == 0 && r->status / 100 == 2;
    bool has_end = good && !s->watching && json_cutter_end(&s->cutter) == 0;
    if (gone) {
        /* A page that is forgotten begins the list anew; this may not go round without a pause. */
        bool again = s->exact && !s->watching;
        read_again(s);
        if (again) {
            failed(s, 0, "list of %s: its next page is gone", kubernetes_kinds[s->resource].plural);
        }
    } else if (r->error != 0 && s->watching && s->events > 0 && r->error != ERR_LIMIT) {
        s->failures = 0; /* it worked until now: the network, or a server that restarts */
        wait_after_failure(s, 0);
    } else if (r->error != 0) {
        fail_by_error(s, r);
    } else if (!good) {
        fail_by_status(s, r);
    } else if (s->watching) {
        end_watch(s);
    } else if (has_end) {
        end_list(s);
    } else {
        failed(s, 0, "list of %s: the answer is cut off", kubernetes_kinds[s->resource].plural);
    }
    if (!s->listed && s->failing) {
        strbuf_reset(&s->continues); /* a list that failed begins anew */
    }
    s->listener->on_end(s->listener->context, s);
}

/* ---- Asking ---- */

static void add_parameter(struct strbuf *url, const char *name, struct str value)
{
    url_add_parameter(url, str_of(name), value);
}

static void add_number(struct strbuf *url, const char *name, unsigned number)
{
    char text[16];
    add_parameter(url, name, str_make(text, (size_t)snprintf(text, sizeof(text), "%u", number)));
}

static void make_url(const struct kubernetes_source *s, unsigned watch_seconds, struct strbuf *url)
{
    const struct kubernetes_kind *kind = &kubernetes_kinds[s->resource];
    strbuf_addf(url, "%s%s", s->access->server, kind->api);
    if (s->namespace != NULL && !kind->is_global) {
        strbuf_addf(url, "/namespaces/%s", s->namespace);
    }
    strbuf_addf(url, "/%s", kind->plural);
    if (s->selector != NULL && s->selector->label[0] != '\0') {
        add_parameter(url, "labelSelector", str_of(s->selector->label));
    }
    if (s->selector != NULL && s->selector->field[0] != '\0') {
        add_parameter(url, "fieldSelector", str_of(s->selector->field));
    }
    if (s->watching) {
        add_parameter(url, "watch", STR("1"));
        add_parameter(url, "allowWatchBookmarks", STR("true"));
        add_parameter(url, "resourceVersion", strbuf_str(&s->version));
        add_number(url, "timeoutSeconds", watch_seconds);
    } else {
        add_number(url, "limit", PAGE_OBJECTS);
        if (s->continues.size > 0) {
            add_parameter(url, "continue", strbuf_str(&s->continues));
        } else if (!s->exact) {
            add_parameter(url, "resourceVersion", STR("0"));
        }
    }
}

static void begin(struct kubernetes_source *s)
{
    const struct json_cutter_options options = {.sequence = s->listed,
        .list_key = "items",
        .value_max = KUBERNETES_OBJECT_BYTES_MAX,
        .take = s->listed ? take_event : take_of_list,
        .context = s};
    if (s->has_cutter) {
        json_cutter_release(&s->cutter);
    } else {
        strbuf_init(&s->version, VERSION_MAX);
        strbuf_init(&s->continues, CONTINUE_MAX);
    }
    json_cutter_init(&s->cutter, &options);
    s->has_cutter = true;
    s->watching = s->listed;
    s->generation += !s->watching && s->continues.size == 0;
    s->version_is_gone = false;
    s->events = 0;
    s->began_ms = now_ms(s);
}

static void ask(struct kubernetes_source *s)
{
    static const struct http_client_header headers[] = {{"Accept", "application/json"}};
    begin(s);
    unsigned seconds = WATCH_SECONDS + (unsigned)(spread(s) % WATCH_SECONDS);
    struct strbuf url;
    strbuf_init(&url, URL_MAX);
    make_url(s, seconds, &url);
    const struct http_client_request request = {
        .method = "GET",
        .url = url.data,
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .timeout_ms = s->watching ? (int64_t)seconds * 1000 + WATCH_GRACE_MS : LIST_TIMEOUT_MS,
        .on_body = on_body,
        .follow_redirects = s->access->profile.follow_redirects,
        .accept_gzip = !s->watching,
        .profile = &s->access->profile,
    };
    int status = strbuf_error(&url);
    if (status == 0) {
        status = s->world->client->send(s->world->client, &request, on_done, s, &s->call);
    }
    strbuf_release(&url);
    if (status != 0) {
        s->call = NULL;
        failed(s, 0, "%s of %s: %s", s->watching ? "watch" : "list",
            kubernetes_kinds[s->resource].plural, err_text(status));
    }
}

void kubernetes_source_step(struct kubernetes_source *s)
{
    if (s->call == NULL && s->due_ms <= now_ms(s)) {
        ask(s);
    }
}

void kubernetes_source_stop(struct kubernetes_source *s)
{
    if (s->call != NULL) {
        s->world->client->cancel(s->world->client, s->call);
    }
    if (s->has_cutter) {
        json_cutter_release(&s->cutter);
        strbuf_release(&s->version);
        strbuf_release(&s->continues);
    }
}
