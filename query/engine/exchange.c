/* Sharing a leaf among threads; see exchange.h.
 *
 *   batches   0  1  2 | 3  4  5  6 | 7 …      a ring of places holds those being worked on and those
 *             handed    in the ring            done but not handed out yet
 *
 * The thread of the query needs batches in order. When the next one is not begun it does that one, when
 * somebody is at it, another one of the ring, and only when there is none it waits: for a thread that
 * is at work, so the wait is bounded by a batch. Each thread works in a lane: a fork of the query and of
 * the leaf. The first lane is the query's own thread's.
 *
 * How series are cut into batches depends on the query alone. A batch has its own annotations, which
 * become the query's when its first series is handed out.
 */
#include "exchange.h"

#include <assert.h>

#include "crew.h"

enum {
    LANES_MAX = ENGINE_THREADS_MAX,
    /* Places of the ring: so far may lanes be ahead of who takes the series. */
    PLACES_MAX = 2 * LANES_MAX,
    /* A batch is this part of what is worth sharing. */
    BATCHES_MIN = 16,
    BATCH_SERIES_MAX = 256,
    /* Samples a series is taken to have: one each so many milliseconds, and a block of the store. */
    SPACING_MS = 15000,
    SAMPLES_MIN = 120,
};
/* Values of one place; a leaf of which a series has more steps is not shared. */
#define PLACE_BYTES_MAX ((size_t)1 << 20)
#define STEP_BYTES (sizeof(uint8_t) + sizeof(double))

/* A series that was evaluated. */
struct slot {
    struct step_series series;
    bool any;
    uint64_t read, held, peak; /* samples */
};

enum place_state { PLACE_FREE, PLACE_BUSY, PLACE_DONE };

/* A batch in the ring. */
struct place {
    enum place_state state;
    struct slot *slots;
    size_t count;
    size_t lane; /* that evaluated it */
    int64_t spent_ns;
    int status; /* of the series after the last */
    struct err error;
    struct annotations annotations;
    struct arena arena; /* annotations and histograms */
};

struct lane {
    bool busy;
    struct query query;
    struct err error;
    struct operator_node *leaf; /* NULL until it has work */
};

struct exchange {
    struct operator_node node;
    struct crew_task task;
    const struct leaf_ops *ops;
    struct operator_node *leaf;
    struct series *const *series;
    size_t count;
    size_t batch_series, batch_count;
    struct lock lock; /* guards places' states, lanes' busy and the three below */
    struct lock_condition done;
    size_t begun;  /* batches */
    size_t handed; /* out, or being handed out */
    bool waiting;
    atomic_bool stopped;
    struct place *places;
    size_t place_count;
    struct lane *lanes;
    size_t lane_count;
    /* The query's thread alone. */
    struct place *at;
    size_t next_slot;
    uint64_t held;
    uint32_t lanes_seen; /* a bit each */
    bool offered;
};

static struct place *place_of(struct exchange *x, size_t batch)
{
    return &x->places[batch % x->place_count];
}

/* ---- A batch ---- */

static int open_lane(struct exchange *x, struct lane *lane)
{
    return lane->leaf != NULL ? 0 : x->ops->fork(x->leaf, &lane->query, &lane->leaf);
}

/* Histograms of a series live until the next: copies of them stay. */
static int keep_histograms(
    struct exchange *x, struct lane *lane, struct place *p, struct slot *slot)
{
    struct step_series *s = &slot->series;
    for (size_t i = 0; s->has_histograms && i < x->node.grid->steps; i++) {
        if (s->kinds[i] != SAMPLE_HISTOGRAM) {
            continue;
        }
        s->histograms[i] = histogram_dup(s->histograms[i], &p->arena);
        if (s->histograms[i] == NULL) {
            return query_fail_memory(&lane->query, &p->arena);
        }
    }
    return 0;
}

static int evaluate_slot(struct exchange *x, struct lane *lane, struct place *p, size_t series)
{
    struct slot *slot = &p->slots[p->count];
    struct engine_statistics *statistics = &lane->query.statistics;
    statistics->samples = 0;
    statistics->samples_peak = 0;
    slot->any = false;
    int status = query_check(&lane->query);
    if (status == 0) {
        status = x->ops->evaluate(lane->leaf, x->series[series], &slot->series, &slot->any);
    }
    if (status == 0 && slot->any) {
        status = keep_histograms(x, lane, p, slot);
    }
    slot->read = statistics->samples;
    slot->peak = statistics->samples_peak;
    slot->held = x->ops->held(lane->leaf);
    p->count += status == 0;
    return status;
}

static void evaluate_batch(struct exchange *x, struct lane *lane, size_t batch)
{
    struct place *p = place_of(x, batch);
    struct clock *clock = lane->query.options->clock;
    int64_t begun_ns = clock_monotonic_ns(clock);
    size_t begin = batch * x->batch_series;
    size_t end = begin + x->batch_series < x->count ? begin + x->batch_series : x->count;
    arena_release(&p->arena);
    annotations_init(&p->annotations, &p->arena);
    annotations_init(&lane->query.annotations, &p->arena);
    lane->error = (struct err)ERR_INIT;
    p->count = 0;
    p->status = open_lane(x, lane);
    if (p->status == 0) {
        x->ops->begin(lane->leaf);
    }
    for (size_t i = begin; p->status == 0 && i < end; i++) {
        p->status = evaluate_slot(x, lane, p, i);
    }
    p->annotations = lane->query.annotations;
    p->error = lane->error;
    p->lane = (size_t)(lane - x->lanes);
    p->spent_ns = clock_monotonic_ns(clock) - begun_ns;
}

/* ---- Who does what; all with the lock ---- */

static bool has_work(const struct exchange *x)
{
    return x->begun < x->batch_count && x->begun < x->handed + x->place_count &&
           !atomic_load_explicit(&x->stopped, memory_order_relaxed);
}

static void run_next(struct exchange *x, struct lane *lane)
{
    size_t batch = x->begun++;
    struct place *p = place_of(x, batch);
    assert(p->state == PLACE_FREE && !lane->busy);
    p->state = PLACE_BUSY;
    lane->busy = true;
    lock_give(&x->lock);
    evaluate_batch(x, lane, batch);
    lock_take(&x->lock);
    lane->busy = false;
    p->state = PLACE_DONE;
    if (x->waiting) {
        lock_condition_signal(&x->done);
    }
}

static bool help(struct crew_task *task)
{
    struct exchange *x = (struct exchange *)((char *)task - offsetof(struct exchange, task));
    lock_take(&x->lock);
    bool any = has_work(x);
    if (any) {
        size_t i = 1;
        while (x->lanes[i].busy) { // helpers are fewer than lanes
            i++;
            assert(i < x->lane_count);
        }
        run_next(x, &x->lanes[i]);
    }
    lock_give(&x->lock);
    return any;
}

/* The place of the batch that is to be handed out, done. */
static struct place *take_place(struct exchange *x, size_t batch)
{
    struct place *p = place_of(x, batch);
    lock_take(&x->lock);
    while (p->state != PLACE_DONE) {
        if (has_work(x)) {
            run_next(x, &x->lanes[0]);
        } else {
            x->waiting = true;
            lock_condition_wait(&x->done, &x->lock);
            x->waiting = false;
        }
    }
    lock_give(&x->lock);
    return p;
}

/* ---- Handing out ---- */

static int give_annotations(struct query *q, const struct place *p)
{
    return annotations_append(&q->annotations, &p->annotations) == 0
               ? 0
               : query_fail_memory(q, &q->arena);
}

/* Time of other threads, and how many there were. */
static void count_help(struct exchange *x, const struct place *p)
{
    struct engine_statistics *statistics = &x->node.query->statistics;
    x->lanes_seen |= UINT32_C(1) << p->lane | 1;
    uint32_t threads = (uint32_t)__builtin_popcount(x->lanes_seen);
    statistics->threads = threads > statistics->threads ? threads : statistics->threads;
    statistics->helped_ns += p->lane > 0 ? p->spent_ns : 0;
}

/* Counts a slot as if it had been evaluated just now. */
static int count_slot(struct exchange *x, const struct slot *slot)
{
    struct query *q = x->node.query;
    query_drop_samples(q, x->held);
    query_count_read(q, slot->read);
    int status = query_hold_samples(q, slot->peak);
    query_drop_samples(q, slot->peak - slot->held);
    x->held = slot->held;
    return status;
}

/* The place at hand is done with; the next batch, or NULL after the last. */
static int next_place(struct exchange *x)
{
    lock_take(&x->lock);
    if (x->at != NULL) {
        x->at->state = PLACE_FREE;
        x->handed++;
    }
    bool more = x->handed < x->batch_count, to_begin = x->begun < x->batch_count;
    lock_give(&x->lock);
    x->at = NULL;
    if (!more) {
        return 0;
    }
    if (to_begin) {
        x->offered = true;
        crew_offer(x->node.query->crew, &x->task);
    }
    x->at = take_place(x, x->handed);
    x->next_slot = 0;
    count_help(x, x->at);
    return give_annotations(x->node.query, x->at);
}

static int exchange_next(struct operator_node *op, struct step_series **series_out)
{
    struct exchange *x = (struct exchange *)op;
    struct query *q = op->query;
    int status = query_check(q);
    while (status == 0) {
        struct place *p = x->at;
        if (p == NULL || (x->next_slot == p->count && p->status == 0)) {
            status = next_place(x);
            if (x->at == NULL) {
                query_drop_samples(q, x->held);
                x->held = 0;
                return status;
            }
            continue;
        }
        if (x->next_slot == p->count) {
            return query_fail(q, p->status, "%s", p->error.message);
        }
        struct slot *slot = &p->slots[x->next_slot++];
        status = count_slot(x, slot);
        if (status == 0 && slot->any) {
            *series_out = &slot->series;
            return 1;
        }
    }
    return status;
}

/* ---- Life ---- */

/* Lanes and places go before the query's arena, in which all of this lies. */
static void release_exchange(void *object)
{
    struct exchange *x = object;
    atomic_store_explicit(&x->stopped, true, memory_order_relaxed);
    if (x->offered) {
        crew_withdraw(x->node.query->crew, &x->task);
    }
    for (size_t i = 0; x->places != NULL && i < x->place_count; i++) {
        arena_release(&x->places[i].arena);
    }
    for (size_t i = 0; x->lanes != NULL && i < x->lane_count; i++) {
        arena_release(&x->lanes[i].query.arena);
    }
    lock_condition_release(&x->done);
    lock_release(&x->lock);
}

static int make_place(struct exchange *x, struct place *p)
{
    struct query *q = x->node.query;
    p->slots = arena_calloc(&q->arena, x->batch_series, sizeof(*p->slots));
    if (p->slots == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < x->batch_series; i++) {
        status = step_series_init(q, &p->slots[i].series, x->node.grid);
    }
    return status;
}

static int make_room(struct exchange *x)
{
    struct query *q = x->node.query;
    x->places = arena_calloc(&q->arena, x->place_count, sizeof(*x->places));
    x->lanes = arena_calloc(&q->arena, x->lane_count, sizeof(*x->lanes));
    if (x->places == NULL || x->lanes == NULL) {
        return query_fail_memory(q, &q->arena);
    }
    for (size_t i = 0; i < x->lane_count; i++) {
        query_fork(&x->lanes[i].query, q, &x->stopped, &x->lanes[i].error);
    }
    x->lanes[0].query.asking = q;
    int status = 0;
    for (size_t i = 0; status == 0 && i < x->place_count; i++) {
        arena_init_charged(&x->places[i].arena, q->memory);
        status = make_place(x, &x->places[i]);
    }
    return status;
}

/* Samples and points of a series, as a guess. */
static uint64_t work_of_series(const struct grid *grid, struct time_extent extent)
{
    uint64_t samples = ((uint64_t)extent.max_t - (uint64_t)extent.min_t) / SPACING_MS;
    return (samples > SAMPLES_MIN ? samples : SAMPLES_MIN) + grid->steps;
}

int plan_exchange(struct query *q, struct operator_node *leaf, const struct leaf_ops *ops,
    const struct series_set *set, struct time_extent extent, struct operator_node **op_out)
{
    static const struct operator_ops exchange_ops = {exchange_next};
    uint64_t work = work_of_series(leaf->grid, extent), enough = q->options->share_min;
    *op_out = leaf;
    if (set == NULL || set->count < 2 || set->count < enough / work ||
        leaf->grid->steps > PLACE_BYTES_MAX / STEP_BYTES) {
        return 0;
    }
    struct exchange *x = operator_new(q, sizeof(*x), &exchange_ops, leaf->expr, leaf->grid);
    if (x == NULL) {
        return q->e->code;
    }
    x->ops = ops;
    x->leaf = leaf;
    x->series = set->series;
    x->count = set->count;
    uint64_t series = enough / BATCHES_MIN / work;
    series = series < BATCH_SERIES_MAX ? series : BATCH_SERIES_MAX;
    x->batch_series = series > 0 ? (size_t)series : 1;
    x->batch_count = (x->count + x->batch_series - 1) / x->batch_series;
    x->lane_count = q->options->threads < x->batch_count ? q->options->threads : x->batch_count;
    x->place_count = x->lane_count > 1 ? x->lane_count * 2 : 1;
    x->task = (struct crew_task){.help = help, .helpers_max = (unsigned)x->lane_count - 1};
    lock_init(&x->lock, LOCK_RANK_LEAF);
    lock_condition_init(&x->done);
    x->place_count = x->place_count < PLACES_MAX ? x->place_count : PLACES_MAX;
    if (arena_on_release(&q->arena, release_exchange, x) != 0) {
        return query_fail_memory(q, &q->arena);
    }
    *op_out = &x->node;
    return make_room(x);
}
