/* Columns of tiers; see the header. */
#include "tier/tier_columns.h"

#include <math.h>

#include "base/bytes.h"
#include "base/hash.h"

#define LABEL_NAME "\xff"

static const char *const NAMES[TIER_AGGREGATES] = {
    [TIER_LAST] = "last",
    [TIER_FIRST] = "first",
    [TIER_MIN] = "min",
    [TIER_MAX] = "max",
    [TIER_SUM] = "sum",
    [TIER_INCREASE] = "increase",
    [TIER_COUNT] = "count",
    [TIER_LAST_AGE] = "last_age",
    [TIER_FIRST_AGE] = "first_age",
    [TIER_SKETCH] = "sketch",
    [TIER_SAMPLE] = "sample",
    [TIER_ALL_COUNT] = "all_count",
    [TIER_ALL_LAST_AGE] = "all_last_age",
    [TIER_ALL_FIRST_AGE] = "all_first_age",
};

const char *tier_aggregate_name(enum tier_aggregate aggregate)
{
    return NAMES[aggregate];
}

bool tier_is_counter(struct str name)
{
    return str_ends_with(name, STR("_total")) || str_ends_with(name, STR("_sum")) ||
           str_ends_with(name, STR("_count")) || str_ends_with(name, STR("_bucket"));
}

/* ---- What follows from what ---- */

static double least(double first, double last)
{
    return last < first || isnan(first) ? last : first;
}

static double greatest(double first, double last)
{
    return last > first || isnan(first) ? last : first;
}

static double plain_increase(double first, double last)
{
    return last < first ? last - first + first : last - first;
}

static bool same(double a, double b)
{
    return double_bits(a) == double_bits(b);
}

/* The columns that one bucket needs. */
static unsigned needed_by(const struct run_summary *b)
{
    unsigned mask = 0;
    bool constant = same(b->first, b->last) && same(b->min, b->max);
    mask |= same(b->first, b->last) ? 0 : TIER_BIT(TIER_FIRST);
    mask |= same(b->min, least(b->first, b->last)) ? 0 : TIER_BIT(TIER_MIN);
    mask |= same(b->max, greatest(b->first, b->last)) ? 0 : TIER_BIT(TIER_MAX);
    mask |= constant && same(b->sum, (double)b->count * b->last) ? 0 : TIER_BIT(TIER_SUM);
    mask |= same(b->increase, plain_increase(b->first, b->last)) ? 0 : TIER_BIT(TIER_INCREASE);
    return mask;
}

unsigned tier_columns_choose(const struct rollup *r, bool counter)
{
    unsigned mask = TIER_BIT(TIER_LAST);
    bool finite = true;
    for (size_t i = 0; i < r->count; i++) {
        mask |= needed_by(&r->buckets[i]);
        finite = finite && isfinite(r->buckets[i].sum);
    }
    if (counter && finite && r->falls == 0) {
        mask &= ~TIER_BIT(TIER_SUM);
    }
    if ((mask & TIER_BIT(TIER_INCREASE)) &&
        r->falls > TIER_FALLS_FREE + r->samples / TIER_SAMPLES_PER_FALL) {
        mask &= ~TIER_BIT(TIER_INCREASE);
        mask |= TIER_BIT(TIER_MIN);
    }
    return mask | (r->with_sketches ? TIER_BIT(TIER_SKETCH) : 0);
}

unsigned tier_columns_without(unsigned mask, unsigned estimates)
{
    if ((estimates & RUN_SUM_ESTIMATED) != 0) {
        mask &= ~TIER_BIT(TIER_SUM);
    }
    if ((estimates & RUN_INCREASE_ESTIMATED) != 0) {
        mask = (mask & ~TIER_BIT(TIER_INCREASE)) | TIER_BIT(TIER_MIN);
    }
    return mask;
}

uint64_t tier_timing_hash(const struct rollup *r)
{
    uint64_t hash = hash_mix64(r->count);
    for (size_t i = 0; i < r->count; i++) {
        const struct run_summary *b = &r->buckets[i];
        hash = hash_mix64(hash ^ (uint64_t)r->ends[i]);
        hash = hash_mix64(hash ^ b->count);
        hash = hash_mix64(hash ^ (uint64_t)b->first_t);
        hash = hash_mix64(hash ^ (uint64_t)b->last_t);
    }
    return hash;
}

double tier_cell(const struct rollup *r, size_t i, enum tier_aggregate aggregate)
{
    const struct run_summary *b = &r->buckets[i];
    switch (aggregate) {
    case TIER_LAST:
        return b->last;
    case TIER_FIRST:
        return b->first;
    case TIER_MIN:
        return b->min;
    case TIER_MAX:
        return b->max;
    case TIER_SUM:
        return b->sum;
    case TIER_INCREASE:
        return b->increase;
    case TIER_COUNT:
    case TIER_ALL_COUNT:
        return (double)b->count;
    case TIER_LAST_AGE:
    case TIER_ALL_LAST_AGE:
        return (double)(r->ends[i] - b->last_t);
    case TIER_FIRST_AGE:
    case TIER_ALL_FIRST_AGE:
        return (double)(r->ends[i] - b->first_t);
    default:
        return NAN;
    }
}

/* ---- Back ---- */

static bool has(const struct tier_bucket *b, enum tier_aggregate aggregate)
{
    return (b->present & TIER_BIT(aggregate)) != 0;
}

/* Bytes of a file may say anything: what is no count of milliseconds counts as none. */
static int64_t whole(double cell)
{
    return cell >= 0 && cell < 0x1p53 ? (int64_t)cell : 0;
}

unsigned tier_restore(const struct tier_bucket *b, struct run_summary *out)
{
    unsigned estimated = 0;
    double last = b->cells[TIER_LAST];
    double first = has(b, TIER_FIRST) ? b->cells[TIER_FIRST] : last;
    double count = has(b, TIER_COUNT) ? (double)whole(b->cells[TIER_COUNT]) : 1;
    struct run_summary s = {.first = first, .last = last};
    s.count = count >= 1 ? (uint64_t)count : 1;
    s.min = has(b, TIER_MIN) ? b->cells[TIER_MIN] : least(first, last);
    s.max = has(b, TIER_MAX) ? b->cells[TIER_MAX] : greatest(first, last);
    s.last_t = b->end - (has(b, TIER_LAST_AGE) ? whole(b->cells[TIER_LAST_AGE]) : 0);
    s.first_t = b->end - (has(b, TIER_FIRST_AGE) ? whole(b->cells[TIER_FIRST_AGE]) : 0);
    s.first_t = s.first_t > s.last_t ? s.last_t : s.first_t;
    if (has(b, TIER_SUM)) {
        s.sum = b->cells[TIER_SUM];
    } else if (!has(b, TIER_FIRST) || same(first, last)) {
        s.sum = (double)s.count * last;
    } else {
        s.sum = (first / 2 + last / 2) * (double)s.count;
        estimated |= RUN_SUM_ESTIMATED;
    }
    if (has(b, TIER_INCREASE)) {
        s.increase = b->cells[TIER_INCREASE];
    } else {
        s.increase = plain_increase(first, last);
        estimated |= has(b, TIER_MIN) ? RUN_INCREASE_ESTIMATED : 0;
    }
    *out = s;
    return estimated;
}

/* ---- Shapes ---- */

int tier_shape_new(
    const struct labels *shape, enum tier_aggregate aggregate, const struct labels **labels_out)
{
    struct labels_builder b;
    if (labels_has(shape, STR(LABEL_NAME))) {
        return ERR_INVALID;
    }
    labels_builder_init_from(&b, shape);
    labels_builder_set(&b, STR(LABEL_NAME), str_of(NAMES[aggregate]));
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status;
}

int tier_shape_split(const struct label *pairs, size_t count, struct label *pairs_out,
    enum tier_aggregate *aggregate_out)
{
    int kept = 0;
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (!str_eq_c(pairs[i].name, LABEL_NAME)) {
            pairs_out[kept++] = pairs[i];
            continue;
        }
        for (int a = 0; a < TIER_AGGREGATES; a++) {
            if (str_eq_c(pairs[i].value, NAMES[a])) {
                *aggregate_out = (enum tier_aggregate)a;
                found = true;
            }
        }
    }
    return found ? kept : ERR_CORRUPT;
}
