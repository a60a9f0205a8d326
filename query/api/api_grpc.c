/* OTLP over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc): metrics and traces, as rows of a table
 * of methods. What becomes of a message is said in otlp_take.h, statuses in base/grpc_server.h.
 *
 * The key `ack` of the metadata with the value `durable` asks for what the parameter of that name does over
 * HTTP. Logs are not kept here: their method is UNIMPLEMENTED, which a sender takes as final.
 */
#include "api/api.h"
#include "api/api_private.h"
#include "api/otlp_take.h"

static bool refuse_by_stage(struct grpc_call *call, const struct api *api)
{
    const struct api_program *program = &api->program;
    int stage = atomic_load_explicit(&api->stage, memory_order_acquire);
    const char *why = stage == API_STARTING  ? "The server is starting; try again soon."
                      : stage != API_SERVING ? "The server is being stopped; try again later."
                      : program->admit != NULL && !program->admit(program->context)
                          ? "The server is near its memory limit; try again soon."
                          : NULL;
    if (why != NULL) {
        grpc_call_fail(call, GRPC_UNAVAILABLE, why, GRPC_RETRY_AFTER_MS);
    }
    return why != NULL;
}

static void take(struct grpc_call *call, struct api *api, otlp_take *take_message)
{
    struct strbuf answer = STRBUF_INIT;
    struct err e = ERR_INIT;
    const struct otlp_message message = {.api = api,
        .bytes = grpc_call_message(call),
        .wire_size = grpc_call_message(call).len,
        .durable = str_eq_c(grpc_call_metadata(call, "ack"), "durable")};
    if (refuse_by_stage(call, api)) {
        return;
    }
    int status = take_message(&message, &answer, &e);
    if (status == 0) {
        grpc_call_reply(call, &answer);
    } else {
        grpc_call_fail_with(call, status, e.message, GRPC_RETRY_AFTER_MS);
    }
    strbuf_release(&answer);
}

static void take_metrics(struct grpc_call *call, void *context)
{
    take(call, context, otlp_take_metrics);
}

static void take_traces(struct grpc_call *call, void *context)
{
    take(call, context, otlp_take_traces);
}

void api_grpc_init(struct api *api)
{
    const struct grpc_method methods[] = {
        {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", take_metrics, api,
            "Takes OTLP metrics"},
        {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", take_traces, api,
            "Takes OTLP traces"},
    };
    _Static_assert(
        sizeof(methods) <= sizeof(api->grpc_methods), "API_GRPC_METHODS_MAX is too small");
    memcpy(api->grpc_methods, methods, sizeof(methods));
    api->grpc_method_count = sizeof(methods) / sizeof(methods[0]);
}

const struct grpc_method *api_grpc_methods(const struct api *api, size_t *count_out)
{
    *count_out = api->grpc_method_count;
    return api->grpc_methods;
}
