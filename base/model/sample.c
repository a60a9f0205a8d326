/* Names of metric types. */
#include "model/sample.h"

const char *metric_type_name(enum metric_type type)
{
    static const char *const names[] = {"unknown", "counter", "gauge", "histogram",
        "gaugehistogram", "summary", "info", "stateset"};
    unsigned index = (unsigned)type;
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : names[0];
}
