/* Attributes from and to protobuf (opentelemetry/proto/common/v1/common.proto); private to base/wire.
 *
 *   KeyValue{key 1, value 2}
 *   AnyValue{string 1, bool 2, int 3, double 4, array 5, map 6, bytes 7}
 *   ArrayValue{values 1}  KeyValueList{values 1}
 */
#ifndef SONDE_WIRE_OTLP_ATTRIBUTE_H
#define SONDE_WIRE_OTLP_ATTRIBUTE_H

#include "model/span.h"
#include "protobuf_wire.h"

/* How deep arrays and maps may lie in each other. */
enum { OTLP_VALUE_DEPTH_MAX = 16 };

/* Field `number` of a message, repeated: how many there are. */
size_t otlp_count_fields(struct str message, uint32_t number);
/* An AnyValue into kind and value; kinds of later versions are empty. 0 or ERR_CORRUPT. */
int otlp_any_decode(struct str any, struct attribute *value_out);
/* A KeyValue. Texts are slices of it. 0 or ERR_CORRUPT. */
int otlp_attribute_decode(struct str pair, struct attribute *attribute_out);
/* As field `number`. */
void otlp_attribute_encode(struct strbuf *out, uint32_t number, const struct attribute *attribute);
void otlp_attributes_encode(struct strbuf *out, uint32_t number, struct attributes attributes);
/* What is behind key and length of a field of `size` bytes. */
size_t otlp_any_size(const struct attribute *value);
void otlp_any_encode(struct strbuf *out, const struct attribute *value);

#endif
