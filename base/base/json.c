/* JSON out: a streaming writer.
 *
 * The writer knows the open objects and arrays and puts the commas; text goes straight into the
 * buffer. Strings are escaped as Go's encoding/json does with HTML escaping off: \" \\ \b \f \n \r \t, other
 * control bytes as \u00XX, U+2028 and U+2029 as \u2028 and \u2029 (JavaScript once took them for
 * line ends), and each byte that is not part of well-formed UTF-8 as U+FFFD. Everything else is
 * copied, in runs. Times have three decimals or none, as Prometheus writes them.
 */
#include "base/json.h"

#include <assert.h>
#include <math.h>

#include "base/bytes.h"
#include "base/fpconv.h"

void json_init(struct json_writer *w, struct strbuf *out)
{
    w->out = out;
    w->depth = 0;
    w->after_key = false;
    w->first[0] = true;
}

/* What stands between the last value and the next one. */
static void separate(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth > 0) {
        /* Values of an object follow a key. */
        assert(w->closers[w->depth] == ']');
        if (!w->first[w->depth]) {
            strbuf_add_char(w->out, ',');
        }
    }
    w->first[w->depth] = false;
}

static void begin(struct json_writer *w, char opener, char closer)
{
    assert(w->depth + 1 < JSON_DEPTH_MAX);
    separate(w);
    strbuf_add_char(w->out, opener);
    w->depth++;
    w->first[w->depth] = true;
    w->closers[w->depth] = closer;
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{', '}');
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[', ']');
}

void json_end(struct json_writer *w)
{
    assert(w->depth > 0);
    assert(!w->after_key);
    strbuf_add_char(w->out, w->closers[w->depth]);
    w->depth--;
}

/* ---- Strings ---- */

/* Length of the well-formed UTF-8 sequence at `p`, 0 when there is none (RFC 3629). */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    size_t length;
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        length = 2;
    } else if ((p[0] & 0xf0) == 0xe0) {
        length = 3;
        low = p[0] == 0xe0 ? 0xa0 : low;   /* overlong */
        high = p[0] == 0xed ? 0x9f : high; /* surrogates */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        length = 4;
        low = p[0] == 0xf0 ? 0x90 : low;   /* overlong */
        high = p[0] == 0xf4 ? 0x8f : high; /* beyond U+10FFFF */
    } else {
        return 0;
    }
    if (left < length || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static void add_control(struct strbuf *out, unsigned char c)
{
    switch (c) {
    case '"':
        strbuf_add_c(out, "\\\"");
        break;
    case '\\':
        strbuf_add_c(out, "\\\\");
        break;
    case '\b':
        strbuf_add_c(out, "\\b");
        break;
    case '\f':
        strbuf_add_c(out, "\\f");
        break;
    case '\n':
        strbuf_add_c(out, "\\n");
        break;
    case '\r':
        strbuf_add_c(out, "\\r");
        break;
    case '\t':
        strbuf_add_c(out, "\\t");
        break;
    default:
        strbuf_addf(out, "\\u%04x", c);
        break;
    }
}

static bool is_line_separator(const unsigned char *p, size_t length)
{
    return length == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
}

/* Nothing in it has to be escaped or looked at closer: no control byte, quote, backslash, byte above 0x7f. Eight at
 * a time: a byte minus 0x20 borrows below 0x20, and so does its difference to a quote, minus one, at a quote. */
static bool is_plain(struct str value)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t special = 0;
    size_t i = 0;
    for (; i + 8 <= value.len; i += 8) {
        uint64_t word = get_le64((const uint8_t *)value.ptr + i);
        special |= (word - 0x20 * ones) | word | ((word ^ '"' * ones) - ones) |
                   ((word ^ '\\' * ones) - ones);
    }
    bool plain = (special & high) == 0;
    for (; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        plain = plain && c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
    }
    return plain;
}

/* "text", and what stands before and behind it; each of the two a byte or none. */
static void add_plain(struct strbuf *out, char before, struct str value, char behind)
{
    char *room = strbuf_reserve(out, value.len + 4);
    if (room == NULL) {
        return;
    }
    char *p = room;
    *p = before;
    p += before != '\0';
    *p++ = '"';
    if (value.len > 0) {
        memcpy(p, value.ptr, value.len);
    }
    p += value.len;
    *p++ = '"';
    *p = behind;
    p += behind != '\0';
    strbuf_commit(out, (size_t)(p - room));
}

static void add_escaped(struct strbuf *out, struct str value)
{
    const unsigned char *p = (const unsigned char *)value.ptr;
    size_t copied = 0; /* everything before is in `out` */
    size_t i = 0;
    strbuf_add_char(out, '"');
    while (i < value.len) {
        if (p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\') {
            i++;
            continue;
        }
        size_t length = p[i] >= 0x80 ? utf8_length(p + i, value.len - i) : 1;
        if (length > 1 && !is_line_separator(p + i, length)) {
            i += length;
            continue;
        }
        strbuf_add(out, value.ptr + copied, i - copied);
        if (p[i] < 0x80) {
            add_control(out, p[i]);
        } else if (length > 1) {
            strbuf_add_c(out, p[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
        } else {
            strbuf_add_c(out, "\xef\xbf\xbd");
        }
        i += length > 1 ? length : 1;
        copied = i;
    }
    strbuf_add(out, value.ptr + copied, i - copied);
    strbuf_add_char(out, '"');
}

/* A string with what stands before and behind it. */
static void add_quoted(struct strbuf *out, char before, struct str value, char behind)
{
    if (is_plain(value)) {
        add_plain(out, before, value, behind);
        return;
    }
    if (before != '\0') {
        strbuf_add_char(out, before);
    }
    add_escaped(out, value);
    if (behind != '\0') {
        strbuf_add_char(out, behind);
    }
}

void json_key_str(struct json_writer *w, struct str key)
{
    assert(w->depth > 0 && w->closers[w->depth] == '}');
    assert(!w->after_key);
    add_quoted(w->out, w->first[w->depth] ? '\0' : ',', key, ':');
    w->first[w->depth] = false;
    w->after_key = true;
}

void json_key(struct json_writer *w, const char *key)
{
    json_key_str(w, str_of(key));
}

void json_string(struct json_writer *w, struct str value)
{
    separate(w);
    add_quoted(w->out, '\0', value, '\0');
}

void json_cstring(struct json_writer *w, const char *value)
{
    json_string(w, str_of(value));
}

/* ---- Numbers and words ---- */

void json_integer(struct json_writer *w, int64_t value)
{
    separate(w);
    strbuf_add_i64(w->out, value);
}

void json_double(struct json_writer *w, double value)
{
    separate(w);
    if (isfinite(value)) {
        strbuf_add_double(w->out, value);
    } else {
        strbuf_add_c(w->out, "null");
    }
}

void json_quoted_double(struct json_writer *w, double value)
{
    separate(w);
    char *room = strbuf_reserve(w->out, FP_TEXT_MAX + 2);
    if (room != NULL) {
        size_t length = fp_format(value, room + 1);
        room[0] = '"';
        room[length + 1] = '"';
        strbuf_commit(w->out, length + 2);
    }
}

void json_seconds(struct json_writer *w, int64_t time_ms)
{
    separate(w);
    uint64_t magnitude = time_ms < 0 ? 0 - (uint64_t)time_ms : (uint64_t)time_ms;
    if (time_ms < 0) {
        strbuf_add_char(w->out, '-');
    }
    strbuf_add_u64(w->out, magnitude / 1000);
    unsigned fraction = (unsigned)(magnitude % 1000);
    if (fraction != 0) {
        char digits[4] = {'.', (char)('0' + fraction / 100), (char)('0' + fraction / 10 % 10),
            (char)('0' + fraction % 10)};
        strbuf_add(w->out, digits, sizeof(digits));
    }
}

void json_bool(struct json_writer *w, bool value)
{
    separate(w);
    strbuf_add_c(w->out, value ? "true" : "false");
}

void json_null(struct json_writer *w)
{
    separate(w);
    strbuf_add_c(w->out, "null");
}

void json_raw(struct json_writer *w, struct str value)
{
    separate(w);
    strbuf_add_str(w->out, value);
}
