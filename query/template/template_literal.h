/* Constants of Go as templates write them. */
#ifndef SONDE_QUERY_TEMPLATE_LITERAL_H
#define SONDE_QUERY_TEMPLATE_LITERAL_H

#include "base/arena.h"
#include "base/str.h"
#include "template_node.h"

/* A string with its quotes (double or back) -> its value. 0; ERR_INVALID, ERR_NOMEM, ERR_LIMIT. */
int template_unquote(struct arena *arena, struct str quoted, struct str *text_out);
/* A number or character constant -> the number of `node`. 0 or ERR_INVALID. */
int template_number(struct str text, bool character, struct node *node);
/* As Go's %q: quotes, escapes, and \x for what is not UTF-8. */
void template_write_quoted(struct str text, struct strbuf *out);
/* The character at the beginning of `s`, and its bytes; U+FFFD and 1 for what is not UTF-8. */
uint32_t template_character(struct str s, size_t *bytes_out);
void template_write_character(uint32_t code, struct strbuf *out);

#endif
