/* One table of OTLP's messages (opentelemetry/proto/{common,resource,trace}/v1) and one walk down. */
#include "otlp_check.h"

#include "base/err.h"
#include "otlp_attribute.h"

/* Highest field number that any of them knows, plus one. */
enum { FIELDS = 17 };

struct field_rule {
    uint8_t known;
    uint8_t type;    /* enum protobuf_wire_type */
    uint8_t message; /* enum otlp_message: what the bytes are */
};

#define VARINT                                                                                     \
    {                                                                                              \
        1, PROTOBUF_VARINT, 0                                                                      \
    }
#define FIXED64                                                                                    \
    {                                                                                              \
        1, PROTOBUF_FIXED64, 0                                                                     \
    }
#define FIXED32                                                                                    \
    {                                                                                              \
        1, PROTOBUF_FIXED32, 0                                                                     \
    }
#define BYTES                                                                                      \
    {                                                                                              \
        1, PROTOBUF_BYTES, OTLP_MESSAGE_NONE                                                       \
    }
#define MESSAGE(name)                                                                              \
    {                                                                                              \
        1, PROTOBUF_BYTES, OTLP_MESSAGE_##name                                                     \
    }

static const struct field_rule rules[OTLP_MESSAGE_COUNT][FIELDS] = {
    [OTLP_MESSAGE_ANY] = {[1] = BYTES,
        [2] = VARINT,
        [3] = VARINT,
        [4] = FIXED64,
        [5] = MESSAGE(ARRAY),
        [6] = MESSAGE(MAP),
        [7] = BYTES},
    [OTLP_MESSAGE_ARRAY] = {[1] = MESSAGE(ANY)},
    [OTLP_MESSAGE_MAP] = {[1] = MESSAGE(KEY_VALUE)},
    [OTLP_MESSAGE_KEY_VALUE] = {[1] = BYTES, [2] = MESSAGE(ANY)},
    [OTLP_MESSAGE_RESOURCE] = {[1] = MESSAGE(KEY_VALUE), [2] = VARINT},
    [OTLP_MESSAGE_SCOPE] = {[1] = BYTES, [2] = BYTES, [3] = MESSAGE(KEY_VALUE), [4] = VARINT},
    [OTLP_MESSAGE_STATUS] = {[2] = BYTES, [3] = VARINT},
    [OTLP_MESSAGE_EVENT] = {[1] = FIXED64, [2] = BYTES, [3] = MESSAGE(KEY_VALUE), [4] = VARINT},
    [OTLP_MESSAGE_LINK] = {[1] = BYTES,
        [2] = BYTES,
        [3] = BYTES,
        [4] = MESSAGE(KEY_VALUE),
        [5] = VARINT,
        [6] = FIXED32},
    [OTLP_MESSAGE_SPAN] = {[1] = BYTES,
        [2] = BYTES,
        [3] = BYTES,
        [4] = BYTES,
        [5] = BYTES,
        [6] = VARINT,
        [7] = FIXED64,
        [8] = FIXED64,
        [9] = MESSAGE(KEY_VALUE),
        [10] = VARINT,
        [11] = MESSAGE(EVENT),
        [12] = VARINT,
        [13] = MESSAGE(LINK),
        [14] = VARINT,
        [15] = MESSAGE(STATUS),
        [16] = FIXED32},
    [OTLP_MESSAGE_SCOPE_SPANS] = {[1] = MESSAGE(SCOPE), [2] = MESSAGE(SPAN), [3] = BYTES},
    [OTLP_MESSAGE_RESOURCE_SPANS] =
        {[1] = MESSAGE(RESOURCE), [2] = MESSAGE(SCOPE_SPANS), [3] = BYTES},
    [OTLP_MESSAGE_TRACES] = {[1] = MESSAGE(RESOURCE_SPANS)},
};

static int check(enum otlp_message message, struct str bytes, int depth);

/* A message in another; nearly all are attributes, and those in their usual form. */
static inline int check_member(enum otlp_message message, struct str bytes, int depth)
{
    struct attribute a;
    bool usual = message == OTLP_MESSAGE_KEY_VALUE && depth < OTLP_VALUE_DEPTH_MAX &&
                 otlp_attribute_decode_usual(bytes, &a);
    return usual ? 0 : check(message, bytes, depth);
}

/* `depth` counts the values that lie in each other; messages cannot. */
static int check(enum otlp_message message, struct str bytes, int depth)
{
    struct decbuf in = decbuf_of(bytes.ptr, bytes.len);
    struct protobuf_field f;
    int status = 0;
    depth += message == OTLP_MESSAGE_ANY;
    if (depth > OTLP_VALUE_DEPTH_MAX) {
        return ERR_LIMIT;
    }
    while (status == 0 && protobuf_next(&in, &f)) {
        if (f.number >= FIELDS || !rules[message][f.number].known) {
            continue;
        }
        const struct field_rule *rule = &rules[message][f.number];
        if (f.type != rule->type) {
            return ERR_CORRUPT;
        }
        if (rule->message != OTLP_MESSAGE_NONE) {
            status = check_member(rule->message, f.bytes, depth);
        }
    }
    return in.failed ? ERR_CORRUPT : status;
}

int otlp_check(enum otlp_message message, struct str bytes)
{
    return check(message, bytes, 0);
}
