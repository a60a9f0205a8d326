/* sonde query: asks a server over HTTP and prints the answer as a table, or as it came. */
#include <math.h>
#include <stdio.h>
#include <string.h>

/* jansson before our own JSON writer: both have functions of the same names. */
#include <jansson.h>

#include "base/flags.h"
#include "base/http_client.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cli/cli_command.h"

#define SERVER_DEFAULT "http://127.0.0.1:9095"

enum { ANSWER_BYTES_MAX = 1 << 30, TIMEOUT_MS = 150000 };

struct query_options {
    const char *server, *expression;
    const char *time, *start, *end, *step;
    const char *output;
};

struct answer {
    struct loop *loop;
    unsigned status;
    struct strbuf body;
    struct err *err;
};

static void add_parameter(struct strbuf *form, const char *name, const char *value)
{
    static const char hex[] = "0123456789ABCDEF";
    if (value == NULL) {
        return;
    }
    strbuf_addf(form, "%s%s=", form->size > 0 ? "&" : "", name);
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '-' || *p == '.' || *p == '_';
        if (plain) {
            strbuf_add_char(form, (char)*p);
        } else {
            char escape[3] = {'%', hex[*p >> 4], hex[*p & 15]};
            strbuf_add(form, escape, sizeof(escape));
        }
    }
}

static void on_answer(void *context, const struct http_client_response *r)
{
    struct answer *a = context;
    if (r->error != 0) {
        err_set(
            a->err, r->error, -1, "%s", r->error_text != NULL ? r->error_text : err_text(r->error));
    } else {
        a->status = r->status;
        strbuf_add_str(&a->body, r->body);
    }
    loop_stop(a->loop);
}

/* Posts the form and waits for the answer. */
static int ask(const struct query_options *o, const struct strbuf *form, struct answer *a)
{
    static const struct http_client_header form_header = {
        "Content-Type", "application/x-www-form-urlencoded"};
    struct http_client *client = NULL;
    struct http_client_call *call = NULL;
    struct http_client_options client_options = {.user_agent = "sonde/" SONDE_VERSION};
    char url[4096];
    int length = snprintf(
        url, sizeof(url), "%s/api/v1/%s", o->server, o->start != NULL ? "query_range" : "query");
    if (length >= (int)sizeof(url)) {
        return err_set(a->err, ERR_INVALID, -1, "the address of the server is too long");
    }
    int status = loop_new(&a->loop);
    if (status == 0) {
        status = http_client_open(a->loop, &client_options, &client);
    }
    if (status == 0) {
        struct http_client_request request = {
            .method = "POST",
            .url = url,
            .headers = &form_header,
            .header_count = 1,
            .body = strbuf_str(form),
            .timeout_ms = TIMEOUT_MS,
            .body_max = ANSWER_BYTES_MAX,
            .accept_gzip = true,
        };
        status = client->send(client, &request, on_answer, a, &call);
    }
    if (status == 0) {
        (void)loop_run(a->loop);
        status = a->err->code;
    } else {
        err_set(a->err, status, -1, "%s cannot be asked: %s", url, err_text(status));
    }
    if (client != NULL) {
        client->close(client);
    }
    loop_free(a->loop);
    return status;
}

/* ---- Printing ---- */

/* name{label="value", …} as PromQL writes it. */
static void print_metric(const json_t *metric)
{
    const char *name = json_string_value(json_object_get(metric, "__name__"));
    const char *key;
    json_t *value;
    const char *separator = "";
    fputs(name != NULL ? name : "", stdout);
    if (name != NULL && json_object_size(metric) == 1) {
        return;
    }
    putchar('{');
    json_object_foreach((json_t *)(uintptr_t)metric, key, value)
    {
        if (strcmp(key, "__name__") != 0) {
            printf("%s%s=\"%s\"", separator, key, json_string_value(value));
            separator = ", ";
        }
    }
    putchar('}');
}

static void print_point(const json_t *point)
{
    const json_t *value = json_array_get(point, 1);
    double time = json_number_value(json_array_get(point, 0));
    if (json_is_string(value)) {
        printf("%s @%.3f\n", json_string_value(value), time);
    } else { /* a native histogram */
        char *text = json_dumps(value, JSON_COMPACT);
        printf("%s @%.3f\n", text != NULL ? text : "?", time);
        mem_free_foreign(text);
    }
}

static void print_series(const json_t *series)
{
    size_t i;
    json_t *point;
    print_metric(json_object_get(series, "metric"));
    const json_t *value = json_object_get(series, "value");
    value = value != NULL ? value : json_object_get(series, "histogram");
    if (value != NULL) {
        fputs(" => ", stdout);
        print_point(value);
        return;
    }
    putchar('\n');
    static const char *const lists[] = {"values", "histograms"};
    for (size_t k = 0; k < 2; k++) {
        json_array_foreach(json_object_get(series, lists[k]), i, point)
        {
            fputs("  ", stdout);
            print_point(point);
        }
    }
}

static void print_notes(const json_t *root, const char *kind)
{
    size_t i;
    json_t *note;
    json_array_foreach(json_object_get(root, kind), i, note)
    {
        fprintf(stderr, "%.*s: %s\n", (int)strlen(kind) - 1, kind, json_string_value(note));
    }
}

static int print_table(const struct answer *a, struct err *e)
{
    json_error_t where;
    json_t *root = json_loadb(a->body.data, a->body.size, 0, &where);
    const char *status = json_string_value(json_object_get(root, "status"));
    if (status == NULL) {
        json_decref(root);
        return err_set(e, ERR_INVALID, -1,
            "the server answered HTTP %u with something that is no Prometheus answer", a->status);
    }
    if (strcmp(status, "success") != 0) {
        err_set(e, ERR_INVALID, -1, "%s: %s", json_string_value(json_object_get(root, "errorType")),
            json_string_value(json_object_get(root, "error")));
        json_decref(root);
        return e->code;
    }
    const json_t *data = json_object_get(root, "data");
    const char *type = json_string_value(json_object_get(data, "resultType"));
    const json_t *result = json_object_get(data, "result");
    size_t i;
    json_t *series;
    if (type != NULL && (strcmp(type, "scalar") == 0 || strcmp(type, "string") == 0)) {
        print_point(result);
    } else {
        json_array_foreach((json_t *)(uintptr_t)result, i, series)
        {
            print_series(series);
        }
    }
    print_notes(root, "warnings");
    print_notes(root, "infos");
    json_decref(root);
    return 0;
}

static int run_query(const struct query_options *o, struct err *e)
{
    struct strbuf form = STRBUF_INIT;
    struct answer a = {.err = e};
    strbuf_init(&a.body, ANSWER_BYTES_MAX);
    add_parameter(&form, "query", o->expression);
    if (o->start != NULL) {
        add_parameter(&form, "start", o->start);
        add_parameter(&form, "end", o->end);
        add_parameter(&form, "step", o->step);
    } else {
        add_parameter(&form, "time", o->time);
    }
    int status = strbuf_error(&form);
    status = status == 0 ? ask(o, &form, &a) : status;
    if (status == 0 && strcmp(o->output, "json") == 0) {
        fwrite(a.body.data != NULL ? a.body.data : "", 1, a.body.size, stdout);
        putchar('\n');
        status = a.status >= 400;
    } else if (status == 0) {
        status = print_table(&a, e);
    }
    strbuf_release(&form);
    strbuf_release(&a.body);
    return status;
}

static int check_options(const struct query_options *o, size_t positional, struct err *e)
{
    if (positional != 1) {
        return err_set(e, ERR_INVALID, -1,
            "one expression is asked at a time; put it in quotes: sonde query 'rate(up[5m])'");
    }
    if ((o->start != NULL || o->end != NULL) &&
        (o->start == NULL || o->end == NULL || o->step == NULL)) {
        return err_set(e, ERR_INVALID, -1, "a range needs --start, --end and --step");
    }
    if (strcmp(o->output, "text") != 0 && strcmp(o->output, "json") != 0) {
        return err_set(e, ERR_INVALID, -1, "--output: \"%s\"; accepted: text, json", o->output);
    }
    return 0;
}

int cli_query(int argc, char **argv, struct err *e)
{
    struct query_options o = {.server = SERVER_DEFAULT, .output = "text"};
    bool help = false;
    const char *positional[1] = {NULL};
    size_t count = 0;
    const struct flag flags[] = {
        {"server", FLAG_STRING, &o.server, "URL", "Whom to ask (default " SERVER_DEFAULT ")", 0, 0},
        {"time", FLAG_STRING, &o.time, "TIME", "Instant: Unix seconds or RFC 3339 (default now)", 0,
            0},
        {"start", FLAG_STRING, &o.start, "TIME", "Begin of a range", 0, 0},
        {"end", FLAG_STRING, &o.end, "TIME", "End of a range", 0, 0},
        {"step", FLAG_STRING, &o.step, "DURATION", "Distance of the points of a range", 0, 0},
        {"output", FLAG_STRING, &o.output, "FORM", "text or json (default text)", 0, 0},
        {"help", FLAG_BOOL, &help, NULL, "Print this", 0, 0},
        {NULL, FLAG_BOOL, NULL, NULL, NULL, 0, 0},
    };
    int status = flags_parse(flags, argc, argv, positional, 1, &count, e);
    if (status == 0 && help) {
        struct strbuf out = STRBUF_INIT;
        strbuf_add_c(&out, "usage: sonde query EXPRESSION [flags]\n\n");
        flags_write_help(flags, &out);
        fwrite(out.data, 1, out.size, stdout);
        strbuf_release(&out);
        return 0;
    }
    status = status == 0 ? check_options(&o, count, e) : status;
    o.expression = positional[0];
    return (status == 0 ? run_query(&o, e) : status) != 0;
}
