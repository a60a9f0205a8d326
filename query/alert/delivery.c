/* The life of one message.
 *
 *   delivery = version (1 byte: 1 or 2) · id (40 bytes) · kind, state, reason (1 byte each) · index (uvarint)
 *              sequence (uvarint) · group key, receiver (sized)
 *              created_at, finished_at, next_attempt (svarint, ms) · attempt_count (uvarint)
 *              body (sized) · from version 2: url (sized, empty: none), whole (1 byte: 0 or 1) · firing · resolved · count (uvarint) · attempts
 *   attempt  = at, took (svarint, ms) · status (uvarint) · error, response (sized)
 *   firing, resolved as in notice.c
 */
#include "alert/delivery.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

enum { DELIVERY_VERSION = 2, ID_LENGTH = DELIVERY_ID_SIZE - 1 };

const char *delivery_state_name(enum delivery_state state)
{
    static const char *const names[] = {"pending", "delivered", "superseded", "dead"};
    return names[state];
}

int delivery_new(const char *group_key, const char *receiver, enum alerting_kind kind,
    uint32_t index, int64_t now_ms, struct delivery **delivery_out)
{
    struct delivery *d = mem_calloc(1, sizeof(*d));
    if (d == NULL) {
        return ERR_NOMEM;
    }
    *d = (struct delivery){.group_key = mem_strdup(group_key),
        .receiver = mem_strdup(receiver),
        .kind = kind,
        .index = index,
        .created_at_ms = now_ms,
        .next_attempt_ms = now_ms};
    delivery_id_new(d->id);
    if (d->group_key == NULL || d->receiver == NULL) {
        delivery_free(d);
        return ERR_NOMEM;
    }
    *delivery_out = d;
    return 0;
}

static void forget_attempt(struct delivery_attempt *a)
{
    mem_free(a->error);
    mem_free(a->response);
}

void delivery_free(struct delivery *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->attempts_kept; i++) {
        forget_attempt(&d->attempts[i]);
    }
    fingerprint_set_release(&d->firing);
    fingerprint_set_release(&d->resolved);
    mem_free(d->group_key);
    mem_free(d->receiver);
    mem_free(d->body);
    mem_free(d->url);
    mem_free(d);
}

size_t delivery_memory(const struct delivery *d)
{
    return sizeof(*d) + d->body_size + (d->firing.count + d->resolved.count) * sizeof(uint64_t) +
           d->attempts_kept * DELIVERY_RESPONSE_BYTES_MAX;
}

int64_t delivery_pause_ms(uint32_t attempt, int64_t first_pause_ms, uint64_t random)
{
    int64_t pause = first_pause_ms;
    for (uint32_t i = 1; i < attempt && pause < DELIVERY_PAUSE_MS_MAX; i++) {
        pause *= 2;
    }
    pause = pause < DELIVERY_PAUSE_MS_MAX ? pause : DELIVERY_PAUSE_MS_MAX;
    int64_t fifth = pause / 5;
    return pause - fifth + (int64_t)(random % (uint64_t)(2 * fifth + 1));
}

void delivery_finish(struct delivery *d, enum delivery_state state, int64_t now_ms)
{
    assert(d->state == DELIVERY_PENDING && state != DELIVERY_PENDING);
    d->state = state;
    d->finished_at_ms = now_ms;
}

/* No more than `max` bytes, not cut inside a character. */
static char *cut(struct str text, size_t max)
{
    size_t length = text.len < max ? text.len : max;
    while (length < text.len && length > 0 && ((uint8_t)text.ptr[length] & 0xc0) == 0x80) {
        length--;
    }
    return mem_strndup(text.ptr != NULL ? text.ptr : "", length);
}

static int note(struct delivery *d, const struct delivery_outcome *outcome, int64_t at_ms)
{
    struct delivery_attempt a = {.at_ms = at_ms,
        .took_ms = outcome->took_ms,
        .status = outcome->status,
        .error = cut(outcome->error, DELIVERY_ERROR_BYTES_MAX),
        .response = cut(outcome->response, DELIVERY_RESPONSE_BYTES_MAX)};
    if (a.error == NULL || a.response == NULL) {
        forget_attempt(&a);
        return ERR_NOMEM;
    }
    if (d->attempts_kept == DELIVERY_ATTEMPTS_KEPT) {
        forget_attempt(&d->attempts[0]);
        memmove(d->attempts, d->attempts + 1, sizeof(a) * (DELIVERY_ATTEMPTS_KEPT - 1));
        d->attempts_kept--;
    }
    d->attempts[d->attempts_kept++] = a;
    return 0;
}

int delivery_attempted(struct delivery *d, const struct delivery_outcome *outcome, int64_t at_ms,
    int64_t now_ms, int64_t first_pause_ms, uint64_t random)
{
    assert(d->state == DELIVERY_PENDING);
    d->attempt_count++;
    d->in_flight = false;
    int64_t pause = delivery_pause_ms(d->attempt_count, first_pause_ms, random);
    int64_t asked = outcome->retry_after_ms;
    switch (outcome->verdict) {
    case DELIVERY_TAKEN:
        delivery_finish(d, DELIVERY_DELIVERED, now_ms);
        break;
    case DELIVERY_RETRY:
        pause = asked > pause ? asked : pause;
        d->next_attempt_ms = now_ms + (pause < DELIVERY_AGE_MS_MAX ? pause : DELIVERY_AGE_MS_MAX);
        if (d->next_attempt_ms > d->created_at_ms + DELIVERY_AGE_MS_MAX) {
            delivery_finish(d, DELIVERY_DEAD, now_ms);
        }
        break;
    case DELIVERY_REFUSED:
    case DELIVERY_GONE:
        delivery_finish(d, DELIVERY_DEAD, now_ms);
        break;
    }
    return note(d, outcome, at_ms);
}

/* ---- Bytes ---- */

void delivery_encode(const struct delivery *d, struct strbuf *out)
{
    strbuf_add_char(out, DELIVERY_VERSION);
    strbuf_add(out, d->id, ID_LENGTH);
    strbuf_add_char(out, (char)d->kind);
    strbuf_add_char(out, (char)d->state);
    strbuf_add_char(out, (char)d->reason);
    strbuf_add_uvarint(out, d->index);
    strbuf_add_uvarint(out, d->sequence);
    strbuf_add_sized(out, str_of(d->group_key));
    strbuf_add_sized(out, str_of(d->receiver));
    strbuf_add_svarint(out, d->created_at_ms);
    strbuf_add_svarint(out, d->finished_at_ms);
    strbuf_add_svarint(out, d->next_attempt_ms);
    strbuf_add_uvarint(out, d->attempt_count);
    strbuf_add_sized(out, str_make(d->body != NULL ? d->body : "", d->body_size));
    strbuf_add_sized(out, d->url != NULL ? str_of(d->url) : STR(""));
    strbuf_add_char(out, (char)d->whole);
    fingerprint_set_encode(&d->firing, out);
    fingerprint_set_encode(&d->resolved, out);
    strbuf_add_uvarint(out, d->attempts_kept);
    for (size_t i = 0; i < d->attempts_kept; i++) {
        const struct delivery_attempt *a = &d->attempts[i];
        strbuf_add_svarint(out, a->at_ms);
        strbuf_add_svarint(out, a->took_ms);
        strbuf_add_uvarint(out, a->status);
        strbuf_add_sized(out, str_of(a->error));
        strbuf_add_sized(out, str_of(a->response));
    }
}

static int read_attempts(struct decbuf *in, struct delivery *d)
{
    uint64_t count = decbuf_uvarint(in);
    if (in->failed || count > DELIVERY_ATTEMPTS_KEPT) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < count; i++) {
        struct delivery_attempt a = {.at_ms = decbuf_svarint(in), .took_ms = decbuf_svarint(in)};
        a.status = (unsigned)decbuf_uvarint(in);
        struct str error = decbuf_sized(in), response = decbuf_sized(in);
        if (in->failed) {
            return ERR_CORRUPT;
        }
        a.error = mem_strndup(error.ptr, error.len);
        a.response = mem_strndup(response.ptr, response.len);
        d->attempts[d->attempts_kept++] = a;
        if (a.error == NULL || a.response == NULL) {
            return ERR_NOMEM;
        }
    }
    return 0;
}

static int decode(struct decbuf *in, struct delivery *d)
{
    uint8_t version = decbuf_u8(in);
    bool known = version == 1 || version == DELIVERY_VERSION;
    struct str id = decbuf_bytes(in, ID_LENGTH);
    uint8_t kind = decbuf_u8(in), state = decbuf_u8(in), reason = decbuf_u8(in);
    uint64_t index = decbuf_uvarint(in);
    d->sequence = decbuf_uvarint(in);
    struct str group_key = decbuf_sized(in), receiver = decbuf_sized(in);
    d->created_at_ms = decbuf_svarint(in);
    d->finished_at_ms = decbuf_svarint(in);
    d->next_attempt_ms = decbuf_svarint(in);
    uint64_t attempts = decbuf_uvarint(in);
    struct str body = decbuf_sized(in), url = version > 1 ? decbuf_sized(in) : STR("");
    uint8_t whole = version > 1 ? decbuf_u8(in) : 0;
    if (!known || whole > 1 || url.len > DELIVERY_URL_BYTES_MAX || str_find(url, '\0') >= 0 ||
        in->failed || kind > ALERTING_PAGERDUTY || state > DELIVERY_DEAD ||
        reason > NOTICE_REPEAT || index > UINT32_MAX || attempts > UINT32_MAX ||
        body.len > DELIVERY_BODY_BYTES_MAX || str_find(id, '\0') >= 0) {
        return ERR_CORRUPT;
    }
    memcpy(d->id, id.ptr, ID_LENGTH);
    d->kind = (enum alerting_kind)kind;
    d->state = (enum delivery_state)state;
    d->reason = (enum notice_reason)reason;
    d->index = (uint32_t)index;
    d->attempt_count = (uint32_t)attempts;
    d->group_key = mem_strndup(group_key.ptr, group_key.len);
    d->receiver = mem_strndup(receiver.ptr, receiver.len);
    d->body = mem_strndup(body.ptr, body.len);
    d->body_size = body.len;
    d->whole = whole == 1;
    d->url = url.len > 0 ? mem_strndup(url.ptr, url.len) : NULL;
    if (d->group_key == NULL || d->receiver == NULL || d->body == NULL ||
        (d->url == NULL && url.len > 0)) {
        return ERR_NOMEM;
    }
    int status = fingerprint_set_decode(in, &d->firing);
    status = status != 0 ? status : fingerprint_set_decode(in, &d->resolved);
    status = status != 0 ? status : read_attempts(in, d);
    return status == 0 && (in->failed || decbuf_left(in) != 0) ? ERR_CORRUPT : status;
}

int delivery_decode(struct str bytes, struct delivery **delivery_out)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct delivery *d = mem_calloc(1, sizeof(*d));
    int status = d != NULL ? decode(&in, d) : ERR_NOMEM;
    if (status != 0) {
        delivery_free(d);
        return status;
    }
    *delivery_out = d;
    return 0;
}
