/* Doubles to text and back, as Go's strconv does it, which is what the field's formats show.
 *
 * Digits are the shortest that read back; only the layout differs. Go's 'e' has at least two digits
 * in the exponent. Its 'g' with the shortest digits turns to 'e' when the decimal exponent is below
 * -4 or at least 6, as if six digits had been asked for (formatDigits in strconv/ftoa.go; the cutoff
 * of 21 that one reads about is that of JSON). Prometheus' JSON picks 'f' or 'e' itself, at 1e-6 and
 * 1e21 (util/jsonutil); unlike Go's encoding/json it leaves the exponent of 1e-07 its zero.
 *
 * Texts are read by rules of our own and those of strconv.ParseFloat that Prometheus keeps: no
 * underscores, no hexadecimal, no sign before NaN, and what is too large is an error, not infinity.
 */
#include "base/fpconv.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"
#include "fpconv_shim.h"
#include "shortest.h"

/* Longest number taken; a double's exact decimal form has at most 767 significant digits. */
enum { PARSE_LENGTH_MAX = 1024 };

/* The NaN of Go's math.NaN, which Prometheus stores for "NaN" in an exposition. */
#define NAN_BITS 0x7ff8000000000001ull

/* "NaN", "+Inf", "-Inf": the length, or 0 for a finite value. */
static size_t format_special(double value, char *text)
{
    const char *name = isnan(value) ? "NaN" : isinf(value) ? (value > 0 ? "+Inf" : "-Inf") : NULL;
    if (name == NULL) {
        return 0;
    }
    size_t length = strlen(name);
    memcpy(text, name, length + 1);
    return length;
}

/* Digits with the point after `point` of them, zeros filled in on either side. */
static size_t put_plain(char *text, const char *digits, int count, int point)
{
    size_t n = 0;
    if (point <= 0) {
        text[n++] = '0';
        text[n++] = '.';
        for (int i = point; i < 0; i++) {
            text[n++] = '0';
        }
        memcpy(text + n, digits, (size_t)count);
        return n + (size_t)count;
    }
    int whole = count < point ? count : point;
    memcpy(text, digits, (size_t)whole);
    n = (size_t)whole;
    for (; whole < point; whole++) {
        text[n++] = '0';
    }
    if (count > point) {
        text[n++] = '.';
        memcpy(text + n, digits + point, (size_t)(count - point));
        n += (size_t)(count - point);
    }
    return n;
}

/* d.ddde±xx, with at least two digits in the exponent. */
static size_t put_exponent(char *text, const char *digits, int count, int exponent)
{
    size_t n = 0;
    text[n++] = digits[0];
    if (count > 1) {
        text[n++] = '.';
        memcpy(text + n, digits + 1, (size_t)count - 1);
        n += (size_t)count - 1;
    }
    text[n++] = 'e';
    text[n++] = exponent < 0 ? '-' : '+';
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (magnitude >= 100) {
        text[n++] = (char)('0' + magnitude / 100);
    }
    text[n++] = (char)('0' + magnitude / 10 % 10);
    text[n++] = (char)('0' + magnitude % 10);
    return n;
}

/* Whole numbers below 2^53 are their own shortest digits: any other whole number is another double.
 * Counters are such numbers. */
static size_t put_integer(char *text, uint64_t value)
{
    char reversed[20];
    size_t n = 0;
    do {
        reversed[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < n; i++) {
        text[i] = reversed[n - 1 - i];
    }
    return n;
}

/* Shortest digits; exponent form below 10^lowest and from 10^highest up. Whole numbers below
 * `whole_max` take the short way. */
static size_t format_value(double value, char *text, int lowest, int highest, double whole_max)
{
    size_t n = format_special(value, text);
    if (n != 0) {
        return n;
    }
    if (signbit(value)) {
        text[n++] = '-';
        value = -value;
    }
    if (value < whole_max && value == (double)(uint64_t)value) {
        n += put_integer(text + n, (uint64_t)value);
        text[n] = '\0';
        return n;
    }
    char digits[SHORTEST_DIGITS_MAX];
    int point = 0;
    int count = shortest_digits(value, digits, &point);
    int exponent = point - 1;
    if (exponent < lowest || exponent >= highest) {
        n += put_exponent(text + n, digits, count, exponent);
    } else {
        n += put_plain(text + n, digits, count, point);
    }
    text[n] = '\0';
    return n;
}

size_t fp_format(double value, char *text)
{
    return format_value(value, text, -6, 21, 1e15);
}

size_t fp_format_short(double value, char *text)
{
    return format_value(value, text, -4, 6, 1e6);
}

size_t fp_format_plain(double value, char *text)
{
    return format_value(value, text, INT_MIN, INT_MAX, 1e15);
}

void strbuf_add_double(struct strbuf *b, double value)
{
    char *room = strbuf_reserve(b, FP_TEXT_MAX);
    if (room != NULL) {
        strbuf_commit(b, fp_format(value, room));
    }
}

/* Whether `s` is `lower` but for the case of its letters. */
static bool is_word(struct str s, const char *lower)
{
    for (size_t i = 0; i < s.len; i++) {
        if (lower[i] == '\0' || (s.ptr[i] | 0x20) != lower[i]) {
            return false;
        }
    }
    return lower[s.len] == '\0';
}

/* Inf, Infinity and NaN in any case, the first two with an optional sign. */
static bool parse_special(struct str s, double *value_out)
{
    if (is_word(s, "nan")) {
        *value_out = double_from_bits(NAN_BITS);
        return true;
    }
    bool negative = s.ptr[0] == '-';
    if (negative || s.ptr[0] == '+') {
        s = str_skip(s, 1);
    }
    if (is_word(s, "inf") || is_word(s, "infinity")) {
        *value_out = negative ? -INFINITY : INFINITY;
        return true;
    }
    return false;
}

/* Up to 15 digits and a power of ten up to 22 are exact in doubles (Clinger's fast path); it covers
 * nearly every number an exporter prints. False when it does not apply. */
static bool parse_fast(struct str s, double *value_out)
{
    static const double power[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    size_t i = 0;
    bool negative = s.ptr[0] == '-';
    if (negative || s.ptr[0] == '+') {
        i++;
    }
    uint64_t mantissa = 0;
    unsigned digits = 0, fraction = 0;
    bool point = false;
    for (; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (digit <= 9) {
            mantissa = mantissa * 10 + digit;
            digits++;
            fraction += point;
        } else if (s.ptr[i] == '.' && !point) {
            point = true;
        } else {
            break;
        }
        if (digits > 15) {
            return false;
        }
    }
    if (digits == 0 || i != s.len) {
        return false;
    }
    double value = (double)mantissa / power[fraction];
    *value_out = negative ? -value : value;
    return true;
}

int str_to_double(struct str s, double *value_out)
{
    if (s.len == 0 || s.len > PARSE_LENGTH_MAX) {
        return ERR_INVALID;
    }
    if (parse_fast(s, value_out) || parse_special(s, value_out)) {
        return 0;
    }
    int consumed = 0;
    double value = fpconv_parse_decimal(s.ptr, (int)s.len, &consumed);
    if (consumed != (int)s.len || isnan(value)) {
        return ERR_INVALID;
    }
    if (isinf(value)) {
        return ERR_RANGE;
    }
    *value_out = value;
    return 0;
}
