/* Messages without spans of another time. */
#include "span/span_admit.h"

static bool is_within(struct span_window window, uint64_t start_ns)
{
    return start_ns != 0 && start_ns >= window.oldest_ns && start_ns <= window.newest_ns;
}

/* The message anew: spans, resources and scopes as they came. */
static int copy_within(struct otlp_traces *walker, struct span_window window, struct strbuf *room,
    struct span_refusals *refusals)
{
    struct otlp_traces_encoder encoder;
    struct otlp_span span;
    int more;
    otlp_traces_encoder_init(&encoder, room);
    while ((more = otlp_traces_skim(walker, &span)) == 1) {
        if (is_within(window, span.span.start_ns)) {
            otlp_traces_encoder_add(&encoder, &span);
        } else if (span.span.start_ns > window.newest_ns) {
            refusals->too_new++;
        } else {
            refusals->too_old++;
        }
    }
    otlp_traces_encoder_finish(&encoder);
    for (size_t f = 0; f < OTLP_SPAN_FAULT_COUNT; f++) {
        refusals->faults[f] = otlp_traces_faults(walker, (enum otlp_span_fault)f);
    }
    return more != 0 ? more : strbuf_error(room);
}

int span_admit(struct str message, struct span_window window, struct strbuf *room,
    struct str *taken_out, struct span_refusals *refusals_out)
{
    struct otlp_traces *walker = NULL;
    uint64_t least = UINT64_MAX, greatest = 0;
    int status = otlp_traces_starts(message, &least, &greatest);
    *refusals_out = (struct span_refusals){.too_old = 0};
    *taken_out = message;
    bool none = least > greatest;
    if (status != 0 || none || (is_within(window, least) && is_within(window, greatest))) {
        return 0;
    }
    status = otlp_traces_new(&walker);
    if (status == 0 && otlp_traces_begin(walker, message, NULL) == 0) {
        status = copy_within(walker, window, room, refusals_out);
        *taken_out = strbuf_str(room);
    }
    otlp_traces_free(walker);
    return status;
}
