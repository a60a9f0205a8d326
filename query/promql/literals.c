/* Runes, strings and numbers; see literals.h. */
#include "literals.h"

#include <math.h>

#include "base/strbuf.h"

/* ---- Runes ---- */

static bool continues(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

uint32_t rune_decode(struct str text, size_t *width_out)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    *width_out = 1;
    if (p[0] < 0x80) {
        return p[0];
    }
    size_t width = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || text.len < width) {
        return RUNE_INVALID;
    }
    uint32_t rune = p[0] & (0xffu >> (width + 1));
    for (size_t i = 1; i < width; i++) {
        if (!continues(p[i])) {
            return RUNE_INVALID;
        }
        rune = rune << 6 | (p[i] & 0x3fu);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (rune < smallest[width] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) {
        return RUNE_INVALID;
    }
    *width_out = width;
    return rune;
}

size_t rune_encode(uint32_t rune, char *bytes)
{
    if (rune < 0x80) {
        bytes[0] = (char)rune;
        return 1;
    }
    size_t width = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    for (size_t i = width; i-- > 1;) {
        bytes[i] = (char)(0x80 | (rune & 0x3f));
        rune >>= 6;
    }
    bytes[0] = (char)((0xf00u >> width) | rune);
    return width;
}

/* Controls and the unassigned ends of the planes are shown as escapes. */
static bool is_printable(uint32_t rune)
{
    return rune >= 0x20 && rune != 0x7f && (rune < 0x80 || rune > 0xa0) && rune != 0xad &&
           rune != RUNE_INVALID && (rune & 0xfffe) != 0xfffe &&
           !(rune >= 0x2028 && rune <= 0x202f) && !(rune >= 0x200b && rune <= 0x200f) &&
           rune != 0xfeff;
}

static const char *simple_escape(uint32_t rune, uint32_t quote)
{
    static const char *const names[] = {"\\a", "\\b", "\\t", "\\n", "\\v", "\\f", "\\r"};
    if (rune >= 7 && rune <= 13) {
        return names[rune - 7];
    }
    if (rune == '\\') {
        return "\\\\";
    }
    if (rune == quote) {
        return quote == '"' ? "\\\"" : "\\'";
    }
    return NULL;
}

/* One rune as Go's quoting writes it. `quoted` has RUNE_QUOTED_MAX bytes. */
static size_t escape_rune(uint32_t rune, uint32_t quote, char *quoted)
{
    const char *simple = simple_escape(rune, quote);
    if (simple != NULL) {
        return (size_t)snprintf(quoted, RUNE_QUOTED_MAX, "%s", simple);
    }
    if (is_printable(rune)) {
        size_t width = rune_encode(rune, quoted);
        quoted[width] = '\0';
        return width;
    }
    if (rune < 0x80) {
        return (size_t)snprintf(quoted, RUNE_QUOTED_MAX, "\\x%02x", rune);
    }
    if (rune < 0x10000) {
        return (size_t)snprintf(quoted, RUNE_QUOTED_MAX, "\\u%04x", rune);
    }
    return (size_t)snprintf(quoted, RUNE_QUOTED_MAX, "\\U%08x", rune);
}

void rune_quote(int rune, char *quoted)
{
    char body[RUNE_QUOTED_MAX];
    uint32_t shown = rune < 0 ? RUNE_INVALID : (uint32_t)rune;
    if (shown == RUNE_INVALID) {
        (void)snprintf(body, sizeof(body), "\xef\xbf\xbd");
    } else {
        (void)escape_rune(shown, '\'', body);
    }
    (void)snprintf(quoted, RUNE_QUOTED_MAX, "'%.12s'", body);
}

void promql_write_quoted(struct str text, struct strbuf *out)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len;) {
        size_t width;
        uint32_t rune = rune_decode(str_skip(text, i), &width);
        char quoted[RUNE_QUOTED_MAX];
        if (rune == RUNE_INVALID && width == 1) {
            strbuf_addf(out, "\\x%02x", (unsigned)(unsigned char)text.ptr[i]);
        } else {
            strbuf_add(out, quoted, escape_rune(rune, '"', quoted));
        }
        i += width;
    }
    strbuf_add_char(out, '"');
}

/* ---- Strings ---- */

int hex_digit(int character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10;
    }
    return -1;
}

/* Reads `length` digits of `base` at *at. False when there are not so many. */
static bool read_digits(struct str text, size_t *at, size_t length, int base, uint32_t *value_out)
{
    uint32_t value = 0;
    for (size_t i = 0; i < length; i++, ++*at) {
        int digit = *at < text.len ? hex_digit((unsigned char)text.ptr[*at]) : -1;
        if (digit < 0 || digit >= base) {
            return false;
        }
        value = value * (uint32_t)base + (uint32_t)digit;
    }
    *value_out = value;
    return true;
}

/* The escape after a backslash at *at - 1, written to `bytes` (4). Returns how many, 0 = malformed.
 * \x and octal escapes are bytes, \u and \U are runes. */
static size_t unescape(struct str text, size_t *at, char *bytes)
{
    if (*at >= text.len) {
        return 0;
    }
    static const char names[] = "abtnvfr";
    char c = text.ptr[(*at)++];
    const char *name = c != '\0' ? strchr(names, c) : NULL;
    if (name != NULL) {
        static const char values[] = "\a\b\t\n\v\f\r";
        bytes[0] = values[name - names];
        return 1;
    }
    uint32_t value;
    switch (c) {
    case '\\':
    case '\'':
    case '"':
        bytes[0] = c;
        return 1;
    case 'x':
        if (!read_digits(text, at, 2, 16, &value)) {
            return 0;
        }
        bytes[0] = (char)value;
        return 1;
    case 'u':
    case 'U':
        if (!read_digits(text, at, c == 'u' ? 4 : 8, 16, &value) || value > 0x10ffff ||
            (value >= 0xd800 && value < 0xe000)) {
            return 0;
        }
        return rune_encode(value, bytes);
    default:
        --*at;
        if (!read_digits(text, at, 3, 8, &value) || value > 255) {
            return 0;
        }
        bytes[0] = (char)value;
        return 1;
    }
}

int string_unquote(struct str literal, struct arena *arena, struct str *value_out)
{
    if (literal.len < 2 || literal.ptr[0] != literal.ptr[literal.len - 1]) {
        return ERR_INVALID;
    }
    struct str body = str_make(literal.ptr + 1, literal.len - 2);
    char *value = arena_alloc(arena, body.len + 1);
    if (value == NULL) {
        return arena_error(arena);
    }
    size_t size = 0;
    bool raw = literal.ptr[0] == '`';
    for (size_t i = 0; i < body.len;) {
        if (raw || body.ptr[i] != '\\') {
            value[size++] = body.ptr[i++];
            continue;
        }
        i++;
        char bytes[4];
        size_t width = unescape(body, &i, bytes);
        if (width == 0) {
            return ERR_INVALID;
        }
        memcpy(value + size, bytes, width);
        size += width;
    }
    value[size] = '\0';
    *value_out = str_make(value, size);
    return 0;
}

/* ---- Numbers ---- */

/* Longest number that is looked at. */
#define NUMBER_TEXT_MAX 1024

/* Underscores may stand between digits, and after 0x. Copies the rest to `out`. */
static bool strip_underscores(struct str text, char *out, size_t *length_out)
{
    bool hexadecimal = text.len > 1 && text.ptr[0] == '0' && (text.ptr[1] | 0x20) == 'x';
    size_t length = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_') {
            out[length++] = text.ptr[i];
            continue;
        }
        bool before =
            i > 0 && ((hexadecimal && i == 2) || hex_digit((unsigned char)text.ptr[i - 1]) >= 0);
        bool after = i + 1 < text.len && hex_digit((unsigned char)text.ptr[i + 1]) >= 0;
        if (!before || !after) {
            return false;
        }
    }
    *length_out = length;
    return true;
}

/* An integer in base 16 (0x) or 8 (leading 0); false when it is neither or does not fit int64. */
static bool parse_prefixed(struct str digits, double *value_out)
{
    int base = 8;
    size_t i = 1;
    if (digits.len < 2 || digits.ptr[0] != '0') {
        return false;
    }
    if ((digits.ptr[1] | 0x20) == 'x') {
        base = 16;
        i = 2;
    }
    if (i >= digits.len) {
        return false;
    }
    uint64_t value = 0;
    for (; i < digits.len; i++) {
        int digit = hex_digit((unsigned char)digits.ptr[i]);
        if (digit < 0 || digit >= base || value > (uint64_t)INT64_MAX / (unsigned)base) {
            return false;
        }
        value = value * (unsigned)base + (unsigned)digit;
        if (value > (uint64_t)INT64_MAX) {
            return false;
        }
    }
    *value_out = (double)value;
    return true;
}

int number_parse(struct str text, double *value_out, struct err *e)
{
    char digits[NUMBER_TEXT_MAX];
    size_t length = 0;
    int code = ERR_INVALID;
    if (text.len < sizeof(digits) && strip_underscores(text, digits, &length)) {
        struct str stripped = str_make(digits, length);
        if (parse_prefixed(stripped, value_out)) {
            return 0;
        }
        code = str_to_double(stripped, value_out);
        if (code == 0 && isinf(*value_out) && (digits[0] | 0x20) != 'i') {
            code = ERR_RANGE;
        }
    }
    if (code != 0) {
        return err_set(e, ERR_INVALID, -1,
            "error parsing number: strconv.ParseFloat: parsing \"%.*s\": %s", STR_ARG(text),
            code == ERR_RANGE ? "value out of range" : "invalid syntax");
    }
    return 0;
}
