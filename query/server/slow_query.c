/* One line a slow query, whatever came of it. The text is cut, so that the figures before it and the line
 * as a whole stay. */
#include "server/slow_query.h"

#include "base/log.h"

enum { SLOW_TEXT_MAX = 2048 };

void slow_query_log(void *context, const struct api_slow_query *query)
{
    (void)context;
    struct str text = query->text;
    text.len = text.len < SLOW_TEXT_MAX ? text.len : SLOW_TEXT_MAX;
    LOG_WARN("query: slow", LOG_F("seconds", (double)query->took_ns * 1e-9),
        LOG_S("outcome", query->status == 0 ? "answered" : err_name(query->status)),
        LOG_STR("client", query->client), LOG_I("samples", query->samples),
        LOG_I("series", query->series), LOG_I("memory_bytes", query->memory_bytes),
        LOG_I("start_ms", query->start_ms), LOG_I("end_ms", query->end_ms),
        LOG_I("step_ms", query->step_ms), LOG_STR("query", text));
}
