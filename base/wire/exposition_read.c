/* Reading expositions, a line at a time.
 *
 * Text format 0.0.4 (as Prometheus' parser takes it):
 *   # HELP name text | # TYPE name type | # anything
 *   name{label="value",…} value [timestamp in ms]
 *   {"any utf-8 name", label="value"} value [timestamp]
 * Blanks and tabs may stand between the parts; an unknown comment is skipped; the last line needs no
 * line end.
 *
 * OpenMetrics 1.0 differs: single blanks, # UNIT, timestamps in seconds, exemplars after the value
 * (` # {labels} value [timestamp]`), and `# EOF` as the last line, after which nothing may come.
 *
 * The parser locates the series text of a sample without splitting it: a scraper that has met the
 * same bytes before needs no more. exposition_labels (exposition_labels.c) does the rest.
 */
#include <math.h>
#include <string.h>

#include "wire/exposition.h"
#include "wire/media_type.h"

/* The line being read. */
struct line {
    const char *begin, *p, *end;
};

int exposition_format_of(
    struct str content_type, bool fallback_text, enum exposition_format *format_out)
{
    if (media_type_is(content_type, "application/openmetrics-text")) {
        *format_out = EXPOSITION_OPENMETRICS;
        return 0;
    }
    if (media_type_is(content_type, "application/vnd.google.protobuf")) {
        *format_out = EXPOSITION_PROTOBUF;
        return 0;
    }
    if (media_type_is(content_type, "text/plain") || fallback_text) {
        *format_out = EXPOSITION_TEXT;
        return 0;
    }
    return ERR_UNSUPPORTED;
}

void exposition_begin(struct exposition_parser *p, enum exposition_format format, struct str body,
    struct arena *arena)
{
    *p = (struct exposition_parser){.format = format, .body = body, .arena = arena};
}

void exposition_go_on(struct exposition_parser *p, struct str part, bool last)
{
    p->before += p->body.len;
    p->body = part;
    p->position = 0;
    p->more = !last;
}

static int fail(
    const struct exposition_parser *p, const struct line *line, struct err *e, const char *what)
{
    size_t column = (size_t)(line->p - line->begin) + 1;
    size_t shown = (size_t)(line->end - line->begin);
    return err_set(e, ERR_INVALID, (int64_t)(p->before + (size_t)(line->p - p->body.ptr)),
        "line %zu, column %zu: %s in \"%.*s\"", p->line, column, what,
        (int)(shown > 80 ? 80 : shown), line->begin);
}

static bool strict(const struct exposition_parser *p)
{
    return p->format == EXPOSITION_OPENMETRICS;
}

/* Takes the blanks that separate two parts; false when there are none, or too many for
 * OpenMetrics. */
static bool take_blanks(const struct exposition_parser *p, struct line *line)
{
    const char *from = line->p;
    if (strict(p)) {
        if (line->p < line->end && *line->p == ' ') {
            line->p++;
        }
    } else {
        while (line->p < line->end && (*line->p == ' ' || *line->p == '\t')) {
            line->p++;
        }
    }
    return line->p > from;
}

/* Everything up to the next blank. */
static struct str take_word(struct line *line)
{
    const char *from = line->p;
    while (line->p < line->end && *line->p != ' ' && *line->p != '\t') {
        line->p++;
    }
    return str_make(from, (size_t)(line->p - from));
}

/* Walks over a quoted string whose opening quote is at line->p; false when it does not end. */
static bool skip_quoted(struct line *line)
{
    for (line->p++; line->p < line->end; line->p++) {
        if (*line->p == '\\') {
            line->p++;
        } else if (*line->p == '"') {
            line->p++;
            return true;
        }
    }
    line->p = line->end;
    return false;
}

/* Walks over {…} whose brace is at line->p, minding quotes; false when it does not end. */
static bool skip_braces(struct line *line)
{
    line->p++;
    while (line->p < line->end) {
        if (*line->p == '"') {
            if (!skip_quoted(line)) {
                return false;
            }
        } else if (*line->p++ == '}') {
            return true;
        }
    }
    return false;
}

/* Numbers as the formats allow them: no underscores, no hexadecimal. */
static bool parse_value(struct str text, double *value_out)
{
    if (text.len == 0 || str_to_double(text, value_out) != 0) {
        return false;
    }
    return memchr(text.ptr, 'x', text.len) == NULL && memchr(text.ptr, 'X', text.len) == NULL;
}

/* Seconds with decimals (OpenMetrics) to milliseconds; what no int64 holds is the last one that does,
 * for whoever takes the sample to refuse. */
static bool parse_seconds(struct str text, int64_t *t_ms_out)
{
    static const double most_ms = 9223372036854774784.0; /* the largest double below 2^63 */
    double seconds;
    if (!parse_value(text, &seconds) || !isfinite(seconds)) {
        return false;
    }
    *t_ms_out = (int64_t)fmax(-most_ms, fmin(seconds * 1000, most_ms));
    return true;
}

static int read_timestamp(
    struct exposition_parser *p, struct line *line, struct exposition_entry *entry, struct err *e)
{
    struct str text = take_word(line);
    bool good = strict(p) ? parse_seconds(text, &entry->t_ms) : str_to_i64(text, &entry->t_ms) == 0;
    if (!good) {
        line->p = text.ptr;
        return fail(p, line, e, "expected a timestamp");
    }
    entry->has_timestamp = true;
    return 0;
}

/* `{labels} value [timestamp]` behind " # ". */
static int read_exemplar(
    struct exposition_parser *p, struct line *line, struct exposition_entry *entry, struct err *e)
{
    const char *from = line->p;
    if (line->p == line->end || *line->p != '{' || !skip_braces(line)) {
        return fail(p, line, e, "expected the labels of an exemplar");
    }
    entry->exemplar_text = str_make(from, (size_t)(line->p - from));
    if (!take_blanks(p, line)) {
        return fail(p, line, e, "expected a blank and the value of the exemplar");
    }
    struct str value = take_word(line);
    if (!parse_value(value, &entry->exemplar_value)) {
        line->p = value.ptr;
        return fail(p, line, e, "expected the value of the exemplar");
    }
    if (line->p < line->end) {
        take_blanks(p, line);
        struct str text = take_word(line);
        if (!parse_seconds(text, &entry->exemplar_t_ms)) {
            line->p = text.ptr;
            return fail(p, line, e, "expected the timestamp of the exemplar");
        }
        entry->exemplar_has_timestamp = true;
    }
    entry->has_exemplar = true;
    return line->p == line->end ? 0 : fail(p, line, e, "unexpected text after the exemplar");
}

/* What may follow the value: a timestamp, and in OpenMetrics an exemplar. */
static int read_after_value(
    struct exposition_parser *p, struct line *line, struct exposition_entry *entry, struct err *e)
{
    bool separated = take_blanks(p, line);
    if (line->p == line->end) {
        return separated && strict(p) ? fail(p, line, e, "blank at the end of the line") : 0;
    }
    if (*line->p != '#' || !strict(p)) {
        int status = read_timestamp(p, line, entry, e);
        if (status != 0) {
            return status;
        }
        separated = take_blanks(p, line);
        if (line->p == line->end) {
            return separated && strict(p) ? fail(p, line, e, "blank at the end of the line") : 0;
        }
    }
    if (strict(p) && separated && *line->p == '#') {
        line->p++;
        if (!take_blanks(p, line)) {
            return fail(p, line, e, "expected a blank before the exemplar");
        }
        return read_exemplar(p, line, entry, e);
    }
    return fail(p, line, e, "unexpected text after the sample");
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static int read_sample(
    struct exposition_parser *p, struct line *line, struct exposition_entry *entry, struct err *e)
{
    const char *from = line->p;
    if (*line->p != '{' && !is_name_start(*line->p)) {
        return fail(p, line, e, "expected a metric name");
    }
    while (line->p < line->end && is_name_part(*line->p)) {
        line->p++;
    }
    const char *name_end = line->p;
    if (!strict(p)) {
        take_blanks(p, line); /* "name {a="b"} 1" is accepted */
    }
    if (line->p < line->end && *line->p == '{') {
        if (!skip_braces(line)) {
            return fail(p, line, e, "the braces are not closed");
        }
        name_end = line->p;
    } else {
        line->p = name_end;
    }
    entry->kind = EXPOSITION_SAMPLE;
    entry->series_text = str_make(from, (size_t)(name_end - from));
    /* The text format also takes a value right behind the brace. */
    if (!take_blanks(p, line) && (strict(p) || name_end[-1] != '}')) {
        return fail(p, line, e, "expected a blank and a value");
    }
    struct str value = take_word(line);
    if (!parse_value(value, &entry->value)) {
        line->p = value.ptr;
        return fail(p, line, e, "expected a value");
    }
    return read_after_value(p, line, entry, e);
}

/* A metric name behind HELP, TYPE or UNIT: bare, or quoted for UTF-8 names. */
static int read_metric(
    struct exposition_parser *p, struct line *line, struct str *metric_out, struct err *e)
{
    const char *from = line->p;
    if (line->p < line->end && *line->p == '"') {
        if (!skip_quoted(line)) {
            return fail(p, line, e, "the quoted name does not end");
        }
        struct label pair;
        size_t count = 0;
        /* A quoted name reads like the series {"name"}. */
        struct strbuf braced = STRBUF_INIT;
        strbuf_addf(&braced, "{%.*s}", (int)(line->p - from), from);
        char *copy =
            strbuf_error(&braced) == 0 ? arena_strndup(p->arena, braced.data, braced.size) : NULL;
        struct str text = str_make(copy, copy != NULL ? braced.size : 0);
        strbuf_release(&braced);
        if (copy == NULL) {
            return err_set(e, ERR_NOMEM, -1, "out of memory for a metric name");
        }
        int status = exposition_labels(p, text, &pair, 1, &count, e);
        *metric_out = pair.value;
        return status;
    }
    if (line->p == line->end || !is_name_start(*line->p)) {
        return fail(p, line, e, "expected a metric name");
    }
    while (line->p < line->end && is_name_part(*line->p)) {
        line->p++;
    }
    *metric_out = str_make(from, (size_t)(line->p - from));
    return 0;
}

static int parse_type(struct str text, enum metric_type *type_out)
{
    static const struct {
        const char *name;
        enum metric_type type;
    } types[] = {{"counter", METRIC_TYPE_COUNTER}, {"gauge", METRIC_TYPE_GAUGE},
        {"histogram", METRIC_TYPE_HISTOGRAM}, {"gaugehistogram", METRIC_TYPE_GAUGE_HISTOGRAM},
        {"summary", METRIC_TYPE_SUMMARY}, {"info", METRIC_TYPE_INFO},
        {"stateset", METRIC_TYPE_STATESET}, {"unknown", METRIC_TYPE_UNKNOWN},
        {"untyped", METRIC_TYPE_UNKNOWN}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_eq_c(text, types[i].name)) {
            *type_out = types[i].type;
            return 0;
        }
    }
    return ERR_INVALID;
}

/* Undoes \\ and \n of a HELP text; OpenMetrics also escapes the quote. */
static int unescape_help(struct exposition_parser *p, struct str text, struct str *text_out)
{
    if (text.len == 0 || memchr(text.ptr, '\\', text.len) == NULL) {
        *text_out = text;
        return 0;
    }
    char *copy = arena_alloc(p->arena, text.len);
    if (copy == NULL) {
        return arena_error(p->arena);
    }
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char next = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        if (text.ptr[i] == '\\' && (next == '\\' || next == 'n' || (next == '"' && strict(p)))) {
            copy[n++] = next == 'n' ? '\n' : next;
            i++;
        } else {
            copy[n++] = text.ptr[i];
        }
    }
    *text_out = str_make(copy, n);
    return 0;
}

/* HELP, TYPE or UNIT: name and the rest of the line. */
static int read_metadata(struct exposition_parser *p, struct line *line,
    enum exposition_entry_kind kind, struct exposition_entry *entry, struct err *e)
{
    int status = read_metric(p, line, &entry->metric, e);
    if (status != 0) {
        return status;
    }
    entry->kind = kind;
    bool separated = take_blanks(p, line);
    bool any_text = kind == EXPOSITION_HELP && !strict(p); /* what is no part of the name is */
    if (line->p < line->end && !separated && !any_text) {
        return fail(p, line, e, "expected a blank after the metric name");
    }
    if (strict(p) && !separated) {
        return fail(p, line, e, "expected text after the metric name");
    }
    struct str text = str_make(line->p, (size_t)(line->end - line->p));
    if (!str_is_utf8(text)) {
        return fail(p, line, e, "text is not valid UTF-8");
    }
    switch (kind) {
    case EXPOSITION_TYPE:
        if (parse_type(strict(p) ? text : str_trim(text), &entry->type) != 0) {
            return fail(p, line, e, "invalid metric type");
        }
        return 0;
    case EXPOSITION_UNIT:
        entry->text = text;
        if (text.len > 0 && !(str_ends_with(entry->metric, text) && entry->metric.len > text.len &&
                                entry->metric.ptr[entry->metric.len - text.len - 1] == '_')) {
            return fail(p, line, e, "the unit is not a suffix of the metric name");
        }
        return 0;
    default:
        status = unescape_help(p, text, &entry->text);
        return status == 0 ? 0 : err_set(e, status, -1, "out of memory for a HELP text");
    }
}

/* A line that begins with '#'. Returns 1 with an entry, 0 to go on, or an error. */
static int read_comment(
    struct exposition_parser *p, struct line *line, struct exposition_entry *entry, struct err *e)
{
    static const struct {
        struct str word;
        enum exposition_entry_kind kind;
    } words[] = {{{"HELP", 4}, EXPOSITION_HELP}, {{"TYPE", 4}, EXPOSITION_TYPE},
        {{"UNIT", 4}, EXPOSITION_UNIT}};
    line->p++;
    if (!take_blanks(p, line)) {
        return strict(p) ? fail(p, line, e, "expected a blank after #") : 0;
    }
    const char *at = line->p;
    struct str word = take_word(line);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        bool known = words[i].kind != EXPOSITION_UNIT || strict(p);
        if (known && str_eq(word, words[i].word) && take_blanks(p, line)) {
            int status = read_metadata(p, line, words[i].kind, entry, e);
            return status == 0 ? 1 : status;
        }
    }
    if (!strict(p)) {
        return 0;
    }
    if (str_eq(word, STR("EOF")) && line->p == line->end) {
        p->saw_eof_marker = true;
        return 0;
    }
    line->p = at;
    return fail(p, line, e, "expected HELP, TYPE, UNIT or EOF");
}

/* Cuts the next line off the body. */
static struct line next_line(struct exposition_parser *p)
{
    const char *begin = p->body.ptr + p->position;
    size_t left = p->body.len - p->position;
    const char *newline = memchr(begin, '\n', left);
    size_t length = newline != NULL ? (size_t)(newline - begin) : left;
    p->position += length + (newline != NULL ? 1 : 0);
    p->line++;
    return (struct line){begin, begin, begin + length};
}

int exposition_next(struct exposition_parser *p, struct exposition_entry *entry_out, struct err *e)
{
    while (p->position < p->body.len) {
        struct line line = next_line(p);
        if (p->saw_eof_marker) {
            return fail(p, &line, e, "text after # EOF");
        }
        if (!strict(p)) {
            if (line.end > line.p && line.end[-1] == '\r') {
                line.end--;
            }
            take_blanks(p, &line);
            if (line.p == line.end) {
                continue;
            }
        } else if (line.p == line.end) {
            return fail(p, &line, e, "empty line");
        }
        struct exposition_entry entry = {.kind = EXPOSITION_SAMPLE};
        int status = 1;
        if (*line.p == '#') {
            status = read_comment(p, &line, &entry, e);
        } else {
            int failed = read_sample(p, &line, &entry, e);
            status = failed != 0 ? failed : 1;
        }
        if (status < 0) {
            return status;
        }
        if (status == 1) {
            *entry_out = entry;
            return 1;
        }
    }
    if (strict(p) && !p->saw_eof_marker && !p->more) {
        return err_set(e, ERR_INVALID, (int64_t)(p->before + p->body.len),
            "line %zu, column 1: the exposition does not end with # EOF", p->line + 1);
    }
    return 0;
}

/* A whole number of at most 15 digits, which a double holds exactly. */
static bool parse_whole(const char *text, size_t length, double *value_out)
{
    uint64_t value = 0;
    if (length == 0 || length > 15) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)text[i] - '0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    *value_out = (double)value;
    return true;
}

bool exposition_take_known(struct exposition_parser *p, struct str series_text, double *value_out)
{
    const char *line = p->body.ptr + p->position;
    size_t left = p->body.len - p->position;
    if (left < series_text.len + 2 || line[series_text.len] != ' ' || p->saw_eof_marker ||
        memcmp(line, series_text.ptr, series_text.len) != 0) {
        return false;
    }
    const char *value = line + series_text.len + 1;
    const char *end = memchr(value, '\n', left - series_text.len - 1);
    if (end == NULL) {
        return false;
    }
    size_t length = (size_t)(end - value);
    if (!parse_whole(value, length, value_out) &&
        !parse_value(str_make(value, length), value_out)) {
        return false;
    }
    p->position += series_text.len + 1 + length + 1;
    p->line++;
    return true;
}
