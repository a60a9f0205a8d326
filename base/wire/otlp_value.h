/* Values of attributes as text, from protobuf, as metrics want them; private to base/wire. */
#ifndef SONDE_WIRE_OTLP_VALUE_H
#define SONDE_WIRE_OTLP_VALUE_H

#include "otlp_attribute.h"
#include "wire/otlp_metrics.h"

/* The value as text: a slice of what it came from, or in the arena. 0, ERR_LIMIT, ERR_NOMEM. */
int otlp_attribute_text(
    const struct attribute *attribute, struct arena *arena, struct str *text_out);
/* Reads all KeyValues that are field `number` of `message`. 0, ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int otlp_decode_attributes(struct str message, uint32_t number, struct arena *arena,
    struct otlp_attributes *attributes_out);
/* Bytes as lower-case hex digits, in the arena; ptr NULL when it is full. */
struct str otlp_hex(struct str bytes, struct arena *arena);

#endif
