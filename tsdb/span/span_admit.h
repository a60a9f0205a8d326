/* Which spans of a message are taken, by when they start.
 *
 * What starts far ahead of the clock would keep its block for ever; what starts before all that is kept would go
 * again at once. Such spans are taken out before the message is logged, so that they are nowhere and the next
 * start finds none of them, whatever its clock says.
 */
#ifndef SONDE_TSDB_SPAN_ADMIT_H
#define SONDE_TSDB_SPAN_ADMIT_H

#include "base/strbuf.h"
#include "wire/otlp_traces.h"

struct span_window {
    uint64_t oldest_ns, newest_ns; /* spans that start within are taken; a start of 0 never is */
};

struct span_refusals {
    uint64_t too_old, too_new;
    uint64_t faults[OTLP_SPAN_FAULT_COUNT]; /* of a message that was made anew: its walker's */
};

/* *taken_out: the message itself when nothing of it is refused, or it cannot be read, which is told by who reads
 * it next; else what is left of it, in `room`; refusals are counted. ERR_NOMEM. */
int span_admit(struct str message, struct span_window window, struct strbuf *room,
    struct str *taken_out, struct span_refusals *refusals_out);

#endif
