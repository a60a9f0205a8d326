/* An array of texts and a table of their numbers with open addressing, at most half full. */
#include "logs/text_numbers.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#define EMPTY UINT32_MAX

struct text_numbers {
    struct str *texts;
    uint32_t *slots;
    uint32_t count, max;
    size_t slot_count;
    uint64_t seed;
};

int text_numbers_new(uint32_t texts_max, struct text_numbers **numbers_out)
{
    struct text_numbers *n = mem_calloc(1, sizeof(*n));
    if (n == NULL) {
        return ERR_NOMEM;
    }
    n->slot_count = 16;
    while (n->slot_count < (size_t)texts_max * 2) {
        n->slot_count *= 2;
    }
    n->max = texts_max;
    n->seed = hash_seed_random();
    n->texts = mem_calloc(texts_max, sizeof(*n->texts));
    n->slots = mem_alloc(n->slot_count * sizeof(*n->slots));
    if (n->texts == NULL || n->slots == NULL) {
        text_numbers_free(n);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < n->slot_count; i++) {
        n->slots[i] = EMPTY;
    }
    *numbers_out = n;
    return 0;
}

void text_numbers_free(struct text_numbers *n)
{
    if (n == NULL) {
        return;
    }
    for (uint32_t i = 0; i < n->count; i++) {
        mem_free((char *)n->texts[i].ptr);
    }
    mem_free(n->texts);
    mem_free(n->slots);
    mem_free(n);
}

int text_numbers_of(struct text_numbers *n, struct str text, uint32_t *number_out)
{
    size_t at = hash64(text.ptr, text.len, n->seed) & (n->slot_count - 1);
    while (n->slots[at] != EMPTY && !str_eq(n->texts[n->slots[at]], text)) {
        at = (at + 1) & (n->slot_count - 1);
    }
    if (n->slots[at] == EMPTY) {
        if (n->count == n->max) {
            return ERR_LIMIT;
        }
        char *copy = mem_strndup(text.len > 0 ? text.ptr : "", text.len);
        if (copy == NULL) {
            return ERR_NOMEM;
        }
        n->texts[n->count] = str_make(copy, text.len);
        n->slots[at] = n->count++;
    }
    *number_out = n->slots[at];
    return 0;
}

struct str text_numbers_text(const struct text_numbers *n, uint32_t number)
{
    assert(number < n->count);
    return n->texts[number];
}
