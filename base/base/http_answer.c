/* Answers of HTTP/1.x. */
#include "http_answer.h"

#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "base/err.h"

/* ---- Heads ---- */

/* Cuts a line off, without its end. */
static struct str take_line(struct str *rest)
{
    struct str line = str_split(rest, '\n');
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    return line;
}

static bool is_word(struct str s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

static bool has_token(struct str list, const char *token)
{
    while (list.len > 0) {
        if (is_word(str_trim(str_split(&list, ',')), token)) {
            return true;
        }
    }
    return false;
}

/* Name and value of a line; false for what is none, as a folded line. */
static bool split_header(struct str line, struct str *name_out, struct str *value_out)
{
    const char *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
    if (colon == NULL || colon == line.ptr || line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        return false;
    }
    *name_out = str_make(line.ptr, (size_t)(colon - line.ptr));
    *value_out = str_trim(str_skip(line, name_out->len + 1));
    return true;
}

struct str http_answer_header(struct str text, const char *name)
{
    struct str found, value;
    (void)take_line(&text);
    while (text.len > 0) {
        if (split_header(take_line(&text), &found, &value) && is_word(found, name)) {
            return value;
        }
    }
    return (struct str){NULL, 0};
}

/* "HTTP/1.1 200 OK". */
static int read_status_line(struct str line, struct http_answer_head *head)
{
    static const char begin[] = "HTTP/1.";
    enum { VERSION = sizeof(begin) - 1, STATUS = VERSION + 2, STATUS_END = STATUS + 3 };
    if (!str_starts_with(line, str_make(begin, VERSION))) {
        return str_starts_with(line, STR("HTTP/")) ? ERR_UNSUPPORTED : ERR_CORRUPT;
    }
    if (line.len < STATUS_END || line.ptr[STATUS - 1] != ' ' ||
        (line.len > STATUS_END && line.ptr[STATUS_END] != ' ')) {
        return ERR_CORRUPT;
    }
    unsigned status = 0;
    for (size_t i = STATUS; i < STATUS_END; i++) {
        unsigned digit = (unsigned)(unsigned char)line.ptr[i] - '0';
        if (digit > 9) {
            return ERR_CORRUPT;
        }
        status = status * 10 + digit;
    }
    head->status = status;
    head->keeps = line.ptr[VERSION] != '0';
    return status < 100 ? ERR_CORRUPT : 0;
}

/* Lengths that contradict each other would let the next answer begin where the other side says. */
static int read_length(struct str value, bool *has_length, struct http_answer_head *head)
{
    uint64_t length;
    if (str_to_u64(value, &length) != 0 || (*has_length && length != head->length)) {
        return ERR_CORRUPT;
    }
    *has_length = true;
    head->length = length;
    return 0;
}

static int read_headers(struct str rest, struct http_answer_head *head)
{
    bool has_length = false, chunked = false;
    struct str name, value;
    int status = 0;
    while (status == 0 && rest.len > 0) {
        if (!split_header(take_line(&rest), &name, &value)) {
            continue;
        }
        if (is_word(name, "Content-Length")) {
            status = read_length(value, &has_length, head);
        } else if (is_word(name, "Transfer-Encoding")) {
            chunked = is_word(value, "chunked");
            status = chunked ? 0 : ERR_UNSUPPORTED;
        } else if (is_word(name, "Content-Encoding")) {
            head->gzip = is_word(value, "gzip") || is_word(value, "x-gzip");
            head->encoded = !head->gzip && value.len > 0 && !is_word(value, "identity");
        } else if (is_word(name, "Connection")) {
            head->keeps =
                (head->keeps || has_token(value, "keep-alive")) && !has_token(value, "close");
        }
    }
    if (head->status < 200 || head->status == 204 || head->status == 304) {
        head->framing = HTTP_BODY_LENGTH;
        head->length = 0;
    } else {
        head->framing = chunked      ? HTTP_BODY_CHUNKED
                        : has_length ? HTTP_BODY_LENGTH
                                     : HTTP_BODY_TO_END;
    }
    head->keeps = head->keeps && head->framing != HTTP_BODY_TO_END;
    return status;
}

/* Where the empty line of the head ends, 0 when it has not come; `from` is where the lines begin. */
static size_t find_end(struct str bytes, size_t *lines_end_out)
{
    size_t at = 0;
    while (at < bytes.len) {
        const char *newline = memchr(bytes.ptr + at, '\n', bytes.len - at);
        if (newline == NULL) {
            return 0;
        }
        size_t end = (size_t)(newline - bytes.ptr);
        if (end == at || (end == at + 1 && bytes.ptr[at] == '\r')) {
            *lines_end_out = at;
            return end + 1;
        }
        at = end + 1;
    }
    return 0;
}

int http_answer_read_head(struct str bytes, struct http_answer_head *head_out, size_t *body_at_out)
{
    struct http_answer_head head = {0};
    struct str looked_at = bytes;
    looked_at.len = bytes.len < HTTP_ANSWER_HEAD_MAX ? bytes.len : HTTP_ANSWER_HEAD_MAX;
    size_t lines_end = 0, end = find_end(looked_at, &lines_end);
    if (end == 0) {
        return bytes.len < HTTP_ANSWER_HEAD_MAX ? 0 : ERR_LIMIT;
    }
    head.text = str_make(bytes.ptr, lines_end);
    struct str rest = head.text;
    int status = read_status_line(take_line(&rest), &head);
    status = status == 0 ? read_headers(rest, &head) : status;
    if (status != 0) {
        return status;
    }
    *head_out = head;
    *body_at_out = end;
    return 1;
}

/* ---- Chunks ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of the lines between the bytes of chunks. */
static int take_between(struct http_chunks *k, char c)
{
    enum { DIGITS_MAX = 15 };
    int digit = k->state == CHUNK_LENGTH ? hex_digit(c) : -1;
    switch (k->state) {
    case CHUNK_LENGTH:
        if (digit >= 0) {
            k->left = k->left * 16 + (uint64_t)digit;
            return ++k->digits > DIGITS_MAX ? ERR_CORRUPT : 0;
        }
        if (k->digits == 0 || (c != ';' && c != '\r' && c != '\n' && c != ' ' && c != '\t')) {
            return ERR_CORRUPT;
        }
        k->state = CHUNK_EXTENSION;
        return take_between(k, c);
    case CHUNK_EXTENSION:
        if (c == '\n') {
            k->state = k->left > 0 ? CHUNK_BYTES : CHUNK_TRAILER_START;
        }
        return 0;
    case CHUNK_BYTES_END:
        if (c == '\n') {
            *k = (struct http_chunks){.state = CHUNK_LENGTH};
        }
        return c == '\n' || c == '\r' ? 0 : ERR_CORRUPT;
    case CHUNK_TRAILER_START:
        if (c == '\n') {
            return 1;
        }
        k->state = c == '\r' ? CHUNK_TRAILER_START : CHUNK_TRAILER;
        return 0;
    default: /* CHUNK_TRAILER; CHUNK_BYTES is the caller's */
        k->state = c == '\n' ? CHUNK_TRAILER_START : CHUNK_TRAILER;
        return 0;
    }
}

int http_chunks_next(struct http_chunks *k, struct str *rest, struct str *piece_out)
{
    *piece_out = STR("");
    while (rest->len > 0) {
        if (k->state == CHUNK_BYTES) {
            size_t take = rest->len < k->left ? rest->len : (size_t)k->left;
            *piece_out = str_make(rest->ptr, take);
            *rest = str_skip(*rest, take);
            k->left -= take;
            k->state = k->left == 0 ? CHUNK_BYTES_END : CHUNK_BYTES;
            return 0;
        }
        int status = take_between(k, rest->ptr[0]);
        *rest = str_skip(*rest, 1);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

int http_chunks_take(struct http_chunks *k, struct str *rest, struct strbuf *out)
{
    struct str piece;
    int status;
    do {
        status = http_chunks_next(k, rest, &piece);
        strbuf_add_str(out, piece);
        status = status == 0 ? strbuf_error(out) : status;
    } while (status == 0 && piece.len > 0);
    return status;
}

/* ---- Dates ---- */

/* Digits, also with a blank in front as in asctime's day; -1 where there are none. */
static int read_number(struct str s)
{
    uint64_t value;
    return str_to_u64(str_trim(s), &value) == 0 && value < 10000 ? (int)value : -1;
}

static int read_month(struct str s)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; s.len == 3 && i < 12; i++) {
        if (memcmp(names + 3 * i, s.ptr, 3) == 0) {
            return i + 1;
        }
    }
    return -1;
}

static bool read_clock(struct str s, struct civil_time *t)
{
    t->hour = read_number(str_split(&s, ':'));
    t->minute = read_number(str_split(&s, ':'));
    t->second = read_number(s);
    return t->hour >= 0 && t->hour < 24 && t->minute >= 0 && t->minute < 60 && t->second >= 0 &&
           t->second <= 60;
}

/* The next word, between blanks. */
static struct str take_word(struct str *rest)
{
    while (rest->len > 0 && rest->ptr[0] == ' ') {
        *rest = str_skip(*rest, 1);
    }
    return str_split(rest, ' ');
}

int http_date_read(struct str text, int64_t *seconds_out)
{
    enum { CENTURY = 100, PIVOT = 70 };
    struct civil_time t = {0};
    struct str weekday = take_word(&text), year;
    bool good;
    if (!str_ends_with(weekday, STR(","))) { /* asctime: Sun Nov  6 08:49:37 1994 */
        t.month = read_month(take_word(&text));
        t.day = read_number(take_word(&text));
        good = read_clock(take_word(&text), &t);
        year = take_word(&text);
    } else { /* Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT */
        struct str date = take_word(&text);
        char between = date.len > 0 && memchr(date.ptr, '-', date.len) != NULL ? '-' : ' ';
        struct str *from = between == '-' ? &date : &text;
        t.day = read_number(between == '-' ? str_split(from, '-') : date);
        t.month = read_month(str_split(from, between));
        year = str_split(from, between);
        good = read_clock(take_word(&text), &t) && is_word(take_word(&text), "GMT");
    }
    int number = read_number(year);
    if (year.len == 2) { /* RFC 850's: nearer than 50 years */
        number += number < PIVOT ? 20 * CENTURY : 19 * CENTURY;
    }
    t.year = number;
    if (!good || t.month < 1 || number < 1900 || t.day < 1 ||
        t.day > civil_days_in_month(t.year, t.month)) {
        return ERR_INVALID;
    }
    *seconds_out = civil_to_seconds(&t);
    return 0;
}
