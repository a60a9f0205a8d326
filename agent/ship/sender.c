/* One destination of remote write. */
#include "ship/sender.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "ship/batch_split.h"

enum sender_state { SENDER_IDLE, SENDER_SENDING, SENDER_WAITING };

enum { ANSWER_BYTES_MAX = 64 << 10, FIXED_HEADERS = 3, SHOWN_BODY_BYTES = 200 };

struct sender {
    struct sender_options options;
    struct queue *queue;
    size_t cursor;
    struct http_client *client;
    struct clock *clock;

    enum sender_state state;
    struct http_client_call *call;
    struct queue_record record; /* being sent */
    struct strbuf body;        /* its payload, or that of a piece of it; empty: no record in hand */
    struct batch_split *split; /* when the receiver finds it too large */
    uint64_t attempt;          /* of this record, from 0 */
    int64_t wait_until_ms;
    uint64_t random;
    struct sender_statistics statistics;
};

int sender_new(const struct sender_options *options, struct queue *queue, size_t cursor,
    struct http_client *client, struct clock *clock, struct sender **sender_out)
{
    if (options->header_count > HTTP_CLIENT_HEADERS_MAX - FIXED_HEADERS - 1) {
        return ERR_LIMIT;
    }
    struct sender *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->options = *options;
    if (s->options.timeout_ms == 0) {
        s->options.timeout_ms = SENDER_TIMEOUT_DEFAULT_MS;
    }
    s->queue = queue;
    s->cursor = cursor;
    s->client = client;
    s->clock = clock;
    s->random = options->seed;
    strbuf_init(&s->body, QUEUE_PAYLOAD_MAX);
    *sender_out = s;
    return 0;
}

void sender_free(struct sender *s)
{
    if (s == NULL) {
        return;
    }
    if (s->call != NULL) {
        s->client->cancel(s->client, s->call);
    }
    batch_split_free(s->split);
    strbuf_release(&s->body);
    mem_free(s);
}

static int64_t backoff_ms(struct sender *s)
{
    int64_t ceiling = SENDER_BACKOFF_MIN_MS * 2;
    for (uint64_t i = 0; i < s->attempt && ceiling < SENDER_BACKOFF_MAX_MS; i++) {
        ceiling *= 2;
    }
    ceiling = ceiling < SENDER_BACKOFF_MAX_MS ? ceiling : SENDER_BACKOFF_MAX_MS;
    s->random = hash_mix64(s->random + 0x9e3779b97f4a7c15ull);
    int64_t spread = ceiling - SENDER_BACKOFF_MIN_MS + 1;
    return SENDER_BACKOFF_MIN_MS + (int64_t)(s->random % (uint64_t)spread);
}

/* The record is done with, delivered or not. */
static void finish_record(struct sender *s)
{
    strbuf_reset(&s->body);
    batch_split_free(s->split);
    s->split = NULL;
    s->attempt = 0;
    s->state = SENDER_IDLE;
    queue_advance(s->queue, s->cursor);
}

static uint32_t samples_in_hand(const struct sender *s)
{
    return s->split != NULL ? batch_split_samples(s->split) : s->record.samples;
}

/* Takes the piece in hand as the body. Without memory the whole record is sent once more, later: a
 * receiver takes what it has for a repetition. */
static void take_piece(struct sender *s)
{
    strbuf_reset(&s->body);
    s->attempt = 0;
    s->state = SENDER_IDLE;
    if (batch_split_encode(s->split, &s->body) != 0) {
        strbuf_reset(&s->body);
        batch_split_free(s->split);
        s->split = NULL;
    }
}

/* What was in hand is done with; a record in pieces only with its last. */
static void finish_piece(struct sender *s)
{
    if (s->split != NULL && batch_split_next(s->split)) {
        take_piece(s);
    } else {
        finish_record(s);
    }
}

/* 413: false when there is nothing to halve. */
static bool halve(struct sender *s)
{
    bool first = s->split == NULL;
    if (first && batch_split_new(strbuf_str(&s->body), &s->split) != 0) {
        return false;
    }
    if (!batch_split_halve(s->split)) {
        return false;
    }
    if (first) {
        LOG_INFO("ship: the receiver finds a request too large; sending it in parts",
            LOG_S("destination", s->options.name), LOG_I("bytes", s->body.size));
    }
    s->statistics.splits++;
    take_piece(s);
    return true;
}

static void on_delivered(struct sender *s)
{
    if (s->statistics.failing) {
        LOG_INFO("ship: delivering again", LOG_S("destination", s->options.name));
    }
    s->statistics.failing = false;
    s->statistics.sent_requests++;
    s->statistics.sent_samples += samples_in_hand(s);
    s->statistics.sent_bytes += s->body.size;
    if (s->record.max_t > s->statistics.newest_sent_t) {
        s->statistics.newest_sent_t = s->record.max_t;
    }
    finish_piece(s);
}

/* Said once when delivery begins to fail, not at each attempt. */
static void on_retry(struct sender *s, const struct http_client_response *response)
{
    int64_t wait = backoff_ms(s);
    int64_t asked = response->error == 0 ? response->retry_after_ms : -1;
    asked = asked < SENDER_RETRY_AFTER_MAX_MS ? asked : SENDER_RETRY_AFTER_MAX_MS;
    wait = wait < asked ? asked : wait;
    if (!s->statistics.failing) {
        LOG_WARN("ship: delivery fails, keeping samples on disk",
            LOG_S("destination", s->options.name), LOG_I("status", response->status),
            LOG_S("error",
                response->error != 0 && response->error_text != NULL ? response->error_text : ""));
    }
    s->statistics.failing = true;
    s->statistics.retries++;
    s->attempt++;
    s->state = SENDER_WAITING;
    s->wait_until_ms = clock_monotonic_ms(s->clock) + wait;
}

static void on_rejected(struct sender *s, const struct http_client_response *response)
{
    struct str shown = response->body;
    shown.len = shown.len < SHOWN_BODY_BYTES ? shown.len : SHOWN_BODY_BYTES;
    LOG_WARN("ship: the receiver refused a request for good; its samples are dropped",
        LOG_S("destination", s->options.name), LOG_I("status", response->status),
        LOG_I("samples", samples_in_hand(s)), LOG_STR("answer", shown));
    s->statistics.rejected_requests++;
    s->statistics.rejected_samples += samples_in_hand(s);
    finish_piece(s);
}

static void on_done(void *context, const struct http_client_response *response)
{
    struct sender *s = context;
    s->call = NULL;
    s->statistics.last_status = response->status;
    if (response->error == ERR_CANCELED) {
        s->state = SENDER_IDLE;
        return;
    }
    /* An answer too long to read is an answer: only its status matters. */
    bool answered = response->error == 0 || (response->error == ERR_LIMIT && response->status != 0);
    if (answered && response->status >= 200 && response->status < 300) {
        on_delivered(s);
    } else if (!answered || response->status >= 500 || response->status == 429) {
        on_retry(s, response);
    } else if (response->status != 413 || !halve(s)) {
        on_rejected(s, response);
    }
    if (s->state == SENDER_IDLE) {
        (void)sender_step(s); /* catching up must not wait for the owner's next turn */
    }
}

/* Posts the record in hand. */
static void post(struct sender *s)
{
    struct http_client_header headers[HTTP_CLIENT_HEADERS_MAX] = {
        {"Content-Type", "application/x-protobuf"},
        {"Content-Encoding", "snappy"},
        {"X-Prometheus-Remote-Write-Version", "0.1.0"},
    };
    size_t count = FIXED_HEADERS;
    char attempt[24];
    for (size_t i = 0; i < s->options.header_count; i++) {
        headers[count++] = s->options.headers[i];
    }
    if (s->attempt > 0) {
        snprintf(attempt, sizeof(attempt), "%llu", (unsigned long long)s->attempt);
        headers[count++] = (struct http_client_header){"Retry-Attempt", attempt};
    }
    struct http_client_request request = {
        .method = "POST",
        .url = s->options.url,
        .headers = headers,
        .header_count = count,
        .body = strbuf_str(&s->body),
        .timeout_ms = s->options.timeout_ms,
        .body_max = ANSWER_BYTES_MAX,
        .follow_redirects = false, /* remote write's rule: a redirect is an error */
        .profile = s->options.profile,
    };
    s->state = SENDER_SENDING;
    int status = s->client->send(s->client, &request, on_done, s, &s->call);
    if (status != 0) {
        struct http_client_response nothing = {
            .error = status, .error_text = err_text(status), .retry_after_ms = -1};
        s->call = NULL;
        on_retry(s, &nothing);
    }
}

/* Takes the next record into hand; false when there is none, or no memory for it now. */
static bool take_record(struct sender *s)
{
    if (!queue_peek(s->queue, s->cursor, &s->record)) {
        return false;
    }
    strbuf_reset(&s->body);
    strbuf_add_str(&s->body, s->record.payload);
    s->attempt = 0;
    if (strbuf_error(&s->body) != 0) {
        strbuf_reset(&s->body);
    }
    return s->body.size > 0;
}

int64_t sender_step(struct sender *s)
{
    if (s->state == SENDER_WAITING) {
        int64_t left = s->wait_until_ms - clock_monotonic_ms(s->clock);
        if (left > 0) {
            return left;
        }
        post(s);
    } else if (s->state == SENDER_IDLE) {
        if (s->body.size > 0 || take_record(s)) {
            post(s);
        }
    }
    if (s->state == SENDER_WAITING) {
        int64_t left = s->wait_until_ms - clock_monotonic_ms(s->clock);
        return left > 0 ? left : 0;
    }
    return -1;
}

void sender_statistics(const struct sender *s, struct sender_statistics *statistics_out)
{
    struct queue_cursor_statistics queue;
    queue_cursor_statistics(s->queue, s->cursor, &queue);
    *statistics_out = s->statistics;
    statistics_out->waiting_samples =
        queue.samples - (s->split != NULL ? batch_split_done(s->split) : 0);
    for (size_t i = 0; i < QUEUE_DROP_COUNT; i++) {
        statistics_out->dropped_samples += queue.dropped_samples[i];
    }
    statistics_out->in_flight = s->state == SENDER_SENDING;
}
