/* sonde trace get | search | tail: traces of a server as text.
 *
 * A trace is a tree, a line a span: when it began since the trace did, how long it took, its service and name, and what
 * it has to say of a failure.
 *
 *   trace 00000000000000000000000000000001  3 spans of 2 services, 1 failed, 120ms, 2026-11-22T08:30:00Z
 *        0ms    120ms  shop: GET /cart
 *        5ms     80ms    cart: load [client]
 *       10ms     20ms      cart: SELECT [client] failed: broken pipe
 *
 * Search and tail show a line a trace, the newest at the end, where a terminal shows it:
 *
 *   2026-11-22T08:30:00.123Z  00000000000000000000000000000001    120ms  3 spans  shop: GET /cart
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/rfc3339.h"
#include "cli/api_client.h"
#include "cli/command.h"
#include "model/span.h"

enum {
    TIMEOUT_MS = 130000,
    LIMIT_DEFAULT = 20,
    /* What tail looks at each time, and the traces it remembers to have shown. */
    TAIL_LIMIT = 1000,
    TAIL_REMEMBERED = 4096,
    /* Spans may come late: so far back tail looks each time. */
    TAIL_BACK_S = 30,
    SPANS_MAX = 1 << 20,
    DEPTH_SHOWN_MAX = 40, /* deeper ones are not moved further to the right */
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
    uint64_t number = 0;
    (void)str_to_u64(str_of(text_of(object, key)), &number);
    return number;
}

/* ---- Asking ---- */

/* ERR_INVALID: asking again would not help; ERR_BUSY: the server says so itself. */
static json_t *ask(const struct api_client_request *request, struct strbuf *body, struct err *e)
{
    unsigned status = 0;
    if (api_client_ask(request, &status, body, e) != 0) {
        return NULL;
    }
    json_t *root = body->size > 0 ? json_loadb(body->data, body->size, 0, NULL) : NULL;
    if (status / 100 != 2) {
        err_set(e, status / 100 == 5 ? ERR_BUSY : ERR_INVALID, -1, "%s answers %u: %s",
            request->server, status, root != NULL ? text_of(root, "error") : "");
        json_decref(root);
        return NULL;
    }
    if (root == NULL) {
        err_set(e, ERR_INVALID, -1, "the answer of %s is not JSON", request->server);
    }
    return root;
}

/* ---- Times ---- */

static void add_time(struct strbuf *out, uint64_t ns)
{
    char text[RFC3339_TEXT_MAX];
    (void)rfc3339_format((int64_t)(ns / 1000000), text);
    strbuf_add_c(out, text);
}

/* Three digits are enough: "1.23s", "45.6ms", "789us". */
static void add_duration(struct strbuf *out, uint64_t ns, int width)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    char text[32];
    size_t i = 0;
    while (i < 3 && (double)ns < units[i].ns) {
        i++;
    }
    double value = (double)ns / units[i].ns;
    int decimals = value >= 100 || i == 3 ? 0 : value >= 10 ? 1 : 2;
    (void)snprintf(text, sizeof(text), "%.*f%s", decimals, value, units[i].name);
    strbuf_addf(out, "%*s", width, text);
}

/* ---- A trace as a tree ---- */

struct line {
    uint64_t id, parent, start_ns, end_ns;
    const char *service, *name, *message;
    int64_t kind;
    bool failed;
    size_t first, next; /* children, 1 + index; 0: none */
    bool written;
};

struct lines {
    struct line *items;
    size_t count, cap;
};

static const char *service_of(const json_t *resource_spans)
{
    size_t i;
    json_t *attribute;
    const json_t *list = json_object_get(json_object_get(resource_spans, "resource"), "attributes");
    json_array_foreach(list, i, attribute)
    {
        if (strcmp(text_of(attribute, "key"), "service.name") == 0) {
            return text_of(json_object_get(attribute, "value"), "stringValue");
        }
    }
    return SPAN_SERVICE_UNKNOWN;
}

static uint64_t id_of(const json_t *span, const char *key)
{
    uint64_t id = 0;
    (void)span_id_parse(str_of(text_of(span, key)), &id);
    return id;
}

static int add_span(struct lines *lines, const char *service, const json_t *span)
{
    const json_t *status = json_object_get(span, "status");
    int grown = mem_array_grow(
        (void **)&lines->items, &lines->cap, lines->count + 1, sizeof(*lines->items), SPANS_MAX);
    if (grown == 0) {
        lines->items[lines->count++] = (struct line){.id = id_of(span, "spanId"),
            .parent = id_of(span, "parentSpanId"),
            .start_ns = number_of(span, "startTimeUnixNano"),
            .end_ns = number_of(span, "endTimeUnixNano"),
            .service = service,
            .name = text_of(span, "name"),
            .message = text_of(status, "message"),
            .kind = json_integer_value(json_object_get(span, "kind")),
            .failed = json_integer_value(json_object_get(status, "code")) == SPAN_STATUS_ERROR};
    }
    return grown;
}

static int read_lines(const json_t *root, struct lines *lines)
{
    const json_t *trace = json_object_get(root, "trace");
    size_t r, s, i;
    json_t *resource, *scope, *span;
    int status = 0;
    json_array_foreach(json_object_get(trace, "resourceSpans"), r, resource)
    {
        json_array_foreach(json_object_get(resource, "scopeSpans"), s, scope)
        {
            json_array_foreach(json_object_get(scope, "spans"), i, span)
            {
                status = status == 0 ? add_span(lines, service_of(resource), span) : status;
            }
        }
    }
    return status;
}

static int by_start(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    if (a->start_ns != b->start_ns) {
        return a->start_ns < b->start_ns ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

struct named {
    uint64_t id;
    size_t index;
};

static int by_id(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Children in order of time; spans whose parent is not there are left without one. */
static int link_lines(struct lines *lines)
{
    struct named *names = mem_calloc(lines->count, sizeof(*names));
    if (names == NULL) {
        return ERR_NOMEM;
    }
    qsort(lines->items, lines->count, sizeof(*lines->items), by_start);
    for (size_t i = 0; i < lines->count; i++) {
        names[i] = (struct named){lines->items[i].id, i};
    }
    qsort(names, lines->count, sizeof(*names), by_id);
    for (size_t i = lines->count; i-- > 0;) {
        struct line *line = &lines->items[i];
        const struct named wanted = {.id = line->parent};
        const struct named *found =
            line->parent != 0 ? bsearch(&wanted, names, lines->count, sizeof(*names), by_id) : NULL;
        if (found != NULL && found->index != i) {
            line->next = lines->items[found->index].first;
            lines->items[found->index].first = i + 1;
        } else {
            line->parent = 0;
        }
    }
    mem_free(names);
    return 0;
}

static void add_line(
    struct strbuf *out, const struct lines *lines, const struct line *line, int depth)
{
    uint64_t begun = lines->items[0].start_ns;
    add_duration(out, line->start_ns - begun, 9);
    strbuf_add_c(out, "  ");
    add_duration(out, line->end_ns > line->start_ns ? line->end_ns - line->start_ns : 0, 7);
    strbuf_addf(out, "  %*s%s: %s", 2 * (depth < DEPTH_SHOWN_MAX ? depth : DEPTH_SHOWN_MAX), "",
        line->service, line->name);
    if (line->kind > SPAN_KIND_INTERNAL && line->kind < SPAN_KIND_COUNT) {
        strbuf_addf(out, " [%s]", span_kind_name((enum span_kind)line->kind));
    }
    if (line->failed) {
        strbuf_add_c(out, line->message[0] != '\0' ? " failed: " : " failed");
        strbuf_add_c(out, line->message);
    }
    strbuf_add_char(out, '\n');
}

/* Without recursion: traces may be deep. A span that was written is not written again, so that circles end. */
static int add_tree(struct strbuf *out, struct lines *lines, size_t top)
{
    struct open {
        size_t index;
        int depth;
    } *stack = mem_calloc(lines->count + 1, sizeof(*stack));
    size_t height = 0;
    if (stack == NULL) {
        return ERR_NOMEM;
    }
    stack[height++] = (struct open){top, 0};
    while (height > 0) {
        struct open here = stack[--height];
        struct line *line = &lines->items[here.index];
        if (line->written) {
            continue;
        }
        line->written = true;
        add_line(out, lines, line, here.depth);
        /* The last child is put on first, to come last. */
        size_t begun = height;
        for (size_t c = line->first; c != 0; c = lines->items[c - 1].next) {
            stack[height++] = (struct open){c - 1, here.depth + 1};
        }
        for (size_t low = begun, high = height; low + 1 < high; low++, high--) {
            struct open swapped = stack[low];
            stack[low] = stack[high - 1];
            stack[high - 1] = swapped;
        }
    }
    mem_free(stack);
    return 0;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int count_services(const struct lines *lines, size_t *count_out)
{
    const char **all = mem_calloc(lines->count, sizeof(*all));
    if (all == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < lines->count; i++) {
        all[i] = lines->items[i].service;
    }
    qsort(all, lines->count, sizeof(*all), by_text);
    *count_out = 1;
    for (size_t i = 1; i < lines->count; i++) {
        *count_out += strcmp(all[i - 1], all[i]) != 0;
    }
    mem_free(all);
    return 0;
}

static void add_heading(
    struct strbuf *out, const char *id, const struct lines *lines, size_t services)
{
    uint64_t end = 0;
    size_t failed = 0;
    for (size_t i = 0; i < lines->count; i++) {
        end = lines->items[i].end_ns > end ? lines->items[i].end_ns : end;
        failed += lines->items[i].failed;
    }
    strbuf_addf(out, "trace %s  %zu span%s of %zu service%s, %zu failed, ", id, lines->count,
        lines->count == 1 ? "" : "s", services, services == 1 ? "" : "s", failed);
    add_duration(out, end - lines->items[0].start_ns, 0);
    strbuf_add_c(out, ", ");
    add_time(out, lines->items[0].start_ns);
    strbuf_add_char(out, '\n');
}

static int add_trace(struct strbuf *out, const char *id, const json_t *root)
{
    struct lines lines = {0};
    size_t services = 0;
    int status = read_lines(root, &lines);
    status = status == 0 && lines.count == 0 ? ERR_NOT_FOUND : status;
    status = status == 0 ? link_lines(&lines) : status;
    status = status == 0 ? count_services(&lines, &services) : status;
    if (status == 0) {
        add_heading(out, id, &lines, services);
    }
    for (int round = 0; round < 2; round++) { /* those of circles come last */
        for (size_t i = 0; status == 0 && i < lines.count; i++) {
            if (!lines.items[i].written && (round == 1 || lines.items[i].parent == 0)) {
                status = add_tree(out, &lines, i);
            }
        }
    }
    mem_free(lines.items);
    return status;
}

int command_trace_get(const struct command *self, int argc, char **argv)
{
    const char *server = "http://127.0.0.1:9095", *id;
    struct client_identity identity = {0};
    bool as_json = false;
    const struct flag flags[] = {
        {"server", FLAG_STRING, &server, "URL", "Whom to ask (default http://127.0.0.1:9095).", 0,
            0},
        {"json", FLAG_BOOL, &as_json, NULL, "Show the trace as OTLP in JSON.", 0, 0},
        CLIENT_IDENTITY_FLAGS(&identity),
        {.name = NULL},
    };
    struct trace_id parsed;
    struct err e = ERR_INIT;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &id, 1, &exit_status) != 0) {
        return exit_status;
    }
    if (trace_id_parse(str_of(id), &parsed) != 0) {
        err_set(&e, ERR_INVALID, -1, "\"%s\" is no trace id: 1 to 32 hex digits", id);
        (void)command_fail(&e);
        return COMMAND_USAGE;
    }
    struct strbuf path = STRBUF_INIT, whole = STRBUF_INIT, body = STRBUF_INIT, out = STRBUF_INIT;
    trace_id_write(parsed, &whole);
    strbuf_addf(&path, "/api/v2/traces/%s", whole.data);
    struct api_client_request request = {.server = server,
        .identity = &identity,
        .path = path.data,
        .timeout_ms = TIMEOUT_MS,
        .get = true};
    json_t *root = ask(&request, &body, &e);
    int status = root == NULL ? e.code : 0;
    if (status == 0 && strcmp(text_of(root, "status"), "PARTIAL") == 0) {
        fprintf(stderr, "sonde: warning: %s\n", text_of(root, "message"));
    }
    if (status == 0 && as_json) {
        strbuf_add_str(&out, strbuf_str(&body));
        strbuf_add_char(&out, '\n');
    } else if (status == 0) {
        status = add_trace(&out, whole.data, root);
    }
    json_decref(root);
    strbuf_release(&path);
    strbuf_release(&whole);
    strbuf_release(&body);
    if (status != 0) {
        e.code = status;
        strbuf_release(&out);
        return command_fail(&e);
    }
    return command_print(&out);
}

/* ---- Searching ---- */

struct search_flags {
    const char *server, *start, *end;
    struct client_identity identity;
    int64_t limit;
    bool as_json;
};

static void add_hit(struct strbuf *out, const json_t *hit)
{
    const char *service;
    json_t *of;
    long long spans = 0;
    json_object_foreach(json_object_get(hit, "serviceStats"), service, of)
    {
        spans += json_integer_value(json_object_get(of, "spanCount"));
    }
    add_time(out, number_of(hit, "startTimeUnixNano"));
    strbuf_addf(out, "  %s  ", text_of(hit, "traceID"));
    add_duration(
        out, (uint64_t)json_integer_value(json_object_get(hit, "durationMs")) * 1000000, 7);
    strbuf_addf(out, "  %lld span%s  %s: %s\n", spans, spans == 1 ? "" : "s",
        text_of(hit, "rootServiceName"), text_of(hit, "rootTraceName"));
}

static json_t *search(const struct search_flags *flags, const char *query, const char *start,
    struct strbuf *body, struct err *e)
{
    char limit[24];
    (void)snprintf(limit, sizeof(limit), "%lld", (long long)flags->limit);
    const struct api_client_param params[] = {
        {"q", query}, {"start", start}, {"end", flags->end}, {"limit", limit}};
    struct api_client_request request = {.server = flags->server,
        .identity = &flags->identity,
        .path = "/api/search",
        .params = params,
        .param_count = sizeof(params) / sizeof(params[0]),
        .timeout_ms = TIMEOUT_MS,
        .get = true};
    return ask(&request, body, e);
}

int command_trace_search(const struct command *self, int argc, char **argv)
{
    struct search_flags flags = {.server = "http://127.0.0.1:9095", .limit = LIMIT_DEFAULT};
    const struct flag table[] = {
        {"server", FLAG_STRING, &flags.server, "URL",
            "Whom to ask (default http://127.0.0.1:9095).", 0, 0},
        {"start", FLAG_STRING, &flags.start, "TIME", "RFC 3339, or seconds: spans from then on.", 0,
            0},
        {"end", FLAG_STRING, &flags.end, "TIME", "Spans until then.", 0, 0},
        {"limit", FLAG_INTEGER, &flags.limit, "N", "So many of the newest (default 20).", 1, 10000},
        {"json", FLAG_BOOL, &flags.as_json, NULL, "Show the answer as it is, in JSON.", 0, 0},
        CLIENT_IDENTITY_FLAGS(&flags.identity),
        {.name = NULL},
    };
    const char *query;
    int exit_status;
    if (command_parse(self, table, argc, argv, &query, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct strbuf body = STRBUF_INIT, out = STRBUF_INIT;
    struct err e = ERR_INIT;
    json_t *root = search(&flags, query, flags.start, &body, &e);
    if (root == NULL) {
        strbuf_release(&body);
        return command_fail(&e);
    }
    const json_t *hits = json_object_get(root, "traces");
    strbuf_add_c(&out, "");
    for (size_t i = json_array_size(hits); !flags.as_json && i-- > 0;) {
        add_hit(&out, json_array_get(hits, i));
    }
    if (flags.as_json) {
        strbuf_add_str(&out, strbuf_str(&body));
        strbuf_add_char(&out, '\n');
    }
    json_decref(root);
    strbuf_release(&body);
    return command_print(&out);
}

/* ---- Following ---- */

struct tail {
    struct search_flags flags;
    const char *query;
    int64_t count; /* traces to show; 0: without end */
    struct loop *loop;
    uint64_t began_s;
    struct trace_id shown[TAIL_REMEMBERED]; /* a ring */
    size_t next;
    int64_t shown_count;
    bool answered; /* at some time */
    bool lost;     /* said already, since it answered last */
    bool crowded;  /* likewise: more traces came than are looked at */
    int exit_status;
};

static bool was_shown(struct tail *t, struct trace_id id)
{
    for (size_t i = 0; i < TAIL_REMEMBERED; i++) {
        if (trace_id_eq(t->shown[i], id)) {
            return true;
        }
    }
    t->shown[t->next] = id;
    t->next = (t->next + 1) % TAIL_REMEMBERED;
    return false;
}

static void show_hit(struct tail *t, const json_t *hit)
{
    struct strbuf out = STRBUF_INIT;
    if (t->flags.as_json) {
        char *text = json_dumps(hit, JSON_COMPACT);
        strbuf_add_c(&out, text != NULL ? text : "");
        strbuf_add_char(&out, '\n');
        mem_free_foreign(text);
    } else {
        add_hit(&out, hit);
    }
    t->exit_status = command_print(&out);
    t->shown_count++;
}

/* A server that is started anew answers again: it is waited for, and that is said once. */
static void lose(struct tail *t, const struct err *e)
{
    if (!t->answered || e->code == ERR_INVALID || e->code == ERR_PERMISSION) {
        t->exit_status = command_fail(e);
        loop_stop(t->loop);
        return;
    }
    if (!t->lost) {
        fprintf(stderr, "sonde: warning: %s; asking again\n", e->message);
    }
    t->lost = true;
}

static void note_crowd(struct tail *t, size_t hits)
{
    if (hits == TAIL_LIMIT && !t->crowded) {
        fprintf(stderr, "sonde: warning: more than %d traces at a time: some are not shown\n",
            TAIL_LIMIT);
    }
    t->crowded = hits == TAIL_LIMIT;
}

static void look(void *context)
{
    struct tail *t = context;
    struct strbuf body = STRBUF_INIT;
    struct err e = ERR_INIT;
    char start[24];
    uint64_t now_s = (uint64_t)clock_now_ms(clock_real()) / 1000;
    uint64_t from_s = now_s > t->began_s + TAIL_BACK_S ? now_s - TAIL_BACK_S : t->began_s;
    (void)snprintf(start, sizeof(start), "%llu", (unsigned long long)from_s);
    json_t *root = search(&t->flags, t->query, start, &body, &e);
    strbuf_release(&body);
    if (root == NULL) {
        lose(t, &e);
        return;
    }
    t->answered = true;
    t->lost = false;
    const json_t *hits = json_object_get(root, "traces");
    note_crowd(t, json_array_size(hits));
    for (size_t i = json_array_size(hits); i-- > 0 && t->exit_status == 0;) {
        const json_t *hit = json_array_get(hits, i);
        struct trace_id id;
        if ((t->count == 0 || t->shown_count < t->count) &&
            trace_id_parse(str_of(text_of(hit, "traceID")), &id) == 0 && !was_shown(t, id)) {
            show_hit(t, hit);
        }
    }
    json_decref(root);
    if (t->exit_status != 0 || (t->count > 0 && t->shown_count >= t->count)) {
        loop_stop(t->loop);
    }
}

static void stop(void *context)
{
    loop_stop(((struct tail *)context)->loop);
}

/* Looks every `every_ms` until it is told to stop. */
static int follow(struct tail *t, int64_t every_ms)
{
    struct loop_timer *timer = NULL;
    int status = loop_new(&t->loop);
    status = status == 0 ? loop_on_signal(t->loop, SIGINT, stop, t) : status;
    status = status == 0 ? loop_on_signal(t->loop, SIGTERM, stop, t) : status;
    status = status == 0 ? loop_timer_new(t->loop, look, t, &timer) : status;
    if (status == 0) {
        loop_timer_start(timer, 0, every_ms);
        status = loop_run(t->loop);
    }
    loop_timer_free(timer);
    loop_free(t->loop);
    return status;
}

int command_trace_tail(const struct command *self, int argc, char **argv)
{
    static struct tail t;
    int64_t every_ms = 1000;
    t.flags = (struct search_flags){.server = "http://127.0.0.1:9095", .limit = TAIL_LIMIT};
    const struct flag table[] = {
        {"server", FLAG_STRING, &t.flags.server, "URL",
            "Whom to ask (default http://127.0.0.1:9095).", 0, 0},
        {"interval", FLAG_DURATION, &every_ms, "DURATION", "How often (default 1s).", 100,
            INT64_C(3600000)},
        {"count", FLAG_INTEGER, &t.count, "N", "End after so many traces.", 1, INT64_C(1000000000)},
        {"json", FLAG_BOOL, &t.flags.as_json, NULL, "A line of JSON a trace.", 0, 0},
        CLIENT_IDENTITY_FLAGS(&t.flags.identity),
        {.name = NULL},
    };
    int exit_status;
    if (command_parse(self, table, argc, argv, &t.query, 1, &exit_status) != 0) {
        return exit_status;
    }
    t.began_s = (uint64_t)clock_now_ms(clock_real()) / 1000;
    int status = follow(&t, every_ms);
    if (status != 0) {
        struct err e = ERR_INIT;
        err_set(&e, status, -1, "cannot wait: %s", err_text(status));
        return command_fail(&e);
    }
    return t.exit_status;
}
