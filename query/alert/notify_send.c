/* One attempt to send one message: where it goes, how it is dressed, who may be connected to, and what the
 * answer means.
 *
 *   answer                    means
 *   2xx                       taken
 *   408, 425, 429, 5xx, none  later; Retry-After is obeyed
 *   410                       gone: the receiver is not asked again until the next configuration
 *   3xx, other 4xx            refused. Redirects are never followed: they lead where nobody looked
 *   address not allowed       refused
 *
 * Secrets are read for each attempt and are wiped after it; sentences about an attempt never hold a URL,
 * which may be a secret itself.
 */
#include "alert/chat.h"
#include "alert/email.h"
#include "alert/message_render.h"
#include "alert/notify_private.h"
#include "alert/webhook_signature.h"
#include "base/log.h"
#include "base/mem.h"

#define ATTEMPT_TIMEOUT_MS_DEFAULT 30000
#define ATTEMPT_ANSWER_BYTES_MAX ((size_t)64 << 10)
#define HEADERS_MAX 5
#define SIGNATURES_BYTES_MAX 2048

struct attempt {
    struct notify *n;
    struct notify_config *config;
    struct delivery *delivery;
    const struct alerting_integration *way;
    const struct network_list *allowed[2]; /* the receiver's, and everybody's */
    int64_t began_ms;
    struct strbuf url, body, signature;
    char timestamp[24];
};

static void attempt_free(struct attempt *a)
{
    http_secret_release(&a->url);
    http_secret_release(&a->body);
    strbuf_release(&a->signature);
    notify_config_unref(a->config);
    mem_free(a);
}

/* Over: tells the pipeline, and makes the next turn. */
static void conclude(struct attempt *a, struct delivery_outcome *outcome)
{
    struct notify *n = a->n;
    int64_t now_ms = clock_now_ms(n->clock);
    outcome->took_ms = now_ms > a->began_ms ? now_ms - a->began_ms : 0;
    pipeline_attempted(&n->pipeline, a->delivery, outcome, a->began_ms, now_ms);
    n->in_flight--;
    attempt_free(a);
    loop_timer_start(n->timer, 0, 0);
}

static void refuse(struct attempt *a, const char *why)
{
    struct delivery_outcome outcome = {
        .verdict = DELIVERY_REFUSED, .retry_after_ms = -1, .error = str_of(why)};
    conclude(a, &outcome);
}

static void put_off(struct attempt *a, const char *why)
{
    struct delivery_outcome outcome = {
        .verdict = DELIVERY_RETRY, .retry_after_ms = -1, .error = str_of(why)};
    conclude(a, &outcome);
}

/* ---- Answers ---- */

static enum delivery_verdict judge(unsigned status)
{
    if (status / 100 == 2) {
        return DELIVERY_TAKEN;
    }
    if (status == 410) {
        return DELIVERY_GONE;
    }
    if (status == 408 || status == 425 || status == 429 || status / 100 == 5) {
        return DELIVERY_RETRY;
    }
    return DELIVERY_REFUSED;
}

static void on_answer(void *context, const struct http_client_response *r)
{
    struct attempt *a = context;
    struct delivery_outcome outcome = {.status = r->status,
        .retry_after_ms = r->retry_after_ms,
        .response = r->body,
        .may_have_arrived = r->was_sent};
    if (r->error == ERR_CANCELED) {
        a->delivery->in_flight =
            false; /* closing: it stays pending, and is sent by the next process */
        a->n->in_flight--;
        attempt_free(a);
        return;
    }
    if (r->error == ERR_PERMISSION) {
        outcome.verdict = DELIVERY_REFUSED;
        outcome.error = STR("the address it leads to is not on the public internet; allow it with "
                            "sonde.allow_networks when it should be reached");
    } else if (r->error != 0 && !(r->error == ERR_LIMIT && r->status != 0)) {
        /* A mail server's "no" for good is of the five hundreds. */
        bool refused = a->way->kind == ALERTING_EMAIL && r->status / 100 == 5;
        outcome.verdict = refused ? DELIVERY_REFUSED : DELIVERY_RETRY;
        outcome.error = a->way->kind == ALERTING_EMAIL ? str_of(r->error_text)
                        : r->error == ERR_TIMEOUT      ? STR("no answer in time")
                                                       : STR("no answer");
    } else {
        outcome.verdict = judge(r->status);
        if (r->status / 100 == 3) {
            outcome.error = STR("redirects are not followed; give the URL it leads to");
        }
    }
    conclude(a, &outcome);
}

static bool may_connect(void *context, const struct sockaddr *address)
{
    const struct attempt *a = context;
    return network_allows(a->allowed, 2, address);
}

/* ---- Requests ---- */

static int read_secret(const struct alerting_secret *secret, struct strbuf *out)
{
    return http_secret_read(secret->text, secret->file, out);
}

static int read_key(const struct alerting_secret *secret, struct webhook_key *key)
{
    struct strbuf text = STRBUF_INIT;
    int status = read_secret(secret, &text);
    if (status == 0) {
        status = webhook_key_parse(strbuf_str(&text), key, NULL);
    }
    http_secret_release(&text);
    return status;
}

/* A key that cannot be read makes the attempt fail: an unsigned message would be dropped unseen. */
static int sign(struct attempt *a, const struct alerting_webhook *w)
{
    struct webhook_key keys[ALERTING_SECRETS_MAX];
    size_t count = 0;
    int status = 0;
    int64_t seconds = a->began_ms / 1000;
    for (size_t i = 0; status == 0 && i < w->signing_secrets.count; i++) {
        const struct alerting_secret secret = {w->signing_secrets.items[i], ""};
        status = read_key(&secret, &keys[count++]);
    }
    for (size_t i = 0; status == 0 && i < w->signing_secret_files.count; i++) {
        const struct alerting_secret secret = {"", w->signing_secret_files.items[i]};
        status = read_key(&secret, &keys[count++]);
    }
    (void)snprintf(a->timestamp, sizeof(a->timestamp), "%lld", (long long)seconds);
    if (status == 0 && count > 0) {
        webhook_sign(keys, count, a->delivery->id, seconds, strbuf_str(&a->body), &a->signature);
        status = strbuf_error(&a->signature);
    }
    explicit_bzero(keys, sizeof(keys));
    return status;
}

/* A template that was no template when the message was written: its file has changed meanwhile. */
static int read_url(struct attempt *a)
{
    if (a->delivery->url != NULL) {
        strbuf_add_c(&a->url, a->delivery->url);
        return strbuf_error(&a->url);
    }
    int status = read_secret(&a->way->webhook->url, &a->url);
    bool is_template = status == 0 && memmem(a->url.data, a->url.size, "{{", 2) != NULL;
    return is_template ? ERR_INVALID : status;
}

static int prepare(struct attempt *a)
{
    const struct delivery *d = a->delivery;
    struct str body = str_make(d->body, d->body_size);
    switch (a->way->kind) {
    case ALERTING_WEBHOOK:
        a->allowed[0] = &a->way->webhook->allowed;
        message_write_attempt(d, d->attempt_count + 1, &a->body);
        return read_url(a);
    case ALERTING_SLACK:
        a->allowed[0] = &a->way->slack->allowed;
        strbuf_add_str(&a->body, body);
        return read_secret(&a->way->slack->api_url, &a->url);
    case ALERTING_PAGERDUTY: {
        struct strbuf key = STRBUF_INIT;
        a->allowed[0] = &a->way->pagerduty->allowed;
        strbuf_add_c(&a->url, a->way->pagerduty->url);
        int status = read_secret(&a->way->pagerduty->routing_key, &key);
        if (status == 0) {
            pagerduty_write_attempt(strbuf_str(&key), body, &a->body);
        }
        http_secret_release(&key);
        return status;
    }
    default:
        return ERR_INTERNAL;
    }
}

static int send_http(struct attempt *a)
{
    struct http_client_header headers[HEADERS_MAX] = {{"Content-Type", "application/json"}};
    size_t count = 1;
    int status = prepare(a);
    if (status == 0 && a->way->kind == ALERTING_WEBHOOK) {
        status = sign(a, a->way->webhook);
        headers[count++] = (struct http_client_header){"webhook-id", a->delivery->id};
        headers[count++] = (struct http_client_header){"webhook-timestamp", a->timestamp};
        if (a->signature.size > 0) {
            headers[count++] = (struct http_client_header){"webhook-signature", a->signature.data};
        }
    }
    if (status == 0) {
        status = strbuf_error(&a->body) != 0 ? strbuf_error(&a->body) : strbuf_error(&a->url);
    }
    if (status != 0) {
        return status;
    }
    const struct alerting_common *common = a->way->common;
    struct http_client_request request = {.method = "POST",
        .url = a->url.data != NULL ? a->url.data : "",
        .headers = headers,
        .header_count = count,
        .body = strbuf_str(&a->body),
        .timeout_ms = common->timeout_ms > 0 ? common->timeout_ms : ATTEMPT_TIMEOUT_MS_DEFAULT,
        .body_max = ATTEMPT_ANSWER_BYTES_MAX,
        .profile = common->http,
        .may_connect = may_connect,
        .may_connect_context = a};
    return a->n->http->send(a->n->http, &request, on_answer, a, NULL);
}

static const struct alerting_integration *find_way(
    const struct alerting_config *config, const struct delivery *d)
{
    const struct alerting_receiver *r = alerting_config_receiver(config, str_of(d->receiver));
    for (size_t i = 0; r != NULL && i < r->integration_count; i++) {
        if (r->integrations[i].kind == d->kind && r->integrations[i].index == d->index) {
            return &r->integrations[i];
        }
    }
    return NULL;
}

static void begin(struct notify *n, struct delivery *d, int64_t now_ms)
{
    struct attempt *a = mem_calloc(1, sizeof(*a));
    if (a == NULL) {
        d->in_flight = false;
        d->next_attempt_ms = now_ms + DELIVERY_PAUSE_MS_DEFAULT;
        return;
    }
    n->in_flight++;
    *a = (struct attempt){.n = n,
        .config = notify_config_ref(n->config),
        .delivery = d,
        .way = find_way(n->config->config, d),
        .allowed = {NULL, &n->config->config->allowed},
        .began_ms = now_ms};
    strbuf_init(&a->url, HTTP_SECRET_BYTES_MAX);
    strbuf_init(&a->body, 2 * DELIVERY_BODY_BYTES_MAX);
    strbuf_init(&a->signature, SIGNATURES_BYTES_MAX);
    if (a->way == NULL) {
        refuse(a, "the receiver is not in the configuration any more");
        return;
    }
    int status = a->way->kind == ALERTING_EMAIL
                     ? email_send(n->http, a->way->email, d, &a->body, on_answer, a)
                     : send_http(a);
    if (status == ERR_INVALID) {
        refuse(a, "the URL or a signing secret is not good");
    } else if (status != 0) {
        put_off(a, status == ERR_NOT_FOUND || status == ERR_PERMISSION
                       ? "a file with a secret cannot be read"
                       : err_text(status));
    }
}

void notify_send_due(struct notify *n, int64_t now_ms)
{
    struct delivery *d;
    while (n->in_flight < NOTIFY_IN_FLIGHT_MAX &&
           (d = pipeline_take_due(&n->pipeline, now_ms)) != NULL) {
        begin(n, d, now_ms);
    }
}
