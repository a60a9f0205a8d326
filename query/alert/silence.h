/* Silences: who asked, and until when, that alerts which match are not told. Alertmanager's rules of
 * life: one that has begun keeps its matchers and its beginning; to change them, the old one is expired and a
 * new one made, with a new id. Expired ones are kept for a while so that one can see who silenced what.
 */
#ifndef SONDE_QUERY_SILENCE_H
#define SONDE_QUERY_SILENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/label_matchers.h"
#include "base/err.h"

#define SILENCES_MAX 10000
#define SILENCE_TEXT_BYTES_MAX ((size_t)16 << 10)
#define SILENCE_RETENTION_MS ((int64_t)120 * 3600 * 1000)
#define SILENCE_ID_SIZE 37

enum silence_state { SILENCE_PENDING, SILENCE_ACTIVE, SILENCE_EXPIRED };

struct silence {
    char id[SILENCE_ID_SIZE]; /* a UUID */
    struct label_matchers matchers;
    int64_t starts_at_ms, ends_at_ms, updated_at_ms;
    char *created_by, *comment; /* owned */
};

struct silences {
    struct silence **items; /* in no order */
    size_t count, cap;
};

static inline enum silence_state silence_state_at(const struct silence *s, int64_t now_ms)
{
    return now_ms < s->starts_at_ms ? SILENCE_PENDING
           : now_ms < s->ends_at_ms ? SILENCE_ACTIVE
                                    : SILENCE_EXPIRED;
}

/* "pending", "active", "expired" */
const char *silence_state_name(enum silence_state state);

/* Accepts NULL and half-built ones. */
void silence_free(struct silence *s);
void silences_release(struct silences *set);
/* NULL when there is none. */
struct silence *silences_get(const struct silences *set, struct str id);
/* Adds one, or replaces that of the same id; it belongs to the set then. ERR_LIMIT, ERR_NOMEM: it is still
 * the caller's. */
int silences_add(struct silences *set, struct silence *s);

/* Takes `wanted` over when it is good (it is emptied, or freed, and belongs to nobody else after success).
 * With an id it changes that silence, or expires it and makes another; *changed_out is the one that was
 * expired for it (NULL: none), *silence_out the one that holds now: both are to be written down.
 * ERR_INVALID with a sentence, ERR_NOT_FOUND, ERR_LIMIT, ERR_NOMEM: nothing has changed, `wanted` is the
 * caller's. */
int silences_put(struct silences *set, struct silence *wanted, int64_t now_ms,
    struct silence **silence_out, struct silence **changed_out, struct err *e);
/* ERR_NOT_FOUND; ERR_INVALID when it has expired already. */
int silences_expire(struct silences *set, struct str id, int64_t now_ms,
    struct silence **changed_out, struct err *e);
/* Forgets one that is expired for longer than the retention and tells its id; false when there is none. */
bool silences_forget(struct silences *set, int64_t now_ms, char id_out[SILENCE_ID_SIZE]);
/* The index of the next silence at or after *position that is active and matches; NULL when none. */
const struct silence *silences_next_match(
    const struct silences *set, const struct labels *labels, int64_t now_ms, size_t *position);

/* Bytes for the journal. */
void silence_encode(const struct silence *s, struct strbuf *out);
int silence_decode(struct str bytes, struct silence **silence_out);

#endif
