/* Numbers of different types are compared and reckoned as doubles; integers and durations among themselves are
 * exact, and what does not fit into 64 bits becomes a double. */
#include "trace/traceql_value.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "wire/otlp_traces.h"

static bool is_true(struct traceql_value v)
{
    return v.type == TRACEQL_BOOL && v.boolean;
}

static struct traceql_value of_bool(bool b)
{
    return (struct traceql_value){.type = TRACEQL_BOOL, .boolean = b};
}

static double to_double(struct traceql_value v)
{
    return v.type == TRACEQL_FLOAT ? v.number : (double)v.integer;
}

/* ---- Types ---- */

static bool takes(enum traceql_operator op, enum traceql_type type)
{
    bool equality = op == TRACEQL_EQ || op == TRACEQL_NE;
    switch (type) {
    case TRACEQL_ANY:
    case TRACEQL_ARRAY:
        return true;
    case TRACEQL_BOOL:
        return equality || op == TRACEQL_AND || op == TRACEQL_OR;
    case TRACEQL_INT:
    case TRACEQL_FLOAT:
    case TRACEQL_DURATION:
        return (op >= TRACEQL_EQ && op <= TRACEQL_GE) || (op >= TRACEQL_ADD && op <= TRACEQL_POW);
    case TRACEQL_STRING:
        return traceql_is_comparison(op);
    case TRACEQL_STATUS:
    case TRACEQL_KIND:
        return equality;
    default:
        return false;
    }
}

bool traceql_types_fit(enum traceql_operator op, enum traceql_type left, enum traceql_type right)
{
    bool wild = left == TRACEQL_ANY || right == TRACEQL_ANY || left == TRACEQL_ARRAY ||
                right == TRACEQL_ARRAY;
    bool alike = left == right || (traceql_is_numeric(left) && traceql_is_numeric(right));
    return (wild || alike) && takes(op, left) && takes(op, right);
}

enum traceql_type traceql_result_type(
    enum traceql_operator op, enum traceql_type left, enum traceql_type right)
{
    if (op < TRACEQL_ADD) {
        return TRACEQL_BOOL;
    }
    if (left == TRACEQL_ANY || right == TRACEQL_ANY) {
        return TRACEQL_ANY;
    }
    if (left == TRACEQL_DURATION && right == TRACEQL_DURATION && op == TRACEQL_DIV) {
        return TRACEQL_FLOAT; /* how many times as long */
    }
    if (left == right) {
        return left;
    }
    return left == TRACEQL_DURATION || right == TRACEQL_DURATION ? TRACEQL_DURATION : TRACEQL_FLOAT;
}

struct traceql_value traceql_value_of(const struct attribute *a)
{
    switch (a->kind) {
    case ATTRIBUTE_STRING:
        return (struct traceql_value){.type = TRACEQL_STRING, .text = a->bytes};
    case ATTRIBUTE_BOOL:
        return of_bool(a->boolean);
    case ATTRIBUTE_INT:
        return (struct traceql_value){.type = TRACEQL_INT, .integer = a->integer};
    case ATTRIBUTE_DOUBLE:
        return (struct traceql_value){.type = TRACEQL_FLOAT, .number = a->number};
    case ATTRIBUTE_ARRAY:
        return (struct traceql_value){.type = TRACEQL_ARRAY, .text = a->bytes};
    default:
        return (struct traceql_value){.type = TRACEQL_NIL};
    }
}

bool traceql_value_number(struct traceql_value v, double *number_out)
{
    if (!traceql_is_numeric(v.type)) {
        return false;
    }
    *number_out = v.type == TRACEQL_DURATION ? (double)v.integer / 1e9 : to_double(v);
    return !isnan(*number_out);
}

/* ---- Comparing ---- */

static bool holds(enum traceql_operator op, int order)
{
    switch (op) {
    case TRACEQL_EQ:
        return order == 0;
    case TRACEQL_NE:
        return order != 0;
    case TRACEQL_LT:
        return order < 0;
    case TRACEQL_LE:
        return order <= 0;
    case TRACEQL_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool compare_doubles(enum traceql_operator op, double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return op == TRACEQL_NE;
    }
    return holds(op, a < b ? -1 : a > b);
}

static enum traceql_operator flip(enum traceql_operator op)
{
    switch (op) {
    case TRACEQL_LT:
        return TRACEQL_GT;
    case TRACEQL_LE:
        return TRACEQL_GE;
    case TRACEQL_GT:
        return TRACEQL_LT;
    case TRACEQL_GE:
        return TRACEQL_LE;
    default:
        return op;
    }
}

/* Of arrays the elements are compared, one level deep. */
static bool compare_elements(enum traceql_operator op, struct str array, struct traceql_value with,
    const struct regex *regex)
{
    bool all = op == TRACEQL_NE || op == TRACEQL_NRE;
    struct attribute element;
    while (otlp_value_next(ATTRIBUTE_ARRAY, &array, &element) == 1) {
        struct traceql_value value = traceql_value_of(&element);
        bool is = value.type != TRACEQL_ARRAY && traceql_compare(op, value, with, regex);
        if (is != all) {
            return is;
        }
    }
    return all;
}

bool traceql_compare(enum traceql_operator op, struct traceql_value left,
    struct traceql_value right, const struct regex *regex)
{
    if (left.type == TRACEQL_NIL || right.type == TRACEQL_NIL) {
        return false;
    }
    if (left.type == TRACEQL_ARRAY && right.type != TRACEQL_ARRAY) {
        return compare_elements(op, left.text, right, regex);
    }
    if (right.type == TRACEQL_ARRAY && left.type != TRACEQL_ARRAY) {
        return compare_elements(flip(op), right.text, left, regex);
    }
    if (left.type == TRACEQL_ARRAY || !traceql_types_fit(op, left.type, right.type)) {
        return false;
    }
    switch (left.type) {
    case TRACEQL_STRING:
        if (op == TRACEQL_RE || op == TRACEQL_NRE) {
            return regex != NULL && regex_matches(regex, left.text) == (op == TRACEQL_RE);
        }
        if (op == TRACEQL_EQ || op == TRACEQL_NE) {
            return str_eq(left.text, right.text) == (op == TRACEQL_EQ);
        }
        return holds(op, str_cmp(left.text, right.text));
    case TRACEQL_BOOL:
        return (left.boolean == right.boolean) == (op == TRACEQL_EQ);
    default:
        if (left.type == TRACEQL_FLOAT || right.type == TRACEQL_FLOAT) {
            return compare_doubles(op, to_double(left), to_double(right));
        }
        return holds(op, left.integer < right.integer ? -1 : left.integer > right.integer);
    }
}

/* ---- Reckoning ---- */

/* What fits into 64 bits; false when it does not. */
static bool reckon_integers(enum traceql_operator op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case TRACEQL_ADD:
        return !__builtin_add_overflow(a, b, out);
    case TRACEQL_SUB:
        return !__builtin_sub_overflow(a, b, out);
    case TRACEQL_MUL:
        return !__builtin_mul_overflow(a, b, out);
    case TRACEQL_DIV:
        *out = b == -1 ? 0 : a / b;
        return b != -1 || !__builtin_sub_overflow(0, a, out);
    case TRACEQL_MOD:
        *out = b == -1 ? 0 : a % b;
        return true;
    default:
        return false;
    }
}

static double reckon_doubles(enum traceql_operator op, double a, double b)
{
    switch (op) {
    case TRACEQL_ADD:
        return a + b;
    case TRACEQL_SUB:
        return a - b;
    case TRACEQL_MUL:
        return a * b;
    case TRACEQL_DIV:
        return a / b;
    case TRACEQL_MOD:
        return fmod(a, b);
    default:
        return pow(a, b);
    }
}

static struct traceql_value reckon(
    enum traceql_operator op, struct traceql_value a, struct traceql_value b)
{
    static const struct traceql_value nil = {.type = TRACEQL_NIL};
    struct traceql_value result = {.type = traceql_result_type(op, a.type, b.type)};
    if (!traceql_is_numeric(a.type) || !traceql_is_numeric(b.type)) {
        return nil;
    }
    if (a.type != TRACEQL_FLOAT && b.type != TRACEQL_FLOAT) {
        if ((op == TRACEQL_DIV || op == TRACEQL_MOD) && b.integer == 0) {
            return nil;
        }
        if (result.type != TRACEQL_FLOAT &&
            reckon_integers(op, a.integer, b.integer, &result.integer)) {
            return result;
        }
    }
    result.number = reckon_doubles(op, to_double(a), to_double(b));
    /* Whole numbers that fit stay what they are: 2^10, 1.5 * 2s. */
    if (result.type != TRACEQL_FLOAT && fabs(result.number) < 9.2e18) {
        result.integer = (int64_t)result.number;
    } else {
        result.type = TRACEQL_FLOAT;
    }
    return result;
}

struct traceql_value traceql_apply(enum traceql_operator op, struct traceql_value left,
    struct traceql_value right, const struct regex *regex)
{
    if (op == TRACEQL_AND) {
        return of_bool(is_true(left) && is_true(right));
    }
    if (op == TRACEQL_OR) {
        return of_bool(is_true(left) || is_true(right));
    }
    return traceql_is_comparison(op) ? of_bool(traceql_compare(op, left, right, regex))
                                     : reckon(op, left, right);
}

/* ---- Sameness and order ---- */

int traceql_value_order(struct traceql_value a, struct traceql_value b)
{
    if (a.type != b.type) {
        return a.type < b.type ? -1 : 1;
    }
    switch (a.type) {
    case TRACEQL_NIL:
        return 0;
    case TRACEQL_STRING:
    case TRACEQL_ARRAY:
        return str_cmp(a.text, b.text);
    case TRACEQL_BOOL:
        return (int)a.boolean - (int)b.boolean;
    case TRACEQL_FLOAT:
        if (a.number < b.number || a.number > b.number) {
            return a.number < b.number ? -1 : 1;
        }
        return memcmp(&a.number, &b.number, sizeof(a.number));
    default:
        return a.integer < b.integer ? -1 : a.integer > b.integer;
    }
}

bool traceql_value_same(struct traceql_value a, struct traceql_value b)
{
    return traceql_value_order(a, b) == 0;
}

uint64_t traceql_value_hash(struct traceql_value v)
{
    uint64_t bits = 0;
    switch (v.type) {
    case TRACEQL_NIL:
        break;
    case TRACEQL_STRING:
    case TRACEQL_ARRAY:
        bits = hash64(v.text.ptr, v.text.len, 0);
        break;
    case TRACEQL_BOOL:
        bits = v.boolean;
        break;
    case TRACEQL_FLOAT:
        memcpy(&bits, &v.number, sizeof(bits));
        break;
    default:
        bits = (uint64_t)v.integer;
        break;
    }
    return hash_mix64(bits ^ (uint64_t)v.type << 56);
}

/* ---- Writing ---- */

/* "0s", "1.5ms", "1h2m3.5s": as Go's Duration.String. */
static void write_duration(int64_t ns, struct strbuf *out)
{
    uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    strbuf_add_c(out, ns < 0 ? "-" : "");
    uint64_t unit = left < 1000         ? 1
                    : left < 1000000    ? 1000
                    : left < 1000000000 ? 1000000
                                        : 1000000000;
    const char *name = unit == 1 ? "ns" : unit == 1000 ? "\xc2\xb5s" : unit == 1000000 ? "ms" : "s";
    if (left == 0) {
        strbuf_add_c(out, "0s");
        return;
    }
    uint64_t hour = UINT64_C(3600) * 1000000000, minute = UINT64_C(60) * 1000000000;
    if (left >= hour) {
        strbuf_addf(out, "%lluh", (unsigned long long)(left / hour));
    }
    if (left >= minute) {
        strbuf_addf(out, "%llum", (unsigned long long)(left % hour / minute));
        left %= minute;
    }
    strbuf_add_u64(out, left / unit);
    if (left % unit != 0) {
        char digits[16];
        int width = unit == 1000 ? 3 : unit == 1000000 ? 6 : 9;
        (void)snprintf(digits, sizeof(digits), "%0*llu", width, (unsigned long long)(left % unit));
        size_t length = (size_t)width;
        while (digits[length - 1] == '0') {
            length--;
        }
        strbuf_add_char(out, '.');
        strbuf_add(out, digits, length);
    }
    strbuf_add_c(out, name);
}

static struct attribute to_attribute(struct traceql_value v)
{
    switch (v.type) {
    case TRACEQL_STRING:
        return (struct attribute){.kind = ATTRIBUTE_STRING, .bytes = v.text};
    case TRACEQL_ARRAY:
        return (struct attribute){.kind = ATTRIBUTE_ARRAY, .bytes = v.text};
    case TRACEQL_BOOL:
        return (struct attribute){.kind = ATTRIBUTE_BOOL, .boolean = v.boolean};
    case TRACEQL_INT:
        return (struct attribute){.kind = ATTRIBUTE_INT, .integer = v.integer};
    case TRACEQL_FLOAT:
        return (struct attribute){.kind = ATTRIBUTE_DOUBLE, .number = v.number};
    default:
        return (struct attribute){.kind = ATTRIBUTE_EMPTY};
    }
}

void traceql_value_write(struct traceql_value v, struct strbuf *out)
{
    if (v.type == TRACEQL_DURATION) {
        write_duration(v.integer, out);
    } else if (v.type == TRACEQL_STATUS) {
        strbuf_add_c(out, span_status_name((enum span_status)v.integer));
    } else if (v.type == TRACEQL_KIND) {
        strbuf_add_c(out, span_kind_name((enum span_kind)v.integer));
    } else if (v.type == TRACEQL_NIL) {
        strbuf_add_c(out, "nil");
    } else {
        const struct attribute attribute = to_attribute(v);
        otlp_attribute_write_text(&attribute, out);
    }
}

void traceql_value_write_json(struct traceql_value v, struct json_writer *json)
{
    if (v.type == TRACEQL_DURATION || v.type == TRACEQL_STATUS || v.type == TRACEQL_KIND ||
        v.type == TRACEQL_NIL) {
        struct strbuf text = STRBUF_INIT;
        traceql_value_write(v, &text);
        const struct attribute as_text = {.kind = ATTRIBUTE_STRING, .bytes = strbuf_str(&text)};
        otlp_attribute_write_json(&as_text, json);
        strbuf_release(&text);
        return;
    }
    const struct attribute attribute = to_attribute(v);
    otlp_attribute_write_json(&attribute, json);
}
