/* Windows of all steps; see windows.h. A list of times has one place, by its length and its ends; what
 * comes later takes the place. */
#include "windows.h"

#include "base/hash.h"

/* Lists that are kept, and the memory they are to take together. A longer one is found anew each time. */
enum { KEPT_MAX = 64 };
#define KEPT_BYTES ((size_t)1 << 20)

void windows_init(struct windows *w, struct query *q, const struct grid *grid,
    const struct expr_when *when, int64_t range_ms, double unit)
{
    *w = (struct windows){
        .query = q, .grid = grid, .when = when, .range_ms = range_ms, .unit = unit};
}

static size_t bytes_of(const struct windows *w, size_t count)
{
    size_t step = 2 * sizeof(uint32_t) + 4 * sizeof(double);
    return w->grid->steps * step + count * sizeof(int64_t);
}

/* As many places as fit when all series are like the first. */
static int make_places(struct windows *w, size_t count)
{
    size_t places = 1;
    while (places < KEPT_MAX && places * 2 * bytes_of(w, count) <= KEPT_BYTES) {
        places *= 2;
    }
    w->kept = arena_calloc(&w->query->arena, places, sizeof(*w->kept));
    if (w->kept == NULL) {
        return query_fail_memory(w->query, &w->query->arena);
    }
    w->kept_count = places;
    return 0;
}

static bool holds(const struct step_windows *s, const int64_t *times, size_t count)
{
    return s->is_kept && s->count == count && memcmp(s->times, times, count * sizeof(*times)) == 0;
}

/* Room for what is found, and for the times when they are not too many to be kept. */
static int make_room(struct windows *w, struct step_windows *s, size_t count)
{
    struct arena *arena = &w->query->arena;
    size_t steps = w->grid->steps;
    if (s->begin == NULL) {
        s->begin = arena_alloc(arena, steps * sizeof(*s->begin));
        s->end = arena_alloc(arena, steps * sizeof(*s->end));
        if (s->begin == NULL || s->end == NULL) {
            s->begin = NULL;
            return query_fail_memory(w->query, arena);
        }
    }
    if (count > s->cap && count * sizeof(*s->times) <= KEPT_BYTES) {
        size_t cap = count < 2 * s->cap ? 2 * s->cap : count;
        s->times = arena_alloc(arena, cap * sizeof(*s->times));
        s->cap = s->times != NULL ? cap : 0;
        if (s->times == NULL) {
            return query_fail_memory(w->query, arena);
        }
    }
    return 0;
}

static void find_positions(
    const struct windows *w, const int64_t *times, size_t count, struct step_windows *s)
{
    size_t begin = 0, end = 0, begin_stride = 0, end_stride = 0;
    for (size_t step = 0; step < w->grid->steps; step++) {
        int64_t until = when_at(w->when, grid_at(w->grid, step));
        size_t begin_before = begin, end_before = end;
        begin = times_advance(times, count, begin, begin_stride, until - w->range_ms);
        end = times_advance(times, count, end, end_stride, until);
        begin_stride = begin - begin_before;
        end_stride = end - end_before;
        s->begin[step] = (uint32_t)begin;
        s->end[step] = (uint32_t)end;
    }
}

static int find(struct windows *w, const int64_t *times, size_t count, struct step_windows **out)
{
    int status = w->kept_count == 0 ? make_places(w, count) : 0;
    if (status != 0) {
        return status;
    }
    uint64_t ends = count > 0 ? (uint64_t)times[0] * 31 + (uint64_t)times[count - 1] : 0;
    struct step_windows *s = &w->kept[hash_mix64(ends + count) & (w->kept_count - 1)];
    *out = s;
    if (holds(s, times, count)) {
        return 0;
    }
    s->is_kept = s->has_factors = false;
    status = make_room(w, s, count);
    if (status != 0) {
        return status;
    }
    find_positions(w, times, count, s);
    if (count <= s->cap && count > 0) {
        memcpy(s->times, times, count * sizeof(*times));
        s->count = count;
        s->is_kept = true;
    }
    return 0;
}

int windows_find(
    struct windows *w, const int64_t *times, size_t count, const struct step_windows **windows_out)
{
    struct step_windows *s;
    int status = find(w, times, count, &s);
    if (status == 0) {
        *windows_out = s;
    }
    return status;
}

/* ---- Factors ---- */

static int make_factors(struct windows *w, struct step_windows *s)
{
    if (s->sampled != NULL) {
        return 0;
    }
    size_t steps = w->grid->steps;
    double *numbers = arena_alloc(&w->query->arena, 4 * steps * sizeof(*numbers));
    if (numbers == NULL) {
        return query_fail_memory(w->query, &w->query->arena);
    }
    s->sampled = numbers;
    s->to_start = numbers + steps;
    s->to_end = numbers + 2 * steps;
    s->factor = numbers + 3 * steps;
    return 0;
}

/* Each edge is reached when the sample nearest to it is within 1.1 mean spacings, else half a spacing of
 * the way. */
static void find_factors(const struct windows *w, const int64_t *times, struct step_windows *s)
{
    for (size_t step = 0; step < w->grid->steps; step++) {
        size_t begin = s->begin[step], end = s->end[step];
        if (end - begin < 2) {
            continue;
        }
        int64_t until = when_at(w->when, grid_at(w->grid, step));
        double to_start = (double)(times[begin] - (until - w->range_ms)) / 1000;
        double to_end = (double)(until - times[end - 1]) / 1000;
        double sampled = (double)(times[end - 1] - times[begin]) / 1000;
        double spacing = sampled / (double)(end - begin - 1);
        double threshold = spacing * 1.1;
        s->sampled[step] = sampled;
        s->to_start[step] = to_start >= threshold ? spacing / 2 : to_start;
        s->to_end[step] = to_end >= threshold ? spacing / 2 : to_end;
        s->factor[step] = (sampled + s->to_start[step] + s->to_end[step]) / sampled / w->unit;
    }
}

int windows_find_factors(
    struct windows *w, const int64_t *times, size_t count, const struct step_windows **windows_out)
{
    struct step_windows *s;
    int status = find(w, times, count, &s);
    if (status == 0) {
        status = make_factors(w, s);
    }
    if (status != 0) {
        return status;
    }
    if (!s->has_factors) {
        find_factors(w, times, s);
        s->has_factors = true;
    }
    *windows_out = s;
    return 0;
}
