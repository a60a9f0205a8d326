/* One message on its way to one receiver: an id that stays the same over all attempts, the body, what came
 * of each attempt, and when the next one is due. Pure; durable as the pipeline's journal keeps it.
 *
 *   pending     will be tried, or tried again, at next_attempt_ms
 *   delivered   the receiver took it
 *   superseded  a newer state of its group replaced it before it was taken
 *   dead        given up: the receiver refused it, or it became too old; may be replayed by hand
 */
#ifndef SONDE_QUERY_DELIVERY_H
#define SONDE_QUERY_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/alerting_config.h"
#include "alert/delivery_id.h"
#include "alert/notice.h"

/* Attempts whose outcome is kept: the last ones. */
#define DELIVERY_ATTEMPTS_KEPT 32
#define DELIVERY_RESPONSE_BYTES_MAX 1024
#define DELIVERY_ERROR_BYTES_MAX 256
#define DELIVERY_BODY_BYTES_MAX ((size_t)2 << 20)
#define DELIVERY_URL_BYTES_MAX ((size_t)64 << 10)
/* Pauses between attempts: 5 s when nothing else is configured, doubled each time, at most 5 min, each up to a
 * fifth longer or shorter. */
#define DELIVERY_PAUSE_MS_DEFAULT ((int64_t)5000)
#define DELIVERY_PAUSE_MS_MAX ((int64_t)5 * 60 * 1000)
/* Given up after. */
#define DELIVERY_AGE_MS_MAX ((int64_t)24 * 3600 * 1000)
/* Those that are over are kept so long, and so many. */
#define DELIVERY_RETENTION_MS ((int64_t)7 * 24 * 3600 * 1000)
#define DELIVERIES_KEPT 10000
#define DELIVERIES_KEPT_BYTES ((size_t)64 << 20)

enum delivery_state { DELIVERY_PENDING, DELIVERY_DELIVERED, DELIVERY_SUPERSEDED, DELIVERY_DEAD };

/* What came of an attempt, in the words of who made it. */
enum delivery_verdict {
    DELIVERY_TAKEN,   /* the receiver has it */
    DELIVERY_RETRY,   /* perhaps later */
    DELIVERY_REFUSED, /* never */
    DELIVERY_GONE,    /* never, nor any other to this receiver: 410 */
};

struct delivery_outcome {
    enum delivery_verdict verdict;
    unsigned status; /* HTTP's or SMTP's; 0 = no answer */
    int64_t took_ms;
    int64_t retry_after_ms; /* -1: not said */
    struct str error;       /* a sentence without secrets; may be empty */
    struct str response;    /* what the receiver said; the first kilobyte is kept */
    bool may_have_arrived;  /* it was sent, whatever the answer */
};

struct delivery_attempt {
    int64_t at_ms, took_ms;
    unsigned status;
    char *error, *response; /* owned */
};

struct delivery {
    char id[DELIVERY_ID_SIZE];
    char *group_key, *receiver; /* owned */
    enum alerting_kind kind;
    uint32_t index; /* of the integration, among those of the kind */
    enum delivery_state state;
    enum notice_reason reason;
    uint64_t sequence; /* in the order of their making */
    int64_t created_at_ms, finished_at_ms, next_attempt_ms;
    uint32_t attempt_count; /* all of them */
    struct delivery_attempt attempts[DELIVERY_ATTEMPTS_KEPT];
    size_t attempts_kept;
    char *body;
    size_t body_size;
    char *url;  /* where it goes, when that was a template; else NULL: where the receiver says */
    bool whole; /* the body is sent as it is: no attempt is written into it */
    struct fingerprint_set firing, resolved;
    /* Not written down. */
    bool in_flight;
    bool flush_again; /* the group has changed while it was in flight */
};

/* 0 or ERR_NOMEM. */
int delivery_new(const char *group_key, const char *receiver, enum alerting_kind kind,
    uint32_t index, int64_t now_ms, struct delivery **delivery_out);
/* Accepts NULL. */
void delivery_free(struct delivery *d);
const char *delivery_state_name(enum delivery_state state);
/* Bytes it takes in memory, about. */
size_t delivery_memory(const struct delivery *d);
/* Notes an attempt that began at `at_ms` and moves the state; `random` gives the pause its jitter. ERR_NOMEM:
 * the state has moved, the note is lost. */
int delivery_attempted(struct delivery *d, const struct delivery_outcome *outcome, int64_t at_ms,
    int64_t now_ms, int64_t first_pause_ms, uint64_t random);
void delivery_finish(struct delivery *d, enum delivery_state state, int64_t now_ms);
/* The pause after attempt number `attempt` (from 1). */
int64_t delivery_pause_ms(uint32_t attempt, int64_t first_pause_ms, uint64_t random);

/* Bytes for the journal. */
void delivery_encode(const struct delivery *d, struct strbuf *out);
int delivery_decode(struct str bytes, struct delivery **delivery_out);

#endif
