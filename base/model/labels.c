/* Label sets.
 *
 * One allocation: header, `count` pairs sorted by name, then the text of all names and values, each
 * zero-terminated so that a debugger shows them. The hash is XXH3 over name 0xff value 0xff …,
 * seed 0: 0xff never occurs in UTF-8, so no two sets share their bytes.
 */
#include "model/labels.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct labels {
    _Atomic uint32_t references;
    uint32_t count;
    uint64_t hash;
    size_t size; /* of the whole allocation */
    struct label pairs[];
};

static struct labels empty_set = {.references = 1};

/* Bytes hashed at a stroke; longer sets fall back to the heap. */
enum { HASH_BUFFER_SIZE = 1024 };

static size_t joined_size(const struct label *pairs, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += pairs[i].name.len + pairs[i].value.len + 2;
    }
    return size;
}

static size_t join_pair(char *to, const struct label *pair)
{
    size_t n = 0;
    memcpy(to, pair->name.ptr, pair->name.len);
    n += pair->name.len;
    to[n++] = (char)0xff;
    memcpy(to + n, pair->value.ptr, pair->value.len);
    n += pair->value.len;
    to[n++] = (char)0xff;
    return n;
}

/* The hash of pairs in order. When memory is short a chained hash stands in for it; only equality
 * within one process' life could suffer, and such a process is about to stop anyway. */
static uint64_t hash_pairs(const struct label *pairs, size_t count)
{
    char stack[HASH_BUFFER_SIZE];
    size_t size = joined_size(pairs, count);
    char *buffer = size <= sizeof(stack) ? stack : mem_alloc(size);
    if (buffer == NULL) {
        uint64_t chained = 0;
        for (size_t i = 0; i < count; i++) {
            chained = hash64(pairs[i].name.ptr, pairs[i].name.len, chained);
            chained = hash64(pairs[i].value.ptr, pairs[i].value.len, chained);
        }
        return chained;
    }
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += join_pair(buffer + n, &pairs[i]);
    }
    uint64_t hash = hash64(buffer, size, 0);
    if (buffer != stack) {
        mem_free(buffer);
    }
    return hash;
}

/* Sorts by name; insertion sort, since sets are short and mostly sorted already. */
static void sort_pairs(struct label *pairs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct label moving = pairs[i];
        size_t at = i;
        while (at > 0 && str_cmp(pairs[at - 1].name, moving.name) > 0) {
            pairs[at] = pairs[at - 1];
            at--;
        }
        pairs[at] = moving;
    }
}

static struct str copy_text(char **cursor, struct str text)
{
    char *at = *cursor;
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    at[text.len] = '\0';
    *cursor = at + text.len + 1;
    return str_make(at, text.len);
}

/* Pairs are sorted, unique and non-empty here. */
static int build(const struct label *pairs, size_t count, const struct labels **labels_out)
{
    if (count == 0) {
        *labels_out = labels_empty();
        return 0;
    }
    size_t text_size = 0;
    for (size_t i = 0; i < count; i++) {
        text_size += pairs[i].name.len + pairs[i].value.len + 2;
        if (text_size > LABELS_BYTES_MAX) {
            return ERR_LIMIT;
        }
    }
    size_t size = sizeof(struct labels) + count * sizeof(struct label) + text_size;
    struct labels *l = mem_alloc(size);
    if (l == NULL) {
        return ERR_NOMEM;
    }
    atomic_init(&l->references, 1);
    l->count = (uint32_t)count;
    l->size = size;
    char *cursor = (char *)&l->pairs[count];
    for (size_t i = 0; i < count; i++) {
        l->pairs[i].name = copy_text(&cursor, pairs[i].name);
        l->pairs[i].value = copy_text(&cursor, pairs[i].value);
    }
    l->hash = hash_pairs(l->pairs, count);
    *labels_out = l;
    return 0;
}

/* Copies the pairs that have a value into `sorted`, sorts and checks them. */
static int normalise(
    const struct label *pairs, size_t count, struct label *sorted, size_t *count_out, struct err *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (pairs[i].name.len == 0) {
            return err_set(e, ERR_INVALID, -1, "a label has an empty name");
        }
        if (pairs[i].value.len > 0) {
            sorted[kept++] = pairs[i];
        }
    }
    sort_pairs(sorted, kept);
    for (size_t i = 1; i < kept; i++) {
        if (str_eq(sorted[i - 1].name, sorted[i].name)) {
            return err_set(
                e, ERR_INVALID, -1, "label name \"%.*s\" is not unique", STR_ARG(sorted[i].name));
        }
    }
    *count_out = kept;
    return 0;
}

int labels_new(
    const struct label *pairs, size_t count, const struct labels **labels_out, struct err *e)
{
    if (count > LABELS_COUNT_MAX) {
        return err_set(e, ERR_LIMIT, -1, "%zu labels, the limit is %d", count, LABELS_COUNT_MAX);
    }
    struct label stack[32];
    struct label *sorted = count <= 32 ? stack : mem_alloc(count * sizeof(*sorted));
    if (sorted == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for a label set");
    }
    size_t kept = 0;
    int status = normalise(pairs, count, sorted, &kept, e);
    if (status == 0) {
        status = build(sorted, kept, labels_out);
        if (status == ERR_LIMIT) {
            err_set(e, status, -1, "a label set is larger than %zu bytes", LABELS_BYTES_MAX);
        } else if (status != 0) {
            err_set(e, status, -1, "out of memory for a label set");
        }
    }
    if (sorted != stack) {
        mem_free(sorted);
    }
    return status;
}

const struct labels *labels_empty(void)
{
    return &empty_set;
}

const struct labels *labels_ref(const struct labels *l)
{
    if (l != &empty_set) {
        atomic_fetch_add_explicit(
            &((struct labels *)(uintptr_t)l)->references, 1, memory_order_relaxed);
    }
    return l;
}

void labels_unref(const struct labels *l)
{
    if (l == NULL || l == &empty_set) {
        return;
    }
    struct labels *owned = (struct labels *)(uintptr_t)l;
    uint32_t before = atomic_fetch_sub_explicit(&owned->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        mem_free(owned);
    }
}

size_t labels_count(const struct labels *l)
{
    return l->count;
}

struct label labels_at(const struct labels *l, size_t index)
{
    assert(index < l->count);
    return l->pairs[index];
}

const struct label *labels_pairs(const struct labels *l)
{
    return l->pairs;
}

/* The pair of a name, or NULL. Sets are short: a linear walk that stops early beats a search. */
static const struct label *find_pair(const struct label *pairs, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(pairs[i].name, name)) {
            return &pairs[i];
        }
    }
    return NULL;
}

struct str labels_get(const struct labels *l, struct str name)
{
    const struct label *pair = find_pair(l->pairs, l->count, name);
    return pair != NULL ? pair->value : STR("");
}

bool labels_has(const struct labels *l, struct str name)
{
    return find_pair(l->pairs, l->count, name) != NULL;
}

uint64_t labels_hash(const struct labels *l)
{
    return l->count == 0 ? hash64("", 0, 0) : l->hash;
}

size_t labels_memory(const struct labels *l)
{
    return l->size;
}

bool labels_eq(const struct labels *a, const struct labels *b)
{
    if (a == b) {
        return true;
    }
    if (a->hash != b->hash || a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!str_eq(a->pairs[i].name, b->pairs[i].name) ||
            !str_eq(a->pairs[i].value, b->pairs[i].value)) {
            return false;
        }
    }
    return true;
}

int labels_cmp(const struct labels *a, const struct labels *b)
{
    size_t shorter = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < shorter; i++) {
        int order = str_cmp(a->pairs[i].name, b->pairs[i].name);
        if (order == 0) {
            order = str_cmp(a->pairs[i].value, b->pairs[i].value);
        }
        if (order != 0) {
            return order;
        }
    }
    return a->count < b->count ? -1 : a->count > b->count;
}

static bool is_listed(struct str name, const struct str *names, size_t name_count)
{
    for (size_t i = 0; i < name_count; i++) {
        if (str_eq(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* Copies the kept pairs, in order; returns their number. */
static size_t restrict_pairs(const struct labels *l, const struct str *names, size_t name_count,
    bool keep, struct label *kept_out)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (is_listed(l->pairs[i].name, names, name_count) == keep) {
            kept_out[kept++] = l->pairs[i];
        }
    }
    return kept;
}

int labels_restrict(const struct labels *l, const struct str *names, size_t name_count, bool keep,
    const struct labels **labels_out)
{
    struct label kept[LABELS_COUNT_MAX];
    size_t count = restrict_pairs(l, names, name_count, keep, kept);
    if (count == l->count) {
        *labels_out = labels_ref(l);
        return 0;
    }
    return build(kept, count, labels_out);
}

uint64_t labels_restrict_hash(
    const struct labels *l, const struct str *names, size_t name_count, bool keep)
{
    struct label kept[LABELS_COUNT_MAX];
    return hash_pairs(kept, restrict_pairs(l, names, name_count, keep, kept));
}
