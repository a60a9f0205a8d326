/* What agents have done with the spans of a message, said in the message: an agent behind them does not do it again.
 *
 *   TracesData{span_mark 15002}   varint, of these bits; several are joined
 *
 *   1   span metrics count its spans
 *   2   halves of calls were sent of its spans (wire/half_edge.h)
 *
 * Receivers of OTLP skip the field, as protobuf wants it; unknown bits are kept.
 */
#ifndef SONDE_WIRE_SPAN_MARK_H
#define SONDE_WIRE_SPAN_MARK_H

#include <stdbool.h>

#include "base/str.h"
#include "base/strbuf.h"

#define SPAN_MARK_FIELD 15002u
#define SPAN_MARK_METRICS 1u
#define SPAN_MARK_HALVES 2u

/* The bits of a message whose form was checked; 0: none. */
unsigned span_mark_read(struct str message);
/* Adds bits to a message; 0 adds nothing. */
void span_mark_write(struct strbuf *message, unsigned bits);
/* Whether it carries halves of calls. */
bool span_mark_has_halves(struct str message);

#endif
