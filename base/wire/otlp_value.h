/* Values of attributes as text, from protobuf; private to base/wire. */
#ifndef SONDE_WIRE_OTLP_VALUE_H
#define SONDE_WIRE_OTLP_VALUE_H

#include "protobuf_wire.h"
#include "wire/otlp_metrics.h"

/* How deep arrays and maps may lie in each other. */
enum { OTLP_VALUE_DEPTH_MAX = 16 };

/* Field `number` of a message, repeated: how many there are. */
size_t otlp_count_fields(struct str message, uint32_t number);
/* Reads all KeyValues that are field `number` of `message`. 0, ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM. */
int otlp_decode_attributes(struct str message, uint32_t number, struct arena *arena,
    struct otlp_attributes *attributes_out);
/* Bytes as lower-case hex digits, in the arena; ptr NULL when it is full. */
struct str otlp_hex(struct str bytes, struct arena *arena);

#endif
