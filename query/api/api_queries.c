/* /api/v1/status/active_queries, /api/v1/status/top_queries, /api/v1/admin/kill_query: what is asked of the
 * server, and how to end it. The forms are VictoriaMetrics', whose members mean the same here; those it
 * does not have (client, samples, memoryBytes) are ours. */
#include <inttypes.h>

#include "api/api_params.h"
#include "api/api_private.h"

enum { TOP_LINES_DEFAULT = 20, TOP_LINES_MAX = 1000 };
#define TOP_LIFETIME_MS_DEFAULT ((int64_t)10 * 60 * 1000)

static void write_seconds(struct json_writer *json, const char *key, double seconds)
{
    json_key(json, key);
    json_double(json, seconds);
}

static void write_active(
    struct json_writer *json, const struct active_query_view *v, int64_t now_ns)
{
    char text[32];
    json_begin_object(json);
    json_key(json, "duration");
    snprintf(text, sizeof(text), "%.3fs", (double)(now_ns - v->begun_ns) * 1e-9);
    json_cstring(json, text);
    json_key(json, "id");
    snprintf(text, sizeof(text), "%" PRIu64, v->id);
    json_cstring(json, text);
    json_key(json, "remote_addr");
    json_string(json, v->remote);
    json_key(json, "client");
    json_string(json, v->client);
    json_key(json, "query");
    json_string(json, v->text);
    json_key(json, "start");
    json_integer(json, v->start_ms);
    json_key(json, "end");
    json_integer(json, v->end_ms);
    json_key(json, "step");
    json_integer(json, v->step_ms);
    json_key(json, "samples");
    json_integer(json, (int64_t)v->samples);
    json_key(json, "memoryBytes");
    json_integer(json, (int64_t)v->memory_bytes);
    json_end(json);
}

void api_active_queries(struct api_request *r)
{
    const struct active_query_view *views;
    size_t count;
    int status =
        active_queries_list(&r->api->active, http_exchange_arena(r->exchange), &views, &count);
    if (status != 0) {
        api_fail(r, api_error_of(status), "%s", err_text(status));
        return;
    }
    struct api_answer a;
    int64_t now_ns = clock_monotonic_ns(r->clock);
    api_answer_begin(&a);
    json_begin_array(&a.json);
    for (size_t i = 0; i < count; i++) {
        write_active(&a.json, &views[i], now_ns);
    }
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}

void api_kill_query(struct api_request *r)
{
    uint64_t id = 0;
    struct str text = http_exchange_param(r->exchange, "id");
    if (str_to_u64(text, &id) != 0) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"id\": expected a number that /api/v1/status/active_queries shows");
    } else if (!active_queries_kill(&r->api->active, id)) {
        api_fail(r, API_ERROR_NOT_FOUND, "no query with the id %" PRIu64 " runs now", id);
    } else {
        api_reply_empty(r, 204);
    }
}

/* One list of the answer. */
static void write_top(struct json_writer *json, const char *key, struct top_query *lines,
    size_t count, size_t lines_max, enum top_order order)
{
    top_queries_sort(lines, count, order);
    json_key(json, key);
    json_begin_array(json);
    for (size_t i = 0; i < count && i < lines_max; i++) {
        const struct top_query *line = &lines[i];
        double queries = (double)line->count;
        json_begin_object(json);
        json_key(json, "query");
        json_string(json, line->text);
        json_key(json, "timeRangeSeconds");
        json_integer(json, line->range_s);
        if (order == TOP_BY_AVG_DURATION) {
            write_seconds(json, "avgDurationSeconds", (double)line->took_ns * 1e-9 / queries);
        } else if (order == TOP_BY_SUM_DURATION) {
            write_seconds(json, "sumDurationSeconds", (double)line->took_ns * 1e-9);
        } else if (order == TOP_BY_AVG_MEMORY) {
            json_key(json, "avgMemoryBytes");
            json_integer(json, (int64_t)(line->memory_bytes / line->count));
        }
        json_key(json, "count");
        json_integer(json, (int64_t)line->count);
        json_end(json);
    }
    json_end(json);
}

void api_top_queries(struct api_request *r)
{
    size_t lines_max = TOP_LINES_DEFAULT, count = 0;
    int64_t lifetime_ms;
    bool given = http_exchange_param(r->exchange, "topN").len > 0;
    if ((given && !param_limit(r, "topN", &lines_max)) ||
        !param_duration(r, "maxLifetime", TOP_LIFETIME_MS_DEFAULT, &lifetime_ms)) {
        return;
    }
    lines_max = lines_max == 0 || lines_max > TOP_LINES_MAX ? TOP_LINES_MAX : lines_max;
    struct top_query *lines;
    int status = top_queries_sum(&r->api->top, clock_now_ms(r->clock) - lifetime_ms,
        http_exchange_arena(r->exchange), &lines, &count);
    if (status != 0) {
        api_fail(r, api_error_of(status), "%s", err_text(status));
        return;
    }
    /* No envelope: clients of VictoriaMetrics read the members at the top. */
    struct strbuf body = STRBUF_INIT;
    struct json_writer json;
    char text[32];
    json_init(&json, &body);
    json_begin_object(&json);
    json_key(&json, "topN");
    snprintf(text, sizeof(text), "%zu", lines_max);
    json_cstring(&json, text);
    json_key(&json, "maxLifetime");
    snprintf(text, sizeof(text), "%gs", (double)lifetime_ms / 1000);
    json_cstring(&json, text);
    json_key(&json, "search.queryStats.lastQueriesCount");
    json_integer(&json, TOP_QUERIES_KEPT);
    json_key(&json, "search.queryStats.minQueryDuration");
    json_cstring(&json, "0s");
    write_top(&json, "topByCount", lines, count, lines_max, TOP_BY_COUNT);
    write_top(&json, "topByAvgDuration", lines, count, lines_max, TOP_BY_AVG_DURATION);
    write_top(&json, "topBySumDuration", lines, count, lines_max, TOP_BY_SUM_DURATION);
    write_top(&json, "topByAvgMemoryUsage", lines, count, lines_max, TOP_BY_AVG_MEMORY);
    json_end(&json);
    api_reply(r, 200, "application/json", &body);
}
