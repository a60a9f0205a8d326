/* The notification log.
 *
 *   notice = version (1 byte: 1) · told (1 byte) · kind (1 byte) · index (uvarint) · group key · receiver (sized)
 *            told_at, repeat (svarint, ms) · firing · resolved · maybe
 *   set    = count (uvarint), then 8 bytes each, ascending
 */
#include "alert/notice.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

enum { NOTICE_VERSION = 1 };

/* ---- Sets ---- */

static int compare_fingerprints(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void fingerprint_set_sort(struct fingerprint_set *set)
{
    if (set->count > 1) {
        qsort(set->items, set->count, sizeof(*set->items), compare_fingerprints);
    }
}

bool fingerprint_set_has(const struct fingerprint_set *set, uint64_t fingerprint)
{
    return set->count > 0 && bsearch(&fingerprint, set->items, set->count, sizeof(*set->items),
                                 compare_fingerprints) != NULL;
}

bool fingerprint_set_within(
    const struct fingerprint_set *inner, const struct fingerprint_set *outer)
{
    bool within = inner->count <= outer->count;
    for (size_t i = 0; within && i < inner->count; i++) {
        within = fingerprint_set_has(outer, inner->items[i]);
    }
    return within;
}

bool fingerprint_set_eq(const struct fingerprint_set *a, const struct fingerprint_set *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(*a->items)) == 0);
}

int fingerprint_set_copy(const struct fingerprint_set *from, struct fingerprint_set *to)
{
    uint64_t *items = mem_alloc((from->count + 1) * sizeof(*items));
    if (items == NULL) {
        return ERR_NOMEM;
    }
    memcpy(items, from->items != NULL ? from->items : items, from->count * sizeof(*items));
    mem_free(to->items);
    *to = (struct fingerprint_set){items, from->count};
    return 0;
}

int fingerprint_set_join(struct fingerprint_set *to, const struct fingerprint_set *from)
{
    size_t added = 0;
    uint64_t *items = mem_realloc(to->items, (to->count + from->count + 1) * sizeof(*items));
    if (items == NULL) {
        return ERR_NOMEM;
    }
    to->items = items;
    for (size_t i = 0; i < from->count; i++) {
        if (!fingerprint_set_has(to, from->items[i])) {
            items[to->count + added++] = from->items[i];
        }
    }
    to->count += added;
    fingerprint_set_sort(to);
    return 0;
}

void fingerprint_set_release(struct fingerprint_set *set)
{
    mem_free(set->items);
    *set = (struct fingerprint_set){0};
}

void fingerprint_set_encode(const struct fingerprint_set *set, struct strbuf *out)
{
    strbuf_add_uvarint(out, set->count);
    for (size_t i = 0; i < set->count; i++) {
        strbuf_add_le64(out, set->items[i]);
    }
}

int fingerprint_set_decode(struct decbuf *d, struct fingerprint_set *set)
{
    uint64_t count = decbuf_uvarint(d);
    if (d->failed || count > decbuf_left(d) / 8 || count > FINGERPRINTS_MAX) {
        return ERR_CORRUPT;
    }
    set->items = mem_alloc(((size_t)count + 1) * sizeof(*set->items));
    if (set->items == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        set->items[i] = decbuf_le64(d);
        if (i > 0 && set->items[i - 1] >= set->items[i]) {
            return ERR_CORRUPT;
        }
    }
    set->count = (size_t)count;
    return 0;
}

/* ---- Deciding ---- */

const char *notice_reason_text(enum notice_reason reason)
{
    static const char *const texts[] = {
#define X(name, text) [NOTICE_##name] = text,
        NOTICE_REASONS(X)
#undef X
    };
    return texts[reason];
}

/* Known to fire, for sure or perhaps. */
static bool knows(const struct notice *n, uint64_t fingerprint)
{
    return fingerprint_set_has(&n->firing, fingerprint) ||
           fingerprint_set_has(&n->maybe, fingerprint);
}

enum notice_reason notice_decide(const struct notice *n, const struct fingerprint_set *firing,
    const struct fingerprint_set *resolved, int64_t repeat_ms, bool send_resolved, int64_t now_ms)
{
    if (!n->told && n->maybe.count == 0) {
        return firing->count > 0 ? NOTICE_FIRST : NOTICE_NONE;
    }
    if (!fingerprint_set_within(firing, &n->firing)) {
        return n->told ? NOTICE_NEW_ALERTS : NOTICE_FIRST;
    }
    if (firing->count == 0) {
        return n->firing.count + n->maybe.count > 0 ? NOTICE_ALL_RESOLVED : NOTICE_NONE;
    }
    for (size_t i = 0; send_resolved && i < resolved->count; i++) {
        /* One that began and ended between two messages is nobody's news. */
        if (!fingerprint_set_has(&n->resolved, resolved->items[i]) &&
            knows(n, resolved->items[i])) {
            return NOTICE_SOME_RESOLVED;
        }
    }
    return n->told_at_ms + repeat_ms <= now_ms ? NOTICE_REPEAT : NOTICE_NONE;
}

int notice_told(struct notice *n, const struct fingerprint_set *firing,
    const struct fingerprint_set *resolved, int64_t now_ms)
{
    struct fingerprint_set copy = {0};
    int status = fingerprint_set_copy(firing, &copy);
    if (status == 0) {
        status = fingerprint_set_copy(resolved, &n->resolved);
    }
    if (status != 0) {
        fingerprint_set_release(&copy);
        return status;
    }
    fingerprint_set_release(&n->firing);
    fingerprint_set_release(&n->maybe);
    n->firing = copy;
    n->told = true;
    n->told_at_ms = now_ms;
    return 0;
}

/* ---- Life ---- */

uint64_t notice_key(
    const char *group_key, const char *receiver, enum alerting_kind kind, uint32_t index)
{
    uint64_t inner = hash64(receiver, strlen(receiver), (uint64_t)kind << 32 | index);
    return hash64(group_key, strlen(group_key), inner);
}

int notice_new(const char *group_key, const char *receiver, enum alerting_kind kind, uint32_t index,
    struct notice **notice_out)
{
    struct notice *n = mem_calloc(1, sizeof(*n));
    if (n == NULL) {
        return ERR_NOMEM;
    }
    *n = (struct notice){.group_key = mem_strdup(group_key),
        .receiver = mem_strdup(receiver),
        .kind = kind,
        .index = index};
    if (n->group_key == NULL || n->receiver == NULL) {
        notice_free(n);
        return ERR_NOMEM;
    }
    *notice_out = n;
    return 0;
}

void notice_free(struct notice *n)
{
    if (n == NULL) {
        return;
    }
    fingerprint_set_release(&n->firing);
    fingerprint_set_release(&n->resolved);
    fingerprint_set_release(&n->maybe);
    mem_free(n->group_key);
    mem_free(n->receiver);
    mem_free(n);
}

/* ---- Bytes ---- */

void notice_encode(const struct notice *n, struct strbuf *out)
{
    strbuf_add_char(out, NOTICE_VERSION);
    strbuf_add_char(out, (char)n->told);
    strbuf_add_char(out, (char)n->kind);
    strbuf_add_uvarint(out, n->index);
    strbuf_add_sized(out, str_of(n->group_key));
    strbuf_add_sized(out, str_of(n->receiver));
    strbuf_add_svarint(out, n->told_at_ms);
    strbuf_add_svarint(out, n->repeat_ms);
    fingerprint_set_encode(&n->firing, out);
    fingerprint_set_encode(&n->resolved, out);
    fingerprint_set_encode(&n->maybe, out);
}

int notice_decode(struct str bytes, struct notice **notice_out)
{
    struct decbuf d = decbuf_of(bytes.ptr, bytes.len);
    bool known = decbuf_u8(&d) == NOTICE_VERSION;
    bool told = decbuf_u8(&d) != 0;
    uint8_t kind = decbuf_u8(&d);
    uint64_t index = decbuf_uvarint(&d);
    struct str group_key = decbuf_sized(&d), receiver = decbuf_sized(&d);
    struct notice *n = mem_calloc(1, sizeof(*n));
    if (n == NULL) {
        return ERR_NOMEM;
    }
    n->told = told;
    n->kind = (enum alerting_kind)kind;
    n->index = (uint32_t)index;
    n->told_at_ms = decbuf_svarint(&d);
    n->repeat_ms = decbuf_svarint(&d);
    n->group_key = mem_strndup(group_key.ptr, group_key.len);
    n->receiver = mem_strndup(receiver.ptr, receiver.len);
    int status = n->group_key == NULL || n->receiver == NULL ? ERR_NOMEM : 0;
    status = status != 0 ? status : fingerprint_set_decode(&d, &n->firing);
    status = status != 0 ? status : fingerprint_set_decode(&d, &n->resolved);
    status = status != 0 ? status : fingerprint_set_decode(&d, &n->maybe);
    if (status == 0 && (!known || d.failed || decbuf_left(&d) != 0 || kind > ALERTING_PAGERDUTY ||
                           index > UINT32_MAX)) {
        status = ERR_CORRUPT;
    }
    if (status != 0) {
        notice_free(n);
        return status;
    }
    *notice_out = n;
    return 0;
}
