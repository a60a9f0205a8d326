/* AnyValue as text, the way the collector's AsString shows it: numbers in decimal, true and false, bytes
 * in base64; arrays and maps as JSON, in which texts are quoted.
 *
 *   KeyValue{key 1, value 2}
 *   AnyValue{string 1, bool 2, int 3, double 4, array 5, map 6, bytes 7}
 *   ArrayValue{values 1}  KeyValueList{values 1}
 */
#include "otlp_value.h"

#include "base/fpconv.h"
#include "base/json.h"

/* Bytes of one value as text. */
#define VALUE_BYTES_MAX ((size_t)1 << 20)

size_t otlp_count_fields(struct str message, uint32_t number)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    size_t count = 0;
    while (protobuf_next(&in, &f)) {
        count += f.number == number;
    }
    return count;
}

struct str otlp_hex(struct str bytes, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_alloc(arena, 2 * bytes.len);
    for (size_t i = 0; text != NULL && i < bytes.len; i++) {
        text[2 * i] = digits[(uint8_t)bytes.ptr[i] >> 4];
        text[2 * i + 1] = digits[(uint8_t)bytes.ptr[i] & 15];
    }
    return text != NULL ? str_make(text, 2 * bytes.len) : str_make(NULL, 0);
}

/* ---- Values inside arrays and maps: JSON ---- */

static int write_value(struct json_writer *json, struct str value, int depth);

/* ArrayValue, or KeyValueList when `map`. */
static int write_values(struct json_writer *json, struct str list, bool map, int depth)
{
    struct decbuf in = decbuf_of(list.ptr, list.len);
    struct protobuf_field f;
    int status = 0;
    map ? json_begin_object(json) : json_begin_array(json);
    while (status == 0 && protobuf_next(&in, &f)) {
        if (!protobuf_is(&f, 1, PROTOBUF_BYTES)) {
            continue;
        }
        struct str value = f.bytes;
        if (map) {
            struct decbuf pair = decbuf_of(f.bytes.ptr, f.bytes.len);
            struct protobuf_field part;
            struct str key = STR("");
            value = STR("");
            while (protobuf_next(&pair, &part)) {
                if (protobuf_is(&part, 1, PROTOBUF_BYTES)) {
                    key = part.bytes;
                } else if (protobuf_is(&part, 2, PROTOBUF_BYTES)) {
                    value = part.bytes;
                }
            }
            in.failed = in.failed || pair.failed;
            json_key_str(json, key);
        }
        status = write_value(json, value, depth + 1);
    }
    json_end(json);
    return in.failed ? ERR_CORRUPT : status;
}

static int write_value(struct json_writer *json, struct str value, int depth)
{
    struct decbuf in = decbuf_of(value.ptr, value.len);
    struct protobuf_field f = {0};
    if (depth > OTLP_VALUE_DEPTH_MAX) {
        return ERR_LIMIT;
    }
    if (!protobuf_next(&in, &f)) {
        json_null(json);
        return in.failed ? ERR_CORRUPT : 0;
    }
    switch (f.number) {
    case 1:
        json_string(json, f.type == PROTOBUF_BYTES ? f.bytes : STR(""));
        return f.type == PROTOBUF_BYTES ? 0 : ERR_CORRUPT;
    case 2:
        json_bool(json, f.value != 0);
        return f.type == PROTOBUF_VARINT ? 0 : ERR_CORRUPT;
    case 3:
        json_integer(json, (int64_t)f.value);
        return f.type == PROTOBUF_VARINT ? 0 : ERR_CORRUPT;
    case 4:
        json_double(json, double_from_bits(f.value));
        return f.type == PROTOBUF_FIXED64 ? 0 : ERR_CORRUPT;
    case 5:
    case 6:
        return f.type == PROTOBUF_BYTES ? write_values(json, f.bytes, f.number == 6, depth)
                                        : ERR_CORRUPT;
    case 7: {
        struct strbuf text;
        strbuf_init(&text, VALUE_BYTES_MAX);
        strbuf_add_c(&text, ""); /* so that there is a text, if an empty one */
        strbuf_add_base64(&text, f.type == PROTOBUF_BYTES ? f.bytes : STR(""));
        json_string(json, strbuf_str(&text));
        int status = strbuf_error(&text);
        strbuf_release(&text);
        return status;
    }
    default:
        json_null(json);
        return 0;
    }
}

/* ---- The value of an attribute ---- */

/* A scalar in its own text; the rest as JSON. */
static int write_text(struct strbuf *out, const struct protobuf_field *f, struct str value)
{
    struct json_writer json;
    switch (f->number) {
    case 2:
        strbuf_add_c(out, f->value != 0 ? "true" : "false");
        return f->type == PROTOBUF_VARINT ? 0 : ERR_CORRUPT;
    case 3:
        strbuf_add_i64(out, (int64_t)f->value);
        return f->type == PROTOBUF_VARINT ? 0 : ERR_CORRUPT;
    case 4:
        strbuf_add_double(out, double_from_bits(f->value));
        return f->type == PROTOBUF_FIXED64 ? 0 : ERR_CORRUPT;
    case 7:
        strbuf_add_base64(out, f->type == PROTOBUF_BYTES ? f->bytes : STR(""));
        return f->type == PROTOBUF_BYTES ? 0 : ERR_CORRUPT;
    default:
        json_init(&json, out);
        return write_value(&json, value, 0);
    }
}

static int decode_value(struct str value, struct arena *arena, struct str *text_out)
{
    struct decbuf in = decbuf_of(value.ptr, value.len);
    struct protobuf_field f = {0};
    *text_out = STR("");
    if (!protobuf_next(&in, &f)) {
        return in.failed ? ERR_CORRUPT : 0;
    }
    if (f.number == 1) {
        *text_out = f.bytes;
        return f.type == PROTOBUF_BYTES ? 0 : ERR_CORRUPT;
    }
    if (f.number > 7) {
        return 0; /* a kind of a later version */
    }
    struct strbuf text;
    strbuf_init(&text, VALUE_BYTES_MAX);
    strbuf_add_c(&text, "");
    int status = write_text(&text, &f, value);
    status = status == 0 ? strbuf_error(&text) : status;
    if (status == 0) {
        char *copy = arena_strndup(arena, text.data, text.size);
        *text_out = str_make(copy, text.size);
        status = copy == NULL ? arena_error(arena) : 0;
    }
    strbuf_release(&text);
    return status;
}

static int decode_pair(struct str pair, struct arena *arena, struct label *label_out)
{
    struct decbuf in = decbuf_of(pair.ptr, pair.len);
    struct protobuf_field f;
    int status = 0;
    *label_out = (struct label){STR(""), STR("")};
    while (status == 0 && protobuf_next(&in, &f)) {
        if (f.number > 2) {
            continue;
        }
        if (f.type != PROTOBUF_BYTES) {
            return ERR_CORRUPT;
        }
        if (f.number == 1) {
            label_out->name = f.bytes;
        } else {
            status = decode_value(f.bytes, arena, &label_out->value);
        }
    }
    return in.failed ? ERR_CORRUPT : status;
}

int otlp_decode_attributes(struct str message, uint32_t number, struct arena *arena,
    struct otlp_attributes *attributes_out)
{
    size_t cap = otlp_count_fields(message, number), count = 0;
    struct label *items = arena_calloc(arena, cap, sizeof(*items));
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    int status = items == NULL ? arena_error(arena) : 0;
    while (status == 0 && count < cap && protobuf_next(&in, &f)) {
        if (f.number == number) {
            status = f.type == PROTOBUF_BYTES ? decode_pair(f.bytes, arena, &items[count++])
                                              : ERR_CORRUPT;
        }
    }
    *attributes_out = (struct otlp_attributes){items, count};
    return status;
}
