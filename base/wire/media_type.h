/* What a Content-Type says. Private to base/wire. */
#ifndef SONDE_WIRE_MEDIA_TYPE_H
#define SONDE_WIRE_MEDIA_TYPE_H

#include <stdbool.h>
#include <strings.h>

#include "base/str.h"

/* Whether it is that type, in any case and with any parameters. */
static inline bool media_type_is(struct str content_type, const char *type)
{
    struct str kind = str_trim(str_split(&content_type, ';'));
    return kind.len == strlen(type) && strncasecmp(kind.ptr, type, kind.len) == 0;
}

#endif
