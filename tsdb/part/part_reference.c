/* Finding columns to lean on.
 *
 * A column is judged by its steps (value - value before, in units of its last decimal, less their
 * mean): what a codec would have to write is about log2(1 + |step|) bits a row. For a column that
 * costs something, every earlier column within reach is tried as `steps - s * its steps`, s = 1 or
 * -1, for the dear ones every pair of the nearest, and a column whose steps are those of another times
 * any factor leans on that. An estimate over a few rows drops most of
 * them, so a group of some hundred columns takes a few milliseconds, whatever the number of its
 * tables.
 *
 * Sums of two are for integers only: the sum of two decimals is seldom the double of a decimal.
 */
#include "part/part_reference.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "model/sample.h"

enum {
    PROBE_ROWS = 128,      /* steps that are looked at */
    PROBE_ROWS_MIN = 16,   /* tables of fewer rows have no plan: they are merged soon */
    PROBE_ROWS_FIRST = 16, /* after so many a bad guess is dropped */
    REACH = 256,           /* how many earlier columns are tried alone */
    PAIR_REACH = 32,       /* and of how many all pairs */
    EXPONENT_MAX = 9,
};

/* Costs are bits in units of 2^-20. */
#define COST_BIT ((int64_t)1 << 20)
/* A column that costs less than this is left alone, */
#define COST_MIN (COST_BIT / 4)
/* or alone with one reference. */
#define COST_PAIR_MIN (COST_BIT * 3)
/* What a reference must save, and a second one on top of that; and what each link of a chain counts. */
#define COST_SAVED_MIN (COST_BIT / 2)
#define COST_SECOND_MIN COST_BIT
#define COST_LINK (COST_BIT / 16)
/* How far steps may lie from a multiple: they are whole units less a mean. */
#define MULTIPLE_ERROR 1e-6

/* A column that varies. */
struct candidate {
    uint32_t column;
    uint32_t depth; /* of its own chain */
    unsigned exponent;
    int64_t cost; /* of all its steps */
    double steps[PROBE_ROWS];
};

struct planner {
    struct candidate *candidates;
    size_t count, cap;
    uint32_t rows; /* steps of each */
};

void part_reference_add(
    double *sum, const double *values, uint32_t rows, const struct part_reference *reference)
{
    if (reference->subtract) {
        for (uint32_t i = 0; i < rows; i++) {
            sum[i] -= values[i];
        }
    } else {
        for (uint32_t i = 0; i < rows; i++) {
            sum[i] += values[i];
        }
    }
}

/* ---- Steps ---- */

/* The bits of a double, read as an integer, grow like its logarithm: exact at powers of two, straight
 * lines between. */
static int64_t cost_of(double step)
{
    return (int64_t)((double_bits(1 + fabs(step)) - 0x3ff0000000000000ull) >> 32);
}

static int64_t sum_costs(const double *steps, uint32_t count)
{
    int64_t cost = 0;
    for (uint32_t i = 0; i < count; i++) {
        cost += cost_of(steps[i]);
    }
    return cost;
}

static bool is_whole(double value)
{
    return fabs(value - rint(value)) <= 1e-4;
}

/* Decimals that all values have; EXPONENT_MAX for those that are none. */
static unsigned find_exponent(const double *values, uint32_t count, double *power_out)
{
    unsigned exponent = 0;
    double power = 1;
    for (uint32_t i = 0; i < count && exponent < EXPONENT_MAX; i++) {
        while (exponent < EXPONENT_MAX && !is_whole(values[i] * power)) {
            power *= 10;
            exponent++;
        }
    }
    *power_out = power;
    return exponent;
}

/* Values of the rows, those without a number repeating the one before; false when there is none. */
static bool take_values(const struct part_cells *cells, uint32_t first, uint32_t count, double *out)
{
    double last = 0;
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = first + i;
        bool present = cells->presence == NULL || (cells->presence[row / 64] >> (row % 64) & 1);
        if (present && isfinite(cells->values[row])) {
            last = cells->values[row];
            found = true;
        }
        out[i] = last;
    }
    return found;
}

/* Fills the candidate; false for a column that costs next to nothing. */
static bool measure(
    struct candidate *c, const struct part_cells *cells, uint32_t first, uint32_t steps)
{
    double values[PROBE_ROWS + 1], power, mean = 0;
    if (!take_values(cells, first, steps + 1, values)) {
        return false;
    }
    c->exponent = find_exponent(values, steps + 1, &power);
    for (uint32_t i = 0; i < steps; i++) {
        c->steps[i] = rint((values[i + 1] - values[i]) * power);
        mean += c->steps[i];
    }
    mean /= steps;
    if (!isfinite(mean)) {
        return false;
    }
    for (uint32_t i = 0; i < steps; i++) {
        c->steps[i] -= mean;
    }
    c->cost = sum_costs(c->steps, steps);
    return c->cost >= COST_MIN * steps;
}

/* ---- The search ---- */

struct search {
    const struct planner *planner;
    const struct candidate *column;
    int64_t best; /* cost to beat */
    const struct candidate *chosen[PART_REFERENCES_MAX];
    bool subtract[PART_REFERENCES_MAX];
    uint32_t chosen_count;
};

/* What is left of `steps` beside those of a candidate; the cost, or INT64_MAX once it is seen to
 * exceed `limit`. */
static int64_t remainder_cost(const double *steps, const struct candidate *beside, bool subtract,
    uint32_t rows, int64_t limit)
{
    double left[PROBE_ROWS];
    double sign = subtract ? -1 : 1;
    uint32_t first = rows < PROBE_ROWS_FIRST ? rows : PROBE_ROWS_FIRST;
    for (uint32_t i = 0; i < first; i++) {
        left[i] = steps[i] - sign * beside->steps[i];
    }
    if (sum_costs(left, first) > limit / rows * first + COST_BIT / 4 * first) {
        return INT64_MAX;
    }
    for (uint32_t i = first; i < rows; i++) {
        left[i] = steps[i] - sign * beside->steps[i];
    }
    return sum_costs(left, rows);
}

static bool within_reach(const struct search *s, const struct candidate *c)
{
    return c->exponent == s->column->exponent && c->depth < PART_REFERENCE_DEPTH_MAX;
}

/* Every column within reach, the nearest first. */
static void try_singles(struct search *s)
{
    uint32_t rows = s->planner->rows;
    const struct candidate *from = s->planner->candidates;
    if (s->column - from > REACH) {
        from = s->column - REACH;
    }
    for (const struct candidate *c = s->column; c-- > from;) {
        for (int subtract = 0; within_reach(s, c) && subtract < 2; subtract++) {
            int64_t links = COST_LINK * c->depth * rows;
            int64_t cost = remainder_cost(s->column->steps, c, subtract, rows, s->best - links);
            if (cost < s->best - links) {
                s->best = cost + links;
                s->chosen[0] = c;
                s->subtract[0] = subtract;
                s->chosen_count = 1;
            }
        }
    }
}

static void try_second(
    struct search *s, const struct candidate *const *near, uint32_t count, bool subtract)
{
    double left[PROBE_ROWS];
    uint32_t rows = s->planner->rows;
    const struct candidate *first = near[count];
    for (uint32_t i = 0; i < rows; i++) {
        left[i] = s->column->steps[i] - (subtract ? -first->steps[i] : first->steps[i]);
    }
    for (uint32_t k = 0; k < count; k++) {
        for (int second = 0; second < 2; second++) {
            int64_t cost = remainder_cost(left, near[k], second, rows, s->best);
            if (cost < s->best) {
                s->best = cost;
                s->chosen[0] = first;
                s->chosen[1] = near[k];
                s->subtract[0] = subtract;
                s->subtract[1] = second;
                s->chosen_count = 2;
            }
        }
    }
}

/* Are the steps those of the other column times one factor? The first rows tell of most. */
static bool is_multiple(const double *steps, const struct candidate *beside, uint32_t rows)
{
    uint32_t largest = 0;
    for (uint32_t i = 1; i < PROBE_ROWS_MIN; i++) {
        largest = fabs(beside->steps[i]) > fabs(beside->steps[largest]) ? i : largest;
    }
    double factor = steps[largest] / beside->steps[largest];
    bool equal = isfinite(factor) && factor != 0;
    for (uint32_t i = 0; i < rows && equal; i++) {
        double expected = factor * beside->steps[i];
        equal = fabs(steps[i] - expected) <= MULTIPLE_ERROR * (1 + fabs(expected));
    }
    return equal;
}

/* A column of another unit, whatever its decimals: nothing is left to write. */
static void try_multiples(struct search *s)
{
    const struct candidate *from = s->planner->candidates;
    if (s->column - from > REACH) {
        from = s->column - REACH;
    }
    for (const struct candidate *c = s->column; c-- > from;) {
        if (c->depth < PART_REFERENCE_DEPTH_MAX &&
            is_multiple(s->column->steps, c, s->planner->rows)) {
            s->chosen[0] = c;
            s->subtract[0] = false;
            s->chosen_count = 1;
            s->best = 0;
            return;
        }
    }
}

/* All pairs of the nearest dear columns. */
static void try_pairs(struct search *s)
{
    const struct candidate *near[PAIR_REACH];
    uint32_t count = 0;
    int64_t dear = COST_PAIR_MIN * s->planner->rows;
    for (const struct candidate *c = s->column;
         count < PAIR_REACH && c-- > s->planner->candidates;) {
        if (within_reach(s, c) && c->cost >= dear) {
            near[count++] = c;
        }
    }
    int64_t before = s->best;
    s->best -= COST_SECOND_MIN * s->planner->rows;
    for (uint32_t i = 1; i < count; i++) {
        try_second(s, near, i, false);
        try_second(s, near, i, true);
    }
    s->best = s->chosen_count == 2 ? s->best : before;
}

static void find_references(
    const struct planner *p, struct candidate *column, struct part_references *out)
{
    int64_t least = COST_SAVED_MIN * p->rows;
    least = column->cost / 2 < least ? column->cost / 2 : least;
    struct search s = {.planner = p, .column = column, .best = column->cost - least};
    try_singles(&s);
    if (s.best >= COST_BIT * p->rows) {
        try_multiples(&s);
    }
    if (column->exponent == 0 && s.best >= COST_PAIR_MIN * p->rows) {
        try_pairs(&s);
    }
    for (uint32_t i = 0; i < s.chosen_count; i++) {
        out->items[i] = (struct part_reference){s.chosen[i]->column, s.subtract[i]};
        uint32_t depth = s.chosen[i]->depth + 1;
        column->depth = depth > column->depth ? depth : column->depth;
    }
    out->count = s.chosen_count;
}

int part_reference_plan(struct part_source *source, const struct part_schema *schema,
    const struct part_plan_group *group, struct part_references *references_out, struct err *e)
{
    struct planner p = {.candidates = NULL};
    const struct part_piece *piece = &group->pieces[group->piece_count / 2];
    memset(references_out, 0, schema->column_count * sizeof(*references_out));
    if (piece->rows <= PROBE_ROWS_MIN) {
        return 0;
    }
    p.rows = piece->rows - 1 < PROBE_ROWS ? piece->rows - 1 : PROBE_ROWS;
    int status = 0;
    for (uint32_t c = 0; status == 0 && c < schema->column_count; c++) {
        struct part_cells cells;
        if (schema->columns[c].kind != COLUMN_FLOAT) {
            continue;
        }
        status = source->ops->cells(source, piece->table, piece->order[c], &cells, e);
        if (status != 0) {
            break;
        }
        status = mem_array_grow((void **)&p.candidates, &p.cap, p.count + 1, sizeof(*p.candidates),
            TABLE_COLUMNS_MAX + 1);
        if (status != 0) {
            err_set(e, status, -1, "out of memory for the references of a part");
            break;
        }
        struct candidate *candidate = &p.candidates[p.count];
        candidate->column = c;
        candidate->depth = 0;
        if (measure(candidate, &cells, piece->first_row, p.rows)) {
            find_references(&p, candidate, &references_out[c]);
            p.count++;
        }
    }
    mem_free(p.candidates);
    return status;
}
