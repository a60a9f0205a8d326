/* Members, lists and attributes of OTLP's JSON. */
#include "otlp_json.h"

#include "base/fpconv.h"
#include "otlp_attribute.h"

int otlp_json_load(struct str text, json_t **root_out, struct err *e)
{
    if (text.len > OTLP_JSON_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "the message is larger than %zu bytes of JSON", OTLP_JSON_MAX);
    }
    json_error_t problem;
    json_t *root = json_loadb(text.ptr != NULL ? text.ptr : "", text.len, 0, &problem);
    if (root == NULL) {
        return err_set(e, ERR_CORRUPT, problem.position, "line %d, column %d: %s", problem.line,
            problem.column, problem.text);
    }
    *root_out = root;
    return 0;
}

int otlp_json_result(const struct otlp_json_reader *r, struct err *e)
{
    switch (r->status) {
    case 0:
        return 0;
    case ERR_CORRUPT:
        return err_set(
            e, ERR_CORRUPT, -1, "malformed OTLP message: %s is not of the kind expected", r->what);
    default:
        return err_set(e, r->status, -1, "the OTLP message is too large: %s", err_text(r->status));
    }
}

bool otlp_json_fail(struct otlp_json_reader *r, int status, const char *what)
{
    if (r->status == 0) {
        r->status = status;
        r->what = what;
    }
    return false;
}

/* The member, or NULL when it is absent or null. */
const json_t *otlp_json_member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* ---- Scalars ---- */

struct str otlp_json_text(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    const json_t *value = otlp_json_member(object, key);
    if (value == NULL) {
        return STR("");
    }
    if (!json_is_string(value)) {
        (void)otlp_json_fail(r, ERR_CORRUPT, key);
        return STR("");
    }
    size_t size = json_string_length(value);
    char *copy = arena_strndup(r->arena, json_string_value(value), size);
    if (copy == NULL) {
        (void)otlp_json_fail(r, arena_error(r->arena), key);
        return STR("");
    }
    return str_make(copy, size);
}

bool otlp_json_number_of(
    struct otlp_json_reader *r, const json_t *value, const char *key, double *number_out)
{
    if (json_is_number(value)) {
        *number_out = json_number_value(value);
        return true;
    }
    struct str text = str_of(json_string_value(value));
    bool minus = str_eq_c(text, "-Infinity");
    if (minus || str_eq_c(text, "Infinity")) {
        text = minus ? STR("-Inf") : STR("+Inf");
    }
    return (text.ptr != NULL && str_to_double(text, number_out) == 0) ||
           otlp_json_fail(r, ERR_CORRUPT, key);
}

double otlp_json_double(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    const json_t *value = otlp_json_member(object, key);
    double number = 0;
    return value != NULL && otlp_json_number_of(r, value, key, &number) ? number : 0;
}

bool otlp_json_unsigned_of(
    struct otlp_json_reader *r, const json_t *value, const char *key, uint64_t *number_out)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *number_out = (uint64_t)json_integer_value(value);
        return true;
    }
    struct str text = str_of(json_string_value(value));
    return (text.ptr != NULL && str_to_u64(text, number_out) == 0) ||
           otlp_json_fail(r, ERR_CORRUPT, key);
}

uint64_t otlp_json_unsigned(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    const json_t *value = otlp_json_member(object, key);
    uint64_t number = 0;
    return value != NULL && otlp_json_unsigned_of(r, value, key, &number) ? number : 0;
}

int64_t otlp_json_signed(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    const json_t *value = otlp_json_member(object, key);
    int64_t number = 0;
    if (json_is_integer(value)) {
        return json_integer_value(value);
    }
    if (value != NULL) {
        struct str text = str_of(json_string_value(value));
        if (text.ptr == NULL || str_to_i64(text, &number) != 0) {
            (void)otlp_json_fail(r, ERR_CORRUPT, key);
        }
    }
    return number;
}

/* Scales, offsets and enums: 32 bits. */
int32_t otlp_json_small(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    int64_t number = otlp_json_signed(r, object, key);
    if (number < INT32_MIN || number > INT32_MAX) {
        (void)otlp_json_fail(r, ERR_CORRUPT, key);
        return 0;
    }
    return (int32_t)number;
}

int64_t otlp_json_time(struct otlp_json_reader *r, const json_t *object, const char *key)
{
    return (int64_t)(otlp_json_unsigned(r, object, key) / OTLP_NANOSECONDS);
}

/* ---- Lists ---- */

/* Room for the elements of an array; *list_out NULL and nothing when it is absent. */
void *otlp_json_array(struct otlp_json_reader *r, const json_t *object, const char *key,
    size_t size, const json_t **list_out, size_t *count_out)
{
    const json_t *list = otlp_json_member(object, key);
    if (list != NULL && !json_is_array(list)) {
        (void)otlp_json_fail(r, ERR_CORRUPT, key);
        list = NULL;
    }
    size_t count = json_array_size(list);
    void *items = arena_calloc(r->arena, count, size);
    if (items == NULL) {
        (void)otlp_json_fail(r, arena_error(r->arena), key);
        count = 0;
    }
    *list_out = list;
    *count_out = count;
    return items;
}

/* ---- Attributes ---- */

static void encode_any(
    struct otlp_json_reader *r, const json_t *value, struct strbuf *out, int depth);

/* Bytes of one array or map, encoded. */
#define ENCODED_BYTES_MAX ((size_t)1 << 20)

/* The values of an array or a map as its message in protobuf. */
static void encode_list(
    struct otlp_json_reader *r, const json_t *list, bool map, struct strbuf *out, int depth)
{
    const json_t *values = otlp_json_member(list, "values");
    struct strbuf any, pair;
    strbuf_init(&any, ENCODED_BYTES_MAX);
    strbuf_init(&pair, ENCODED_BYTES_MAX);
    for (size_t i = 0; i < json_array_size(values) && r->status == 0; i++) {
        const json_t *item = json_array_get(values, i);
        strbuf_reset(&any);
        encode_any(r, map ? otlp_json_member(item, "value") : item, &any, depth);
        if (map) {
            strbuf_reset(&pair);
            protobuf_put_bytes(&pair, 1, otlp_json_text(r, item, "key"));
            protobuf_put_bytes(&pair, 2, strbuf_str(&any));
        }
        struct strbuf *whole = map ? &pair : &any;
        if (strbuf_error(whole) != 0 || strbuf_error(&any) != 0) {
            (void)otlp_json_fail(r, ERR_LIMIT, "values");
        }
        protobuf_put_bytes(out, 1, strbuf_str(whole));
    }
    strbuf_release(&any);
    strbuf_release(&pair);
}

/* Kind and value; arrays and maps encoded into `out`, which the value then borrows. */
static void read_any(struct otlp_json_reader *r, const json_t *value, struct attribute *any,
    struct strbuf *out, int depth)
{
    const json_t *part;
    any->kind = ATTRIBUTE_EMPTY;
    any->bytes = STR("");
    if (depth > OTLP_VALUE_DEPTH_MAX) {
        (void)otlp_json_fail(r, ERR_LIMIT, "value");
    } else if (otlp_json_member(value, "stringValue") != NULL) {
        any->kind = ATTRIBUTE_STRING;
        any->bytes = otlp_json_text(r, value, "stringValue");
    } else if ((part = otlp_json_member(value, "boolValue")) != NULL) {
        any->kind = ATTRIBUTE_BOOL;
        any->boolean = json_is_true(part);
    } else if (otlp_json_member(value, "intValue") != NULL) {
        any->kind = ATTRIBUTE_INT;
        any->integer = otlp_json_signed(r, value, "intValue");
    } else if (otlp_json_member(value, "doubleValue") != NULL) {
        any->kind = ATTRIBUTE_DOUBLE;
        any->number = otlp_json_double(r, value, "doubleValue");
    } else if (otlp_json_member(value, "bytesValue") != NULL) {
        any->kind = ATTRIBUTE_BYTES;
        if (strbuf_add_unbase64(out, otlp_json_text(r, value, "bytesValue")) != 0) {
            (void)otlp_json_fail(r, ERR_CORRUPT, "bytesValue");
        }
        any->bytes = strbuf_str(out);
    } else if ((part = otlp_json_member(value, "arrayValue")) != NULL) {
        any->kind = ATTRIBUTE_ARRAY;
        encode_list(r, part, false, out, depth + 1);
        any->bytes = strbuf_str(out);
    } else if ((part = otlp_json_member(value, "kvlistValue")) != NULL) {
        any->kind = ATTRIBUTE_MAP;
        encode_list(r, part, true, out, depth + 1);
        any->bytes = strbuf_str(out);
    }
    if (strbuf_error(out) != 0) {
        (void)otlp_json_fail(r, strbuf_error(out), "value");
    }
}

static void encode_any(
    struct otlp_json_reader *r, const json_t *value, struct strbuf *out, int depth)
{
    struct attribute any;
    struct strbuf bytes;
    strbuf_init(&bytes, ENCODED_BYTES_MAX);
    read_any(r, value, &any, &bytes, depth);
    otlp_any_encode(out, &any);
    strbuf_release(&bytes);
}

struct attributes otlp_json_attributes(
    struct otlp_json_reader *r, const json_t *object, const char *key)
{
    const json_t *list;
    size_t count;
    struct attribute *items = otlp_json_array(r, object, key, sizeof(*items), &list, &count);
    struct strbuf bytes;
    strbuf_init(&bytes, ENCODED_BYTES_MAX);
    for (size_t i = 0; i < count && r->status == 0; i++) {
        const json_t *pair = json_array_get(list, i);
        strbuf_reset(&bytes);
        read_any(r, otlp_json_member(pair, "value"), &items[i], &bytes, 1);
        items[i].key = otlp_json_text(r, pair, "key");
        if (bytes.size > 0) {
            items[i].bytes.ptr = arena_dup(r->arena, bytes.data, bytes.size);
            if (items[i].bytes.ptr == NULL) {
                (void)otlp_json_fail(r, arena_error(r->arena), key);
            }
        }
    }
    strbuf_release(&bytes);
    return (struct attributes){items, r->status == 0 ? count : 0};
}
