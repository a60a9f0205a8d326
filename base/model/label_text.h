/* Names and values in PromQL's spelling; shared inside base/model. */
#ifndef SONDE_MODEL_LABEL_TEXT_H
#define SONDE_MODEL_LABEL_TEXT_H

#include "base/str.h"
#include "base/strbuf.h"

/* In double quotes, escaped as Go's %q does for the characters that occur in labels. */
void label_text_quote(struct str value, struct strbuf *out);
/* Bare when it fits the classic grammar, else quoted. */
void label_text_name(struct str name, struct strbuf *out);

#endif
