/* A lane of a sender: a record in hand, the request made of it, and what becomes of the answer. */
#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "ship/sender_answer.h"
#include "ship/sender_private.h"

enum { ANSWER_BYTES_MAX = 64 << 10, FIXED_HEADERS_MAX = 3, SHOWN_BODY_BYTES = 200 };
/* Records that leave nothing to send, gone through in one step. */
enum { EMPTY_RECORDS_MAX = 16 };
/* Refusals of pieces of one record before the rest of it is dropped as it is: enough to find three bad spans
 * among ten thousand. */
enum { SENDER_REFUSALS_MAX = 48 };

/* ---- The record in hand ---- */

static enum queue_cargo cargo_of(const struct sender_lane *l)
{
    return l->sender->settings->options.protocol == SHIP_OTLP_TRACES ? QUEUE_SPANS : QUEUE_SAMPLES;
}

/* What is counted, for people. */
static const char *cargo_name(const struct sender_lane *l)
{
    return cargo_of(l) == QUEUE_SPANS ? "spans" : "samples";
}

static uint32_t samples_in_hand(const struct sender_lane *l)
{
    return l->split != NULL ? batch_split_samples(l->split) : l->record.samples;
}

/* Samples that are in the request made of it. */
static uint64_t samples_in_request(const struct sender_lane *l)
{
    return l->made.counted ? (uint64_t)l->made.samples + l->made.histograms : samples_in_hand(l);
}

/* The record is done with, delivered or not. */
static void finish_record(struct sender_lane *l)
{
    strbuf_reset(&l->piece);
    batch_split_free(l->split);
    l->split = NULL;
    l->is_made = false;
    l->refusals = 0;
    l->attempt = 0;
    l->state = LANE_IDLE;
    queue_done(l->sender->queue, l->sender->cursor, l->record.sequence);
}

/* Takes the piece of the split in hand. Without memory the whole record is sent once more, later: a
 * receiver takes what it has for a repetition. */
static void take_piece(struct sender_lane *l)
{
    while (l->sender->settings->options.samples_max > 0 &&
           batch_split_samples(l->split) > l->sender->settings->options.samples_max &&
           batch_split_halve(l->split)) {
    }
    strbuf_reset(&l->piece);
    l->is_made = false;
    l->attempt = 0;
    l->state = LANE_IDLE;
    if (batch_split_encode(l->split, &l->piece) != 0) {
        strbuf_reset(&l->piece);
        batch_split_free(l->split);
        l->split = NULL;
    }
}

/* What was in hand is done with; a record in pieces only with its last. */
static void finish_piece(struct sender_lane *l)
{
    if (l->split != NULL && batch_split_next(l->split)) {
        take_piece(l);
    } else {
        finish_record(l);
    }
}

/* Bytes of the records in hand. */
static size_t bytes_in_hand(const struct sender *s)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->lane_count; i++) {
        bytes += s->lanes[i].piece.size;
    }
    return bytes;
}

/* Takes the next record into hand; false when there is none, no memory for it now, or enough on its way. */
static bool take_record(struct sender_lane *l)
{
    struct sender *s = l->sender;
    if (bytes_in_hand(s) >= SENDER_HAND_BYTES_MAX || !queue_peek(s->queue, s->cursor, &l->record)) {
        return false;
    }
    strbuf_reset(&l->piece);
    strbuf_add_str(&l->piece, l->record.payload);
    l->is_made = false;
    l->attempt = 0;
    if (strbuf_error(&l->piece) != 0 || !queue_hold(s->queue, s->cursor)) {
        strbuf_reset(&l->piece);
        return false;
    }
    bool large = l->sender->settings->options.samples_max > 0 &&
                 l->record.samples > l->sender->settings->options.samples_max;
    if (large && batch_split_new(cargo_of(l), strbuf_str(&l->piece), &l->split) == 0) {
        take_piece(l);
    }
    return l->piece.size > 0;
}

static bool is_too_old(const struct sender_lane *l)
{
    return l->sender->settings->options.sample_age_max_ms > 0 && l->record.samples > 0 &&
           l->record.max_t <
               clock_now_ms(l->sender->clock) - l->sender->settings->options.sample_age_max_ms;
}

/* ---- Waiting ---- */

static int64_t backoff_ms(struct sender_lane *l)
{
    int64_t least = l->sender->settings->options.backoff_min_ms,
            most = l->sender->settings->options.backoff_max_ms;
    int64_t ceiling = least * 2;
    for (uint64_t i = 0; i < l->attempt && ceiling < most; i++) {
        ceiling *= 2;
    }
    ceiling = ceiling < most ? ceiling : most;
    l->sender->random = hash_mix64(l->sender->random + 0x9e3779b97f4a7c15ull);
    int64_t spread = ceiling > least ? ceiling - least + 1 : 1;
    return least + (int64_t)(l->sender->random % (uint64_t)spread);
}

static bool is_unauthorized(const struct http_client_response *response)
{
    return response->error == 0 && (response->status == 401 || response->status == 403);
}

/* Whether a refusal is one of ours, for a password that may still be put right. */
static bool has_grace(struct sender_lane *l, const struct http_client_response *response)
{
    int64_t now = clock_monotonic_ms(l->sender->clock);
    if (l->sender->settings->options.unauthorized_grace_ms == 0 || !is_unauthorized(response)) {
        return false;
    }
    l->sender->unauthorized_since_ms =
        l->sender->unauthorized_since_ms != 0 ? l->sender->unauthorized_since_ms : now;
    return now - l->sender->unauthorized_since_ms <
           l->sender->settings->options.unauthorized_grace_ms;
}

/* Said once when delivery begins to fail, not at each attempt. */
static void on_again(struct sender_lane *l, const struct http_client_response *response)
{
    int64_t wait = is_unauthorized(response) ? SENDER_UNAUTHORIZED_WAIT_MS : backoff_ms(l);
    /* Also where the answer is too long to be read: its head was. */
    int64_t asked = response->status != 0 ? response->retry_after_ms : -1;
    asked = asked < SENDER_RETRY_AFTER_MAX_MS ? asked : SENDER_RETRY_AFTER_MAX_MS;
    wait = wait < asked ? asked : wait;
    if (!l->sender->statistics.failing) {
        LOG_WARN("ship: delivery fails, keeping what waits on disk",
            LOG_S("destination", l->sender->settings->options.name), LOG_S("cargo", cargo_name(l)),
            LOG_I("status", response->status),
            LOG_S("error",
                response->error != 0 && response->error_text != NULL ? response->error_text : ""));
    }
    l->sender->statistics.failing = true;
    l->sender->statistics.retries++;
    l->attempt++;
    l->state = LANE_WAITING;
    l->wait_until_ms = clock_monotonic_ms(l->sender->clock) + wait;
}

/* ---- Answers ---- */

/* Sends the piece in hand in halves; false when there is nothing to halve. `why` is said once a record. */
static bool halve(struct sender_lane *l, const char *why)
{
    bool first = l->split == NULL;
    if (first && batch_split_new(cargo_of(l), strbuf_str(&l->piece), &l->split) != 0) {
        return false;
    }
    if (!batch_split_halve(l->split)) {
        return false;
    }
    if (first) {
        LOG_INFO("ship: sending a request in parts", LOG_S("why", why),
            LOG_S("destination", l->sender->settings->options.name),
            LOG_I("bytes", l->made.body.len));
    }
    l->sender->statistics.splits++;
    take_piece(l);
    return true;
}

/* Counts what was in the request, of which `missing` were not taken. */
static void count_request(struct sender_lane *l, uint64_t missing)
{
    l->sender->statistics.sent_samples += samples_in_request(l) - missing;
    l->sender->statistics.rejected_samples += missing;
    l->sender->statistics.filtered_samples += l->made.filtered;
}

static void on_taken(struct sender_lane *l, uint64_t missing)
{
    if (l->sender->statistics.failing) {
        LOG_INFO("ship: delivering again", LOG_S("destination", l->sender->settings->options.name));
    }
    l->sender->statistics.failing = false;
    l->sender->proven = true;
    l->sender->statistics.sent_requests++;
    l->sender->statistics.sent_bytes += l->made.body.len;
    l->sender->statistics.sent_exemplars += l->made.exemplars;
    if (l->record.max_t > l->sender->statistics.newest_sent_t) {
        l->sender->statistics.newest_sent_t = l->record.max_t;
    }
    if (missing > 0) {
        LOG_WARN("ship: the receiver took a part of a request only",
            LOG_S("destination", l->sender->settings->options.name), LOG_S("cargo", cargo_name(l)),
            LOG_I("count", samples_in_request(l)), LOG_I("missing", missing));
    }
    count_request(l, missing);
    finish_piece(l);
}

static void on_refused(
    struct sender_lane *l, uint64_t missing, const struct http_client_response *response)
{
    struct str shown = response->body;
    shown.len = shown.len < SHOWN_BODY_BYTES ? shown.len : SHOWN_BODY_BYTES;
    LOG_WARN("ship: the receiver refused a request for good; what was in it is dropped",
        LOG_S("destination", l->sender->settings->options.name), LOG_I("status", response->status),
        LOG_S("cargo", cargo_name(l)), LOG_I("count", missing), LOG_STR("answer", shown));
    l->sender->statistics.failing = false; /* it answers, and the next request is another one */
    l->sender->statistics.rejected_requests++;
    count_request(l, missing);
    finish_piece(l);
}

/* A receiver of spans that answers 400 cannot take something that is in the request, and takes the rest. So much
 * is looked for it; a receiver that takes nothing at all must not be asked for each span. */
static bool may_be_poison(struct sender_lane *l, const struct http_client_response *response)
{
    return cargo_of(l) == QUEUE_SPANS && response->error == 0 && response->status == 400 &&
           l->refusals++ < SENDER_REFUSALS_MAX;
}

static void on_other_protocol(struct sender_lane *l, const struct http_client_response *response)
{
    LOG_WARN("ship: the receiver does not speak remote write 2.0; it gets 1.0",
        LOG_S("destination", l->sender->settings->options.name), LOG_I("status", response->status));
    l->sender->statistics.fall_backs++;
    l->sender->protocol = SHIP_REMOTE_WRITE_1;
    l->sender->proven = false;
    l->sender->ask_again_ms = clock_monotonic_ms(l->sender->clock) + SENDER_FALL_BACK_MS;
    l->is_made = false;
    l->attempt = 0;
    l->state = LANE_IDLE;
}

static void on_done(void *context, const struct http_client_response *response)
{
    struct sender_lane *l = context;
    l->call = NULL;
    l->sender->statistics.last_status = response->status;
    if (response->error == ERR_CANCELED) {
        l->state = LANE_IDLE;
        return;
    }
    struct answer answer =
        answer_judge(l->sender->protocol, l->sender->proven, samples_in_request(l), response);
    if (response->error == 0 && !is_unauthorized(response)) {
        l->sender->unauthorized_since_ms = 0;
    }
    if (answer.verdict == ANSWER_REFUSED && has_grace(l, response)) {
        answer.verdict = ANSWER_AGAIN;
    }
    switch (answer.verdict) {
    case ANSWER_TAKEN:
        on_taken(l, answer.missing);
        break;
    case ANSWER_AGAIN:
        on_again(l, response);
        break;
    case ANSWER_OTHER_PROTOCOL:
        on_other_protocol(l, response);
        break;
    case ANSWER_TOO_LARGE:
        if (!halve(l, "the receiver finds it too large")) {
            on_refused(l, answer.missing, response);
        }
        break;
    case ANSWER_REFUSED:
        if (!may_be_poison(l, response) || !halve(l, "the receiver cannot take all of it")) {
            on_refused(l, answer.missing, response);
        }
        break;
    }
    sender_goes_on(l->sender);
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
static void post(struct sender_lane *l)
{
    struct http_client_header headers[HTTP_CLIENT_HEADERS_MAX];
    size_t count = protocol_headers(l->sender->protocol, headers);
    char attempt[24];
    for (size_t i = 0; i < l->sender->settings->options.header_count; i++) {
        headers[count++] = l->sender->settings->options.headers[i];
    }
    if (l->attempt > 0) {
        snprintf(attempt, sizeof(attempt), "%llu", (unsigned long long)l->attempt);
        headers[count++] = (struct http_client_header){"Retry-Attempt", attempt};
    }
    struct http_client_request request = {
        .method = "POST",
        .url = l->sender->settings->options.url,
        .headers = headers,
        .header_count = count,
        .body = l->made.body,
        .timeout_ms = l->sender->settings->options.timeout_ms,
        .body_max = ANSWER_BYTES_MAX,
        .follow_redirects = false, /* remote write's rule: a redirect is an error */
        .profile = l->sender->settings->options.profile,
    };
    l->state = LANE_SENDING;
    int status = l->sender->client->send(l->sender->client, &request, on_done, l, &l->call);
    if (status != 0) {
        struct http_client_response nothing = {
            .error = status, .error_text = err_text(status), .retry_after_ms = -1};
        l->call = NULL;
        on_again(l, &nothing);
    }
}

/* Makes the request of the piece in hand: true when there is something to post. A piece that gives
 * none is done with; one that cannot be read is dropped; without memory it is tried again later. */
static bool make(struct sender_lane *l)
{
    if (!l->is_made) {
        int status = request_maker_make(
            l->sender->settings->maker, l->sender->protocol, strbuf_str(&l->piece), &l->made);
        if (status == ERR_NOMEM) {
            struct http_client_response nothing = {
                .error = status, .error_text = err_text(status), .retry_after_ms = -1};
            on_again(l, &nothing);
            return false;
        }
        if (status != 0) {
            LOG_ERROR("ship: a batch cannot be made into a request; it is dropped",
                LOG_S("destination", l->sender->settings->options.name),
                LOG_S("cargo", cargo_name(l)), LOG_I("count", samples_in_hand(l)),
                LOG_S("error", err_text(status)));
            l->sender->statistics.rejected_requests++;
            l->sender->statistics.rejected_samples += samples_in_hand(l);
            finish_piece(l);
            return false;
        }
        l->is_made = true;
    }
    if (l->made.body.len == 0) {
        l->sender->statistics.filtered_samples += l->made.filtered;
        finish_piece(l);
        return false;
    }
    return true;
}

/* Something to post in hand? Goes on to other records where one leaves nothing. */
static bool prepare(struct sender_lane *l)
{
    for (int i = 0; i < EMPTY_RECORDS_MAX && l->state == LANE_IDLE; i++) {
        if (l->piece.size == 0 && !take_record(l)) {
            return false;
        }
        if (is_too_old(l)) {
            l->sender->statistics.aged_samples +=
                l->record.samples - (l->split != NULL ? batch_split_done(l->split) : 0);
            finish_record(l);
        } else if (make(l)) {
            return true;
        }
    }
    return false;
}

void sender_lane_init(struct sender_lane *l, struct sender *sender)
{
    *l = (struct sender_lane){.sender = sender};
    strbuf_init(&l->piece, QUEUE_PAYLOAD_MAX);
}

void sender_lane_release(struct sender_lane *l)
{
    if (l->call != NULL) {
        l->sender->client->cancel(l->sender->client, l->call);
    }
    batch_split_free(l->split);
    strbuf_release(&l->piece);
}

int64_t sender_lane_step(struct sender_lane *l)
{
    int64_t now = clock_monotonic_ms(l->sender->clock);
    if (l->state == LANE_WAITING) {
        if (l->wait_until_ms > now) {
            return l->wait_until_ms - now;
        }
        l->state = LANE_IDLE;
    }
    if (l->state == LANE_IDLE) {
        if (prepare(l)) {
            post(l);
        } else if (l->state == LANE_IDLE && l->piece.size > 0) {
            return 0; /* more to go through */
        }
    }
    if (l->state == LANE_WAITING) {
        int64_t left = l->wait_until_ms - clock_monotonic_ms(l->sender->clock);
        return left > 0 ? left : 0;
    }
    return -1;
}
