/* Strings, characters and numbers in Go's notation: escapes \a \b \f \n \r \t \v \\ \' \" \ooo \xhh \uhhhh
 * \Uhhhhhhhh; integers in bases 2, 8, 10 and 16, underscores between digits, floats, hexadecimal floats. */
#include "template_literal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define CODE_MAX 0x10ffff
#define CODE_REPLACEMENT 0xfffd
#define NUMBER_BYTES_MAX 128

void template_write_character(uint32_t code, struct strbuf *out)
{
    if (code > CODE_MAX || (code >= 0xd800 && code < 0xe000)) {
        code = CODE_REPLACEMENT;
    }
    if (code < 0x80) {
        strbuf_add_char(out, (char)code);
        return;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char heads[] = {0, 0xc0, 0xe0, 0xf0};
    strbuf_add_char(out, (char)(heads[more] | code >> (6 * more)));
    while (more-- > 0) {
        strbuf_add_char(out, (char)(0x80 | (code >> (6 * more) & 0x3f)));
    }
}

uint32_t template_character(struct str s, size_t *bytes_out)
{
    for (size_t n = 1; n <= 4 && n <= s.len; n++) {
        if (str_is_utf8(str_make(s.ptr, n))) {
            uint32_t code = (unsigned char)s.ptr[0] & (n == 1 ? 0x7f : 0xffu >> (n + 1));
            for (size_t i = 1; i < n; i++) {
                code = code << 6 | ((unsigned char)s.ptr[i] & 0x3f);
            }
            *bytes_out = n;
            return code;
        }
    }
    *bytes_out = 1;
    return CODE_REPLACEMENT;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 99;
}

/* `count` digits of `base`; false when there are fewer. */
static bool take_digits(struct str *s, size_t count, int base, uint32_t *value_out)
{
    uint32_t value = 0;
    if (s->len < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        int digit = digit_of(s->ptr[i]);
        if (digit >= base) {
            return false;
        }
        value = value * (uint32_t)base + (uint32_t)digit;
    }
    *s = str_skip(*s, count);
    *value_out = value;
    return true;
}

/* What follows a backslash. `*is_byte_out`: a byte, not a character. */
static bool take_escape(struct str *s, char quote, uint32_t *code_out, bool *is_byte_out)
{
    static const char letters[] = "abfnrtv\\";
    static const char values[] = "\a\b\f\n\r\t\v\\";
    if (s->len == 0) {
        return false;
    }
    char c = s->ptr[0];
    const char *simple = c != '\0' ? strchr(letters, c) : NULL;
    *is_byte_out = false;
    if (simple != NULL || c == quote) {
        *code_out = simple != NULL ? (unsigned char)values[simple - letters] : (unsigned char)quote;
        *s = str_skip(*s, 1);
        return true;
    }
    if (c >= '0' && c <= '7') {
        *is_byte_out = true;
        return take_digits(s, 3, 8, code_out) && *code_out <= 0xff;
    }
    *s = str_skip(*s, 1);
    if (c == 'x') {
        *is_byte_out = true;
        return take_digits(s, 2, 16, code_out);
    }
    bool taken = (c == 'u' && take_digits(s, 4, 16, code_out)) ||
                 (c == 'U' && take_digits(s, 8, 16, code_out));
    return taken && *code_out <= CODE_MAX && (*code_out < 0xd800 || *code_out >= 0xe000);
}

int template_unquote(struct arena *arena, struct str quoted, struct str *text_out)
{
    struct str inside = str_make(quoted.ptr + 1, quoted.len - 2);
    struct strbuf out = STRBUF_INIT;
    int status = 0;
    if (quoted.ptr[0] == '`') {
        for (size_t i = 0; i < inside.len; i++) {
            if (inside.ptr[i] != '\r') {
                strbuf_add_char(&out, inside.ptr[i]);
            }
        }
        inside.len = 0;
    }
    while (inside.len > 0 && status == 0) {
        if (inside.ptr[0] != '\\') {
            strbuf_add_char(&out, inside.ptr[0]);
            inside = str_skip(inside, 1);
            continue;
        }
        uint32_t code = 0;
        bool is_byte = false;
        inside = str_skip(inside, 1);
        if (!take_escape(&inside, '"', &code, &is_byte)) {
            status = ERR_INVALID;
        } else if (is_byte) {
            strbuf_add_char(&out, (char)code);
        } else {
            template_write_character(code, &out);
        }
    }
    status = status != 0 ? status : strbuf_error(&out);
    if (status == 0) {
        char *kept = arena_strndup(arena, out.data != NULL ? out.data : "", out.size);
        *text_out = str_make(kept, out.size);
        status = kept != NULL ? 0 : arena_error(arena);
    }
    strbuf_release(&out);
    return status;
}

static int character_constant(struct str text, struct node *node)
{
    struct str inside = str_make(text.ptr + 1, text.len - 2);
    uint32_t code = 0;
    size_t bytes = 0;
    bool is_byte = false;
    if (inside.len > 0 && inside.ptr[0] == '\\') {
        inside = str_skip(inside, 1);
        if (!take_escape(&inside, '\'', &code, &is_byte)) {
            return ERR_INVALID;
        }
    } else if (inside.len > 0) {
        code = template_character(inside, &bytes);
        inside = str_skip(inside, bytes);
    } else {
        return ERR_INVALID;
    }
    node->number.is_integer = node->number.is_float = true;
    node->number.integer = code;
    node->number.number = code;
    return inside.len == 0 ? 0 : ERR_INVALID;
}

/* An integer without underscores and sign, in any of Go's bases. */
static bool integer_of(const char *digits, bool negative, int64_t *value_out)
{
    int base = 10;
    if (digits[0] == '0' && digits[1] != '\0') {
        char c = (char)(digits[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        digits += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    uint64_t value = 0;
    if (*digits == '\0') {
        return false;
    }
    for (; *digits != '\0'; digits++) {
        int digit = digit_of(*digits);
        if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value)) {
            return false;
        }
    }
    if (value > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *value_out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* Hexadecimal floats, 0x1.8p3; the exponent must be there. */
static bool hexadecimal_float(const char *text, double *value_out)
{
    double value = 0;
    int scale = 0;
    bool point = false, digits = false;
    for (text += 2; *text != '\0' && (*text | 0x20) != 'p'; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        int digit = digit_of(*text);
        if (digit > 15) {
            return false;
        }
        digits = true;
        value = value * 16 + digit;
        scale -= point ? 4 : 0;
    }
    int64_t exponent = 0;
    if (!digits || *text == '\0') {
        return false;
    }
    text += 1 + (text[1] == '+');
    if (str_to_i64(str_of(text), &exponent) != 0 || exponent > 4096 || exponent < -4096) {
        return false;
    }
    *value_out = ldexp(value, (int)exponent + scale);
    return isfinite(*value_out);
}

/* An underscore stands between digits, or between a base's prefix and a digit. */
static bool underscores_are_right(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool before =
            i > 0 && (digit_of(text.ptr[i - 1]) < 16 || strchr("xXoO", text.ptr[i - 1]) != NULL);
        bool after = i + 1 < text.len && digit_of(text.ptr[i + 1]) < 16;
        if (text.ptr[i] == '_' && (!before || !after)) {
            return false;
        }
    }
    return true;
}

int template_number(struct str text, bool character, struct node *node)
{
    if (character) {
        return character_constant(text, node);
    }
    if (!underscores_are_right(text)) {
        return ERR_INVALID;
    }
    char digits[NUMBER_BYTES_MAX];
    size_t n = 0;
    bool negative = text.ptr[0] == '-';
    for (size_t i = negative || text.ptr[0] == '+'; i < text.len; i++) {
        if (text.ptr[i] == '_') {
            continue;
        }
        if (n + 1 == sizeof(digits)) {
            return ERR_INVALID;
        }
        digits[n++] = text.ptr[i];
    }
    digits[n] = '\0';
    bool hexadecimal = digits[0] == '0' && (digits[1] | 0x20) == 'x';
    node->number.ideal_float = strpbrk(digits, hexadecimal ? ".pP" : ".eE") != NULL;
    node->number.is_integer = integer_of(digits, negative, &node->number.integer);
    double value = 0;
    if (node->number.is_integer) {
        node->number.is_float = true;
        value = (double)node->number.integer;
    } else {
        node->number.is_float = hexadecimal ? hexadecimal_float(digits, &value)
                                            : str_to_double(str_make(digits, n), &value) == 0 &&
                                                  digits[0] != '\0' && digits[0] <= '9';
        value = negative ? -value : value;
        /* 1e3 may stand where an integer is wanted. */
        bool whole = node->number.is_float && node->number.ideal_float && value == trunc(value) &&
                     fabs(value) < 0x1p63;
        node->number.is_integer = whole;
        node->number.integer = whole ? (int64_t)value : 0;
    }
    node->number.number = value;
    return node->number.is_float || node->number.is_integer ? 0 : ERR_INVALID;
}

void template_write_quoted(struct str text, struct strbuf *out)
{
    strbuf_add_char(out, '"');
    while (text.len > 0) {
        static const char letters[] = "abfnrtv";
        static const char values[] = "\a\b\f\n\r\t\v";
        size_t bytes = 0;
        uint32_t code = template_character(text, &bytes);
        char c = text.ptr[0];
        const char *simple = c != '\0' ? strchr(values, c) : NULL;
        if (code == CODE_REPLACEMENT && bytes == 1) {
            strbuf_addf(out, "\\x%02x", (unsigned char)c);
        } else if (c == '"' || c == '\\') {
            strbuf_add_char(out, '\\');
            strbuf_add_char(out, c);
        } else if (simple != NULL) {
            strbuf_add_char(out, '\\');
            strbuf_add_char(out, letters[simple - values]);
        } else if (code < 0x20 || code == 0x7f) {
            strbuf_addf(out, "\\x%02x", code);
        } else if (code >= 0x80 && code < 0xa1) {
            strbuf_addf(out, "\\u%04x", code);
        } else {
            strbuf_add(out, text.ptr, bytes);
        }
        text = str_skip(text, bytes);
    }
    strbuf_add_char(out, '"');
}
