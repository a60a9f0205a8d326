/* Names are asked for attribute by attribute, each of the spans that have none of those before it. */
#include "trace/trace_remote.h"

#include <stdlib.h>

#include "trace/trace_question.h"
#include "trace/trace_tags.h"

static const char *const keys[] = {"peer.service", "server.address", "net.peer.name", "db.name",
    "db.namespace", "messaging.destination.name"};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

struct str trace_remote_service(struct attributes attributes)
{
    struct str found = STR("");
    for (size_t i = 0; i < KEYS && found.len == 0; i++) {
        found = attributes_text(attributes, str_of(keys[i]));
    }
    return found;
}

/* The attribute is no text, or empty: those behind it speak. */
static void add_silent(struct strbuf *out, const char *key)
{
    strbuf_addf(out, "!(span.%s != \"\")", key);
}

void trace_remote_condition(struct strbuf *out, struct str name)
{
    strbuf_add_c(out, " && (false");
    for (size_t i = 0; i < KEYS; i++) {
        struct strbuf field = STRBUF_INIT;
        strbuf_add_c(out, " || (true");
        for (size_t before = 0; before < i; before++) {
            strbuf_add_c(out, " && ");
            add_silent(out, keys[before]);
        }
        strbuf_addf(&field, "span.%s", keys[i]);
        trace_question_text(out, field.data, name);
        strbuf_add_char(out, ')');
        strbuf_release(&field);
    }
    strbuf_add_char(out, ')');
}

static int ask(struct span_view *view, struct str service, size_t key, struct trace_budget *budget,
    struct arena *arena, struct trace_values *values_out, struct err *e)
{
    const struct traceql_query *query;
    const struct traceql_field field = {
        .scope = TRACEQL_SCOPE_SPAN, .key = str_of(keys[key]), .text = str_of(keys[key])};
    struct strbuf text;
    strbuf_init(&text, TRACEQL_BYTES_MAX);
    trace_question_begin(&text);
    trace_question_text(&text, "resource.service.name", service);
    for (size_t before = 0; before < key; before++) {
        strbuf_add_c(&text, " && ");
        add_silent(&text, keys[before]);
    }
    trace_question_end(&text);
    int status = strbuf_error(&text);
    status = status == 0 ? traceql_parse(strbuf_str(&text), arena, &query, e) : status;
    strbuf_release(&text);
    return status == 0 ? trace_values(view, query, &field, 0, UINT64_MAX, TRACE_NAMES_MAX, budget,
                             arena, values_out, e)
                       : status;
}

static int by_name(const void *left, const void *right)
{
    const struct trace_name *a = left, *b = right;
    return str_cmp(a->name, b->name);
}

/* Puts them in order, each once. */
static size_t tidy(struct trace_name *items, size_t count)
{
    size_t kept = 0;
    qsort(items, count, sizeof(*items), by_name);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !str_eq(items[kept - 1].name, items[i].name)) {
            items[kept++] = items[i];
        }
    }
    return kept;
}

int trace_remote_names(struct span_view *view, struct str service, struct trace_budget *budget,
    struct arena *arena, struct trace_names *names_out, struct err *e)
{
    struct trace_name *items = arena_alloc(arena, (size_t)KEYS * TRACE_NAMES_MAX * sizeof(*items));
    size_t count = 0;
    bool cut = false;
    int status = items == NULL ? arena_error(arena) : 0;
    for (size_t key = 0; status == 0 && key < KEYS; key++) {
        struct trace_values values = {0};
        status = ask(view, service, key, budget, arena, &values, e);
        cut |= values.cut;
        for (size_t i = 0; status == 0 && i < values.count; i++) {
            if (values.items[i].type == TRACEQL_STRING && values.items[i].text.len > 0) {
                items[count++] = (struct trace_name){.name = values.items[i].text};
            }
        }
    }
    if (status != 0) {
        return e->code != 0 ? status : err_set(e, status, -1, "%s", err_text(status));
    }
    count = tidy(items, count);
    cut |= count > TRACE_NAMES_MAX;
    *names_out =
        (struct trace_names){items, count < TRACE_NAMES_MAX ? count : TRACE_NAMES_MAX, cut};
    return 0;
}
