/* OTLP over gRPC: a method a signal. */
#include "receive/receive_grpc.h"

#include <string.h>

#include "base/log.h"
#include "receive/receive_otlp.h"
#include "receive/receive_private.h"

static void take_call(
    struct receive *r, struct grpc_call *call, const struct receive_otlp_signal *signal)
{
    struct err e = ERR_INIT;
    struct strbuf answer = STRBUF_INIT;
    const struct receive_otlp_message m = {
        .bytes = grpc_call_message(call), .protocol = SPAN_OTLP_GRPC};
    int status = signal->admit(r, m.protocol, &e);
    status = status == 0 ? signal->take(r, &m, &answer, &e) : status;
    (void)receive_count_message(r, RECEIVE_OTLP, status); /* RetryInfo goes by the code */
    if (status == 0) {
        grpc_call_reply(call, &answer);
    } else {
        grpc_call_fail_with(call, status, e.message, INTAKE_RETRY_AFTER_MS);
    }
    strbuf_release(&answer);
}

static void take_metrics(struct grpc_call *call, void *context)
{
    take_call(context, call, &receive_otlp_metrics_signal);
}

static void take_traces(struct grpc_call *call, void *context)
{
    take_call(context, call, &receive_otlp_traces_signal);
}

int receive_grpc_open(struct receive *r, struct err *e)
{
    const struct receive_options *o = &r->options;
    const struct grpc_method methods[RECEIVE_GRPC_METHODS_MAX] = {
        {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", take_metrics, r,
            "Takes OTLP metrics"},
        {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", take_traces, r,
            "Takes OTLP traces"},
    };
    if (o->grpc_address[0] == '\0') {
        return 0;
    }
    memcpy(r->grpc_methods, methods, sizeof(methods)); /* the server borrows them for its life */
    const struct grpc_server_options options = {
        .address = o->grpc_address,
        .methods = r->grpc_methods,
        .method_count = RECEIVE_GRPC_METHODS_MAX,
        .loop = o->loop,
        .connections_max = RECEIVE_CONNECTIONS_MAX,
        .message_max = receive_body_max(r),
        .messages_max = 2 * receive_bodies_max(r), /* compressed and not */
        .web_config_file = o->web_config,
        .web_config_changed = o->web_config_changed,
        .clock = o->clock,
    };
    int status = grpc_server_start(&options, &r->grpc, e);
    if (status == ERR_BUSY && o->grpc_address_is_default) {
        LOG_WARN("receive: the address is in use, nothing is received over gRPC",
            LOG_S("address", o->grpc_address));
        return 0;
    }
    return status;
}
