/* Rules, the series they take, and the ends of intervals. What groups compute is in stream_group.c. */
#include "intake/stream_aggregator.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "intake/stream_group.h"
#include "model/series_selector.h"

enum { DAY_MS = 24 * 3600 * 1000, LABELS_MAX = 256, SLOTS_MIN = 256, KEEP_INTERVALS = 2 };

struct rule {
    struct series_selector *selectors;
    size_t selector_count;
    int64_t interval_ms, dedup_ms;
    int64_t ends_ms; /* wall time at which the interval under way is over */
    struct stream_shape shape;
};

/* A series of the input: which rule takes it, and what it said last. */
struct entry {
    struct str key; /* encoded labels, behind the entry */
    uint64_t hash;
    int rule; /* -1: none takes it */
    struct stream_group *group;
    struct stream_series series;
    struct sample pending; /* the last of its dedup interval */
    bool has_pending;
    int64_t seen_ms;
};

struct stream_aggregator {
    struct intake intake; /* first: what others see of it */
    struct clock *clock;
    struct intake *results, *rest;
    struct rule rules[STREAM_RULES_MAX];
    size_t rule_count;
    struct entry **slots; /* open addressing, at most half full */
    size_t slot_count, count;
    struct stream_groups groups;
    uint64_t seed;
    struct stream_statistics statistics;
};

/* ---- Making ---- */

static int parse_selectors(
    const struct stream_rule *r, struct rule *out, size_t number, struct err *e)
{
    struct err why = ERR_INIT;
    out->selectors = mem_calloc(r->match.count, sizeof(*out->selectors));
    if (out->selectors == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for stream aggregation");
    }
    for (size_t i = 0; i < r->match.count; i++) {
        int status = series_selector_parse(str_of(r->match.items[i]), &out->selectors[i], &why);
        if (status != 0) {
            return err_set(e, status, -1, "stream_aggr rule %zu: %s", number, why.message);
        }
        out->selector_count++;
    }
    return 0;
}

static int64_t next_end(int64_t now, int64_t interval)
{
    return now - now % interval + interval;
}

static int make_rule(struct stream_aggregator *a, const struct stream_rule *r, struct err *e)
{
    struct rule *rule = &a->rules[a->rule_count];
    size_t number = a->rule_count + 1;
    struct err why = ERR_INIT;
    rule->interval_ms = r->interval_ms;
    rule->dedup_ms = r->dedup_interval_ms;
    rule->ends_ms = next_end(clock_now_ms(a->clock), r->interval_ms);
    a->rule_count++;
    int status = stream_shape_make(r, &rule->shape, &why);
    if (status != 0) {
        return err_set(e, status, -1, "stream_aggr rule %zu: %s", number, why.message);
    }
    return parse_selectors(r, rule, number, e);
}

static void add_series(struct intake *self, const struct remote_write_series *series);

static void add_metadata(
    struct intake *self, enum metric_type type, struct str metric, struct str help, struct str unit)
{
    struct stream_aggregator *a = (struct stream_aggregator *)self;
    a->rest->add_metadata(a->rest, type, metric, help, unit);
}

static int commit(struct intake *self)
{
    struct stream_aggregator *a = (struct stream_aggregator *)self;
    return a->rest->commit(a->rest);
}

static enum intake_pressure pressure(const struct intake *self)
{
    const struct stream_aggregator *a = (const struct stream_aggregator *)self;
    return a->rest->pressure(a->rest);
}

static const struct labels *external(const struct intake *self, uint64_t *epoch_out)
{
    const struct stream_aggregator *a = (const struct stream_aggregator *)self;
    return a->rest->external(a->rest, epoch_out);
}

int stream_aggregator_new(const struct stream_rule *rules, size_t count, struct clock *clock,
    struct intake *results, struct intake *rest, struct stream_aggregator **aggregator_out,
    struct err *e)
{
    if (count > STREAM_RULES_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "%zu rules in stream_aggr; at most %d", count, STREAM_RULES_MAX);
    }
    struct stream_aggregator *a = mem_calloc(1, sizeof(*a));
    if (a == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for stream aggregation");
    }
    a->intake = (struct intake){add_series, add_metadata, commit, pressure, external};
    a->clock = clock;
    a->results = results;
    a->rest = rest;
    a->seed = hash_seed_random();
    stream_groups_init(&a->groups);
    a->slots = mem_calloc(SLOTS_MIN, sizeof(struct entry *));
    a->slot_count = a->slots != NULL ? SLOTS_MIN : 0;
    int status =
        a->slots != NULL ? 0 : err_set(e, ERR_NOMEM, -1, "out of memory for stream aggregation");
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = make_rule(a, &rules[i], e);
    }
    if (status != 0) {
        stream_aggregator_free(a);
        return status;
    }
    *aggregator_out = a;
    return 0;
}

struct intake *stream_aggregator_intake(struct stream_aggregator *a)
{
    return &a->intake;
}

/* ---- Series ---- */

static size_t slot_of(const struct stream_aggregator *a, struct str key, uint64_t hash)
{
    size_t at = hash & (a->slot_count - 1);
    while (
        a->slots[at] != NULL && (a->slots[at]->hash != hash || !str_eq(a->slots[at]->key, key))) {
        at = (at + 1) & (a->slot_count - 1);
    }
    return at;
}

static bool widen(struct stream_aggregator *a)
{
    size_t before_count = a->slot_count;
    struct entry **before = a->slots;
    struct entry **slots = mem_calloc(before_count * 2, sizeof(struct entry *));
    if (slots == NULL) {
        return false;
    }
    a->slots = slots;
    a->slot_count = before_count * 2;
    for (size_t i = 0; i < before_count; i++) {
        if (before[i] != NULL) {
            a->slots[slot_of(a, before[i]->key, before[i]->hash)] = before[i];
        }
    }
    mem_free(before);
    return true;
}

static int find_rule(
    const struct stream_aggregator *a, const struct label *labels, size_t label_count)
{
    for (size_t i = 0; i < a->rule_count; i++) {
        const struct rule *r = &a->rules[i];
        bool matches = r->selector_count == 0;
        for (size_t k = 0; !matches && k < r->selector_count; k++) {
            matches = series_selector_matches(&r->selectors[k], labels, label_count);
        }
        if (matches) {
            return (int)i;
        }
    }
    return -1;
}

/* A series never seen; NULL without memory or room. */
static struct entry *learn(struct stream_aggregator *a, struct str key, uint64_t hash)
{
    struct label labels[LABELS_MAX];
    size_t count = 0;
    if (a->count >= STREAM_SERIES_MAX || (2 * (a->count + 1) > a->slot_count && !widen(a)) ||
        remote_write_decode_labels(key, labels, LABELS_MAX, &count) != 0) {
        return NULL;
    }
    int rule = find_rule(a, labels, count);
    struct entry *e = mem_alloc(sizeof(*e) + key.len);
    if (e == NULL) {
        return NULL;
    }
    *e = (struct entry){.key = str_make((char *)(e + 1), key.len), .hash = hash, .rule = rule};
    memcpy(e + 1, key.ptr, key.len);
    if (rule >= 0) {
        uint64_t epoch;
        const struct labels *external = a->rest->external(a->rest, &epoch);
        e->group = stream_groups_get(
            &a->groups, &a->rules[rule].shape, (unsigned)rule, external, labels, count);
        if (e->group == NULL) {
            mem_free(e);
            return NULL;
        }
    }
    a->slots[slot_of(a, key, hash)] = e;
    a->count++;
    return e;
}

static struct entry *find_entry(struct stream_aggregator *a, struct str key)
{
    uint64_t hash = hash64(key.ptr, key.len, a->seed);
    struct entry *e = a->slots[slot_of(a, key, hash)];
    return e != NULL ? e : learn(a, key, hash);
}

static void push(struct entry *e, const struct sample *sample)
{
    stream_group_add(e->group, &e->series, sample);
}

/* A sample of a series that a rule takes: at once, or when its dedup interval is over. */
static void take_sample(struct stream_aggregator *a, struct entry *e, const struct sample *sample)
{
    int64_t dedup = a->rules[e->rule].dedup_ms;
    a->statistics.taken_samples++;
    if (value_is_stale(sample->value)) {
        e->series = (struct stream_series){0}; /* it ends: its next sample is a first one */
        return;
    }
    e->seen_ms = clock_now_ms(a->clock); /* its group lives as long, by what is forgotten when */
    if (dedup == 0) {
        push(e, sample);
        return;
    }
    if (e->has_pending && e->pending.t_ms / dedup != sample->t_ms / dedup) {
        push(e, &e->pending);
        e->has_pending = false;
    }
    if (!e->has_pending || sample->t_ms >= e->pending.t_ms) {
        e->pending = *sample;
        e->has_pending = true;
    }
}

static void add_series(struct intake *self, const struct remote_write_series *series)
{
    struct stream_aggregator *a = (struct stream_aggregator *)self;
    struct entry *e = series->sample_count > 0 ? find_entry(a, series->labels_bytes) : NULL;
    if (e == NULL || e->rule < 0) {
        a->statistics.passed_samples += e == NULL ? series->sample_count : 0;
        a->rest->add(a->rest, series);
        return;
    }
    for (size_t i = 0; i < series->sample_count; i++) {
        take_sample(a, e, &series->samples[i]);
    }
    if (series->histogram_count > 0) {
        struct remote_write_series others = *series;
        others.sample_count = 0;
        others.exemplar_count = 0;
        a->rest->add(a->rest, &others);
    }
}

/* ---- Ends of intervals ---- */

/* Takes an entry out and closes the gap, so that no chain breaks. */
static void remove_at(struct stream_aggregator *a, size_t at)
{
    mem_free(a->slots[at]);
    a->count--;
    size_t gap = at, mask = a->slot_count - 1;
    for (size_t i = (at + 1) & mask; a->slots[i] != NULL; i = (i + 1) & mask) {
        size_t home = a->slots[i]->hash & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            a->slots[gap] = a->slots[i];
            gap = i;
        }
    }
    a->slots[gap] = NULL;
}

/* What waits for the end of its dedup interval goes in. */
static void push_pending(struct stream_aggregator *a, int rule)
{
    for (size_t i = 0; i < a->slot_count; i++) {
        struct entry *e = a->slots[i];
        if (e != NULL && e->rule == rule && e->has_pending) {
            push(e, &e->pending);
            e->has_pending = false;
        }
    }
}

static void forget_old(struct stream_aggregator *a, int rule, int64_t before_ms)
{
    for (size_t i = 0; i < a->slot_count;) {
        struct entry *e = a->slots[i];
        if (e != NULL && e->rule == rule && e->seen_ms < before_ms) {
            remove_at(a, i);
        } else {
            i++;
        }
    }
}

/* Ends the interval of a rule at the time it was over. */
static void end_interval(struct stream_aggregator *a, int rule, int64_t at_ms)
{
    struct rule *r = &a->rules[rule];
    push_pending(a, rule);
    stream_groups_flush(&a->groups, &r->shape, (unsigned)rule, at_ms, a->results);
    forget_old(a, rule, at_ms - KEEP_INTERVALS * r->interval_ms);
    stream_groups_forget(&a->groups, (unsigned)rule, at_ms - 2 * KEEP_INTERVALS * r->interval_ms);
}

int64_t stream_aggregator_step(struct stream_aggregator *a)
{
    int64_t now = clock_now_ms(a->clock), wake = DAY_MS;
    for (size_t i = 0; i < a->rule_count; i++) {
        struct rule *r = &a->rules[i];
        if (now >= r->ends_ms) {
            end_interval(a, (int)i, r->ends_ms);
            r->ends_ms = next_end(now, r->interval_ms);
        } else if (r->ends_ms - now > r->interval_ms) {
            r->ends_ms = next_end(now, r->interval_ms); /* the clock was set back */
        }
        wake = r->ends_ms - now < wake ? r->ends_ms - now : wake;
    }
    return wake;
}

void stream_aggregator_free(struct stream_aggregator *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; i < a->rule_count; i++) {
        if (a->rules[i].shape.output_count > 0) {
            end_interval(a, (int)i, clock_now_ms(a->clock));
        }
        for (size_t k = 0; k < a->rules[i].selector_count; k++) {
            series_selector_release(&a->rules[i].selectors[k]);
        }
        mem_free(a->rules[i].selectors);
        stream_shape_release(&a->rules[i].shape);
    }
    for (size_t i = 0; i < a->slot_count; i++) {
        mem_free(a->slots[i]);
    }
    stream_groups_release(&a->groups);
    mem_free(a->slots);
    mem_free(a);
}

void stream_aggregator_statistics(
    const struct stream_aggregator *a, struct stream_statistics *statistics_out)
{
    *statistics_out = a->statistics;
    statistics_out->series = a->count;
    statistics_out->groups = a->groups.count;
}
