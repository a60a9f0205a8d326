/* One alert as it is known: a copy of what somebody sent, immutable, shared by reference count within
 * the notification thread; and its bytes in the journal.
 */
#ifndef SONDE_QUERY_ALERT_ITEM_H
#define SONDE_QUERY_ALERT_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "query/alert.h"

struct alert_item {
    unsigned refs;
    struct alert alert;   /* all it points to lives in `memory` */
    uint64_t fingerprint; /* Alertmanager's, see alert_fingerprint */
    int64_t updated_at_ms;
    bool guessed_end; /* the sender gave no end: it is ours */
    struct arena memory;
};

/* Of the texts of one alert together. */
#define ALERT_ITEM_BYTES_MAX ((size_t)256 << 10)

/* A copy. ERR_LIMIT: it is too large; ERR_NOMEM. */
int alert_item_new(const struct alert *alert, int64_t updated_at_ms, bool guessed_end,
    struct alert_item **item_out);
struct alert_item *alert_item_ref(struct alert_item *item);
/* Accepts NULL. */
void alert_item_unref(struct alert_item *item);
static inline bool alert_item_fires(const struct alert_item *item, int64_t now_ms)
{
    return item->alert.ends_at_ms > now_ms;
}

/* FNV-1a of 64 bits over names and values in order, each followed by the byte 0xff: the fingerprint
 * under which Alertmanager and Prometheus show a label set. */
uint64_t alert_fingerprint(const struct labels *labels);

/* What is true when `newer` comes after `older`, an alert of the same labels whose time overlaps: the
 * earlier start; the later of two ends that have come; an end that somebody gave over a guessed one. When
 * the two do not overlap the newer one stands alone. 0 or ERR_NOMEM. */
int alert_item_merge(
    const struct alert_item *older, const struct alert_item *newer, struct alert_item **item_out);

/* Bytes for the journal: a version, then all members in order. */
void alert_item_encode(const struct alert_item *item, struct strbuf *out);
/* ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int alert_item_decode(struct str bytes, struct alert_item **item_out);

#endif
