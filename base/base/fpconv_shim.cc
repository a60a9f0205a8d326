/* The shim to double-conversion: correctly rounded doubles from text. The one file that includes the
 * library; its C face is fpconv_shim.h.
 */
#include "fpconv_shim.h"

#include <cmath>
#include <double-conversion/double-conversion.h>

using double_conversion::StringToDoubleConverter;

extern "C" double fpconv_parse_decimal(const char *text, int length, int *consumed)
{
    static const StringToDoubleConverter converter(
        StringToDoubleConverter::NO_FLAGS, 0.0, std::nan(""), nullptr, nullptr);
    return converter.StringToDouble(text, length, consumed);
}
