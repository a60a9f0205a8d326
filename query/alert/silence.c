/* The set of silences.
 *
 *   silence = version (1 byte: 1) · id (36 bytes) · starts_at, ends_at, updated_at (svarint, ms)
 *             created_by, comment (sized) · count (uvarint) · matchers
 *   matcher = type (1 byte: 0 =, 1 !=, 2 =~, 3 !~) · name · value (sized)
 */
#include "alert/silence.h"

#include <string.h>

#include "alert/delivery_id.h"
#include "base/bytes.h"
#include "base/mem.h"

enum { SILENCE_VERSION = 1, ID_LENGTH = SILENCE_ID_SIZE - 1 };

const char *silence_state_name(enum silence_state state)
{
    static const char *const names[] = {"pending", "active", "expired"};
    return names[state];
}

void silence_free(struct silence *s)
{
    if (s == NULL) {
        return;
    }
    label_matchers_release(&s->matchers);
    mem_free(s->created_by);
    mem_free(s->comment);
    mem_free(s);
}

void silences_release(struct silences *set)
{
    for (size_t i = 0; i < set->count; i++) {
        silence_free(set->items[i]);
    }
    mem_free(set->items);
    *set = (struct silences){0};
}

static size_t find(const struct silences *set, struct str id)
{
    size_t i = 0;
    while (i < set->count && !str_eq_c(id, set->items[i]->id)) {
        i++;
    }
    return i;
}

struct silence *silences_get(const struct silences *set, struct str id)
{
    size_t i = find(set, id);
    return i < set->count ? set->items[i] : NULL;
}

int silences_add(struct silences *set, struct silence *s)
{
    size_t i = find(set, str_of(s->id));
    if (i < set->count) {
        silence_free(set->items[i]);
        set->items[i] = s;
        return 0;
    }
    int status = mem_array_grow(
        (void **)&set->items, &set->cap, set->count + 1, sizeof(struct silence *), SILENCES_MAX);
    if (status == 0) {
        set->items[set->count++] = s;
    }
    return status;
}

/* ---- Changes ---- */

static int check(const struct silence *s, int64_t now_ms, struct err *e)
{
    bool matches_empty = true;
    for (size_t i = 0; i < s->matchers.count; i++) {
        matches_empty = matches_empty && matcher_matches(s->matchers.items[i], STR(""));
    }
    if (s->matchers.count == 0) {
        return err_set(e, ERR_INVALID, -1, "at least one matcher required");
    }
    if (matches_empty) {
        return err_set(e, ERR_INVALID, -1, "at least one matcher must not match the empty string");
    }
    if (s->starts_at_ms >= s->ends_at_ms) {
        return err_set(
            e, ERR_INVALID, -1, "failed to create silence: start time must be before end time");
    }
    if (s->ends_at_ms < now_ms) {
        return err_set(
            e, ERR_INVALID, -1, "failed to create silence: end time can't be in the past");
    }
    return 0;
}

/* Whether the old one can become the new one in its place. */
static bool can_update(const struct silence *old, const struct silence *wanted, int64_t now_ms)
{
    if (!label_matchers_eq(&old->matchers, &wanted->matchers)) {
        return false;
    }
    switch (silence_state_at(old, now_ms)) {
    case SILENCE_ACTIVE:
        return wanted->starts_at_ms / 1000 == old->starts_at_ms / 1000;
    case SILENCE_PENDING:
        return wanted->starts_at_ms >= now_ms;
    default:
        return false;
    }
}

static void end_now(struct silence *s, int64_t now_ms)
{
    /* One that has not begun ends where it would have begun: it never was. */
    if (silence_state_at(s, now_ms) == SILENCE_PENDING) {
        s->starts_at_ms = now_ms;
    }
    s->ends_at_ms = now_ms;
    s->updated_at_ms = now_ms;
}

int silences_put(struct silences *set, struct silence *wanted, int64_t now_ms,
    struct silence **silence_out, struct silence **changed_out, struct err *e)
{
    int status = check(wanted, now_ms, e);
    if (status != 0) {
        return status;
    }
    struct silence *old = NULL;
    if (wanted->id[0] != '\0') {
        old = silences_get(set, str_of(wanted->id));
        if (old == NULL) {
            return err_set(e, ERR_NOT_FOUND, -1, "silence not found");
        }
    }
    wanted->updated_at_ms = now_ms;
    *changed_out = NULL;
    if (old != NULL && can_update(old, wanted, now_ms)) {
        *silence_out = wanted;
        return silences_add(set, wanted); /* in the place of the old one: cannot fail */
    }
    if (wanted->starts_at_ms < now_ms) {
        wanted->starts_at_ms = now_ms;
    }
    delivery_id_uuid(wanted->id);
    status = silences_add(set, wanted);
    if (status != 0) {
        return err_set(e, status, -1, "there are %d silences already", SILENCES_MAX);
    }
    if (old != NULL && silence_state_at(old, now_ms) != SILENCE_EXPIRED) {
        end_now(old, now_ms);
        *changed_out = old;
    }
    *silence_out = wanted;
    return 0;
}

int silences_expire(struct silences *set, struct str id, int64_t now_ms,
    struct silence **changed_out, struct err *e)
{
    struct silence *s = silences_get(set, id);
    if (s == NULL) {
        return err_set(e, ERR_NOT_FOUND, -1, "silence not found");
    }
    if (silence_state_at(s, now_ms) == SILENCE_EXPIRED) {
        return err_set(e, ERR_INVALID, -1, "silence %s already expired", s->id);
    }
    end_now(s, now_ms);
    *changed_out = s;
    return 0;
}

bool silences_forget(struct silences *set, int64_t now_ms, char id_out[SILENCE_ID_SIZE])
{
    for (size_t i = 0; i < set->count; i++) {
        struct silence *s = set->items[i];
        if (s->ends_at_ms + SILENCE_RETENTION_MS < now_ms) {
            memcpy(id_out, s->id, SILENCE_ID_SIZE);
            silence_free(s);
            set->items[i] = set->items[--set->count];
            return true;
        }
    }
    return false;
}

const struct silence *silences_next_match(
    const struct silences *set, const struct labels *labels, int64_t now_ms, size_t *position)
{
    while (*position < set->count) {
        const struct silence *s = set->items[(*position)++];
        if (silence_state_at(s, now_ms) == SILENCE_ACTIVE &&
            label_matchers_match(&s->matchers, labels)) {
            return s;
        }
    }
    return NULL;
}

/* ---- Bytes ---- */

void silence_encode(const struct silence *s, struct strbuf *out)
{
    strbuf_add_char(out, SILENCE_VERSION);
    strbuf_add(out, s->id, ID_LENGTH);
    strbuf_add_svarint(out, s->starts_at_ms);
    strbuf_add_svarint(out, s->ends_at_ms);
    strbuf_add_svarint(out, s->updated_at_ms);
    strbuf_add_sized(out, str_of(s->created_by));
    strbuf_add_sized(out, str_of(s->comment));
    strbuf_add_uvarint(out, s->matchers.count);
    for (size_t i = 0; i < s->matchers.count; i++) {
        const struct matcher *m = s->matchers.items[i];
        strbuf_add_char(out, (char)m->type);
        strbuf_add_sized(out, m->name);
        strbuf_add_sized(out, m->value);
    }
}

static int decode(struct decbuf *d, struct silence *s)
{
    bool known = decbuf_u8(d) == SILENCE_VERSION;
    struct str id = decbuf_bytes(d, ID_LENGTH);
    s->starts_at_ms = decbuf_svarint(d);
    s->ends_at_ms = decbuf_svarint(d);
    s->updated_at_ms = decbuf_svarint(d);
    struct str created_by = decbuf_sized(d), comment = decbuf_sized(d);
    uint64_t count = decbuf_uvarint(d);
    if (!known || d->failed || count > LABEL_MATCHERS_MAX || memchr(id.ptr, '\0', id.len) != NULL) {
        return ERR_CORRUPT;
    }
    memcpy(s->id, id.ptr, ID_LENGTH);
    s->created_by = mem_strndup(created_by.ptr, created_by.len);
    s->comment = mem_strndup(comment.ptr, comment.len);
    if (s->created_by == NULL || s->comment == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t type = decbuf_u8(d);
        struct str name = decbuf_sized(d), value = decbuf_sized(d);
        if (d->failed || type > MATCHER_NOT_REGEX) {
            return ERR_CORRUPT;
        }
        int status = label_matchers_add(&s->matchers, (enum matcher_type)type, name, value, NULL);
        if (status != 0) {
            return status == ERR_INVALID ? ERR_CORRUPT : status;
        }
    }
    label_matchers_sort(&s->matchers);
    return decbuf_left(d) == 0 ? 0 : ERR_CORRUPT;
}

int silence_decode(struct str bytes, struct silence **silence_out)
{
    struct decbuf d = decbuf_of(bytes.ptr, bytes.len);
    struct silence *s = mem_calloc(1, sizeof(*s));
    int status = s != NULL ? decode(&d, s) : ERR_NOMEM;
    if (status != 0) {
        silence_free(s);
        return status;
    }
    *silence_out = s;
    return 0;
}
