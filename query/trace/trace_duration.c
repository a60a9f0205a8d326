/* Numbers with units, one after the other: [+] (digits [. digits] unit)+, or "0". */
#include "trace/trace_duration.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"

static const struct {
    const char *name;
    uint64_t ns;
} units[] = {
    /* "ms" before "m", which it begins with */
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* the micro sign */
    {"\xce\xbcs", 1000}, /* the Greek letter */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60 * UINT64_C(1000000000)},
    {"h", 3600 * UINT64_C(1000000000)},
};

static uint64_t take_unit(struct str *text)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct str name = str_of(units[i].name);
        if (str_starts_with(*text, name)) {
            *text = str_skip(*text, name.len);
            return units[i].ns;
        }
    }
    return 0;
}

/* The length of what is digits with at most one point; 0 when there is no digit. */
static size_t number_length(struct str text)
{
    size_t length = 0, digits = 0, points = 0;
    while (length < text.len &&
           (isdigit((unsigned char)text.ptr[length]) || text.ptr[length] == '.')) {
        points += text.ptr[length] == '.';
        digits += text.ptr[length] != '.';
        length++;
    }
    return digits > 0 && points <= 1 ? length : 0;
}

int trace_duration_parse(struct str text, uint64_t *ns_out)
{
    double total = 0;
    if (str_eq_c(text, "0")) {
        *ns_out = 0;
        return 0;
    }
    if (text.len > 0 && text.ptr[0] == '+') {
        text = str_skip(text, 1);
    }
    if (text.len == 0) {
        return ERR_INVALID;
    }
    while (text.len > 0) {
        double number;
        size_t length = number_length(text);
        struct str digits = str_make(text.ptr, length);
        if (length > 0 && digits.ptr[length - 1] == '.') {
            digits.len--; /* Go reads "1.s" */
        }
        if (length == 0 || str_to_double(digits, &number) != 0) {
            return ERR_INVALID;
        }
        text = str_skip(text, length);
        uint64_t unit = take_unit(&text);
        if (unit == 0) {
            return ERR_INVALID;
        }
        total += number * (double)unit;
    }
    if (total >= 9223372036854775807.0) {
        return ERR_RANGE;
    }
    *ns_out = (uint64_t)(total + 0.5);
    return 0;
}
