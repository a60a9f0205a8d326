/* Ids, names and weights of spans. */
#include "model/span.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

/* ---- Ids ---- */

static uint64_t get_be64(const uint8_t *p)
{
    return __builtin_bswap64(get_le64(p));
}

static void put_be64(uint64_t v, uint8_t *p)
{
    put_le64(p, __builtin_bswap64(v));
}

int trace_id_cmp(struct trace_id a, struct trace_id b)
{
    if (a.high != b.high) {
        return a.high < b.high ? -1 : 1;
    }
    return a.low < b.low ? -1 : a.low > b.low;
}

struct trace_id trace_id_from_bytes(const uint8_t bytes[TRACE_ID_BYTES])
{
    return (struct trace_id){get_be64(bytes), get_be64(bytes + 8)};
}

void trace_id_to_bytes(struct trace_id id, uint8_t bytes_out[TRACE_ID_BYTES])
{
    put_be64(id.high, bytes_out);
    put_be64(id.low, bytes_out + 8);
}

uint64_t span_id_from_bytes(const uint8_t bytes[SPAN_ID_BYTES])
{
    return get_be64(bytes);
}

void span_id_to_bytes(uint64_t id, uint8_t bytes_out[SPAN_ID_BYTES])
{
    put_be64(id, bytes_out);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads at most `digits_max` hex digits, blanks around them ignored, into 128 bits. */
static int parse_hex(struct str text, size_t digits_max, struct trace_id *value_out)
{
    text = str_trim(text);
    struct trace_id value = {0, 0};
    if (text.len == 0 || text.len > digits_max) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < text.len; i++) {
        int digit = hex_digit(text.ptr[i]);
        if (digit < 0) {
            return ERR_INVALID;
        }
        value.high = value.high << 4 | value.low >> 60;
        value.low = value.low << 4 | (uint64_t)digit;
    }
    if (trace_id_is_zero(value)) {
        return ERR_INVALID;
    }
    *value_out = value;
    return 0;
}

int trace_id_parse(struct str text, struct trace_id *id_out)
{
    return parse_hex(text, 2 * (size_t)TRACE_ID_BYTES, id_out);
}

int span_id_parse(struct str text, uint64_t *id_out)
{
    struct trace_id value;
    int status = parse_hex(text, 2 * (size_t)SPAN_ID_BYTES, &value);
    if (status == 0) {
        *id_out = value.low;
    }
    return status;
}

void span_id_write(uint64_t id, struct strbuf *out)
{
    static const char digits[] = "0123456789abcdef";
    char text[16];
    for (int i = 0; i < 16; i++) {
        text[i] = digits[id >> (60 - 4 * i) & 15];
    }
    strbuf_add(out, text, sizeof(text));
}

void trace_id_write(struct trace_id id, struct strbuf *out)
{
    span_id_write(id.high, out);
    span_id_write(id.low, out);
}

/* ---- Attributes and names ---- */

const struct attribute *attributes_get(struct attributes list, struct str key)
{
    for (size_t i = 0; i < list.count; i++) {
        if (str_eq(list.items[i].key, key)) {
            return &list.items[i];
        }
    }
    return NULL;
}

struct str attributes_text(struct attributes list, struct str key)
{
    const struct attribute *found = attributes_get(list, key);
    return found != NULL && found->kind == ATTRIBUTE_STRING ? found->bytes : STR("");
}

struct str span_resource_service(const struct span_resource *resource)
{
    struct str name = attributes_text(resource->attributes, STR("service.name"));
    return name.len > 0 ? name : STR(SPAN_SERVICE_UNKNOWN);
}

const char *span_kind_name(enum span_kind kind)
{
    static const char *const names[SPAN_KIND_COUNT] = {
        "unspecified", "internal", "server", "client", "producer", "consumer"};
    return (unsigned)kind < SPAN_KIND_COUNT ? names[kind] : names[SPAN_KIND_UNSPECIFIED];
}

const char *span_status_name(enum span_status status)
{
    static const char *const names[SPAN_STATUS_COUNT] = {"unset", "ok", "error"};
    return (unsigned)status < SPAN_STATUS_COUNT ? names[status] : names[SPAN_STATUS_UNSET];
}

/* ---- Weight ---- */

/* The value of `key` in a list "k<colon>v<comma>k<colon>v"; ptr NULL when it is not there. */
static struct str list_value(struct str list, char comma, char colon, struct str key)
{
    while (list.len > 0) {
        const char *end = memchr(list.ptr, comma, list.len);
        struct str item = {list.ptr, end != NULL ? (size_t)(end - list.ptr) : list.len};
        size_t taken = item.len + (end != NULL);
        list = str_make(list.ptr + taken, list.len - taken);
        item = str_trim(item);
        if (item.len > key.len && memcmp(item.ptr, key.ptr, key.len) == 0 &&
            item.ptr[key.len] == colon) {
            return str_make(item.ptr + key.len + 1, item.len - key.len - 1);
        }
    }
    return str_make(NULL, 0);
}

double span_adjusted_count(struct str trace_state)
{
    /* tracestate = "vendor=value,…"; the value of "ot" = "th:c;rv:…". The threshold has up to 14 hex
     * digits, trailing zeros dropped. */
    enum { THRESHOLD_DIGITS = 14 };
    struct str ot = list_value(trace_state, ',', '=', STR("ot"));
    struct str threshold = list_value(ot, ';', ':', STR("th"));
    uint64_t value = 0;
    if (threshold.len == 0 || threshold.len > THRESHOLD_DIGITS) {
        return 1;
    }
    for (size_t i = 0; i < THRESHOLD_DIGITS; i++) {
        int digit = i < threshold.len ? hex_digit(threshold.ptr[i]) : 0;
        if (digit < 0) {
            return 1;
        }
        value = value << 4 | (uint64_t)digit;
    }
    /* The difference in integers: a double does not hold 56 bits. */
    return ldexp(1, 56) / (double)(((uint64_t)1 << 56) - value);
}
