#include "trace/trace_question.h"

#include <math.h>

#include "base/err.h"
#include "model/span.h"

void trace_question_begin(struct strbuf *out)
{
    strbuf_add_c(out, "{ true");
}

void trace_question_end(struct strbuf *out)
{
    strbuf_add_c(out, " }");
}

/* In quotes: keys and texts alike. */
static void add_quoted(struct strbuf *out, struct str text)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n') {
            strbuf_add_c(out, "\\n");
            continue;
        }
        strbuf_add_c(out, c == '"' || c == '\\' ? "\\" : "");
        strbuf_add_char(out, c);
    }
    strbuf_add_char(out, '"');
}

void trace_question_text(struct strbuf *out, const char *field, struct str value)
{
    if (value.len > 0) {
        strbuf_addf(out, " && %s = ", field);
        add_quoted(out, value);
    }
}

void trace_question_durations(struct strbuf *out, uint64_t min_ns, uint64_t max_ns)
{
    if (min_ns > 0) {
        strbuf_addf(out, " && duration >= %lluns", (unsigned long long)min_ns);
    }
    if (max_ns > 0) {
        strbuf_addf(out, " && duration <= %lluns", (unsigned long long)max_ns);
    }
}

static const char *const scopes[] = {"span.", "resource.", "event."};
enum { SCOPES = sizeof(scopes) / sizeof(scopes[0]) };

/* The text, and the number or truth that it reads as. */
static void add_values(struct strbuf *out, const char *scope, struct str key, struct str value)
{
    int64_t integer;
    double number;
    strbuf_addf(out, " || %s", scope);
    add_quoted(out, key);
    strbuf_add_c(out, " = ");
    add_quoted(out, value);
    struct strbuf other = STRBUF_INIT;
    if (str_to_i64(value, &integer) == 0 && integer != INT64_MIN) {
        strbuf_add_i64(&other, integer);
    } else if (str_to_double(value, &number) == 0 && isfinite(number)) {
        strbuf_addf(&other, "%.17g", number);
    } else if (str_eq_c(value, "true") || str_eq_c(value, "false")) {
        strbuf_add_str(&other, value);
    }
    if (other.size > 0) {
        strbuf_addf(out, " || %s", scope);
        add_quoted(out, key);
        strbuf_add_c(out, " = ");
        strbuf_add_str(out, strbuf_str(&other));
    }
    strbuf_release(&other);
}

/* What a span has in fields of its own. */
static void add_fields(struct strbuf *out, struct str key, struct str value)
{
    static const struct {
        const char *key, *value; /* value NULL: any text */
        const char *condition;
    } fields[] = {
        {"error", "true", "status = error"},
        {"otel.status_code", "ERROR", "status = error"},
        {"otel.status_code", "OK", "status = ok"},
        {"otel.scope.name", NULL, "instrumentation:name"},
        {"otel.scope.version", NULL, "instrumentation:version"},
        {"event", NULL, "event:name"},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!str_eq_c(key, fields[i].key) ||
            (fields[i].value != NULL && !str_eq_c(value, fields[i].value))) {
            continue;
        }
        strbuf_addf(out, " || %s", fields[i].condition);
        if (fields[i].value == NULL) {
            strbuf_add_c(out, " = ");
            add_quoted(out, value);
        }
    }
    for (int k = SPAN_KIND_INTERNAL; str_eq_c(key, "span.kind") && k < SPAN_KIND_COUNT; k++) {
        if (str_eq_c(value, span_kind_name((enum span_kind)k))) {
            strbuf_addf(out, " || kind = %s", span_kind_name((enum span_kind)k));
        }
    }
}

void trace_question_tag(struct strbuf *out, struct str key, struct str value)
{
    if (key.len == 0) {
        strbuf_add_c(out, " && false");
        return;
    }
    strbuf_add_c(out, " && (false");
    for (int i = 0; i < SCOPES; i++) {
        add_values(out, scopes[i], key, value);
    }
    add_fields(out, key, value);
    strbuf_add_char(out, ')');
}

void trace_question_key(struct strbuf *out, struct str key)
{
    strbuf_add_c(out, " && (false");
    for (int i = 0; i < SCOPES && key.len > 0; i++) {
        strbuf_addf(out, " || %s", scopes[i]);
        add_quoted(out, key);
        strbuf_add_c(out, " != nil");
    }
    strbuf_add_c(out, " || event:name = ");
    add_quoted(out, key);
    strbuf_add_char(out, ')');
}
