/* Is a message of OTLP sound all the way down? Private to base/wire.
 *
 * Checked before anything of it is used, so that what walks it afterwards need not look back.
 */
#ifndef SONDE_WIRE_OTLP_CHECK_H
#define SONDE_WIRE_OTLP_CHECK_H

#include "base/str.h"

enum otlp_message {
    OTLP_MESSAGE_NONE, /* plain bytes */
    OTLP_MESSAGE_ANY,
    OTLP_MESSAGE_ARRAY,
    OTLP_MESSAGE_MAP,
    OTLP_MESSAGE_KEY_VALUE,
    OTLP_MESSAGE_RESOURCE,
    OTLP_MESSAGE_SCOPE,
    OTLP_MESSAGE_STATUS,
    OTLP_MESSAGE_EVENT,
    OTLP_MESSAGE_LINK,
    OTLP_MESSAGE_SPAN,
    OTLP_MESSAGE_SCOPE_SPANS,
    OTLP_MESSAGE_RESOURCE_SPANS,
    OTLP_MESSAGE_TRACES,
    OTLP_MESSAGE_COUNT,
};

/* 0; ERR_CORRUPT: cut off, or a known field of a wrong wire type; ERR_LIMIT: values nested deeper than
 * OTLP_VALUE_DEPTH_MAX. Unknown fields are fine. */
int otlp_check(enum otlp_message message, struct str bytes);

#endif
