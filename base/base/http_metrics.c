/* sonde_http_*: one counter a class of status, one histogram and one overflow counter a lane, one counter a reason
 * to end a connection. */
#include "http_metrics.h"

#include <assert.h>

#include "base/metrics.h"

#define REPLIES(class)                                                                             \
    {                                                                                              \
        .name = "sonde_http_responses_total", .labels = "class=\"" class "\"",                     \
        .help = "Replies by class of their status.", .kind = METRIC_COUNTER                        \
    }

/* From 2xx; nothing below is ever sent by a handler. */
static struct metric replies[] = {REPLIES("2xx"), REPLIES("3xx"), REPLIES("4xx"), REPLIES("5xx")};

static const double bounds[] = {0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60};

#define DURATION(lane)                                                                             \
    {                                                                                              \
        .name = "sonde_http_request_duration_seconds", .labels = "lane=\"" lane "\"",              \
        .help = "Time from the request line to the reply.", .kind = METRIC_HISTOGRAM,              \
        .scale = 1e-9, .bounds = bounds, .bound_count = sizeof(bounds) / sizeof(bounds[0])         \
    }

static struct metric durations[HTTP_LANE_COUNT] = {
    [HTTP_LANE_DIRECT] = DURATION("direct"),
    [HTTP_LANE_INGEST] = DURATION("ingest"),
    [HTTP_LANE_QUERY] = DURATION("query"),
};

#define LANE_FULL(lane)                                                                            \
    {                                                                                              \
        .name = "sonde_http_lane_full_total", .labels = "lane=\"" lane "\"",                       \
        .help = "Requests refused because their lane had no room.", .kind = METRIC_COUNTER         \
    }

static struct metric full[HTTP_LANE_COUNT] = {
    [HTTP_LANE_DIRECT] = LANE_FULL("direct"),
    [HTTP_LANE_INGEST] = LANE_FULL("ingest"),
    [HTTP_LANE_QUERY] = LANE_FULL("query"),
};

#define CUT(reason)                                                                                \
    {                                                                                              \
        .name = "sonde_http_connections_cut_total", .labels = "reason=\"" reason "\"",             \
        .help = "Connections ended because there were too many, or because a request took too "    \
                "long to arrive.",                                                                 \
        .kind = METRIC_COUNTER                                                                     \
    }

static struct metric cuts[] = {[HTTP_CUT_CROWD] = CUT("crowd"), [HTTP_CUT_SLOW] = CUT("slow")};

static void register_all(struct metric *metrics, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)metrics_register(&metrics[i]); /* a full registry: counted, not shown */
    }
}

void http_metrics_register(void)
{
    register_all(replies, sizeof(replies) / sizeof(replies[0]));
    register_all(durations, HTTP_LANE_COUNT);
    register_all(full, HTTP_LANE_COUNT);
    register_all(cuts, sizeof(cuts) / sizeof(cuts[0]));
}

void http_metrics_refusal(unsigned status)
{
    assert(status >= 200 && status <= 599);
    metric_add(&replies[status / 100 - 2], 1);
}

void http_metrics_reply(enum http_lane lane, unsigned status, int64_t duration_ns)
{
    http_metrics_refusal(status);
    metric_observe(&durations[lane], duration_ns);
}

void http_metrics_lane_full(enum http_lane lane)
{
    metric_add(&full[lane], 1);
}

void http_metrics_cut(enum http_cut why)
{
    metric_add(&cuts[why], 1);
}
