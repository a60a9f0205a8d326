/* Thrift's binary and compact protocols, as a cursor over untrusted bytes
 * (https://github.com/apache/thrift/tree/master/doc/specs). Private to base/wire.
 *
 *               binary                               compact
 *   field       type, id as 2 bytes; type 0: end     delta of id << 4 | type, or type and zigzag id; 0: end
 *   integers    2, 4, 8 bytes, big endian            zigzag varints
 *   double      8 bytes, big endian                  8 bytes, little endian
 *   text        length as 4 bytes, bytes             varint length, bytes
 *   list, set   type, count as 4 bytes               count << 4 | type, or 15 << 4 | type and varint count
 *   map         two types, count as 4 bytes          varint count and, unless 0, two types in a byte
 *   bool        a byte                               in the type of its field; in a list a byte, 1 is true
 *   message     0x8001 0 kind, name, sequence;       0x82, kind << 5 | 1, varint sequence, name
 *               or name, kind, sequence (old)
 */
#ifndef SONDE_WIRE_THRIFT_READER_H
#define SONDE_WIRE_THRIFT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/str.h"

enum thrift_type {
    THRIFT_STOP,
    THRIFT_BOOL,
    THRIFT_BYTE,
    THRIFT_I16,
    THRIFT_I32,
    THRIFT_I64,
    THRIFT_DOUBLE,
    THRIFT_TEXT,
    THRIFT_LIST, /* or a set */
    THRIFT_MAP,
    THRIFT_STRUCT,
    THRIFT_BAD
};

struct thrift_reader {
    struct decbuf in; /* in.failed sticks; everything read after it is empty */
    bool compact;
};

/* Set to zero at the beginning of a struct. */
struct thrift_field {
    int16_t id;
    enum thrift_type type;
    bool truth; /* a compact field of type bool has its value here */
};

/* The next field of a struct; false at its end, or when it is malformed. Its value must be read or skipped. */
bool thrift_next(struct thrift_reader *r, struct thrift_field *field);
/* Values of a field or element of that type. */
int64_t thrift_integer(struct thrift_reader *r, enum thrift_type type);
double thrift_double(struct thrift_reader *r);
struct str thrift_text(struct thrift_reader *r);
bool thrift_bool(struct thrift_reader *r, const struct thrift_field *field);
/* How many elements follow; never more than there are bytes. */
size_t thrift_list(struct thrift_reader *r, enum thrift_type *element_out);
/* Reads over a value; what is nested deeper than `depth` fails. */
void thrift_skip(struct thrift_reader *r, const struct thrift_field *field, int depth);
/* The head of a message: its name. Fails for anything but a call. */
struct str thrift_call(struct thrift_reader *r);

#endif
