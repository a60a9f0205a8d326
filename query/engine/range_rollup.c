/* rollup_rate and its kin, of MetricsQL: what lies between neighbouring samples of a window, as the least, the
 * greatest or the mean of it; a rate over the whole window hides a burst that these show. rollup_candlestick is
 * the first, last, least and greatest sample, as charts of prices draw them. A string says which number is meant.
 *
 * Neighbours are samples of the window itself, so n samples have n-1 of what lies between. VictoriaMetrics looks
 * at the sample after the window besides. Histograms and NaN are left out.
 */
#include <math.h>

#include "kahan.h"
#include "range.h"

/* From one sample to the next. */
static double between(const struct range_operator *op, const struct window *w, size_t a, size_t b)
{
    double seconds = (double)(w->float_times[b] - w->float_times[a]) / 1000;
    double change = w->floats[b] - w->floats[a];
    double growth = change < 0 ? w->floats[b] : change; // a counter begins anew
    switch (op->row->id) {
    case FUNCTION_ROLLUP_RATE:
        return growth / seconds;
    case FUNCTION_ROLLUP_INCREASE:
        return growth;
    case FUNCTION_ROLLUP_DERIV:
        return change / seconds;
    case FUNCTION_ROLLUP_DELTA:
        return change;
    default:
        return seconds;
    }
}

struct rollup {
    double least, greatest, sum, lost;
    size_t count;
};

static void rollup_add(struct rollup *r, double value)
{
    r->least = r->count == 0 || value < r->least ? value : r->least;
    r->greatest = r->count == 0 || value > r->greatest ? value : r->greatest;
    kahan_add(value, &r->sum, &r->lost);
    r->count++;
}

static struct str wanted(const struct range_operator *op)
{
    return op->node.expr->call.arguments[1]->string;
}

int range_rollup(struct range_operator *op, const struct window *w, struct range_value *out)
{
    struct rollup r = {0};
    size_t before = SIZE_MAX;
    for (size_t i = 0; i < w->float_count; i++) {
        if (isnan(w->floats[i])) {
            continue;
        }
        if (before != SIZE_MAX) {
            rollup_add(&r, between(op, w, before, i));
        }
        before = i;
    }
    if (r.count > 0) {
        struct str which = wanted(op);
        range_set_float(out, str_eq_c(which, "min")   ? r.least
                             : str_eq_c(which, "max") ? r.greatest
                                                      : (r.sum + r.lost) / (double)r.count);
    }
    return 0;
}

int range_candlestick(struct range_operator *op, const struct window *w, struct range_value *out)
{
    struct rollup r = {0};
    double open = 0, close = 0;
    for (size_t i = 0; i < w->float_count; i++) {
        if (!isnan(w->floats[i])) {
            open = r.count == 0 ? w->floats[i] : open;
            close = w->floats[i];
            rollup_add(&r, w->floats[i]);
        }
    }
    if (r.count > 0) {
        struct str which = wanted(op);
        range_set_float(out, str_eq_c(which, "open")    ? open
                             : str_eq_c(which, "close") ? close
                             : str_eq_c(which, "low")   ? r.least
                                                        : r.greatest);
    }
    return 0;
}
