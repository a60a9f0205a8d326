/* What one receiver was last told of one group, over one way of sending: Alertmanager's notification log.
 * From it and what is true now follows whether there is something to tell, and why. Pure.
 *
 * One thing is added: `maybe`. A message that was sent without an answer may have arrived; the alerts that
 * fired in it must be told to have ended when they end, although nobody said they took it.
 */
#ifndef SONDE_QUERY_NOTICE_H
#define SONDE_QUERY_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/alerting_config.h"
#include "base/bytes.h"

/* Fingerprints, sorted, each once; owned. */
struct fingerprint_set {
    uint64_t *items;
    size_t count;
};

#define FINGERPRINTS_MAX ((size_t)1 << 20)

/* Sorts what the caller collected. */
void fingerprint_set_sort(struct fingerprint_set *set);
bool fingerprint_set_has(const struct fingerprint_set *set, uint64_t fingerprint);
bool fingerprint_set_within(
    const struct fingerprint_set *inner, const struct fingerprint_set *outer);
bool fingerprint_set_eq(const struct fingerprint_set *a, const struct fingerprint_set *b);
int fingerprint_set_copy(const struct fingerprint_set *from, struct fingerprint_set *to);
/* Adds what `from` has. */
int fingerprint_set_join(struct fingerprint_set *to, const struct fingerprint_set *from);
void fingerprint_set_release(struct fingerprint_set *set);
void fingerprint_set_encode(const struct fingerprint_set *set, struct strbuf *out);
/* Into an empty set. ERR_CORRUPT, ERR_NOMEM. */
int fingerprint_set_decode(struct decbuf *d, struct fingerprint_set *set);

/* The words are Alertmanager's, in `notification_reason` of messages. */
#define NOTICE_REASONS(X)                                                                          \
    X(NONE, "unknown")                                                                             \
    X(FIRST, "first notification")                                                                 \
    X(NEW_ALERTS, "new alerts added")                                                              \
    X(SOME_RESOLVED, "some alerts resolved")                                                       \
    X(ALL_RESOLVED, "all alerts resolved")                                                         \
    X(REPEAT, "repeat interval elapsed")

enum notice_reason {
#define X(name, text) NOTICE_##name,
    NOTICE_REASONS(X)
#undef X
};

const char *notice_reason_text(enum notice_reason reason);

struct delivery;

struct notice {
    char *group_key, *receiver; /* owned */
    enum alerting_kind kind;
    uint32_t index;
    bool told; /* at least once */
    int64_t told_at_ms, repeat_ms;
    struct fingerprint_set firing, resolved; /* of the message taken last */
    struct fingerprint_set maybe;            /* fired in messages since that may have arrived */
    struct delivery *pending;                /* the message on its way; not written down here */
};

/* How long it is remembered after the last message; at least two repeat intervals. */
#define NOTICE_RETENTION_MS ((int64_t)120 * 3600 * 1000)

/* The key under which it is known: of group, receiver, kind and index. */
uint64_t notice_key(
    const char *group_key, const char *receiver, enum alerting_kind kind, uint32_t index);
int notice_new(const char *group_key, const char *receiver, enum alerting_kind kind, uint32_t index,
    struct notice **notice_out);
/* Accepts NULL. */
void notice_free(struct notice *n);
/* NOTICE_NONE: there is nothing to tell. */
enum notice_reason notice_decide(const struct notice *n, const struct fingerprint_set *firing,
    const struct fingerprint_set *resolved, int64_t repeat_ms, bool send_resolved, int64_t now_ms);
/* A message with these was taken. 0 or ERR_NOMEM. */
int notice_told(struct notice *n, const struct fingerprint_set *firing,
    const struct fingerprint_set *resolved, int64_t now_ms);

/* Bytes for the journal. */
void notice_encode(const struct notice *n, struct strbuf *out);
int notice_decode(struct str bytes, struct notice **notice_out);

#endif
