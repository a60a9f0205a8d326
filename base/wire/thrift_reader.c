/* A cursor over Thrift. */
#include "thrift_reader.h"

enum {
    COMPACT_TRUE = 1,
    COMPACT_ID = 0x82,
    COMPACT_VERSION = 1,
    BINARY_STRICT = 0x8001,
    CALL = 1,
    ONEWAY = 4,
};

static const enum thrift_type binary_types[16] = {THRIFT_STOP, THRIFT_BAD, THRIFT_BOOL, THRIFT_BYTE,
    THRIFT_DOUBLE, THRIFT_BAD, THRIFT_I16, THRIFT_BAD, THRIFT_I32, THRIFT_BAD, THRIFT_I64,
    THRIFT_TEXT, THRIFT_STRUCT, THRIFT_MAP, THRIFT_LIST, THRIFT_LIST};

static const enum thrift_type compact_types[16] = {THRIFT_STOP, THRIFT_BOOL, THRIFT_BOOL,
    THRIFT_BYTE, THRIFT_I16, THRIFT_I32, THRIFT_I64, THRIFT_DOUBLE, THRIFT_TEXT, THRIFT_LIST,
    THRIFT_LIST, THRIFT_MAP, THRIFT_STRUCT, THRIFT_BAD, THRIFT_BAD, THRIFT_BAD};

static bool fail(struct thrift_reader *r)
{
    r->in.failed = true;
    return false;
}

/* Of an element or a field: bad and stop are refused where a value is to come. */
static enum thrift_type type_of(struct thrift_reader *r, unsigned number)
{
    enum thrift_type type = number > 15  ? THRIFT_BAD
                            : r->compact ? compact_types[number]
                                         : binary_types[number];
    if (type == THRIFT_BAD) {
        (void)fail(r);
    }
    return type;
}

/* Big endian. */
static uint64_t fixed(struct thrift_reader *r, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | decbuf_u8(&r->in);
    }
    return value;
}

bool thrift_next(struct thrift_reader *r, struct thrift_field *field)
{
    unsigned head = decbuf_u8(&r->in);
    field->type = type_of(r, r->compact ? head & 15 : head);
    if (r->in.failed || field->type == THRIFT_STOP) {
        return false;
    }
    if (!r->compact) {
        field->id = (int16_t)fixed(r, 2);
        return !r->in.failed;
    }
    field->truth = (head & 15) == COMPACT_TRUE;
    if (head >> 4 == 0) {
        int64_t id = decbuf_svarint(&r->in);
        field->id = (int16_t)id;
        return id >= INT16_MIN && id <= INT16_MAX ? !r->in.failed : fail(r);
    }
    if (field->id > INT16_MAX - 15) {
        return fail(r);
    }
    field->id = (int16_t)(field->id + (int)(head >> 4));
    return true;
}

int64_t thrift_integer(struct thrift_reader *r, enum thrift_type type)
{
    if (type == THRIFT_BYTE) {
        return (int8_t)decbuf_u8(&r->in);
    }
    if (type != THRIFT_I16 && type != THRIFT_I32 && type != THRIFT_I64) {
        (void)fail(r);
        return 0;
    }
    if (r->compact) {
        return decbuf_svarint(&r->in);
    }
    return type == THRIFT_I16   ? (int16_t)fixed(r, 2)
           : type == THRIFT_I32 ? (int32_t)fixed(r, 4)
                                : (int64_t)fixed(r, 8);
}

double thrift_double(struct thrift_reader *r)
{
    return double_from_bits(r->compact ? decbuf_le64(&r->in) : fixed(r, 8));
}

struct str thrift_text(struct thrift_reader *r)
{
    uint64_t size = r->compact ? decbuf_uvarint(&r->in) : fixed(r, 4);
    return decbuf_bytes(&r->in, size);
}

bool thrift_bool(struct thrift_reader *r, const struct thrift_field *field)
{
    return r->compact ? field->truth : decbuf_u8(&r->in) != 0;
}

static size_t bounded(struct thrift_reader *r, uint64_t count)
{
    if (count > decbuf_left(&r->in)) {
        (void)fail(r);
    }
    return r->in.failed ? 0 : (size_t)count;
}

size_t thrift_list(struct thrift_reader *r, enum thrift_type *element_out)
{
    unsigned head = decbuf_u8(&r->in);
    uint64_t count;
    *element_out = type_of(r, r->compact ? head & 15 : head);
    if (r->compact) {
        count = head >> 4 == 15 ? decbuf_uvarint(&r->in) : head >> 4;
    } else {
        count = fixed(r, 4);
    }
    if (*element_out == THRIFT_STOP && count > 0) {
        (void)fail(r);
    }
    return bounded(r, count);
}

/* ---- Skipping ---- */

static void skip_value(struct thrift_reader *r, enum thrift_type type, int depth);

static void skip_struct(struct thrift_reader *r, int depth)
{
    struct thrift_field field = {0};
    while (thrift_next(r, &field)) {
        thrift_skip(r, &field, depth);
    }
}

static void skip_map(struct thrift_reader *r, int depth)
{
    enum thrift_type key = THRIFT_STOP, value = THRIFT_STOP;
    size_t count;
    if (r->compact) {
        count = bounded(r, decbuf_uvarint(&r->in));
        unsigned types = count > 0 ? decbuf_u8(&r->in) : 0;
        key = type_of(r, types >> 4);
        value = type_of(r, types & 15);
    } else {
        key = type_of(r, decbuf_u8(&r->in));
        value = type_of(r, decbuf_u8(&r->in));
        count = bounded(r, fixed(r, 4));
    }
    if (count > 0 && (key == THRIFT_STOP || value == THRIFT_STOP)) {
        (void)fail(r);
    }
    for (size_t i = 0; i < count && !r->in.failed; i++) {
        skip_value(r, key, depth);
        skip_value(r, value, depth);
    }
}

static void skip_list(struct thrift_reader *r, int depth)
{
    enum thrift_type element;
    size_t count = thrift_list(r, &element);
    for (size_t i = 0; i < count && !r->in.failed; i++) {
        skip_value(r, element, depth);
    }
}

/* Not of a compact field of type bool, which has no bytes. */
static void skip_value(struct thrift_reader *r, enum thrift_type type, int depth)
{
    if (depth == 0) {
        (void)fail(r);
        return;
    }
    switch (type) {
    case THRIFT_BOOL:
        (void)decbuf_u8(&r->in);
        break;
    case THRIFT_DOUBLE:
        (void)thrift_double(r);
        break;
    case THRIFT_TEXT:
        (void)thrift_text(r);
        break;
    case THRIFT_LIST:
        skip_list(r, depth - 1);
        break;
    case THRIFT_MAP:
        skip_map(r, depth - 1);
        break;
    case THRIFT_STRUCT:
        skip_struct(r, depth - 1);
        break;
    default:
        (void)thrift_integer(r, type);
        break;
    }
}

void thrift_skip(struct thrift_reader *r, const struct thrift_field *field, int depth)
{
    if (!r->compact || field->type != THRIFT_BOOL) {
        skip_value(r, field->type, depth);
    }
}

/* ---- Messages ---- */

struct str thrift_call(struct thrift_reader *r)
{
    unsigned kind;
    struct str name;
    if (r->compact) {
        unsigned id = decbuf_u8(&r->in), head = decbuf_u8(&r->in);
        kind = head >> 5;
        (void)decbuf_uvarint(&r->in); /* sequence */
        name = thrift_text(r);
        if (id != COMPACT_ID || (head & 31) != COMPACT_VERSION) {
            (void)fail(r);
        }
    } else {
        uint64_t head = fixed(r, 4);
        bool strict = head >> 16 == BINARY_STRICT;
        name = strict ? thrift_text(r) : decbuf_bytes(&r->in, head);
        kind = strict ? (unsigned)(head & 255) : decbuf_u8(&r->in);
        (void)fixed(r, 4); /* sequence */
    }
    if (kind != CALL && kind != ONEWAY) {
        (void)fail(r);
    }
    return r->in.failed ? STR("") : name;
}
