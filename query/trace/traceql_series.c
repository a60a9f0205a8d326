/* A step is open at its start and closed at its end, as Tempo's are. */
#include "trace/traceql_series.h"

int traceql_steps_align(
    uint64_t start_ns, uint64_t end_ns, uint64_t step_ns, struct traceql_steps *steps_out)
{
    struct traceql_steps s = {start_ns, end_ns, step_ns, 1};
    if (end_ns <= start_ns) {
        return ERR_INVALID;
    }
    if (step_ns == 0) {
        *steps_out = s;
        return 0;
    }
    s.start_ns -= start_ns % step_ns;
    s.start_ns -= s.start_ns > step_ns ? step_ns : 0;
    if ((end_ns - s.start_ns) / step_ns >= TRACEQL_POINTS_MAX) {
        return ERR_LIMIT;
    }
    s.count = (uint32_t)((end_ns - s.start_ns + step_ns - 1) / step_ns);
    s.end_ns = s.start_ns + s.count * step_ns;
    *steps_out = s;
    return 0;
}

uint64_t traceql_steps_time(const struct traceql_steps *s, uint32_t point)
{
    return s->step_ns == 0 ? s->end_ns : s->start_ns + (point + UINT64_C(1)) * s->step_ns;
}

bool traceql_steps_find(const struct traceql_steps *s, uint64_t time_ns, uint32_t *point_out)
{
    if (s->step_ns == 0) {
        *point_out = 0;
        return time_ns >= s->start_ns && time_ns <= s->end_ns;
    }
    if (time_ns <= s->start_ns || time_ns > s->end_ns) {
        return false;
    }
    *point_out = (uint32_t)((time_ns - s->start_ns - 1) / s->step_ns);
    return true;
}
