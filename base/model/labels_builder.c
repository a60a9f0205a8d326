/* Collecting pairs one by one. */
#include <string.h>

#include "base/mem.h"
#include "model/labels.h"

void labels_builder_init(struct labels_builder *b)
{
    b->pairs = b->inline_pairs;
    b->count = 0;
    b->cap = sizeof(b->inline_pairs) / sizeof(b->inline_pairs[0]);
    b->error = 0;
}

void labels_builder_init_from(struct labels_builder *b, const struct labels *base)
{
    labels_builder_init(b);
    for (size_t i = 0; i < labels_count(base); i++) {
        struct label pair = labels_at(base, i);
        labels_builder_set(b, pair.name, pair.value);
    }
}

void labels_builder_release(struct labels_builder *b)
{
    if (b->pairs != b->inline_pairs) {
        mem_free(b->pairs);
    }
    labels_builder_init(b);
}

void labels_builder_reset(struct labels_builder *b)
{
    b->count = 0;
    b->error = 0;
}

/* Makes room for one more pair; false with the sticky error set when it cannot. */
static bool make_room(struct labels_builder *b)
{
    if (b->count < b->cap) {
        return true;
    }
    if (b->pairs != b->inline_pairs) {
        b->error = mem_array_grow(
            (void **)&b->pairs, &b->cap, b->count + 1, sizeof(*b->pairs), LABELS_COUNT_MAX);
        return b->error == 0;
    }
    size_t cap = b->cap * 4;
    struct label *moved = mem_alloc(cap * sizeof(*moved));
    if (moved == NULL) {
        b->error = ERR_NOMEM;
        return false;
    }
    memcpy(moved, b->inline_pairs, sizeof(b->inline_pairs));
    b->pairs = moved;
    b->cap = cap;
    return true;
}

void labels_builder_set(struct labels_builder *b, struct str name, struct str value)
{
    if (b->error != 0) {
        return;
    }
    if (value.len == 0) {
        labels_builder_delete(b, name);
        return;
    }
    for (size_t i = 0; i < b->count; i++) {
        if (str_eq(b->pairs[i].name, name)) {
            b->pairs[i].value = value;
            return;
        }
    }
    if (make_room(b)) {
        b->pairs[b->count++] = (struct label){name, value};
    }
}

void labels_builder_delete(struct labels_builder *b, struct str name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (str_eq(b->pairs[i].name, name)) {
            memmove(&b->pairs[i], &b->pairs[i + 1], (b->count - i - 1) * sizeof(b->pairs[0]));
            b->count--;
            return;
        }
    }
}

struct str labels_builder_get(const struct labels_builder *b, struct str name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (str_eq(b->pairs[i].name, name)) {
            return b->pairs[i].value;
        }
    }
    return STR("");
}

int labels_builder_finish(const struct labels_builder *b, const struct labels **labels_out)
{
    return b->error != 0 ? b->error : labels_new(b->pairs, b->count, labels_out, NULL);
}
