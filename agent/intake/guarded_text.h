/* Names of strangers as values of labels: well-formed, not too long, without what makes each one different.
 */
#ifndef SONDE_INTAKE_GUARDED_TEXT_H
#define SONDE_INTAKE_GUARDED_TEXT_H

#include "base/strbuf.h"

/* Longer values are cut, between characters. */
#define GUARDED_TEXT_BYTES_MAX 128

/* Appends it cut, with U+FFFD in place of each byte that is not UTF-8, or is zero. */
void guarded_text_add(struct str text, struct strbuf *out);
/* Appends it with `{id}` in place of what looks like an identifier: a run of letters and digits that is all
 * digits; of at least 8 hexadecimal digits, one of them 0 to 9, with or without - in between; or of at least
 * 16 letters and digits of both kinds. Then as above. */
void guarded_text_add_template(struct str text, struct strbuf *out);

#endif
