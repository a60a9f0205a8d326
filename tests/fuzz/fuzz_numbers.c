/* Texts of numbers: what str_to_double takes is what strtod reads, to the bit; what it refuses strtod
 * either leaves half read, or it is one of the forms that are refused on purpose. Every number it took
 * is written and read back. Integers are held against strtoll. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/fpconv.h"
#include "base/str.h"

enum { TEXT_MAX = 1200 };

/* Only what a decimal number is made of: no white space, hexadecimal or names. */
static bool is_decimal(const char *text)
{
    return text[strspn(text, "0123456789+-.eE")] == '\0';
}

static void check_double(struct str s, const char *text)
{
    double value = 0;
    char *end = NULL;
    int status = str_to_double(s, &value);
    double expected = strtod(text, &end);
    bool whole = s.len > 0 && *end == '\0' && strlen(text) == s.len;
    if (status == ERR_RANGE) {
        assert(whole && isinf(expected));
        return;
    }
    if (status != 0) {
        assert(status == ERR_INVALID);
        assert(!whole || !is_decimal(text) || s.len > 1024);
        return;
    }
    assert(whole);
    assert(isnan(value) ? isnan(expected) : double_bits(value) == double_bits(expected));
    size_t (*const formats[])(double, char *) = {fp_format, fp_format_short, fp_format_plain};
    for (size_t i = 0; i < 3; i++) {
        char written[FP_PLAIN_TEXT_MAX];
        size_t length = formats[i](value, written);
        assert(length < (i < 2 ? FP_TEXT_MAX : FP_PLAIN_TEXT_MAX) && written[length] == '\0');
        double back = 0;
        assert(str_to_double(str_make(written, length), &back) == 0);
        assert(double_bits(back) == double_bits(value));
    }
}

static void check_integer(struct str s, const char *text)
{
    int64_t value = 0;
    if (str_to_i64(s, &value) == 0) {
        errno = 0;
        assert(value == strtoll(text, NULL, 10) && errno == 0);
    }
    uint64_t magnitude = 0;
    if (str_to_u64(s, &magnitude) == 0) {
        errno = 0;
        assert(magnitude == strtoull(text, NULL, 10) && errno == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX + 1];
    size_t length = size < TEXT_MAX ? size : TEXT_MAX;
    memcpy(text, data, length);
    text[length] = '\0';
    struct str s = str_make((const char *)data, length);
    check_double(s, text);
    check_integer(s, text);
    return 0;
}
