/* sonde_grpc_*: a counter a status, a counter a reason to close, and how many connections there are. */
#include "grpc_server_metrics.h"

#include "base/metrics.h"

#define CALLS(text)                                                                                \
    {                                                                                              \
        .name = "sonde_grpc_calls_total", .labels = "code=\"" text "\"",                           \
        .help = "Calls of gRPC by the status of their answer.", .kind = METRIC_COUNTER             \
    }

static struct metric calls[GRPC_STATUS_COUNT] = {
    [GRPC_OK] = CALLS("OK"),
    [GRPC_CANCELLED] = CALLS("CANCELLED"),
    [GRPC_UNKNOWN] = CALLS("UNKNOWN"),
    [GRPC_INVALID_ARGUMENT] = CALLS("INVALID_ARGUMENT"),
    [GRPC_DEADLINE_EXCEEDED] = CALLS("DEADLINE_EXCEEDED"),
    [GRPC_NOT_FOUND] = CALLS("NOT_FOUND"),
    [GRPC_PERMISSION_DENIED] = CALLS("PERMISSION_DENIED"),
    [GRPC_RESOURCE_EXHAUSTED] = CALLS("RESOURCE_EXHAUSTED"),
    [GRPC_UNIMPLEMENTED] = CALLS("UNIMPLEMENTED"),
    [GRPC_INTERNAL] = CALLS("INTERNAL"),
    [GRPC_UNAVAILABLE] = CALLS("UNAVAILABLE"),
    [GRPC_UNAUTHENTICATED] = CALLS("UNAUTHENTICATED"),
};

#define CLOSED(reason)                                                                             \
    {                                                                                              \
        .name = "sonde_grpc_connections_closed_total", .labels = "reason=\"" reason "\"",          \
        .help = "Connections of gRPC that were refused or closed, by reason.",                     \
        .kind = METRIC_COUNTER                                                                     \
    }

static struct metric closed[GRPC_CLOSED_COUNT] = {
    [GRPC_CLOSED_CONNECTIONS] = CLOSED("too_many"),
    [GRPC_CLOSED_PROTOCOL] = CLOSED("protocol"),
    [GRPC_CLOSED_TLS] = CLOSED("tls"),
    [GRPC_CLOSED_HANDSHAKE] = CLOSED("handshake"),
    [GRPC_CLOSED_IDLE] = CLOSED("idle"),
    [GRPC_CLOSED_UNREAD] = CLOSED("unread"),
    [GRPC_CLOSED_RESETS] = CLOSED("resets"),
    [GRPC_CLOSED_FLOOD] = CLOSED("flood"),
};

static struct metric connections = {
    .name = "sonde_grpc_connections",
    .help = "Connections of gRPC that are open.",
    .kind = METRIC_GAUGE,
};

void grpc_metrics_register(void)
{
    for (size_t i = 0; i < GRPC_STATUS_COUNT; i++) {
        if (calls[i].name != NULL) {
            (void)metrics_register(&calls[i]); /* a full registry: counted, not shown */
        }
    }
    for (size_t i = 0; i < GRPC_CLOSED_COUNT; i++) {
        (void)metrics_register(&closed[i]);
    }
    (void)metrics_register(&connections);
}

void grpc_metrics_answered(enum grpc_status status)
{
    metric_add(&calls[status], 1);
}

void grpc_metrics_closed(enum grpc_closed why)
{
    metric_add(&closed[why], 1);
}

void grpc_metrics_connections(int by)
{
    metric_add(&connections, by);
}
