/* What a body is, by the headers of its message: Content-Type and Content-Encoding (RFC 9110, sections 8.3 and
 * 8.4). Names of types, parameters and encodings have no case; spaces around them do not count. An absent
 * header is an empty text. Any thread.
 */
#ifndef SONDE_WIRE_MEDIA_TYPE_H
#define SONDE_WIRE_MEDIA_TYPE_H

#include <stdbool.h>

#include "base/str.h"

/* The type is this one, whatever parameters follow: "application/json; charset=utf-8". */
bool media_type_is(struct str content_type, const char *type);
/* The value of a parameter, quotes taken off; ptr NULL when there is none. Borrowed from the header. */
struct str media_type_parameter(struct str content_type, const char *name);
/* The body is encoded this way: "gzip", "snappy" … Lists of encodings are none of these. */
bool media_encoding_is(struct str content_encoding, const char *encoding);
/* It is not encoded: no header, or "identity". */
bool media_encoding_is_none(struct str content_encoding);

/* ---- Remote write ---- */

enum media_write { MEDIA_WRITE_1, MEDIA_WRITE_2, MEDIA_WRITE_OTHER };

/* Which message of remote write (https://prometheus.io/docs/specs/prw/) a Content-Type names: without a header,
 * or a parameter proto, the first. What it names goes to *message_out, "" when it is no protobuf. */
enum media_write media_write_of(struct str content_type, struct str *message_out);

#endif
