/* Parameters of requests. The grammar of times and durations, and the sentences, are those of
 * Prometheus' API: clients show them to people, and some clients match on them.
 */
#include "api/api_params.h"

#include <assert.h>
#include <math.h>

#include "base/rfc3339.h"
#include "model/duration.h"
#include "query/promql.h"

/* ---- Sentences ---- */

static int cannot_parse(struct str text, const char *kind, const char *more, struct err *e)
{
    struct strbuf quoted = STRBUF_INIT;
    promql_write_quoted(text, &quoted);
    int status = err_set(e, ERR_INVALID, -1, "cannot parse %s to a valid %s%s",
        quoted.data != NULL ? quoted.data : "it", kind, more);
    strbuf_release(&quoted);
    return status;
}

/* ---- Times ---- */

static bool take_char(struct str *rest, char wanted)
{
    if (rest->len == 0 || rest->ptr[0] != wanted) {
        return false;
    }
    *rest = str_skip(*rest, 1);
    return true;
}

int api_parse_time(struct str text, int64_t *time_ms_out, struct err *e)
{
    double seconds;
    if (str_to_double(text, &seconds) == 0) {
        /* Whole seconds and fraction apart, so that both are exact. */
        double whole;
        double milliseconds = round(modf(seconds, &whole) * 1000);
        if (!(fabs(seconds) <= (double)(API_TIME_MAX / 1000 - 1))) {
            return cannot_parse(text, "timestamp", "", e);
        }
        *time_ms_out = (int64_t)whole * 1000 + (int64_t)milliseconds;
        return 0;
    }
    if (rfc3339_parse(text, time_ms_out) == 0) {
        return 0;
    }
    if (str_eq_c(text, "-292273086-05-16T16:47:06Z")) {
        *time_ms_out = API_TIME_MIN;
        return 0;
    }
    if (str_eq_c(text, "292277025-08-18T07:12:54.999999999Z")) {
        *time_ms_out = API_TIME_MAX;
        return 0;
    }
    return cannot_parse(text, "timestamp", "", e);
}

/* ---- Durations, limits, names ---- */

int api_parse_duration(struct str text, int64_t *milliseconds_out, struct err *e)
{
    double seconds;
    if (str_to_double(text, &seconds) == 0) {
        /* Prometheus counts in nanoseconds, 64 bits of them, and cuts. */
        double nanoseconds = seconds * 1e9;
        if (!(nanoseconds >= -0x1p63 && nanoseconds <= 0x1p63)) {
            return cannot_parse(text, "duration", ". It overflows int64", e);
        }
        *milliseconds_out = (int64_t)(trunc(nanoseconds) / 1e6);
        return 0;
    }
    if (duration_parse(text, milliseconds_out, NULL) == 0) {
        return 0;
    }
    return cannot_parse(text, "duration", "", e);
}

int api_parse_limit(struct str text, size_t *limit_out, struct err *e)
{
    int64_t limit;
    int status = str_to_i64(text, &limit);
    if (status != 0) {
        struct strbuf quoted = STRBUF_INIT;
        promql_write_quoted(text, &quoted);
        err_set(e, ERR_INVALID, -1, "%s is not a whole number%s",
            quoted.data != NULL ? quoted.data : "it",
            status == ERR_RANGE ? " that can be held" : "");
        strbuf_release(&quoted);
        return ERR_INVALID;
    }
    if (limit < 0) {
        return err_set(e, ERR_INVALID, -1, "limit must be non-negative");
    }
    *limit_out = (size_t)limit;
    return 0;
}

static size_t utf8_encode(uint32_t rune, char *out)
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xc0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3f));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (char)(0xe0 | rune >> 12);
        out[1] = (char)(0x80 | (rune >> 6 & 0x3f));
        out[2] = (char)(0x80 | (rune & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | rune >> 18);
    out[1] = (char)(0x80 | (rune >> 12 & 0x3f));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3f));
    out[3] = (char)(0x80 | (rune & 0x3f));
    return 4;
}

/* "2e_": the digits of a rune and the underscore that ends them. */
static bool take_rune(struct str *rest, uint32_t *rune_out)
{
    uint32_t rune = 0;
    size_t i = 0;
    for (; i < rest->len && i < 6 && rest->ptr[i] != '_'; i++) {
        char c = rest->ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return false;
        }
        rune = rune << 4 | (uint32_t)digit;
    }
    bool surrogate = rune >= 0xd800 && rune <= 0xdfff;
    if (i == 0 || i == rest->len || rest->ptr[i] != '_' || rune > 0x10ffff || surrogate) {
        return false;
    }
    *rest = str_skip(*rest, i + 1);
    *rune_out = rune;
    return true;
}

int api_unescape_name(struct str escaped, struct arena *arena, struct str *name_out)
{
    *name_out = escaped;
    if (!str_starts_with(escaped, STR("U__"))) {
        return 0;
    }
    struct str rest = str_skip(escaped, 3);
    /* Never longer: an escape of three bytes or more gives one rune, and "_X_" gives one byte. */
    char *name = arena_alloc(arena, rest.len + 4);
    if (name == NULL) {
        return arena_error(arena);
    }
    size_t size = 0;
    while (rest.len > 0) {
        uint32_t rune;
        if (!take_char(&rest, '_')) {
            name[size++] = rest.ptr[0];
            rest = str_skip(rest, 1);
        } else if (take_char(&rest, '_')) {
            name[size++] = '_';
        } else if (take_rune(&rest, &rune)) {
            size += utf8_encode(rune, name + size);
        } else {
            return 0; /* not an escaped name after all */
        }
    }
    *name_out = str_make(name, size);
    return 0;
}

/* ---- From a request ---- */

static bool refuse(struct api_request *r, const char *name, const struct err *e)
{
    api_fail(r, API_ERROR_BAD_DATA, "invalid parameter \"%s\": %s", name, e->message);
    return false;
}

bool param_time(struct api_request *r, const char *name, int64_t default_ms, int64_t *time_ms_out)
{
    struct str text = http_exchange_param(r->exchange, name);
    struct err e = ERR_INIT;
    *time_ms_out = default_ms;
    if (text.len == 0 || api_parse_time(text, time_ms_out, &e) == 0) {
        return true;
    }
    err_prefix(&e, "invalid time value for '%s'", name);
    return refuse(r, name, &e);
}

bool param_required_time(struct api_request *r, const char *name, int64_t *time_ms_out)
{
    struct str text = http_exchange_param(r->exchange, name);
    struct err e = ERR_INIT;
    return api_parse_time(text.len > 0 ? text : STR(""), time_ms_out, &e) == 0 ||
           refuse(r, name, &e);
}

bool param_duration(
    struct api_request *r, const char *name, int64_t default_ms, int64_t *milliseconds_out)
{
    struct str text = http_exchange_param(r->exchange, name);
    struct err e = ERR_INIT;
    *milliseconds_out = default_ms;
    return text.len == 0 || api_parse_duration(text, milliseconds_out, &e) == 0 ||
           refuse(r, name, &e);
}

bool param_limit(struct api_request *r, const char *name, size_t *limit_out)
{
    struct str text = http_exchange_param(r->exchange, name);
    struct err e = ERR_INIT;
    *limit_out = 0;
    return text.len == 0 || api_parse_limit(text, limit_out, &e) == 0 || refuse(r, name, &e);
}

bool param_selectors(
    struct api_request *r, const struct api_selector **selectors_out, size_t *count_out)
{
    struct arena *arena = http_exchange_arena(r->exchange);
    struct str text;
    size_t count = 0;
    while (http_exchange_param_at(r->exchange, "match[]", count, &text)) {
        count++;
    }
    if (count > API_SELECTORS_MAX) {
        api_fail(r, API_ERROR_BAD_DATA,
            "invalid parameter \"match[]\": %zu selectors; at most %d are accepted", count,
            API_SELECTORS_MAX);
        return false;
    }
    struct api_selector *selectors = arena_calloc(arena, count, sizeof(*selectors));
    if (selectors == NULL) {
        api_fail(r, API_ERROR_INTERNAL, "%s", err_text(arena_error(arena)));
        return false;
    }
    for (size_t i = 0; i < count && http_exchange_param_at(r->exchange, "match[]", i, &text); i++) {
        struct err e = ERR_INIT;
        struct expr *selector;
        if (promql_parse_selector(text, arena, &selector, &e) != 0) {
            return refuse(r, "match[]", &e);
        }
        selectors[i] =
            (struct api_selector){selector->selector.matchers, selector->selector.matcher_count};
    }
    *selectors_out = selectors;
    *count_out = count;
    return true;
}
