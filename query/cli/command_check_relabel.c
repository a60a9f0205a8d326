/* sonde check relabel: what each relabel rule of the agent's configuration does, step by step.
 *
 * Targets come from the flag --labels, from a running agent (all it has discovered, kept and dropped), or
 * are those of static_configs.
 */
#include <jansson.h>
#include <string.h>

#include "agent/agent_check.h"
#include "cli/api_client.h"
#include "cli/command.h"
#include "query/promql.h"

#define TIMEOUT_MS 60000

/* {name="value", …} as a set; a metric's name may stand before the braces. */
static int parse_labels(const char *flag, const char *text, const struct labels **labels_out,
    struct arena *arena, struct err *e)
{
    struct expr *selector = NULL;
    int status = promql_parse_selector(str_of(text), arena, &selector, e);
    if (status != 0) {
        (void)err_prefix(e, "flag --%s", flag); /* gives back its code */
        return status;
    }
    struct labels_builder b;
    labels_builder_init(&b);
    for (size_t i = 0; status == 0 && i < selector->selector.matcher_count; i++) {
        const struct matcher *m = selector->selector.matchers[i];
        labels_builder_set(&b, m->name, m->value);
        if (m->type != MATCHER_EQUAL) {
            status = err_set(e, ERR_INVALID, -1, "flag --%s: labels have values: %.*s=\"…\"", flag,
                STR_ARG(m->name));
        }
    }
    if (status == 0) {
        status = labels_builder_finish(&b, labels_out);
    }
    labels_builder_release(&b);
    return status;
}

/* ---- A running agent ---- */

static int labels_of_json(json_t *object, const struct labels **labels_out)
{
    struct labels_builder b;
    const char *name;
    json_t *value;
    labels_builder_init(&b);
    json_object_foreach(object, name, value)
    {
        labels_builder_set(
            &b, str_of(name), str_make(json_string_value(value), json_string_length(value)));
    }
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status;
}

struct asking {
    struct agent_dry_run *run;
    const char *job; /* NULL: all */
    const struct labels *series;
    size_t shown;
    struct strbuf *out;
    struct err *e;
};

/* Each target of a list, with the rules of its job; what is no job of the file (the agent itself) is left
 * out. */
static int show_list(struct asking *a, const json_t *list)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        const struct labels *labels = NULL;
        struct agent_dry_run_question question = {.series = a->series};
        struct err why = ERR_INIT;
        question.job = json_string_value(json_object_get(item, "scrapePool"));
        if (question.job == NULL || (a->job != NULL && strcmp(a->job, question.job) != 0)) {
            continue;
        }
        status = labels_of_json(json_object_get(item, "discoveredLabels"), &labels);
        question.target = labels;
        size_t before = a->out->size;
        strbuf_add_c(a->out, a->shown > 0 ? "\n" : "");
        status = status == 0 ? agent_dry_run_show(a->run, &question, a->out, &why) : status;
        a->shown += status == 0;
        if (status == ERR_NOT_FOUND) {
            strbuf_truncate(a->out, before);
            status = 0;
        } else if (status != 0) {
            *a->e = why;
        }
        labels_unref(labels);
    }
    return status;
}

static int show_agent(struct asking *a, const char *url)
{
    const struct api_client_request request = {
        .server = url, .path = "/api/v1/targets", .timeout_ms = TIMEOUT_MS, .get = true};
    struct strbuf body = STRBUF_INIT;
    unsigned http_status = 0;
    int status = api_client_ask(&request, &http_status, &body, a->e);
    if (status != 0) {
        strbuf_release(&body);
        return status;
    }
    json_t *root = body.size > 0 ? json_loadb(body.data, body.size, 0, NULL) : NULL;
    json_t *data = json_object_get(root, "data");
    strbuf_release(&body);
    if (http_status != 200 || data == NULL) {
        status = err_set(a->e, ERR_INVALID, -1, "%s answers %u, and no targets", url, http_status);
    } else {
        status = show_list(a, json_object_get(data, "activeTargets"));
        status = status == 0 ? show_list(a, json_object_get(data, "droppedTargets")) : status;
    }
    if (status == 0 && a->shown == 0) {
        status = err_set(a->e, ERR_NOT_FOUND, -1, "%s has no targets of jobs of the file", url);
    }
    json_decref(root);
    return status;
}

/* ---- The command ---- */

struct flags {
    const char *job, *labels, *series, *agent;
};

static int show(struct agent_dry_run *run, const struct flags *given, struct arena *arena,
    struct strbuf *out, struct err *e)
{
    const struct labels *target = NULL, *series = NULL;
    int status =
        given->series != NULL ? parse_labels("series", given->series, &series, arena, e) : 0;
    if (status == 0 && given->labels != NULL) {
        status = parse_labels("labels", given->labels, &target, arena, e);
    }
    if (status == 0 && given->agent != NULL) {
        struct asking asking = {
            .run = run, .job = given->job, .series = series, .out = out, .e = e};
        status = show_agent(&asking, given->agent);
    } else if (status == 0) {
        const struct agent_dry_run_question question = {given->job, target, series};
        status = agent_dry_run_show(run, &question, out, e);
    }
    labels_unref(target);
    labels_unref(series);
    return status;
}

int command_check_relabel(const struct command *self, int argc, char **argv)
{
    struct flags given = {.job = NULL};
    const struct flag flags[] = {
        {"job", FLAG_STRING, &given.job, "NAME", "Only this job (default: all)", 0, 0},
        {"labels", FLAG_STRING, &given.labels, "{NAME=\"VALUE\",...}",
            "Labels of a target as discovered (default: the targets of static_configs)", 0, 0},
        {"agent", FLAG_STRING, &given.agent, "URL",
            "A running agent: all targets it has discovered, dropped ones too", 0, 0},
        {"series", FLAG_STRING, &given.series, "METRIC{NAME=\"VALUE\",...}",
            "A series such a target exposes: goes through metric_relabel_configs, too", 0, 0},
        {.name = NULL},
    };
    const char *path;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &path, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct err e = ERR_INIT;
    struct arena arena;
    struct agent_dry_run *run = NULL;
    struct strbuf text = STRBUF_INIT;
    arena_init(&arena, 0);
    int status = given.labels != NULL && given.agent != NULL
                     ? err_set(&e, ERR_INVALID, -1, "--labels and --agent exclude each other")
                     : agent_dry_run_open(path, &run, &e);
    status = status == 0 ? show(run, &given, &arena, &text, &e) : status;
    agent_dry_run_close(run);
    arena_release(&arena);
    if (status != 0) {
        strbuf_release(&text);
        e.code = e.code != 0 ? e.code : status;
        return command_fail(&e);
    }
    return command_print(&text);
}
