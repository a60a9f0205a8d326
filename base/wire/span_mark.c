/* Only the fields of the message itself are walked: a handful, however many spans they have. */
#include "wire/span_mark.h"

#include "protobuf_wire.h"
#include "wire/half_edge.h"

unsigned span_mark_read(struct str message)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    unsigned bits = 0;
    while (protobuf_next(&in, &f)) {
        if (protobuf_is(&f, SPAN_MARK_FIELD, PROTOBUF_VARINT)) {
            bits |= (unsigned)f.value;
        }
    }
    return bits;
}

void span_mark_write(struct strbuf *message, unsigned bits)
{
    if (bits != 0) {
        protobuf_put_varint(message, SPAN_MARK_FIELD, bits);
    }
}

bool span_mark_has_halves(struct str message)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    bool found = false;
    while (!found && protobuf_next(&in, &f)) {
        found = protobuf_is(&f, HALF_EDGES_FIELD, PROTOBUF_BYTES);
    }
    return found;
}
