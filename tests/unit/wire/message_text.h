/* What a message of OTLP traces says, as lines of text, by the walker that receivers use. */
#ifndef SONDE_TESTS_MESSAGE_TEXT_H
#define SONDE_TESTS_MESSAGE_TEXT_H

#include "base/str.h"
#include "base/strbuf.h"

/* Fails the test when the message is malformed. */
void message_text(struct strbuf *out, struct str message);

#endif
