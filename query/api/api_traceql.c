#include "api/api_traceql.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/api_params.h"
#include "api/api_private.h"
#include "base/log.h"
#include "trace/trace_duration.h"
#include "trace/trace_names.h"

/* Numbers from here on are nanoseconds: as seconds they would lie beyond all calendars. */
#define NANOSECONDS_MIN UINT64_C(100000000000000000)

int api_open_spans(struct api_request *r, struct span_view **view_out, struct err *e)
{
    if (r->api->backend.spans == NULL) {
        return err_set(e, ERR_CLOSED, -1, "traces are not kept here");
    }
    return span_store_view(r->api->backend.spans, view_out, e);
}

static bool is_abandoned(void *exchange)
{
    return http_exchange_is_abandoned(exchange);
}

void api_trace_budget(struct api_request *r, struct trace_budget *budget_out)
{
    int64_t timeout_ms = atomic_load(&r->api->timeout_ms);
    *budget_out = (struct trace_budget){.clock = r->clock,
        .deadline_ns = timeout_ms > 0 ? r->begun_ns + timeout_ms * 1000000 : 0,
        .canceled = &r->api->canceled,
        .abandoned = is_abandoned,
        .context = r->exchange};
}

int api_trace_time(struct api_request *r, const char *name, uint64_t *ns, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, name);
    struct err unused = ERR_INIT;
    uint64_t number;
    int64_t ms;
    if (text.len == 0) {
        return 0;
    }
    if (str_to_u64(text, &number) == 0 && number >= NANOSECONDS_MIN) {
        *ns = number;
        return 0;
    }
    if (api_parse_time(text, &ms, &unused) != 0 || ms < 0 || (uint64_t)ms > UINT64_MAX / 1000000) {
        return err_set(e, ERR_INVALID, -1,
            "%s: expected seconds or nanoseconds since 1970, or a time like 2026-11-22T10:00:00Z",
            name);
    }
    *ns = (uint64_t)ms * 1000000;
    return 0;
}

int api_trace_count(
    struct api_request *r, const char *name, size_t most, size_t *count, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, name);
    uint64_t number = *count;
    if (text.len > 0 && (str_to_u64(text, &number) != 0 || number == 0)) {
        return err_set(e, ERR_INVALID, -1, "%s: expected a number above 0", name);
    }
    *count = number < most ? (size_t)number : most;
    return 0;
}

int api_trace_duration(struct api_request *r, const char *name, uint64_t *ns, struct err *e)
{
    struct str text = http_exchange_param(r->exchange, name);
    if (text.len > 0 && trace_duration_parse(text, ns) != 0) {
        return err_set(
            e, ERR_INVALID, -1, "%s: expected a duration like 1.2s, 100ms or 500us", name);
    }
    return 0;
}

void api_trace_warn(struct api_request *r, const char *format, ...)
{
    enum { SENTENCE_MAX = 200 };
    char sentence[SENTENCE_MAX], header[SENTENCE_MAX + 16];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments); /* cut, if it must be */
    va_end(arguments);
    (void)snprintf(header, sizeof(header), "299 sonde \"%s\"", sentence);
    http_exchange_set_header(r->exchange, "Warning", header);
}

void api_trace_warn_names(struct api_request *r, bool cut)
{
    if (cut) {
        api_trace_warn(r,
            "the list is cut: at most %d entries, or as many as asked for, of the newest %d pages "
            "of spans",
            TRACE_NAMES_MAX, TRACE_NAMES_PAGES_MAX);
    }
}

void api_trace_say_missing(struct api_request *r, uint64_t left_out, bool damaged)
{
    if (left_out > 0) {
        api_trace_warn(r, "%llu more spans are left out: %zu of a trace are shown",
            (unsigned long long)left_out, SPAN_TRACE_SPANS_MAX);
    }
    if (damaged) {
        LOG_WARN("traces: an answer leaves damaged pages out");
        api_trace_warn(r, "parts of the store cannot be read: what they hold is missing");
    }
}

void api_plain_begin(struct api_plain *a)
{
    strbuf_init(&a->body, STRBUF_LIMIT_DEFAULT);
    json_init(&a->json, &a->body);
}

void api_plain_send(struct api_request *r, struct api_plain *a, int status, struct err *e)
{
    status = status == 0 ? strbuf_error(&a->body) : status;
    if (status != 0) {
        strbuf_release(&a->body);
        e->code = status;
        api_fail_with(r, e);
        return;
    }
    api_reply(r, 200, "application/json", &a->body);
}
