/* Two open tables of prints. The low five bits of a print are the outcome, the others are never all 0. */
#include "spans/decision_cache.h"

#include <assert.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

enum { SLOTS_MIN = 1024, OUTCOME_BITS = 5 };

struct generation {
    uint64_t *prints; /* 0: free; at most half full */
    size_t slots, count;
};

struct decision_cache {
    uint64_t seed;
    size_t generation_max;
    struct generation young, old;
};

int decision_cache_new(size_t max, struct decision_cache **cache_out)
{
    struct decision_cache *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    c->seed = hash_seed_random();
    c->generation_max = max > 1 ? max / 2 : 1;
    *cache_out = c;
    return 0;
}

void decision_cache_free(struct decision_cache *c)
{
    if (c != NULL) {
        mem_free(c->young.prints);
        mem_free(c->old.prints);
        mem_free(c);
    }
}

static uint64_t print_of(const struct decision_cache *c, struct trace_id id)
{
    uint64_t print = hash_mix64(id.low ^ hash_mix64(id.high ^ c->seed)) >> OUTCOME_BITS;
    return (print != 0 ? print : 1) << OUTCOME_BITS;
}

/* The slot of a print, or the free one where it belongs. */
static uint64_t *find(const struct generation *g, uint64_t print)
{
    size_t slot = (print >> OUTCOME_BITS) & (g->slots - 1);
    while (g->prints[slot] != 0 && g->prints[slot] >> OUTCOME_BITS != print >> OUTCOME_BITS) {
        slot = (slot + 1) & (g->slots - 1);
    }
    return &g->prints[slot];
}

static int grow(struct generation *g)
{
    struct generation larger = {
        .slots = g->slots > 0 ? g->slots * 2 : SLOTS_MIN, .count = g->count};
    larger.prints = mem_calloc(larger.slots, sizeof(*larger.prints));
    if (larger.prints == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < g->slots; i++) {
        if (g->prints[i] != 0) {
            *find(&larger, g->prints[i]) = g->prints[i];
        }
    }
    mem_free(g->prints);
    *g = larger;
    return 0;
}

void decision_cache_put(struct decision_cache *c, struct trace_id id, unsigned outcome)
{
    assert(outcome <= DECISION_MAX);
    uint64_t print = print_of(c, id);
    if (c->young.count >= c->generation_max) {
        mem_free(c->old.prints);
        c->old = c->young;
        c->young = (struct generation){0};
    }
    if ((c->young.count + 1) * 2 > c->young.slots && grow(&c->young) != 0) {
        return;
    }
    uint64_t *slot = find(&c->young, print);
    c->young.count += *slot == 0;
    *slot = print | outcome;
}

bool decision_cache_get(const struct decision_cache *c, struct trace_id id, unsigned *outcome_out)
{
    uint64_t print = print_of(c, id);
    const struct generation *all[] = {&c->young, &c->old};
    for (size_t i = 0; i < 2; i++) {
        uint64_t found = all[i]->slots > 0 ? *find(all[i], print) : 0;
        if (found != 0) {
            *outcome_out = (unsigned)(found & DECISION_MAX);
            return true;
        }
    }
    return false;
}

size_t decision_cache_count(const struct decision_cache *c)
{
    return c->young.count + c->old.count;
}
