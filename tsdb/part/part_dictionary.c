/* Symbols front-coded in order, label sets as pairs of symbol numbers. */
#include "part/part_dictionary.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "part/part_format.h"

/* ---- Encoding ---- */

/* Unique strings: a hash table while they are collected, a sorted array after. */
struct symbols {
    struct str *items;
    size_t count, cap;
    uint32_t *slots; /* index + 1 into items; 0 = free */
    size_t slot_cap;
    uint32_t *rank; /* index of collection -> number in sorted order */
};

enum { SYMBOLS_MAX = 1 << 28 };

static size_t slot_of(const struct symbols *s, struct str text)
{
    size_t at = hash64(text.ptr, text.len, 0) & (s->slot_cap - 1);
    while (s->slots[at] != 0 && !str_eq(s->items[s->slots[at] - 1], text)) {
        at = (at + 1) & (s->slot_cap - 1);
    }
    return at;
}

static int grow_slots(struct symbols *s)
{
    size_t cap = s->slot_cap == 0 ? 1024 : s->slot_cap * 2;
    uint32_t *slots = mem_calloc(cap, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    mem_free(s->slots);
    s->slots = slots;
    s->slot_cap = cap;
    for (size_t i = 0; i < s->count; i++) {
        s->slots[slot_of(s, s->items[i])] = (uint32_t)i + 1;
    }
    return 0;
}

static int add_symbol(struct symbols *s, struct str text)
{
    int status = s->count * 2 >= s->slot_cap ? grow_slots(s) : 0;
    if (status != 0) {
        return status;
    }
    size_t at = slot_of(s, text);
    if (s->slots[at] != 0) {
        return 0;
    }
    status =
        mem_array_grow((void **)&s->items, &s->cap, s->count + 1, sizeof(*s->items), SYMBOLS_MAX);
    if (status == 0) {
        s->items[s->count++] = text;
        s->slots[at] = (uint32_t)s->count;
    }
    return status;
}

static int collect(struct symbols *s, const struct labels *const *sets, uint32_t count)
{
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        for (size_t k = 0; status == 0 && k < labels_count(sets[i]); k++) {
            struct label pair = labels_at(sets[i], k);
            status = add_symbol(s, pair.name);
            status = status == 0 ? add_symbol(s, pair.value) : status;
        }
    }
    return status;
}

struct ranked {
    struct str text;
    uint32_t index;
};

static int compare_ranked(const void *a, const void *b)
{
    return str_cmp(((const struct ranked *)a)->text, ((const struct ranked *)b)->text);
}

static size_t shared_prefix(struct str a, struct str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len, n = 0;
    while (n < shorter && a.ptr[n] == b.ptr[n]) {
        n++;
    }
    return n;
}

/* Sorts the symbols, writes them, and fills `rank`. */
static int put_symbols(struct symbols *s, struct strbuf *out)
{
    struct ranked *sorted = mem_calloc(s->count, sizeof(*sorted));
    s->rank = mem_calloc(s->count, sizeof(*s->rank));
    if (sorted == NULL || s->rank == NULL) {
        mem_free(sorted);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < s->count; i++) {
        sorted[i] = (struct ranked){s->items[i], (uint32_t)i};
    }
    if (s->count > 1) {
        qsort(sorted, s->count, sizeof(*sorted), compare_ranked);
    }
    strbuf_add_uvarint(out, s->count);
    struct str before = STR("");
    for (size_t i = 0; i < s->count; i++) {
        size_t shared = shared_prefix(before, sorted[i].text);
        strbuf_add_uvarint(out, shared);
        strbuf_add_sized(out, str_skip(sorted[i].text, shared));
        before = sorted[i].text;
        s->rank[sorted[i].index] = (uint32_t)i;
    }
    mem_free(sorted);
    return strbuf_error(out);
}

static uint32_t symbol_number(const struct symbols *s, struct str text)
{
    return s->rank[s->slots[slot_of(s, text)] - 1];
}

static void put_sets(
    const struct symbols *s, const struct labels *const *sets, uint32_t count, struct strbuf *out)
{
    strbuf_add_uvarint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        strbuf_add_uvarint(out, labels_count(sets[i]));
        for (size_t k = 0; k < labels_count(sets[i]); k++) {
            struct label pair = labels_at(sets[i], k);
            strbuf_add_uvarint(out, symbol_number(s, pair.name));
            strbuf_add_uvarint(out, symbol_number(s, pair.value));
        }
    }
}

int part_dictionary_encode(const struct part_plan *plan, struct strbuf *out)
{
    struct symbols s = {0};
    int status = collect(&s, plan->targets, plan->target_count);
    status = status == 0 ? collect(&s, plan->shapes, plan->shape_count) : status;
    status = status == 0 ? put_symbols(&s, out) : status;
    if (status == 0) {
        put_sets(&s, plan->targets, plan->target_count, out);
        put_sets(&s, plan->shapes, plan->shape_count, out);
        status = strbuf_error(out);
    }
    mem_free(s.items);
    mem_free(s.slots);
    mem_free(s.rank);
    return status;
}

/* ---- Decoding ---- */

struct reader {
    struct decbuf in;
    struct strbuf text; /* all symbols, one behind the other */
    size_t *offsets;    /* of each symbol in `text`, and the end */
    size_t symbol_count;
    struct label *labels;
    size_t label_cap;
};

static int get_symbols(struct reader *r)
{
    uint64_t count = decbuf_uvarint(&r->in);
    if (r->in.failed || count > decbuf_left(&r->in) / 2 + 1) {
        return ERR_CORRUPT;
    }
    r->offsets = mem_calloc(count + 1, sizeof(*r->offsets));
    if (r->offsets == NULL) {
        return ERR_NOMEM;
    }
    size_t before = 0; /* where the symbol before begins */
    for (uint64_t i = 0; i < count; i++) {
        uint64_t shared = decbuf_uvarint(&r->in);
        struct str rest = decbuf_sized(&r->in);
        size_t begin = r->text.size;
        if (r->in.failed || shared > begin - before) {
            return ERR_CORRUPT;
        }
        char *room = strbuf_reserve(&r->text, (size_t)shared + rest.len);
        if (room == NULL) {
            return strbuf_error(&r->text) == ERR_NOMEM ? ERR_NOMEM : ERR_CORRUPT;
        }
        memcpy(room, r->text.data + before, (size_t)shared);
        if (rest.len > 0) {
            memcpy(room + shared, rest.ptr, rest.len);
        }
        strbuf_commit(&r->text, (size_t)shared + rest.len);
        r->offsets[i] = before = begin;
    }
    r->offsets[count] = r->text.size;
    r->symbol_count = (size_t)count;
    return 0;
}

/* One symbol by number; false when there is none. */
static bool get_symbol(struct reader *r, struct str *text_out)
{
    uint64_t number = decbuf_uvarint(&r->in);
    if (r->in.failed || number >= r->symbol_count) {
        return false;
    }
    size_t from = r->offsets[number];
    *text_out = str_make(r->text.data + from, r->offsets[number + 1] - from);
    return true;
}

/* One label set into r->labels: sorted, unique, nothing empty. */
static int get_set(struct reader *r, size_t *count_out)
{
    uint64_t count = decbuf_uvarint(&r->in);
    if (r->in.failed || count > LABELS_COUNT_MAX) {
        return ERR_CORRUPT;
    }
    int status = mem_array_grow(
        (void **)&r->labels, &r->label_cap, count, sizeof(*r->labels), LABELS_COUNT_MAX);
    for (uint64_t i = 0; status == 0 && i < count; i++) {
        struct label *pair = &r->labels[i];
        bool good = get_symbol(r, &pair->name) && get_symbol(r, &pair->value) &&
                    pair->name.len > 0 && pair->value.len > 0 &&
                    (i == 0 || str_cmp(r->labels[i - 1].name, pair->name) < 0);
        status = good ? 0 : ERR_CORRUPT;
    }
    *count_out = (size_t)count;
    return status;
}

static int get_sets(struct reader *r, uint32_t expected, void *context,
    int (*callback)(void *, uint32_t, const struct label *, size_t))
{
    uint64_t count = decbuf_uvarint(&r->in);
    if (r->in.failed || count != expected) {
        return ERR_CORRUPT;
    }
    int status = 0;
    for (uint32_t id = 0; status == 0 && id < count; id++) {
        size_t labels = 0;
        status = get_set(r, &labels);
        if (status == 0 && callback != NULL) {
            status = callback(context, id, r->labels, labels);
        }
    }
    return status;
}

int part_dictionary_decode(struct str plain, uint32_t target_count, uint32_t shape_count,
    const struct part_dictionary_handler *handler)
{
    struct reader r = {.in = decbuf_of(plain.ptr, plain.len)};
    strbuf_init(&r.text, PART_SECTION_PLAIN_MAX);
    int status = get_symbols(&r);
    if (status == 0) {
        status = get_sets(&r, target_count, handler->context, handler->target);
    }
    if (status == 0) {
        status = get_sets(&r, shape_count, handler->context, handler->shape);
    }
    if (status == 0 && decbuf_left(&r.in) != 0) {
        status = ERR_CORRUPT;
    }
    strbuf_release(&r.text);
    mem_free(r.offsets);
    mem_free(r.labels);
    return status;
}
