/* The ledger: an array of steps and its running sums, which are made as far as somebody asks.
 *
 * Sums of whole numbers below 2^53 are exact, so that differences of running sums are the counts themselves,
 * whatever was added in between.
 */
#include "slo_ledger.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void slo_ledger_init(
    struct slo_ledger *l, int64_t step_ms, int64_t first_ms, enum slo_no_data no_data)
{
    *l = (struct slo_ledger){.step_ms = step_ms, .first_ms = first_ms, .no_data = no_data};
}

void slo_ledger_release(struct slo_ledger *l)
{
    mem_free(l->steps);
    mem_free(l->sums);
    *l = (struct slo_ledger){0};
}

int64_t slo_ledger_end_ms(const struct slo_ledger *l)
{
    return l->first_ms + ((int64_t)l->count - 1) * l->step_ms;
}

int slo_ledger_extend(struct slo_ledger *l, int64_t end_ms)
{
    int64_t last = slo_ledger_end_ms(l);
    if (end_ms <= last) {
        return 0;
    }
    uint64_t more = (uint64_t)(end_ms - last) / (uint64_t)l->step_ms;
    if (more > SLO_LEDGER_STEPS_MAX) {
        return ERR_LIMIT;
    }
    size_t count = l->count + (size_t)more;
    int status =
        mem_array_grow((void **)&l->steps, &l->cap, count, sizeof(*l->steps), SLO_LEDGER_STEPS_MAX);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&l->sums, &l->sums_cap, count + 1, sizeof(*l->sums), SLO_LEDGER_STEPS_MAX + 1);
    }
    if (status != 0) {
        return status;
    }
    memset(&l->steps[l->count], 0, (count - l->count) * sizeof(*l->steps));
    l->sums[0] = (struct slo_sums){0};
    l->count = count;
    return 0;
}

/* The index of the first step that ends after `time_ms`, cut to what there is. */
static size_t index_after(const struct slo_ledger *l, int64_t time_ms)
{
    if (time_ms < l->first_ms) {
        return 0;
    }
    uint64_t index = (uint64_t)(time_ms - l->first_ms) / (uint64_t)l->step_ms + 1;
    return index < l->count ? (size_t)index : l->count;
}

void slo_ledger_set(struct slo_ledger *l, int64_t end_ms, struct slo_count events)
{
    size_t index = index_after(l, end_ms - 1);
    assert(index < l->count && l->first_ms + (int64_t)index * l->step_ms == end_ms);
    struct slo_step *s = &l->steps[index];
    s->bad = events.bad;
    s->total = events.total;
    s->known = true;
    l->summed = l->summed < index ? l->summed : index;
}

int slo_ledger_adopt(struct slo_ledger *l, const struct slo_ledger *from, int64_t until_ms)
{
    assert(l->step_ms == from->step_ms && l->count == 0);
    int64_t end = slo_ledger_end_ms(from);
    end = end < until_ms ? end : until_ms;
    int64_t begin = from->first_ms > l->first_ms ? from->first_ms : l->first_ms;
    if (begin > end) {
        return 0;
    }
    int status = slo_ledger_extend(l, end);
    if (status != 0) {
        return status;
    }
    const struct slo_step *source = &from->steps[(begin - from->first_ms) / l->step_ms];
    struct slo_step *to = &l->steps[(begin - l->first_ms) / l->step_ms];
    for (int64_t i = 0; i <= (end - begin) / l->step_ms; i++) {
        to[i] =
            source[i].known
                ? (struct slo_step){.bad = source[i].bad, .total = source[i].total, .known = true}
                : (struct slo_step){0};
    }
    l->summed = 0;
    return 0;
}

bool slo_ledger_gap(
    const struct slo_ledger *l, int64_t from_ms, int64_t *first_ms_out, int64_t *last_ms_out)
{
    size_t first = index_after(l, from_ms - 1);
    while (first < l->count && l->steps[first].known) {
        first++;
    }
    size_t last = first;
    while (last < l->count && !l->steps[last].known) {
        last++;
    }
    *first_ms_out = l->first_ms + (int64_t)first * l->step_ms;
    *last_ms_out = l->first_ms + ((int64_t)last - 1) * l->step_ms;
    return first < l->count;
}

void slo_ledger_exclude(
    struct slo_ledger *l, bool (*excluded)(void *context, int64_t end_ms), void *context)
{
    for (size_t i = 0; i < l->count; i++) {
        bool now = excluded(context, l->first_ms + (int64_t)i * l->step_ms);
        if (now != l->steps[i].excluded) {
            l->steps[i].excluded = now;
            l->summed = l->summed < i ? l->summed : i;
        }
    }
}

void slo_ledger_drop(struct slo_ledger *l, int64_t before_ms)
{
    size_t dropped = index_after(l, before_ms);
    if (dropped == 0) {
        return;
    }
    memmove(l->steps, &l->steps[dropped], (l->count - dropped) * sizeof(*l->steps));
    l->count -= dropped;
    l->first_ms += (int64_t)dropped * l->step_ms;
    l->summed = 0;
}

/* What a step counts, given the events of the last known one. */
static struct slo_count count_of(const struct slo_ledger *l, const struct slo_step *s, double last)
{
    if (s->known && !s->excluded) {
        return (struct slo_count){s->bad, s->total};
    }
    if (!s->known && !s->excluded && (l->no_data == SLO_BAD || l->no_data == SLO_GOOD)) {
        return (struct slo_count){l->no_data == SLO_BAD ? last : 0, last};
    }
    return (struct slo_count){0, 0};
}

static void sum_up(struct slo_ledger *l, size_t until)
{
    double last = 0;
    for (size_t i = l->summed; i > 0 && l->summed < until; i--) {
        if (l->steps[i - 1].known) {
            last = l->steps[i - 1].total;
            break;
        }
    }
    for (size_t i = l->summed; i < until; i++) {
        const struct slo_step *s = &l->steps[i];
        struct slo_count counted = count_of(l, s, last);
        const struct slo_sums *before = &l->sums[i];
        l->sums[i + 1] = (struct slo_sums){.bad = before->bad + counted.bad,
            .total = before->total + counted.total,
            .known = before->known + (s->known && !s->excluded),
            .excluded = before->excluded + s->excluded};
        last = s->known ? s->total : last;
    }
    l->summed = until > l->summed ? until : l->summed;
}

static int64_t floor_step(int64_t time_ms, int64_t step_ms)
{
    return time_ms / step_ms - (time_ms % step_ms < 0);
}

struct slo_window_count slo_ledger_count(struct slo_ledger *l, int64_t start_ms, int64_t end_ms)
{
    struct slo_window_count count = {0};
    int64_t steps = floor_step(end_ms, l->step_ms) - floor_step(start_ms, l->step_ms);
    count.steps = steps > 0 ? (uint32_t)(steps < UINT32_MAX ? steps : UINT32_MAX) : 0;
    size_t from = index_after(l, start_ms), until = index_after(l, end_ms);
    if (from >= until) {
        return count;
    }
    sum_up(l, until);
    const struct slo_sums *a = &l->sums[from], *b = &l->sums[until];
    count.events = (struct slo_count){b->bad - a->bad, b->total - a->total};
    count.known = b->known - a->known;
    count.excluded = b->excluded - a->excluded;
    return count;
}

double slo_coverage(const struct slo_window_count *count)
{
    uint32_t wanted = count->steps - count->excluded;
    return wanted == 0 ? 1 : (double)count->known / (double)wanted;
}
