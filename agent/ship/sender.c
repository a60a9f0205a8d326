/* One destination. */
#include "ship/sender.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "ship/batch_split.h"
#include "ship/sender_answer.h"
#include "ship/sender_settings.h"

enum sender_state { SENDER_IDLE, SENDER_SENDING, SENDER_WAITING };

enum { ANSWER_BYTES_MAX = 64 << 10, FIXED_HEADERS_MAX = 3, SHOWN_BODY_BYTES = 200 };
/* Records that leave nothing to send, gone through in one step. */
enum { EMPTY_RECORDS_MAX = 16 };

struct sender {
    struct sender_settings *settings;
    struct sender_settings *next; /* theirs when the request on its way is done; NULL: none */
    struct queue *queue;
    size_t cursor;
    struct http_client *client;
    struct clock *clock;

    enum sender_state state;
    struct http_client_call *call;
    struct queue_record record; /* being sent */
    struct strbuf piece;       /* its payload, or that of a piece of it; empty: no record in hand */
    struct batch_split *split; /* when it is sent in pieces */
    struct made_request made;  /* of the piece */
    bool is_made;
    enum ship_protocol protocol;   /* spoken now */
    bool proven;                   /* the receiver took a request in it */
    int64_t ask_again_ms;          /* when it is offered remote write 2.0 once more */
    uint64_t attempt;              /* of this piece, from 0 */
    int64_t unauthorized_since_ms; /* the first 401 or 403 since a request was taken; 0 = none */
    int64_t wait_until_ms;
    uint64_t random;
    struct sender_statistics statistics;
};

int sender_new(const struct sender_options *options, struct queue *queue, size_t cursor,
    struct http_client *client, struct clock *clock, struct sender **sender_out)
{
    struct sender *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->queue = queue;
    s->cursor = cursor;
    s->client = client;
    s->clock = clock;
    s->random = options->seed;
    s->protocol = options->protocol;
    strbuf_init(&s->piece, QUEUE_PAYLOAD_MAX);
    struct queue_cursor_statistics found;
    queue_cursor_statistics(queue, cursor, &found);
    s->statistics.found_samples = found.samples;
    int status = sender_settings_new(options, &s->settings);
    if (status != 0) {
        sender_free(s);
        return status;
    }
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
    sender_settings_free(s->settings);
    sender_settings_free(s->next);
    strbuf_release(&s->piece);
    mem_free(s);
}

/* ---- The record in hand ---- */

static enum queue_cargo cargo_of(const struct sender *s)
{
    return s->settings->options.protocol == SHIP_OTLP_TRACES ? QUEUE_SPANS : QUEUE_SAMPLES;
}

/* What is counted, for people. */
static const char *cargo_name(const struct sender *s)
{
    return cargo_of(s) == QUEUE_SPANS ? "spans" : "samples";
}

static uint32_t samples_in_hand(const struct sender *s)
{
    return s->split != NULL ? batch_split_samples(s->split) : s->record.samples;
}

/* Samples that are in the request made of it. */
static uint64_t samples_in_request(const struct sender *s)
{
    return s->made.counted ? (uint64_t)s->made.samples + s->made.histograms : samples_in_hand(s);
}

/* The record is done with, delivered or not. */
static void finish_record(struct sender *s)
{
    strbuf_reset(&s->piece);
    batch_split_free(s->split);
    s->split = NULL;
    s->is_made = false;
    s->attempt = 0;
    s->state = SENDER_IDLE;
    queue_advance(s->queue, s->cursor);
}

/* Takes the piece of the split in hand. Without memory the whole record is sent once more, later: a
 * receiver takes what it has for a repetition. */
static void take_piece(struct sender *s)
{
    while (s->settings->options.samples_max > 0 &&
           batch_split_samples(s->split) > s->settings->options.samples_max &&
           batch_split_halve(s->split)) {
    }
    strbuf_reset(&s->piece);
    s->is_made = false;
    s->attempt = 0;
    s->state = SENDER_IDLE;
    if (batch_split_encode(s->split, &s->piece) != 0) {
        strbuf_reset(&s->piece);
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

/* Takes the next record into hand; false when there is none, or no memory for it now. */
static bool take_record(struct sender *s)
{
    if (!queue_peek(s->queue, s->cursor, &s->record)) {
        return false;
    }
    strbuf_reset(&s->piece);
    strbuf_add_str(&s->piece, s->record.payload);
    s->is_made = false;
    s->attempt = 0;
    if (strbuf_error(&s->piece) != 0) {
        strbuf_reset(&s->piece);
        return false;
    }
    bool large = s->settings->options.samples_max > 0 &&
                 s->record.samples > s->settings->options.samples_max;
    if (large && batch_split_new(cargo_of(s), strbuf_str(&s->piece), &s->split) == 0) {
        take_piece(s);
    }
    return s->piece.size > 0;
}

static bool is_too_old(const struct sender *s)
{
    return s->settings->options.sample_age_max_ms > 0 && s->record.samples > 0 &&
           s->record.max_t < clock_now_ms(s->clock) - s->settings->options.sample_age_max_ms;
}

/* ---- Waiting ---- */

static int64_t backoff_ms(struct sender *s)
{
    int64_t least = s->settings->options.backoff_min_ms, most = s->settings->options.backoff_max_ms;
    int64_t ceiling = least * 2;
    for (uint64_t i = 0; i < s->attempt && ceiling < most; i++) {
        ceiling *= 2;
    }
    ceiling = ceiling < most ? ceiling : most;
    s->random = hash_mix64(s->random + 0x9e3779b97f4a7c15ull);
    int64_t spread = ceiling > least ? ceiling - least + 1 : 1;
    return least + (int64_t)(s->random % (uint64_t)spread);
}

static bool is_unauthorized(const struct http_client_response *response)
{
    return response->error == 0 && (response->status == 401 || response->status == 403);
}

/* Whether a refusal is one of ours, for a password that may still be put right. */
static bool has_grace(struct sender *s, const struct http_client_response *response)
{
    int64_t now = clock_monotonic_ms(s->clock);
    if (s->settings->options.unauthorized_grace_ms == 0 || !is_unauthorized(response)) {
        return false;
    }
    s->unauthorized_since_ms = s->unauthorized_since_ms != 0 ? s->unauthorized_since_ms : now;
    return now - s->unauthorized_since_ms < s->settings->options.unauthorized_grace_ms;
}

/* Said once when delivery begins to fail, not at each attempt. */
static void on_again(struct sender *s, const struct http_client_response *response)
{
    int64_t wait = is_unauthorized(response) ? SENDER_UNAUTHORIZED_WAIT_MS : backoff_ms(s);
    int64_t asked = response->error == 0 ? response->retry_after_ms : -1;
    asked = asked < SENDER_RETRY_AFTER_MAX_MS ? asked : SENDER_RETRY_AFTER_MAX_MS;
    wait = wait < asked ? asked : wait;
    if (!s->statistics.failing) {
        LOG_WARN("ship: delivery fails, keeping what waits on disk",
            LOG_S("destination", s->settings->options.name), LOG_S("cargo", cargo_name(s)),
            LOG_I("status", response->status),
            LOG_S("error",
                response->error != 0 && response->error_text != NULL ? response->error_text : ""));
    }
    s->statistics.failing = true;
    s->statistics.retries++;
    s->attempt++;
    s->state = SENDER_WAITING;
    s->wait_until_ms = clock_monotonic_ms(s->clock) + wait;
}

/* ---- Other settings ---- */

size_t sender_cursor(const struct sender *s)
{
    return s->cursor;
}

const char *sender_name(const struct sender *s)
{
    return s->settings->options.name;
}

enum ship_protocol sender_protocol(const struct sender *s)
{
    const struct sender_settings *settings = s->next != NULL ? s->next : s->settings;
    return settings->options.protocol;
}

/* What another receiver has said does not hold for this one. */
static void meet_receiver(struct sender *s)
{
    s->protocol = s->settings->options.protocol;
    s->proven = false;
    s->unauthorized_since_ms = 0;
    s->attempt = 0;
    s->statistics.failing = false;
    s->state = SENDER_IDLE;
}

/* Goes on by the settings that wait, if there are any. Nothing is on its way. */
static void adopt(struct sender *s)
{
    struct sender_settings *before = s->settings;
    if (s->next == NULL) {
        return;
    }
    s->settings = s->next;
    s->next = NULL;
    s->is_made = false;
    if (sender_settings_same_requests(before, s->settings)) { /* what it knows of series is kept */
        struct request_maker *maker = before->maker;
        before->maker = s->settings->maker;
        s->settings->maker = maker;
    }
    if (!sender_settings_same_receiver(before, s->settings)) {
        meet_receiver(s);
    }
    sender_settings_free(before);
}

void sender_change(struct sender *s, struct sender_settings *settings)
{
    sender_settings_free(s->next);
    s->next = settings;
    if (s->state != SENDER_SENDING) {
        adopt(s);
    }
}

/* ---- Answers ---- */

/* 413: false when there is nothing to halve. */
static bool halve(struct sender *s)
{
    bool first = s->split == NULL;
    if (first && batch_split_new(cargo_of(s), strbuf_str(&s->piece), &s->split) != 0) {
        return false;
    }
    if (!batch_split_halve(s->split)) {
        return false;
    }
    if (first) {
        LOG_INFO("ship: the receiver finds a request too large; sending it in parts",
            LOG_S("destination", s->settings->options.name), LOG_I("bytes", s->made.body.len));
    }
    s->statistics.splits++;
    take_piece(s);
    return true;
}

/* Counts what was in the request, of which `missing` were not taken. */
static void count_request(struct sender *s, uint64_t missing)
{
    s->statistics.sent_samples += samples_in_request(s) - missing;
    s->statistics.rejected_samples += missing;
    s->statistics.filtered_samples += s->made.filtered;
}

static void on_taken(struct sender *s, uint64_t missing)
{
    if (s->statistics.failing) {
        LOG_INFO("ship: delivering again", LOG_S("destination", s->settings->options.name));
    }
    s->statistics.failing = false;
    s->proven = true;
    s->statistics.sent_requests++;
    s->statistics.sent_bytes += s->made.body.len;
    s->statistics.sent_exemplars += s->made.exemplars;
    if (s->record.max_t > s->statistics.newest_sent_t) {
        s->statistics.newest_sent_t = s->record.max_t;
    }
    if (missing > 0) {
        LOG_WARN("ship: the receiver took a part of a request only",
            LOG_S("destination", s->settings->options.name), LOG_S("cargo", cargo_name(s)),
            LOG_I("count", samples_in_request(s)), LOG_I("missing", missing));
    }
    count_request(s, missing);
    finish_piece(s);
}

static void on_refused(
    struct sender *s, uint64_t missing, const struct http_client_response *response)
{
    struct str shown = response->body;
    shown.len = shown.len < SHOWN_BODY_BYTES ? shown.len : SHOWN_BODY_BYTES;
    LOG_WARN("ship: the receiver refused a request for good; what was in it is dropped",
        LOG_S("destination", s->settings->options.name), LOG_I("status", response->status),
        LOG_S("cargo", cargo_name(s)), LOG_I("count", missing), LOG_STR("answer", shown));
    s->statistics.failing = false; /* it answers, and the next request is another one */
    s->statistics.rejected_requests++;
    count_request(s, missing);
    finish_piece(s);
}

static void on_other_protocol(struct sender *s, const struct http_client_response *response)
{
    LOG_WARN("ship: the receiver does not speak remote write 2.0; it gets 1.0",
        LOG_S("destination", s->settings->options.name), LOG_I("status", response->status));
    s->statistics.fall_backs++;
    s->protocol = SHIP_REMOTE_WRITE_1;
    s->proven = false;
    s->ask_again_ms = clock_monotonic_ms(s->clock) + SENDER_FALL_BACK_MS;
    s->is_made = false;
    s->attempt = 0;
    s->state = SENDER_IDLE;
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
    struct answer answer = answer_judge(s->protocol, s->proven, samples_in_request(s), response);
    if (response->error == 0 && !is_unauthorized(response)) {
        s->unauthorized_since_ms = 0;
    }
    if (answer.verdict == ANSWER_REFUSED && has_grace(s, response)) {
        answer.verdict = ANSWER_AGAIN;
    }
    switch (answer.verdict) {
    case ANSWER_TAKEN:
        on_taken(s, answer.missing);
        break;
    case ANSWER_AGAIN:
        on_again(s, response);
        break;
    case ANSWER_OTHER_PROTOCOL:
        on_other_protocol(s, response);
        break;
    case ANSWER_TOO_LARGE:
        if (!halve(s)) {
            on_refused(s, answer.missing, response);
        }
        break;
    case ANSWER_REFUSED:
        on_refused(s, answer.missing, response);
        break;
    }
    adopt(s);
    if (s->state == SENDER_IDLE) {
        (void)sender_step(s); /* catching up must not wait for the owner's next turn */
    }
}

/* ---- Requests ---- */

static size_t protocol_headers(enum ship_protocol protocol, struct http_client_header *headers)
{
    static const struct http_client_header all[][FIXED_HEADERS_MAX] = {
        [SHIP_REMOTE_WRITE_1] = {{"Content-Type", "application/x-protobuf"},
            {"Content-Encoding", "snappy"}, {"X-Prometheus-Remote-Write-Version", "0.1.0"}},
        [SHIP_REMOTE_WRITE_2] = {{"Content-Type",
                                     "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
            {"Content-Encoding", "snappy"}, {"X-Prometheus-Remote-Write-Version", "2.0.0"}},
        [SHIP_OTLP] = {{"Content-Type", "application/x-protobuf"}, {"Content-Encoding", "gzip"}},
        [SHIP_OTLP_TRACES] = {{"Content-Type", "application/x-protobuf"},
            {"Content-Encoding", "gzip"}},
    };
    size_t count = 0;
    while (count < FIXED_HEADERS_MAX && all[protocol][count].name != NULL) {
        headers[count] = all[protocol][count];
        count++;
    }
    return count;
}

/* Posts the request in hand. */
static void post(struct sender *s)
{
    struct http_client_header headers[HTTP_CLIENT_HEADERS_MAX];
    size_t count = protocol_headers(s->protocol, headers);
    char attempt[24];
    for (size_t i = 0; i < s->settings->options.header_count; i++) {
        headers[count++] = s->settings->options.headers[i];
    }
    if (s->attempt > 0) {
        snprintf(attempt, sizeof(attempt), "%llu", (unsigned long long)s->attempt);
        headers[count++] = (struct http_client_header){"Retry-Attempt", attempt};
    }
    struct http_client_request request = {
        .method = "POST",
        .url = s->settings->options.url,
        .headers = headers,
        .header_count = count,
        .body = s->made.body,
        .timeout_ms = s->settings->options.timeout_ms,
        .body_max = ANSWER_BYTES_MAX,
        .follow_redirects = false, /* remote write's rule: a redirect is an error */
        .profile = s->settings->options.profile,
    };
    s->state = SENDER_SENDING;
    int status = s->client->send(s->client, &request, on_done, s, &s->call);
    if (status != 0) {
        struct http_client_response nothing = {
            .error = status, .error_text = err_text(status), .retry_after_ms = -1};
        s->call = NULL;
        on_again(s, &nothing);
    }
}

/* Makes the request of the piece in hand: true when there is something to post. A piece that gives
 * none is done with; one that cannot be read is dropped; without memory it is tried again later. */
static bool make(struct sender *s)
{
    if (!s->is_made) {
        int status =
            request_maker_make(s->settings->maker, s->protocol, strbuf_str(&s->piece), &s->made);
        if (status == ERR_NOMEM) {
            struct http_client_response nothing = {
                .error = status, .error_text = err_text(status), .retry_after_ms = -1};
            on_again(s, &nothing);
            return false;
        }
        if (status != 0) {
            LOG_ERROR("ship: a batch cannot be made into a request; it is dropped",
                LOG_S("destination", s->settings->options.name), LOG_S("cargo", cargo_name(s)),
                LOG_I("count", samples_in_hand(s)), LOG_S("error", err_text(status)));
            s->statistics.rejected_requests++;
            s->statistics.rejected_samples += samples_in_hand(s);
            finish_piece(s);
            return false;
        }
        s->is_made = true;
    }
    if (s->made.body.len == 0) {
        s->statistics.filtered_samples += s->made.filtered;
        finish_piece(s);
        return false;
    }
    return true;
}

/* Something to post in hand? Goes on to other records where one leaves nothing. */
static bool prepare(struct sender *s)
{
    for (int i = 0; i < EMPTY_RECORDS_MAX && s->state == SENDER_IDLE; i++) {
        if (s->piece.size == 0 && !take_record(s)) {
            return false;
        }
        if (is_too_old(s)) {
            s->statistics.aged_samples +=
                s->record.samples - (s->split != NULL ? batch_split_done(s->split) : 0);
            finish_record(s);
        } else if (make(s)) {
            return true;
        }
    }
    return false;
}

int64_t sender_step(struct sender *s)
{
    int64_t now = clock_monotonic_ms(s->clock);
    if (s->state == SENDER_WAITING) {
        if (s->wait_until_ms > now) {
            return s->wait_until_ms - now;
        }
        s->state = SENDER_IDLE;
    }
    if (s->state == SENDER_IDLE) {
        if (s->protocol != s->settings->options.protocol && now >= s->ask_again_ms) {
            s->protocol = s->settings->options.protocol;
            s->is_made = false;
        }
        if (prepare(s)) {
            post(s);
        } else if (s->state == SENDER_IDLE && s->piece.size > 0) {
            return 0; /* more to go through */
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
        statistics_out->dropped_by[i] = queue.dropped_samples[i];
    }
    statistics_out->missed_samples = queue.missed_samples;
    statistics_out->in_flight = s->state == SENDER_SENDING;
    statistics_out->protocol = s->protocol;
}
