/* The shim to double-conversion: shortest digits out, correctly rounded doubles in. The one file
 * that includes the library; its C face is fpconv_shim.h.
 */
#include "fpconv_shim.h"

#include <cmath>
#include <double-conversion/double-conversion.h>

using double_conversion::DoubleToStringConverter;
using double_conversion::StringToDoubleConverter;

extern "C" int fpconv_shortest_digits(double value, char *digits, int *decimal_point)
{
    bool sign = false;
    int length = 0;
    DoubleToStringConverter::DoubleToAscii(std::fabs(value), DoubleToStringConverter::SHORTEST, 0,
        digits, FPCONV_DIGITS_MAX, &sign, &length, decimal_point);
    return length;
}

extern "C" double fpconv_parse_decimal(const char *text, int length, int *consumed)
{
    static const StringToDoubleConverter converter(
        StringToDoubleConverter::NO_FLAGS, 0.0, std::nan(""), nullptr, nullptr);
    return converter.StringToDouble(text, length, consumed);
}
