/* Copies of alerts, and their form in the journal.
 *
 *   item     = version (1 byte: 1) · flags (1 byte) · labels · annotations
 *              starts_at, ends_at, updated_at (svarint, ms) · generator URL (sized)
 *              [flag 4] value (8 bytes)  [flag 8] slo · exemplars
 *   labels, annotations = count (uvarint), then name and value (sized) each
 *   slo      = name, window, tier (sized) · objective, factor, burn_long, burn_short, budget_remaining
 *              (8 bytes each) · exhausts_at (svarint)
 *   exemplars = count (uvarint), then trace id (sized) · value (8 bytes) · time (svarint) each
 *
 *   flags    1 resolved · 2 the end was guessed · 4 has a value · 8 of an SLO
 *
 * "sized" is a uvarint length and the bytes; doubles are their bits, little-endian.
 */
#include "alert/alert_item.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/mem.h"

enum {
    ITEM_VERSION = 1,
    FLAG_RESOLVED = 1,
    FLAG_GUESSED = 2,
    FLAG_VALUE = 4,
    FLAG_SLO = 8,
};

/* ---- Copies ---- */

static struct str copy_text(struct arena *a, struct str text)
{
    char *copy = arena_strndup(a, text.ptr != NULL ? text.ptr : "", text.len);
    return copy != NULL ? str_make(copy, text.len) : STR("");
}

static int copy_annotations(struct alert_item *item, const struct alert *from)
{
    struct label *pairs =
        arena_calloc(&item->memory, from->annotation_count + 1, sizeof(struct label));
    if (pairs == NULL) {
        return arena_error(&item->memory);
    }
    for (size_t i = 0; i < from->annotation_count; i++) {
        pairs[i].name = copy_text(&item->memory, from->annotations[i].name);
        pairs[i].value = copy_text(&item->memory, from->annotations[i].value);
    }
    item->alert.annotations = pairs;
    return 0;
}

static int copy_exemplars(struct alert_item *item, const struct alert *from)
{
    struct alert_exemplar *copies =
        arena_calloc(&item->memory, from->exemplar_count + 1, sizeof(*copies));
    if (copies == NULL) {
        return arena_error(&item->memory);
    }
    for (size_t i = 0; i < from->exemplar_count; i++) {
        copies[i] = from->exemplars[i];
        copies[i].trace_id = copy_text(&item->memory, from->exemplars[i].trace_id);
    }
    item->alert.exemplars = copies;
    return 0;
}

static int copy_slo(struct alert_item *item, const struct alert_slo *from)
{
    struct alert_slo *slo = arena_alloc(&item->memory, sizeof(*slo));
    if (slo == NULL) {
        return arena_error(&item->memory);
    }
    *slo = *from;
    slo->name = copy_text(&item->memory, from->name);
    slo->window = copy_text(&item->memory, from->window);
    slo->tier = copy_text(&item->memory, from->tier);
    item->alert.slo = slo;
    return 0;
}

int alert_item_new(const struct alert *alert, int64_t updated_at_ms, bool guessed_end,
    struct alert_item **item_out)
{
    if (alert->annotation_count > ALERT_ANNOTATIONS_MAX ||
        alert->exemplar_count > ALERT_EXEMPLARS_MAX) {
        return ERR_LIMIT;
    }
    struct alert_item *item = mem_calloc(1, sizeof(*item));
    if (item == NULL) {
        return ERR_NOMEM;
    }
    item->refs = 1;
    item->alert = *alert;
    item->alert.labels = labels_ref(alert->labels);
    item->fingerprint = alert_fingerprint(alert->labels);
    item->updated_at_ms = updated_at_ms;
    item->guessed_end = guessed_end;
    arena_init(&item->memory, ALERT_ITEM_BYTES_MAX);
    int status = copy_annotations(item, alert);
    if (status == 0) {
        status = copy_exemplars(item, alert);
    }
    if (status == 0 && alert->slo != NULL) {
        status = copy_slo(item, alert->slo);
    }
    item->alert.generator_url = copy_text(&item->memory, alert->generator_url);
    status = status != 0 ? status : item->memory.error;
    if (status != 0) {
        alert_item_unref(item);
        return status;
    }
    *item_out = item;
    return 0;
}

struct alert_item *alert_item_ref(struct alert_item *item)
{
    item->refs++;
    return item;
}

void alert_item_unref(struct alert_item *item)
{
    if (item == NULL) {
        return;
    }
    assert(item->refs > 0);
    if (--item->refs == 0) {
        labels_unref(item->alert.labels);
        arena_release(&item->memory);
        mem_free(item);
    }
}

static uint64_t fnv_add(uint64_t sum, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        sum = (sum ^ (uint8_t)text.ptr[i]) * UINT64_C(1099511628211);
    }
    return (sum ^ 0xff) * UINT64_C(1099511628211);
}

uint64_t alert_fingerprint(const struct labels *labels)
{
    uint64_t sum = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);
        sum = fnv_add(fnv_add(sum, pair.name), pair.value);
    }
    return sum;
}

int alert_item_merge(
    const struct alert_item *older, const struct alert_item *newer, struct alert_item **item_out)
{
    struct alert merged = newer->alert;
    bool guessed = newer->guessed_end;
    const struct alert *a = &older->alert, *b = &newer->alert;
    bool overlaps = (b->ends_at_ms > a->starts_at_ms && b->ends_at_ms < a->ends_at_ms) ||
                    (b->starts_at_ms >= a->starts_at_ms && b->starts_at_ms < a->ends_at_ms);
    int64_t now_ms = newer->updated_at_ms;
    if (overlaps) {
        if (a->starts_at_ms < b->starts_at_ms) {
            merged.starts_at_ms = a->starts_at_ms;
        }
        bool both_ended = a->ends_at_ms <= now_ms && b->ends_at_ms <= now_ms;
        bool given_later =
            b->ends_at_ms > now_ms && !older->guessed_end && a->ends_at_ms > b->ends_at_ms;
        if ((both_ended && a->ends_at_ms > b->ends_at_ms) || given_later) {
            merged.ends_at_ms = a->ends_at_ms;
            guessed = older->guessed_end;
        }
    }
    return alert_item_new(&merged, newer->updated_at_ms, guessed, item_out);
}

/* ---- Bytes ---- */

static void add_double(struct strbuf *out, double value)
{
    strbuf_add_le64(out, double_bits(value));
}

static double read_double(struct decbuf *d)
{
    return double_from_bits(decbuf_le64(d));
}

static void add_pairs(struct strbuf *out, const struct label *pairs, size_t count)
{
    strbuf_add_uvarint(out, count);
    for (size_t i = 0; i < count; i++) {
        strbuf_add_sized(out, pairs[i].name);
        strbuf_add_sized(out, pairs[i].value);
    }
}

void alert_item_encode(const struct alert_item *item, struct strbuf *out)
{
    const struct alert *a = &item->alert;
    int flags = (a->resolved ? FLAG_RESOLVED : 0) | (item->guessed_end ? FLAG_GUESSED : 0) |
                (a->has_value ? FLAG_VALUE : 0) | (a->slo != NULL ? FLAG_SLO : 0);
    strbuf_add_char(out, ITEM_VERSION);
    strbuf_add_char(out, (char)flags);
    add_pairs(out, labels_pairs(a->labels), labels_count(a->labels));
    add_pairs(out, a->annotations, a->annotation_count);
    strbuf_add_svarint(out, a->starts_at_ms);
    strbuf_add_svarint(out, a->ends_at_ms);
    strbuf_add_svarint(out, item->updated_at_ms);
    strbuf_add_sized(out, a->generator_url);
    if (a->has_value) {
        add_double(out, a->value);
    }
    if (a->slo != NULL) {
        strbuf_add_sized(out, a->slo->name);
        strbuf_add_sized(out, a->slo->window);
        strbuf_add_sized(out, a->slo->tier);
        add_double(out, a->slo->objective);
        add_double(out, a->slo->factor);
        add_double(out, a->slo->burn_long);
        add_double(out, a->slo->burn_short);
        add_double(out, a->slo->budget_remaining);
        strbuf_add_svarint(out, a->slo->exhausts_at_ms);
    }
    strbuf_add_uvarint(out, a->exemplar_count);
    for (size_t i = 0; i < a->exemplar_count; i++) {
        strbuf_add_sized(out, a->exemplars[i].trace_id);
        add_double(out, a->exemplars[i].value);
        strbuf_add_svarint(out, a->exemplars[i].time_ms);
    }
}

static struct label *read_pairs(
    struct decbuf *d, struct arena *arena, size_t limit, size_t *count_out)
{
    uint64_t count = decbuf_uvarint(d);
    if (d->failed || count > limit) {
        d->failed = true;
        return NULL;
    }
    struct label *pairs = arena_calloc(arena, (size_t)count + 1, sizeof(*pairs));
    for (size_t i = 0; pairs != NULL && i < count; i++) {
        pairs[i].name = decbuf_sized(d);
        pairs[i].value = decbuf_sized(d);
    }
    d->failed = d->failed || pairs == NULL;
    *count_out = (size_t)count;
    return pairs;
}

static void read_slo(struct decbuf *d, struct alert_slo *slo)
{
    slo->name = decbuf_sized(d);
    slo->window = decbuf_sized(d);
    slo->tier = decbuf_sized(d);
    slo->objective = read_double(d);
    slo->factor = read_double(d);
    slo->burn_long = read_double(d);
    slo->burn_short = read_double(d);
    slo->budget_remaining = read_double(d);
    slo->exhausts_at_ms = decbuf_svarint(d);
}

static int decode(struct str bytes, struct arena *arena, struct alert_item **item_out)
{
    struct decbuf d = decbuf_of(bytes.ptr, bytes.len);
    struct alert a = {0};
    struct alert_slo slo = {0};
    struct alert_exemplar exemplars[ALERT_EXEMPLARS_MAX];
    bool known = decbuf_u8(&d) == ITEM_VERSION;
    uint8_t flags = decbuf_u8(&d);
    size_t label_count = 0;
    struct label *labels = read_pairs(&d, arena, LABELS_COUNT_MAX, &label_count);
    a.annotations = read_pairs(&d, arena, ALERT_ANNOTATIONS_MAX, &a.annotation_count);
    a.starts_at_ms = decbuf_svarint(&d);
    a.ends_at_ms = decbuf_svarint(&d);
    int64_t updated_at_ms = decbuf_svarint(&d);
    a.generator_url = decbuf_sized(&d);
    a.resolved = flags & FLAG_RESOLVED;
    a.has_value = flags & FLAG_VALUE;
    a.value = a.has_value ? read_double(&d) : 0;
    if (flags & FLAG_SLO) {
        read_slo(&d, &slo);
        a.slo = &slo;
    }
    uint64_t count = decbuf_uvarint(&d);
    for (size_t i = 0; i < count && i < ALERT_EXEMPLARS_MAX; i++) {
        exemplars[i].trace_id = decbuf_sized(&d);
        exemplars[i].value = read_double(&d);
        exemplars[i].time_ms = decbuf_svarint(&d);
    }
    a.exemplars = exemplars;
    a.exemplar_count = (size_t)count;
    if (!known || d.failed || decbuf_left(&d) != 0 || count > ALERT_EXEMPLARS_MAX) {
        return ERR_CORRUPT;
    }
    int status = labels_new(labels, label_count, &a.labels, NULL);
    if (status == 0) {
        status = alert_item_new(&a, updated_at_ms, flags & FLAG_GUESSED, item_out);
        labels_unref(a.labels);
    }
    return status == ERR_INVALID ? ERR_CORRUPT : status;
}

int alert_item_decode(struct str bytes, struct alert_item **item_out)
{
    struct arena arena;
    arena_init(&arena, (size_t)1 << 20);
    int status = decode(bytes, &arena, item_out);
    arena_release(&arena);
    return status;
}
