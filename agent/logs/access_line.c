/* Parsers of lines; the formats are in the header.
 *
 * Each format hands its names and values to one function, take(), so that what a name means is settled
 * in one place. Texts in quotes are searched for their closing quote with \" and \\ passed over, as nginx
 * and Apache write quotes inside; only JSON's escapes are resolved, since paths of a log with others are
 * written with %.
 */
#include "logs/access_line.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define COMMON "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent"
/* Nesting of JSON that is passed over. */
#define JSON_SKIP_DEPTH_MAX 32

enum field {
    FIELD_METHOD,
    FIELD_PATH,
    FIELD_REQUEST, /* method, path and protocol in one */
    FIELD_STATUS,
    FIELD_DURATION,
    FIELD_BYTES,
    FIELD_HOST,
    FIELDS,
};

/* As settings name them. */
static const char *const field_names[FIELDS] = {
    "method", "path", "request", "status", "duration", "bytes", "host"};

/* What logs call them. A later row of a field counts only where an earlier one does not come. */
static const struct {
    const char *name;
    enum field field;
} known_names[] = {
    {"method", FIELD_METHOD},
    {"request_method", FIELD_METHOD},
    {"http.request.method", FIELD_METHOD},
    {"RequestMethod", FIELD_METHOD},
    {"path", FIELD_PATH},
    {"uri", FIELD_PATH},
    {"request_uri", FIELD_PATH},
    {"url.path", FIELD_PATH},
    {"RequestPath", FIELD_PATH},
    {"request", FIELD_REQUEST},
    {"status", FIELD_STATUS},
    {"status_code", FIELD_STATUS},
    {"http.response.status_code", FIELD_STATUS},
    {"DownstreamStatus", FIELD_STATUS},
    {"duration", FIELD_DURATION},
    {"request_time", FIELD_DURATION},
    {"upstream_response_time", FIELD_DURATION},
    {"Duration", FIELD_DURATION},
    {"bytes", FIELD_BYTES},
    {"body_bytes_sent", FIELD_BYTES},
    {"bytes_sent", FIELD_BYTES},
    {"size", FIELD_BYTES},
    {"DownstreamContentSize", FIELD_BYTES},
    {"host", FIELD_HOST},
    {"http_host", FIELD_HOST},
    {"server_name", FIELD_HOST},
    {"RequestHost", FIELD_HOST},
};

enum { KNOWN_NAMES = sizeof(known_names) / sizeof(known_names[0]) };

/* Text that must stand in the line, and the variable behind it. */
struct piece {
    struct str text;
    int field; /* enum field; -1: its value is not wanted, or there is no variable (at the end) */
    bool has_variable;
};

enum line_form { FORM_PATTERN, FORM_JSON, FORM_LOGFMT };

struct access_format {
    enum line_form form;
    const struct config_map *fields; /* borrowed from the settings */
    double unit;                     /* seconds in one of the log's durations */
    char *pattern;
    struct piece pieces[ACCESS_PATTERN_PIECES_MAX];
    size_t piece_count;
    struct strbuf unescaped; /* texts of JSON that had escapes */
};

/* ---- Values ---- */

static int field_of(const struct access_format *f, struct str name)
{
    for (size_t i = 0; i < f->fields->count; i++) {
        if (str_eq_c(name, f->fields->items[i].value)) {
            for (int k = 0; k < FIELDS; k++) {
                if (strcmp(f->fields->items[i].key, field_names[k]) == 0) {
                    return k;
                }
            }
        }
    }
    for (size_t i = 0; i < KNOWN_NAMES; i++) {
        if (str_eq_c(name, known_names[i].name)) {
            return (int)known_names[i].field;
        }
    }
    return -1;
}

/* "GET /a?b HTTP/1.1": anything else has neither method nor path. */
static void take_request(struct str value, struct access_line *line)
{
    struct str method = str_split(&value, ' ');
    struct str path = str_split(&value, ' ');
    if (path.len > 0) {
        line->method = method;
        line->path = path;
    }
}

/* The first number: nginx lists times of several upstreams with commas. */
static double take_number(struct str value)
{
    double number;
    struct str first = str_trim(str_split(&value, ','));
    return str_to_double(first, &number) == 0 && isfinite(number) && number >= 0 ? number : -1;
}

static void take(
    const struct access_format *f, int field, struct str value, struct access_line *line)
{
    uint64_t status;
    double number;
    switch (field) {
    case FIELD_METHOD:
        line->method = value;
        break;
    case FIELD_PATH:
        line->path = value;
        break;
    case FIELD_REQUEST:
        take_request(value, line);
        break;
    case FIELD_STATUS:
        if (str_to_u64(value, &status) == 0 && status >= 100 && status <= 599) {
            line->status = (int)status;
        }
        break;
    case FIELD_DURATION:
        number = take_number(value);
        line->seconds = line->seconds < 0 && number >= 0 ? number * f->unit : line->seconds;
        break;
    case FIELD_BYTES:
        number = take_number(value);
        line->bytes = line->bytes < 0 ? number : line->bytes;
        break;
    case FIELD_HOST:
        line->host = line->host.len == 0 ? value : line->host;
        break;
    default:
        break;
    }
}

/* ---- Patterns ---- */

/* Where a value ends that is followed by `text`; behind a quote those inside the value do not count. */
static const char *find_end(const char *at, const char *end, struct str text)
{
    if (text.len == 0) {
        return end;
    }
    bool quoted = text.ptr[0] == '"';
    const char *found = at;
    while ((found = memmem(found, (size_t)(end - found), text.ptr, text.len)) != NULL) {
        size_t backslashes = 0;
        while (quoted && found - backslashes > at && found[-1 - (ptrdiff_t)backslashes] == '\\') {
            backslashes++;
        }
        if (backslashes % 2 == 0) {
            return found;
        }
        found++;
    }
    return NULL;
}

static int parse_pattern(const struct access_format *f, struct str line, struct access_line *parsed)
{
    const char *at = line.ptr, *end = line.ptr + line.len;
    for (size_t i = 0; i < f->piece_count; i++) {
        const struct piece *piece = &f->pieces[i];
        if (!str_starts_with(str_make(at, (size_t)(end - at)), piece->text)) {
            return ERR_INVALID;
        }
        at += piece->text.len;
        if (!piece->has_variable) {
            break; // what is behind the pattern does not matter
        }
        // The last variable ends at a blank: a log may have more columns than the pattern names.
        struct str next = i + 1 < f->piece_count ? f->pieces[i + 1].text : STR(" ");
        const char *stop = find_end(at, end, next);
        if (stop == NULL && i + 1 < f->piece_count) {
            return ERR_INVALID;
        }
        stop = stop == NULL ? end : stop;
        take(f, piece->field, str_make(at, (size_t)(stop - at)), parsed);
        at = stop;
    }
    return 0;
}

static bool is_variable_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Cuts a pattern into pieces: text before each variable, and the variable. */
static int cut_pattern(struct access_format *f, const char *pattern, struct err *e)
{
    bool has_status = false;
    const char *at = pattern;
    while (*at != '\0') {
        if (f->piece_count == ACCESS_PATTERN_PIECES_MAX) {
            return err_set(
                e, ERR_LIMIT, -1, "pattern: more than %d variables", ACCESS_PATTERN_PIECES_MAX);
        }
        struct piece *piece = &f->pieces[f->piece_count++];
        size_t length = strcspn(at, "$");
        *piece = (struct piece){.text = str_make(at, length), .field = -1};
        if (length == 0 && f->piece_count > 1) {
            return err_set(e, ERR_INVALID, -1,
                "pattern: two variables stand side by side at \"%s\"; where one ends must be told "
                "by "
                "text between them",
                at);
        }
        at += length;
        if (*at == '\0') {
            break;
        }
        bool braces = *++at == '{';
        at += braces;
        const char *name = at;
        while (is_variable_letter(*at)) {
            at++;
        }
        if (at == name || (braces && *at != '}')) {
            return err_set(e, ERR_INVALID, -1, "pattern: \"$\" without a name at \"%s\"", name);
        }
        piece->has_variable = true;
        piece->field = field_of(f, str_make(name, (size_t)(at - name)));
        has_status = has_status || piece->field == FIELD_STATUS;
        at += braces;
    }
    return has_status ? 0
                      : err_set(e, ERR_INVALID, -1,
                            "pattern: no variable is the status; nginx calls it $status");
}

/* ---- JSON ---- */

struct json_scan {
    const char *at, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char next_char(struct json_scan *s)
{
    while (s->at < s->end && is_blank(*s->at)) {
        s->at++;
    }
    return s->at < s->end ? *s->at : '\0';
}

/* A text without its quotes, escapes as they stand. */
static int scan_text(struct json_scan *s, struct str *text_out, bool *has_escapes_out)
{
    const char *begin = ++s->at;
    *has_escapes_out = false;
    while (s->at < s->end && *s->at != '"') {
        *has_escapes_out = *has_escapes_out || *s->at == '\\';
        s->at += *s->at == '\\' ? 2 : 1;
    }
    if (s->at >= s->end) {
        return ERR_INVALID;
    }
    *text_out = str_make(begin, (size_t)(s->at - begin));
    s->at++;
    return 0;
}

/* A number or a word: up to what may follow it. */
static int scan_word(struct json_scan *s, struct str *text_out)
{
    const char *begin = s->at;
    while (s->at < s->end && strchr(",}] \t\r\n", *s->at) == NULL) {
        s->at++;
    }
    *text_out = str_make(begin, (size_t)(s->at - begin));
    return s->at > begin ? 0 : ERR_INVALID;
}

/* An object or a list inside: passed over. */
static int skip_nested(struct json_scan *s)
{
    struct str text;
    bool escapes;
    int depth = 0;
    do {
        char c = next_char(s);
        if (c == '"') {
            if (scan_text(s, &text, &escapes) != 0) {
                return ERR_INVALID;
            }
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (c == '\0' || depth > JSON_SKIP_DEPTH_MAX) {
            return ERR_INVALID;
        }
        s->at++;
    } while (depth > 0);
    return 0;
}

static struct str unescape(struct access_format *f, struct str text)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    size_t begin = f->unescaped.size;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' && ++i < text.len) {
            const char *known = strchr(from, text.ptr[i]);
            c = known != NULL && text.ptr[i] != '\0' ? to[known - from] : text.ptr[i];
            if (c == 'u' && text.len - i > 4) {
                c = '_'; // of a character beyond ASCII; routes have none
                i += 4;
            }
        }
        strbuf_add_char(&f->unescaped, c);
    }
    // Room for the longest line is made when the format is: nothing moves.
    return str_make(f->unescaped.data + begin, f->unescaped.size - begin);
}

static int scan_value(struct access_format *f, struct json_scan *s, struct str *value_out)
{
    bool escapes = false;
    char c = next_char(s);
    *value_out = STR("");
    if (c == '{' || c == '[') {
        return skip_nested(s);
    }
    int status = c == '"' ? scan_text(s, value_out, &escapes) : scan_word(s, value_out);
    if (status == 0 && escapes) {
        *value_out = unescape(f, *value_out);
    }
    return status;
}

static int parse_json(struct access_format *f, struct str line, struct access_line *parsed)
{
    struct json_scan s = {line.ptr, line.ptr + line.len};
    struct str key, value;
    bool escapes;
    if (next_char(&s) != '{') {
        return ERR_INVALID;
    }
    do {
        s.at++;
        if (next_char(&s) != '"' || scan_text(&s, &key, &escapes) != 0 || next_char(&s) != ':') {
            return ERR_INVALID;
        }
        s.at++;
        if (scan_value(f, &s, &value) != 0) {
            return ERR_INVALID;
        }
        take(f, field_of(f, key), value, parsed);
    } while (next_char(&s) == ',');
    return next_char(&s) == '}' ? 0 : ERR_INVALID;
}

/* ---- logfmt ---- */

static int parse_logfmt(struct access_format *f, struct str line, struct access_line *parsed)
{
    struct json_scan s = {line.ptr, line.ptr + line.len};
    while (next_char(&s) != '\0') {
        const char *begin = s.at;
        while (s.at < s.end && *s.at != '=' && !is_blank(*s.at)) {
            s.at++;
        }
        struct str key = str_make(begin, (size_t)(s.at - begin)), value = STR("");
        bool escapes = false;
        if (s.at < s.end && *s.at == '=') {
            s.at++;
            if (s.at < s.end && *s.at == '"') {
                if (scan_text(&s, &value, &escapes) != 0) {
                    return ERR_INVALID;
                }
            } else {
                begin = s.at;
                while (s.at < s.end && !is_blank(*s.at)) {
                    s.at++;
                }
                value = str_make(begin, (size_t)(s.at - begin));
            }
        }
        take(f, field_of(f, key), escapes ? unescape(f, value) : value, parsed);
    }
    return 0;
}

/* ---- Face ---- */

int access_format_parse(struct access_format *f, struct str line, struct access_line *parsed_out)
{
    struct access_line parsed = {
        .method = STR(""), .path = STR(""), .host = STR(""), .seconds = -1, .bytes = -1};
    int status;
    if (line.len > ACCESS_LINE_BYTES_MAX) {
        return ERR_INVALID;
    }
    strbuf_reset(&f->unescaped);
    switch (f->form) {
    case FORM_JSON:
        status = parse_json(f, line, &parsed);
        break;
    case FORM_LOGFMT:
        status = parse_logfmt(f, line, &parsed);
        break;
    default:
        status = parse_pattern(f, line, &parsed);
        break;
    }
    if (status != 0 || parsed.status == 0) {
        return ERR_INVALID;
    }
    ptrdiff_t query = str_find(parsed.path, '?');
    parsed.path.len = query >= 0 ? (size_t)query : parsed.path.len;
    *parsed_out = parsed;
    return 0;
}

static int read_unit(const char *name, double *unit_out, struct err *e)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, name) == 0) {
            *unit_out = units[i].seconds;
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, -1, "duration_unit \"%s\"; accepted: s, ms, us, ns", name);
}

static int check_fields(const struct config_map *fields, struct err *e)
{
    for (size_t i = 0; i < fields->count; i++) {
        bool known = false;
        for (int k = 0; k < FIELDS; k++) {
            known = known || strcmp(fields->items[i].key, field_names[k]) == 0;
        }
        if (!known) {
            return err_set(e, ERR_INVALID, -1,
                "fields: unknown field \"%s\"; accepted: method, path, request, status, duration, "
                "bytes, host",
                fields->items[i].key);
        }
    }
    return 0;
}

static int read_form(struct access_format *f, const struct access_log_config *config, struct err *e)
{
    const char *pattern = COMMON;
    if (strcmp(config->format, "json") == 0) {
        f->form = FORM_JSON;
        return 0;
    }
    if (strcmp(config->format, "logfmt") == 0) {
        f->form = FORM_LOGFMT;
        return 0;
    }
    if (strcmp(config->format, "pattern") == 0) {
        pattern = config->pattern;
    } else if (strcmp(config->format, "common") != 0 && strcmp(config->format, "combined") != 0) {
        return err_set(e, ERR_INVALID, -1,
            "format \"%s\"; accepted: common, combined, json, logfmt, pattern", config->format);
    }
    f->pattern = mem_strdup(pattern);
    return f->pattern != NULL ? cut_pattern(f, f->pattern, e)
                              : err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
}

int access_format_new(
    const struct access_log_config *config, struct access_format **format_out, struct err *e)
{
    struct access_format *f = mem_calloc(1, sizeof(*f));
    if (f == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    f->fields = &config->fields;
    strbuf_init(&f->unescaped, ACCESS_LINE_BYTES_MAX * 2);
    int status = read_unit(config->duration_unit, &f->unit, e);
    status = status == 0 ? check_fields(&config->fields, e) : status;
    status = status == 0 ? read_form(f, config, e) : status;
    if (status == 0 && strbuf_reserve(&f->unescaped, ACCESS_LINE_BYTES_MAX) == NULL) {
        status = err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    if (status != 0) {
        access_format_free(f);
        return status;
    }
    *format_out = f;
    return 0;
}

void access_format_free(struct access_format *f)
{
    if (f != NULL) {
        strbuf_release(&f->unescaped);
        mem_free(f->pattern);
        mem_free(f);
    }
}
