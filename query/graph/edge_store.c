/* Pairing.
 *
 * Halves lie in a ring in the order in which they came, found by a table of hashes; since all wait for the
 * same time, those to be given up are the oldest. A half whose other half came stays in the ring until its
 * time is over, so that a repetition is known for one.
 */
#include "graph/edge_store.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* OVERFLOW_EDGES: one of each kind, of unpaired ones two. */
enum { SLOTS_MIN = 256, RING_MIN = 256, OVERFLOW_EDGES = EDGE_UNPAIRED + 2 };

const double edge_bounds[EDGE_BUCKETS - 1] = {0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8};

/* A table from hashes to places; place + 1 in a slot, open addressing, at most half full. */
struct slots {
    uint32_t *items;
    size_t count, used;
};

struct waiting {
    struct trace_id trace_id;
    uint64_t span_id, duration_ns;
    double weight;
    int64_t since_ms;
    uint32_t service, peer; /* names; EDGE_NO_NAME: not known */
    bool is_server, failed, messaging, met;
};

struct name {
    uint64_t hash;
    char *text;
    size_t size;
};

struct edge_store {
    struct edge_store_options options;
    uint64_t seed;
    struct waiting *ring;
    size_t ring_cap, first, count;
    struct slots waiting_slots;
    struct name *names;
    size_t name_count, name_cap;
    struct slots name_slots;
    struct edge *edges;
    size_t edge_end, edge_cap, edge_count;
    struct slots edge_slots;
    uint64_t generation;
    struct edge_store_statistics statistics;
};

int edge_store_new(const struct edge_store_options *options, struct edge_store **store_out)
{
    struct edge_store *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->options = *options;
    s->seed = hash_seed_random();
    struct slots *all[] = {&s->waiting_slots, &s->name_slots, &s->edge_slots};
    int status = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        all[i]->items = mem_calloc(SLOTS_MIN, sizeof(*all[i]->items));
        all[i]->count = SLOTS_MIN;
        status = all[i]->items == NULL ? ERR_NOMEM : status;
    }
    if (status != 0) {
        edge_store_free(s);
        return status;
    }
    *store_out = s;
    return 0;
}

void edge_store_free(struct edge_store *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->name_count; i++) {
        mem_free(s->names[i].text);
    }
    mem_free(s->names);
    mem_free(s->ring);
    mem_free(s->edges);
    mem_free(s->waiting_slots.items);
    mem_free(s->name_slots.items);
    mem_free(s->edge_slots.items);
    mem_free(s);
}

/* ---- Tables ---- */

static size_t next_slot(const struct slots *t, size_t slot)
{
    return (slot + 1) & (t->count - 1);
}

static void put(struct slots *t, uint64_t hash, size_t place)
{
    size_t slot = hash & (t->count - 1);
    while (t->items[slot] != 0) {
        slot = next_slot(t, slot);
    }
    t->items[slot] = (uint32_t)place + 1;
    t->used++;
}

/* Room for one more; the caller puts everything in again when *grown_out. */
static int reserve(struct slots *t, bool *grown_out)
{
    *grown_out = (t->used + 1) * 2 > t->count;
    if (!*grown_out) {
        return 0;
    }
    uint32_t *items = mem_calloc(t->count * 2, sizeof(*items));
    if (items == NULL) {
        return ERR_NOMEM;
    }
    mem_free(t->items);
    t->items = items;
    t->count *= 2;
    t->used = 0;
    return 0;
}

/* Takes a slot out, and moves up those that were pushed behind it. */
static void take_out(struct slots *t, size_t slot,
    uint64_t (*hash_at)(const struct edge_store *s, size_t place), const struct edge_store *s)
{
    size_t mask = t->count - 1;
    t->items[slot] = 0;
    t->used--;
    for (size_t next = (slot + 1) & mask; t->items[next] != 0; next = (next + 1) & mask) {
        size_t home = hash_at(s, t->items[next] - 1) & mask;
        if (((next - home) & mask) >= ((next - slot) & mask)) {
            t->items[slot] = t->items[next];
            t->items[next] = 0;
            slot = next;
        }
    }
}

/* ---- Names ---- */

static size_t find_name(const struct edge_store *s, struct str text, uint64_t hash)
{
    size_t slot = hash & (s->name_slots.count - 1);
    while (s->name_slots.items[slot] != 0) {
        const struct name *n = &s->names[s->name_slots.items[slot] - 1];
        if (n->hash == hash && str_eq(str_make(n->text, n->size), text)) {
            break;
        }
        slot = next_slot(&s->name_slots, slot);
    }
    return slot;
}

static int add_name(struct edge_store *s, struct str text, uint64_t hash, uint32_t *name_out)
{
    bool grown;
    int status = mem_array_grow(
        (void **)&s->names, &s->name_cap, s->name_count + 1, sizeof(*s->names), EDGE_NAMES_MAX + 1);
    char *copy = status == 0 ? mem_strndup(text.ptr, text.len) : NULL;
    if (copy == NULL || reserve(&s->name_slots, &grown) != 0) {
        mem_free(copy);
        return ERR_NOMEM;
    }
    for (size_t i = 0; grown && i < s->name_count; i++) {
        put(&s->name_slots, s->names[i].hash, i);
    }
    *name_out = (uint32_t)s->name_count;
    s->names[s->name_count++] = (struct name){hash, copy, text.len};
    put(&s->name_slots, hash, *name_out);
    return 0;
}

static int name_of(struct edge_store *s, struct str text, uint32_t *name_out)
{
    if (text.len == 0) {
        *name_out = EDGE_NO_NAME;
        return 0;
    }
    if (!str_is_utf8(text)) {
        text = STR("?");
    }
    uint64_t hash = hash64(text.ptr, text.len, s->seed);
    size_t slot = find_name(s, text, hash);
    if (s->name_slots.items[slot] == 0 && s->name_count >= EDGE_NAMES_MAX) {
        text = STR(EDGE_OVERFLOW);
        hash = hash64(text.ptr, text.len, s->seed);
        slot = find_name(s, text, hash);
    }
    if (s->name_slots.items[slot] == 0) {
        return add_name(s, text, hash, name_out);
    }
    *name_out = s->name_slots.items[slot] - 1;
    return 0;
}

struct str edge_store_name(const struct edge_store *s, uint32_t name)
{
    return name == EDGE_NO_NAME ? STR("") : str_make(s->names[name].text, s->names[name].size);
}

/* ---- Edges ---- */

static uint64_t edge_hash(uint32_t client, uint32_t server, enum edge_kind kind)
{
    return hash_mix64(((uint64_t)client << 32 | server) ^ hash_mix64((uint64_t)kind + 1));
}

static uint64_t edge_hash_at(const struct edge_store *s, size_t place)
{
    const struct edge *e = &s->edges[place];
    return edge_hash(e->client, e->server, e->kind);
}

static size_t find_edge(
    const struct edge_store *s, uint32_t client, uint32_t server, enum edge_kind kind)
{
    size_t slot = edge_hash(client, server, kind) & (s->edge_slots.count - 1);
    while (s->edge_slots.items[slot] != 0) {
        const struct edge *e = &s->edges[s->edge_slots.items[slot] - 1];
        if (e->client == client && e->server == server && e->kind == kind) {
            break;
        }
        slot = next_slot(&s->edge_slots, slot);
    }
    return slot;
}

static size_t free_place(const struct edge_store *s)
{
    size_t place = s->edge_count < s->edge_end ? 0 : s->edge_end;
    while (place < s->edge_end && s->edges[place].generation != 0) {
        place++;
    }
    return place;
}

static struct edge *add_edge(
    struct edge_store *s, uint32_t client, uint32_t server, enum edge_kind kind, int64_t now_ms)
{
    bool grown;
    size_t place = free_place(s);
    if (mem_array_grow((void **)&s->edges, &s->edge_cap, place + 1, sizeof(*s->edges),
            (size_t)s->options.edges_max + OVERFLOW_EDGES) != 0 ||
        reserve(&s->edge_slots, &grown) != 0) {
        return NULL;
    }
    for (size_t i = 0; grown && i < s->edge_end; i++) {
        if (s->edges[i].generation != 0) {
            put(&s->edge_slots, edge_hash_at(s, i), i);
        }
    }
    s->edges[place] = (struct edge){.generation = ++s->generation,
        .client = client,
        .server = server,
        .kind = kind,
        .created_ms = now_ms - 1};
    put(&s->edge_slots, edge_hash(client, server, kind), place);
    s->edge_end += place == s->edge_end;
    s->edge_count++;
    return &s->edges[place];
}

/* The edge between two, made when it is new; that of the overflow when there are too many. */
static struct edge *edge_of(
    struct edge_store *s, uint32_t client, uint32_t server, enum edge_kind kind, int64_t now_ms)
{
    size_t slot = find_edge(s, client, server, kind);
    if (s->edge_slots.items[slot] == 0 && s->edge_count >= s->options.edges_max) {
        uint32_t overflow;
        if (name_of(s, STR(EDGE_OVERFLOW), &overflow) != 0) {
            return NULL;
        }
        client = client != EDGE_NO_NAME ? overflow : client;
        server = server != EDGE_NO_NAME ? overflow : server;
        slot = find_edge(s, client, server, kind);
    }
    struct edge *e = s->edge_slots.items[slot] != 0 ? &s->edges[s->edge_slots.items[slot] - 1]
                                                    : add_edge(s, client, server, kind, now_ms);
    if (e != NULL) {
        e->seen_ms = now_ms;
    }
    return e;
}

size_t edge_store_end(const struct edge_store *s)
{
    return s->edge_end;
}

const struct edge *edge_store_at(const struct edge_store *s, size_t place)
{
    return &s->edges[place];
}

void edge_store_remove(struct edge_store *s, size_t place)
{
    const struct edge *e = &s->edges[place];
    take_out(&s->edge_slots, find_edge(s, e->client, e->server, e->kind), edge_hash_at, s);
    s->edges[place] = (struct edge){0};
    s->edge_count--;
}

/* ---- Calls ---- */

static void observe(struct edge_latency *l, uint64_t duration_ns, double weight)
{
    double seconds = (double)duration_ns / 1e9;
    size_t i = 0;
    while (i < EDGE_BUCKETS - 1 && seconds > edge_bounds[i]) {
        i++;
    }
    l->buckets[i] += weight;
    l->sum += seconds * weight;
    l->count += weight;
}

/* One call of which at least one half is known. */
struct call {
    uint32_t client, server;
    enum edge_kind kind;
    bool failed;
    uint64_t client_ns, server_ns;
    double weight;
};

static void count_call(struct edge_store *s, const struct call *c, int64_t now_ms)
{
    struct edge *e = edge_of(s, c->client, c->server, c->kind, now_ms);
    if (e == NULL) {
        s->statistics.lost++;
        return;
    }
    s->statistics.calls++;
    e->total += c->weight;
    e->failed += c->failed ? c->weight : 0;
    observe(&e->client_latency, c->client_ns, c->weight);
    observe(&e->server_latency, c->server_ns, c->weight);
}

/* ---- Waiting ---- */

static uint64_t waiting_hash(const struct edge_store *s, struct trace_id trace_id, uint64_t span_id)
{
    return hash_mix64(
        trace_id.low ^ hash_mix64(trace_id.high ^ s->seed) ^ hash_mix64(span_id + s->seed));
}

static uint64_t waiting_hash_at(const struct edge_store *s, size_t place)
{
    return waiting_hash(s, s->ring[place].trace_id, s->ring[place].span_id);
}

static size_t find_waiting(const struct edge_store *s, struct trace_id trace_id, uint64_t span_id)
{
    size_t slot = waiting_hash(s, trace_id, span_id) & (s->waiting_slots.count - 1);
    while (s->waiting_slots.items[slot] != 0) {
        const struct waiting *w = &s->ring[s->waiting_slots.items[slot] - 1];
        if (w->span_id == span_id && trace_id_eq(w->trace_id, trace_id)) {
            break;
        }
        slot = next_slot(&s->waiting_slots, slot);
    }
    return slot;
}

/* The oldest half has waited in vain, or its call is remembered no longer. */
static void give_up_first(struct edge_store *s, int64_t now_ms)
{
    struct waiting w = s->ring[s->first];
    take_out(&s->waiting_slots, find_waiting(s, w.trace_id, w.span_id), waiting_hash_at, s);
    s->first = (s->first + 1) & (s->ring_cap - 1);
    s->count--;
    if (w.met) {
        return;
    }
    if (!w.is_server && w.peer != EDGE_NO_NAME) {
        const struct call call = {w.service, w.peer,
            w.messaging ? EDGE_MESSAGING_SYSTEM : EDGE_VIRTUAL_NODE, w.failed, w.duration_ns,
            w.duration_ns, w.weight};
        count_call(s, &call, now_ms);
        return;
    }
    s->statistics.unpaired++;
    struct edge *e = edge_of(s, w.is_server ? EDGE_NO_NAME : w.service,
        w.is_server ? w.service : EDGE_NO_NAME, EDGE_UNPAIRED, now_ms);
    if (e != NULL) {
        e->total += w.weight;
    }
}

void edge_store_expire(struct edge_store *s, int64_t now_ms)
{
    while (s->count > 0 && now_ms - s->ring[s->first].since_ms >= s->options.wait_ms) {
        give_up_first(s, now_ms);
    }
}

/* Doubles the ring; the halves begin at its beginning again. */
static int grow_ring(struct edge_store *s)
{
    size_t cap = s->ring_cap > 0 ? s->ring_cap * 2 : RING_MIN;
    struct waiting *ring = mem_calloc(cap, sizeof(*ring));
    if (ring == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < s->count; i++) {
        ring[i] = s->ring[(s->first + i) & (s->ring_cap - 1)];
    }
    mem_free(s->ring);
    s->ring = ring;
    s->ring_cap = cap;
    s->first = 0;
    memset(s->waiting_slots.items, 0, s->waiting_slots.count * sizeof(*s->waiting_slots.items));
    s->waiting_slots.used = 0;
    for (size_t i = 0; i < s->count; i++) {
        put(&s->waiting_slots, waiting_hash_at(s, i), i);
    }
    return 0;
}

static void wait_for_other(struct edge_store *s, const struct waiting *w)
{
    bool grown;
    if (s->count >= s->options.waiting_max) {
        s->statistics.evicted += !s->ring[s->first].met;
        give_up_first(s, w->since_ms);
    }
    if ((s->count == s->ring_cap && grow_ring(s) != 0) || reserve(&s->waiting_slots, &grown) != 0) {
        s->statistics.lost++;
        return;
    }
    for (size_t i = 0; grown && i < s->count; i++) {
        size_t place = (s->first + i) & (s->ring_cap - 1);
        put(&s->waiting_slots, waiting_hash_at(s, place), place);
    }
    size_t place = (s->first + s->count++) & (s->ring_cap - 1);
    s->ring[place] = *w;
    put(&s->waiting_slots, waiting_hash_at(s, place), place);
}

/* Both halves are here. */
static void meet(struct edge_store *s, struct waiting *there, const struct waiting *here)
{
    const struct waiting *client = here->is_server ? there : here;
    const struct waiting *server = here->is_server ? here : there;
    const struct call call = {
        .client = client->service,
        .server = server->service,
        .kind = client->messaging || server->messaging ? EDGE_MESSAGING_SYSTEM : EDGE_PLAIN,
        .failed = client->failed || server->failed,
        .client_ns = client->duration_ns,
        .server_ns = server->duration_ns,
        .weight = client->weight > server->weight ? client->weight : server->weight,
    };
    there->met = true;
    count_call(s, &call, here->since_ms);
}

/* A call that one half tells all of. */
static bool is_whole(const struct half_edge *half)
{
    return half->is_server ? half->span_id == 0 : half->database && half->peer.len > 0;
}

static void count_whole(struct edge_store *s, const struct half_edge *half, uint32_t service,
    uint32_t peer, int64_t now_ms)
{
    uint32_t user = peer;
    if (half->is_server && name_of(s, STR("user"), &user) != 0) {
        s->statistics.lost++;
        return;
    }
    const struct call call = {
        .client = half->is_server ? user : service,
        .server = half->is_server ? service : peer,
        .kind = half->is_server ? EDGE_VIRTUAL_NODE : EDGE_DATABASE,
        .failed = half->failed,
        .client_ns = half->duration_ns,
        .server_ns = half->duration_ns,
        .weight = half->weight,
    };
    count_call(s, &call, now_ms);
}

void edge_store_add(struct edge_store *s, const struct half_edge *half, int64_t now_ms)
{
    struct waiting w = {
        .trace_id = half->trace_id,
        .span_id = half->span_id,
        .duration_ns = half->duration_ns,
        .weight = half->weight,
        .since_ms = now_ms,
        .is_server = half->is_server,
        .failed = half->failed,
        .messaging = half->messaging,
    };
    s->statistics.halves++;
    if (half->service.len == 0 || name_of(s, half->service, &w.service) != 0 ||
        name_of(s, half->peer, &w.peer) != 0) {
        s->statistics.lost++;
        return;
    }
    if (is_whole(half)) {
        count_whole(s, half, w.service, w.peer, now_ms);
        return;
    }
    size_t slot = find_waiting(s, w.trace_id, w.span_id);
    if (s->waiting_slots.items[slot] == 0) {
        wait_for_other(s, &w);
        return;
    }
    struct waiting *there = &s->ring[s->waiting_slots.items[slot] - 1];
    if (there->met || there->is_server == w.is_server) {
        s->statistics.repeated++;
    } else {
        meet(s, there, &w);
    }
}

void edge_store_statistics(const struct edge_store *s, struct edge_store_statistics *statistics_out)
{
    *statistics_out = s->statistics;
    statistics_out->waiting = s->count;
    statistics_out->edges = s->edge_count;
}
