/* Attributes: their bytes in protobuf, their text, their JSON. */
#include "otlp_attribute.h"

#include <stdio.h>

#include "base/fpconv.h"
#include "base/json.h"
#include "wire/otlp_traces.h"

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

/* ---- From protobuf ---- */

static const struct {
    enum attribute_kind kind;
    enum protobuf_wire_type type;
} any_fields[] = {
    [1] = {ATTRIBUTE_STRING, PROTOBUF_BYTES},
    [2] = {ATTRIBUTE_BOOL, PROTOBUF_VARINT},
    [3] = {ATTRIBUTE_INT, PROTOBUF_VARINT},
    [4] = {ATTRIBUTE_DOUBLE, PROTOBUF_FIXED64},
    [5] = {ATTRIBUTE_ARRAY, PROTOBUF_BYTES},
    [6] = {ATTRIBUTE_MAP, PROTOBUF_BYTES},
    [7] = {ATTRIBUTE_BYTES, PROTOBUF_BYTES},
};
enum { ANY_FIELDS = sizeof(any_fields) / sizeof(any_fields[0]) };

int otlp_any_decode(struct str any, struct attribute *value_out)
{
    struct decbuf in = decbuf_of(any.ptr, any.len);
    struct protobuf_field f;
    value_out->kind = ATTRIBUTE_EMPTY;
    value_out->bytes = STR("");
    while (protobuf_next(&in, &f)) {
        if (f.number >= ANY_FIELDS) {
            continue;
        }
        if (f.type != any_fields[f.number].type) {
            return ERR_CORRUPT;
        }
        value_out->kind = any_fields[f.number].kind;
        switch (value_out->kind) {
        case ATTRIBUTE_BOOL:
            value_out->boolean = f.value != 0;
            break;
        case ATTRIBUTE_INT:
            value_out->integer = (int64_t)f.value;
            break;
        case ATTRIBUTE_DOUBLE:
            value_out->number = double_from_bits(f.value);
            break;
        default:
            value_out->bytes = f.bytes;
        }
    }
    return in.failed ? ERR_CORRUPT : 0;
}

int otlp_attribute_decode(struct str pair, struct attribute *attribute_out)
{
    if (otlp_attribute_decode_usual(pair, attribute_out)) {
        return 0;
    }
    struct decbuf in = decbuf_of(pair.ptr, pair.len);
    struct protobuf_field f;
    int status = 0;
    *attribute_out = (struct attribute){.key = STR(""), .bytes = STR("")};
    while (status == 0 && protobuf_next(&in, &f)) {
        if (f.number > 2) {
            continue;
        }
        if (f.type != PROTOBUF_BYTES) {
            return ERR_CORRUPT;
        }
        if (f.number == 1) {
            attribute_out->key = f.bytes;
        } else {
            status = otlp_any_decode(f.bytes, attribute_out);
        }
    }
    return in.failed ? ERR_CORRUPT : status;
}

int otlp_value_next(enum attribute_kind list, struct str *encoded, struct attribute *value_out)
{
    struct decbuf in = decbuf_of(encoded->ptr, encoded->len);
    struct protobuf_field f;
    int status = 0;
    while (protobuf_next(&in, &f)) {
        if (f.number != 1) {
            continue;
        }
        if (f.type != PROTOBUF_BYTES) {
            return ERR_CORRUPT;
        }
        value_out->key = STR("");
        status = list == ATTRIBUTE_MAP ? otlp_attribute_decode(f.bytes, value_out)
                                       : otlp_any_decode(f.bytes, value_out);
        *encoded = str_make((const char *)in.p, decbuf_left(&in));
        return status == 0 ? 1 : status;
    }
    *encoded = STR("");
    return in.failed ? ERR_CORRUPT : 0;
}

/* ---- To protobuf ---- */

size_t otlp_any_size(const struct attribute *value)
{
    switch (value->kind) {
    case ATTRIBUTE_EMPTY:
        return 0;
    case ATTRIBUTE_BOOL:
        return 2;
    case ATTRIBUTE_INT:
        return 1 + uvarint_size((uint64_t)value->integer);
    case ATTRIBUTE_DOUBLE:
        return 9;
    default:
        return 1 + uvarint_size(value->bytes.len) + value->bytes.len;
    }
}

void otlp_any_encode(struct strbuf *out, const struct attribute *value)
{
    switch (value->kind) {
    case ATTRIBUTE_EMPTY:
        break;
    case ATTRIBUTE_STRING:
        protobuf_put_bytes(out, 1, value->bytes);
        break;
    case ATTRIBUTE_BOOL:
        protobuf_put_varint(out, 2, value->boolean);
        break;
    case ATTRIBUTE_INT:
        protobuf_put_varint(out, 3, (uint64_t)value->integer);
        break;
    case ATTRIBUTE_DOUBLE:
        protobuf_put_double(out, 4, value->number);
        break;
    case ATTRIBUTE_ARRAY:
        protobuf_put_bytes(out, 5, value->bytes);
        break;
    case ATTRIBUTE_MAP:
        protobuf_put_bytes(out, 6, value->bytes);
        break;
    case ATTRIBUTE_BYTES:
        protobuf_put_bytes(out, 7, value->bytes);
        break;
    }
}

void otlp_attribute_encode(struct strbuf *out, uint32_t number, const struct attribute *attribute)
{
    size_t any = otlp_any_size(attribute);
    size_t key = attribute->key.len;
    protobuf_put_key(out, number, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, 1 + uvarint_size(key) + key + 1 + uvarint_size(any) + any);
    otlp_key_value_encode(attribute, out);
}

void otlp_key_value_encode(const struct attribute *attribute, struct strbuf *out)
{
    protobuf_put_bytes(out, 1, attribute->key);
    protobuf_put_key(out, 2, PROTOBUF_BYTES);
    strbuf_add_uvarint(out, otlp_any_size(attribute));
    otlp_any_encode(out, attribute);
}

void otlp_attributes_encode(struct strbuf *out, uint32_t number, struct attributes attributes)
{
    for (size_t i = 0; i < attributes.count; i++) {
        otlp_attribute_encode(out, number, &attributes.items[i]);
    }
}

/* ---- As text: what the collector's AsString shows, arrays and maps as JSON ---- */

static void write_plain(struct json_writer *json, const struct attribute *value, int depth);

static void write_list(struct json_writer *json, const struct attribute *list, int depth)
{
    struct str rest = list->bytes;
    struct attribute item;
    bool map = list->kind == ATTRIBUTE_MAP;
    map ? json_begin_object(json) : json_begin_array(json);
    while (depth < OTLP_VALUE_DEPTH_MAX && otlp_value_next(list->kind, &rest, &item) == 1) {
        if (map) {
            json_key_str(json, item.key);
        }
        write_plain(json, &item, depth + 1);
    }
    json_end(json);
}

static void write_base64(struct json_writer *json, struct str bytes)
{
    struct strbuf text;
    strbuf_init(&text, bytes.len / 3 * 4 + 8);
    strbuf_add_c(&text, ""); /* so that there is a text, if an empty one */
    strbuf_add_base64(&text, bytes);
    if (strbuf_error(&text) != 0) {
        json->out->error = json->out->error != 0 ? json->out->error : strbuf_error(&text);
    } else {
        json_string(json, strbuf_str(&text));
    }
    strbuf_release(&text);
}

static void write_plain(struct json_writer *json, const struct attribute *value, int depth)
{
    switch (value->kind) {
    case ATTRIBUTE_EMPTY:
        json_null(json);
        break;
    case ATTRIBUTE_STRING:
        json_string(json, value->bytes);
        break;
    case ATTRIBUTE_BOOL:
        json_bool(json, value->boolean);
        break;
    case ATTRIBUTE_INT:
        json_integer(json, value->integer);
        break;
    case ATTRIBUTE_DOUBLE:
        json_double(json, value->number);
        break;
    case ATTRIBUTE_BYTES:
        write_base64(json, value->bytes);
        break;
    case ATTRIBUTE_ARRAY:
    case ATTRIBUTE_MAP:
        write_list(json, value, depth);
        break;
    }
}

void otlp_attribute_write_text(const struct attribute *value, struct strbuf *out)
{
    struct json_writer json;
    switch (value->kind) {
    case ATTRIBUTE_EMPTY:
        break;
    case ATTRIBUTE_STRING:
        strbuf_add_str(out, value->bytes);
        break;
    case ATTRIBUTE_DOUBLE:
        strbuf_add_double(out, value->number);
        break;
    case ATTRIBUTE_BYTES:
        strbuf_add_base64(out, value->bytes);
        break;
    default:
        json_init(&json, out);
        write_plain(&json, value, 0);
    }
}

/* ---- As OTLP's JSON ---- */

static void write_any(struct json_writer *json, const struct attribute *value, int depth);

static void write_members(struct json_writer *json, const struct attribute *list, int depth)
{
    struct str rest = list->bytes;
    struct attribute item;
    json_begin_object(json);
    json_key(json, "values");
    json_begin_array(json);
    while (depth < OTLP_VALUE_DEPTH_MAX && otlp_value_next(list->kind, &rest, &item) == 1) {
        if (list->kind == ATTRIBUTE_MAP) {
            json_begin_object(json);
            json_key(json, "key");
            json_string(json, item.key);
            json_key(json, "value");
        }
        write_any(json, &item, depth + 1);
        if (list->kind == ATTRIBUTE_MAP) {
            json_end(json);
        }
    }
    json_end(json);
    json_end(json);
}

/* Protobuf's JSON mapping: doubles that JSON has no number for are texts. */
static void write_double(struct json_writer *json, double number)
{
    if (number != number) {
        json_cstring(json, "NaN");
    } else if (number - number != 0) {
        json_cstring(json, number > 0 ? "Infinity" : "-Infinity");
    } else {
        json_double(json, number);
    }
}

static void write_any(struct json_writer *json, const struct attribute *value, int depth)
{
    static const char *const keys[] = {[ATTRIBUTE_STRING] = "stringValue",
        [ATTRIBUTE_BOOL] = "boolValue",
        [ATTRIBUTE_INT] = "intValue",
        [ATTRIBUTE_DOUBLE] = "doubleValue",
        [ATTRIBUTE_BYTES] = "bytesValue",
        [ATTRIBUTE_ARRAY] = "arrayValue",
        [ATTRIBUTE_MAP] = "kvlistValue"};
    char digits[24];
    json_begin_object(json);
    if (value->kind != ATTRIBUTE_EMPTY) {
        json_key(json, keys[value->kind]);
    }
    switch (value->kind) {
    case ATTRIBUTE_EMPTY:
        break;
    case ATTRIBUTE_STRING:
        json_string(json, value->bytes);
        break;
    case ATTRIBUTE_BOOL:
        json_bool(json, value->boolean);
        break;
    case ATTRIBUTE_INT:
        snprintf(digits, sizeof(digits), "%lld", (long long)value->integer);
        json_cstring(json, digits);
        break;
    case ATTRIBUTE_DOUBLE:
        write_double(json, value->number);
        break;
    case ATTRIBUTE_BYTES:
        write_base64(json, value->bytes);
        break;
    case ATTRIBUTE_ARRAY:
    case ATTRIBUTE_MAP:
        write_members(json, value, depth);
        break;
    }
    json_end(json);
}

void otlp_attribute_write_json(const struct attribute *value, struct json_writer *json)
{
    write_any(json, value, 0);
}
