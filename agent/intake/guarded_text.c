/* Texts cleaned. */
#include "intake/guarded_text.h"

#include <ctype.h>

enum { HEX_DIGITS_MIN = 8, MIXED_MIN = 16, CHARACTER_BYTES_MAX = 4 };

/* Bytes of the character at the beginning; 0 when it is none, or the zero that ends texts elsewhere. */
static size_t character_size(struct str text)
{
    if (text.ptr[0] == '\0') {
        return 0;
    }
    for (size_t size = 1; size <= CHARACTER_BYTES_MAX && size <= text.len; size++) {
        if (str_is_utf8(str_make(text.ptr, size))) {
            return size;
        }
    }
    return 0;
}

/* The longest beginning that is no longer than the limit and ends between characters. */
static struct str cut(struct str text)
{
    size_t size = text.len;
    if (size > GUARDED_TEXT_BYTES_MAX) {
        size = GUARDED_TEXT_BYTES_MAX;
        while (size > 0 && ((unsigned char)text.ptr[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    return str_make(text.ptr, size);
}

void guarded_text_add(struct str text, struct strbuf *out)
{
    struct str rest = cut(text);
    if (str_is_utf8(rest) && str_find(rest, '\0') < 0) {
        strbuf_add_str(out, rest);
        return;
    }
    size_t begin = out->size;
    while (rest.len > 0) {
        size_t size = character_size(rest);
        struct str character = size > 0 ? str_make(rest.ptr, size) : STR("\xef\xbf\xbd");
        if (out->size - begin + character.len > GUARDED_TEXT_BYTES_MAX) {
            break;
        }
        strbuf_add_str(out, character);
        rest = str_skip(rest, size > 0 ? size : 1);
    }
}

/* ---- Identifiers ---- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) != 0;
}

static bool is_identifier(struct str run)
{
    size_t digits = 0, hex = 0, letters = 0;
    for (size_t i = 0; i < run.len; i++) {
        unsigned char c = (unsigned char)run.ptr[i];
        digits += isdigit(c) != 0;
        hex += isxdigit(c) != 0;
        letters += isalpha(c) != 0;
    }
    size_t all = digits + letters; /* the others are - */
    return digits > 0 && (letters == 0 || (hex == all && all >= HEX_DIGITS_MIN) ||
                             (all == run.len && all >= MIXED_MIN));
}

/* The run of letters, digits and inner - at the beginning. */
static struct str take_run(struct str rest, bool with_dashes)
{
    size_t size = 0;
    while (size < rest.len &&
           (is_word(rest.ptr[size]) || (with_dashes && size > 0 && rest.ptr[size] == '-' &&
                                           size + 1 < rest.len && is_word(rest.ptr[size + 1])))) {
        size++;
    }
    return str_make(rest.ptr, size);
}

void guarded_text_add_template(struct str text, struct strbuf *out)
{
    struct strbuf made = STRBUF_INIT;
    struct str rest = cut(text);
    while (rest.len > 0) {
        struct str run = take_run(rest, true);
        if (!is_identifier(run)) {
            run = take_run(rest, false);
        }
        if (run.len == 0) {
            strbuf_add_char(&made, rest.ptr[0]);
            rest = str_skip(rest, 1);
            continue;
        }
        strbuf_add_str(&made, is_identifier(run) ? STR("{id}") : run);
        rest = str_skip(rest, run.len);
    }
    guarded_text_add(strbuf_str(&made), out);
    strbuf_release(&made);
}
