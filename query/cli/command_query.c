/* sonde query: an expression, a server, and the answer as text or as JSON.
 *
 *   up{instance="a:1", job="api"} => 1 @[1435781451.781]
 *
 * and for ranges, under each series, a line a sample: value @[time].
 */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/api_client.h"
#include "cli/command.h"
#include "model/labels.h"

struct query_flags {
    struct client_identity identity;
    const char *server, *time, *start, *end, *step, *output;
    int64_t timeout_ms;
    bool explain;
};

/* ---- Text ---- */

static struct str text_of(const json_t *value)
{
    return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value))
                                 : STR("");
}

/* {"__name__":"up","job":"a"} -> up{job="a"} */
static int add_labels(struct strbuf *out, json_t *metric)
{
    struct labels_builder builder;
    const struct labels *labels = NULL;
    const char *name;
    json_t *value;
    labels_builder_init(&builder);
    json_object_foreach(metric, name, value)
    {
        labels_builder_set(&builder, str_of(name), text_of(value));
    }
    int status = labels_builder_finish(&builder, &labels);
    if (status == 0) {
        labels_write(labels, out);
    }
    labels_unref(labels);
    labels_builder_release(&builder);
    return status;
}

/* value @[time]; a histogram is shown as its JSON. */
static void add_point(struct strbuf *out, const json_t *point)
{
    const json_t *value = json_array_get(point, 1);
    if (json_is_string(value)) {
        strbuf_add_str(out, text_of(value));
    } else {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        strbuf_add_c(out, text != NULL ? text : "?");
        mem_free_foreign(text);
    }
    double seconds = json_number_value(json_array_get(point, 0));
    strbuf_addf(out, " @[%.*f]\n", seconds == (double)(int64_t)seconds ? 0 : 3, seconds);
}

static void add_points(struct strbuf *out, const json_t *points)
{
    for (size_t i = 0; i < json_array_size(points); i++) {
        add_point(out, json_array_get(points, i));
    }
}

static int add_series(struct strbuf *out, const json_t *element)
{
    int status = add_labels(out, json_object_get(element, "metric"));
    const json_t *value = json_object_get(element, "value");
    const json_t *histogram = json_object_get(element, "histogram");
    strbuf_add_c(out, " =>");
    if (value != NULL || histogram != NULL) {
        strbuf_add_char(out, ' ');
        add_point(out, value != NULL ? value : histogram);
    } else {
        strbuf_add_char(out, '\n');
        add_points(out, json_object_get(element, "values"));
        add_points(out, json_object_get(element, "histograms"));
    }
    return status;
}

static int add_result(struct strbuf *out, const json_t *data)
{
    const json_t *result = json_object_get(data, "result");
    struct str type = text_of(json_object_get(data, "resultType"));
    if (str_eq_c(type, "scalar") || str_eq_c(type, "string")) {
        add_point(out, result);
        return 0;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < json_array_size(result); i++) {
        status = add_series(out, json_array_get(result, i));
    }
    return status;
}

/* Beside the answer, so that it stays what a program may read. */
static void tell_notes(const json_t *answer, const char *key, const char *word)
{
    const json_t *notes = json_object_get(answer, key);
    for (size_t i = 0; i < json_array_size(notes); i++) {
        struct str note = text_of(json_array_get(notes, i));
        fprintf(stderr, "sonde: %s: %.*s\n", word, STR_ARG(note));
    }
}

/* ---- Where time went ---- */

static double milliseconds_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key)) * 1e3;
}

static long long count_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

/* A line a step, indented below what it is a part of; times hold those below. */
static void add_plan(struct strbuf *out, const json_t *statistics)
{
    const json_t *plan = json_object_get(statistics, "plan");
    const json_t *reads = json_object_get(statistics, "reads");
    const json_t *timings = json_object_get(statistics, "timings");
    strbuf_add_c(out, "    plan ms     eval ms   helped ms    series     samples  expression\n");
    for (size_t i = 0; i < json_array_size(plan); i++) {
        const json_t *step = json_array_get(plan, i);
        strbuf_addf(out, "%11.3f %11.3f %11.3f %9lld %11lld  %*s%s\n",
            milliseconds_of(step, "planTime"), milliseconds_of(step, "evalTime"),
            milliseconds_of(step, "helpedTime"), count_of(step, "series"),
            count_of(step, "samples"), (int)(2 * count_of(step, "depth")), "",
            text_of(json_object_get(step, "expr")).ptr);
    }
    strbuf_addf(out, "prepared in %.3f ms, evaluated in %.3f ms, all in %.3f ms\n",
        milliseconds_of(timings, "queryPreparationTime"), milliseconds_of(timings, "innerEvalTime"),
        milliseconds_of(timings, "execTotalTime"));
    strbuf_addf(out, "%lld threads, %.3f ms of help\n", count_of(reads, "threads"),
        milliseconds_of(reads, "helpedTime"));
    strbuf_addf(out,
        "%lld series, %lld blocks of %lld samples decoded from %lld bytes, %lld runs summarized, "
        "%lld bytes of memory\n",
        count_of(reads, "series"), count_of(reads, "blocksDecoded"),
        count_of(reads, "samplesDecoded"), count_of(reads, "bytesDecoded"),
        count_of(reads, "runsSummarized"), count_of(reads, "memoryBytes"));
}

/* ---- The answer ---- */

static int print_as_text(const json_t *answer, bool explain)
{
    struct strbuf text = STRBUF_INIT;
    const json_t *data = json_object_get(answer, "data");
    int status = 0;
    if (explain) {
        add_plan(&text, json_object_get(data, "stats"));
    } else {
        status = add_result(&text, data);
    }
    if (status != 0) {
        struct err e = ERR_INIT;
        strbuf_release(&text);
        err_set(&e, status, -1, "the answer cannot be shown: %s", err_text(status));
        return command_fail(&e);
    }
    strbuf_add_c(&text, "");
    return command_print(&text);
}

static int show(const struct query_flags *flags, unsigned status, struct strbuf *body)
{
    struct err e = ERR_INIT;
    json_error_t problem;
    json_t *answer = body->data != NULL ? json_loadb(body->data, body->size, 0, &problem) : NULL;
    int exit_status;
    if (answer == NULL) {
        err_set(&e, ERR_INVALID, -1, "%s answered with status %u: %.*s", flags->server, status,
            body->size < 300 ? (int)body->size : 300, body->data != NULL ? body->data : "");
        return command_fail(&e);
    }
    if (!str_eq_c(text_of(json_object_get(answer, "status")), "success")) {
        err_set(&e, ERR_INVALID, -1, "%s: %s", text_of(json_object_get(answer, "errorType")).ptr,
            text_of(json_object_get(answer, "error")).ptr);
        exit_status = command_fail(&e);
    } else if (str_eq_c(str_of(flags->output), "json")) {
        strbuf_add_char(body, '\n');
        exit_status = command_print(body);
    } else {
        tell_notes(answer, "warnings", "warning");
        tell_notes(answer, "infos", "info");
        exit_status = print_as_text(answer, flags->explain);
    }
    json_decref(answer);
    return exit_status;
}

static int check_flags(const struct query_flags *flags, struct err *e)
{
    bool range = flags->start != NULL;
    if ((range && flags->time != NULL) || (!range && (flags->end != NULL || flags->step != NULL))) {
        return err_set(e, ERR_INVALID, -1,
            "a range wants --start and no --time; --end and --step belong to a range");
    }
    if (strcmp(flags->output, "text") != 0 && strcmp(flags->output, "json") != 0) {
        return err_set(
            e, ERR_INVALID, -1, "flag --output: \"%s\" is not text or json", flags->output);
    }
    return 0;
}

int command_query(const struct command *self, int argc, char **argv)
{
    struct query_flags flags = {
        .server = "http://127.0.0.1:9095", .output = "text", .timeout_ms = 130000};
    const struct flag table[] = {
        {"server", FLAG_STRING, &flags.server, "URL",
            "Whom to ask (default http://127.0.0.1:9095).", 0, 0},
        {"time", FLAG_STRING, &flags.time, "TIME", "RFC 3339, or seconds (default now).", 0, 0},
        {"start", FLAG_STRING, &flags.start, "TIME", "First time of a range.", 0, 0},
        {"end", FLAG_STRING, &flags.end, "TIME", "Last time of a range (default now).", 0, 0},
        {"step", FLAG_STRING, &flags.step, "DURATION", "Between times of a range (default 1m).", 0,
            0},
        {"output", FLAG_STRING, &flags.output, "FORM", "text (default) or json.", 0, 0},
        {"explain", FLAG_BOOL, &flags.explain, NULL,
            "Show the plan and where time went instead of the answer.", 0, 0},
        {"timeout", FLAG_DURATION, &flags.timeout_ms, "DURATION",
            "How long to wait (default 2m10s).", 1, INT64_C(86400000)},
        CLIENT_IDENTITY_FLAGS(&flags.identity),
        {.name = NULL},
    };
    const char *expression;
    struct err e = ERR_INIT;
    int exit_status;
    if (command_parse(self, table, argc, argv, &expression, 1, &exit_status) != 0) {
        return exit_status;
    }
    if (check_flags(&flags, &e) != 0) {
        (void)command_fail(&e);
        return COMMAND_USAGE;
    }
    char now[32];
    snprintf(now, sizeof(now), "%lld", (long long)(clock_now_ms(clock_real()) / 1000));
    if (flags.start != NULL) {
        flags.end = flags.end != NULL ? flags.end : now;
        flags.step = flags.step != NULL ? flags.step : "1m";
    }
    const struct api_client_param params[] = {{"query", expression}, {"time", flags.time},
        {"start", flags.start}, {"end", flags.end}, {"step", flags.step},
        {"explain", flags.explain ? "true" : NULL}, {"stats", flags.explain ? "all" : NULL}};
    struct api_client_request request = {.server = flags.server,
        .identity = &flags.identity,
        .path = flags.start != NULL ? "/api/v1/query_range" : "/api/v1/query",
        .params = params,
        .param_count = sizeof(params) / sizeof(params[0]),
        .timeout_ms = flags.timeout_ms};
    struct strbuf body = STRBUF_INIT;
    unsigned status = 0;
    if (api_client_ask(&request, &status, &body, &e) != 0) {
        exit_status = command_fail(&e);
    } else {
        exit_status = show(&flags, status, &body);
    }
    strbuf_release(&body);
    return exit_status;
}
