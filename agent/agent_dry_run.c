/* What relabel rules do, in words: each rule of a list, and the labels it added, changed or took away.
 *
 *   job web, target 10.0.0.1:8080
 *     discovered  {__address__="10.0.0.1:8080", …}
 *     relabel_configs
 *       1 replace [__meta_zone] -> zone
 *           + zone="z1"
 *       2 keep [job] =~ "web"
 *     labels      {instance="10.0.0.1:8080", job="web", zone="z1"}
 *     scraped     http://10.0.0.1:8080/metrics every 15s
 */
#include "agent/agent_check.h"

#include <string.h>

#include "agent_config.h"
#include "agent_targets.h"
#include "base/mem.h"
#include "model/duration.h"

struct agent_dry_run {
    struct arena arena;
    struct agent_config config;
};

int agent_dry_run_open(const char *path, struct agent_dry_run **run_out, struct err *e)
{
    struct agent_dry_run *run = mem_calloc(1, sizeof(*run));
    if (run == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory");
    }
    arena_init(&run->arena, 0);
    int status = agent_config_load(path, NULL, 0, &run->arena, &run->config, e);
    if (status != 0) {
        agent_dry_run_close(run);
        return status;
    }
    *run_out = run;
    return 0;
}

void agent_dry_run_close(struct agent_dry_run *run)
{
    if (run != NULL) {
        arena_release(&run->arena);
        mem_free(run);
    }
}

/* ---- Rules in words ---- */

static void write_rule(const struct relabel_rule *r, size_t number, struct strbuf *out)
{
    strbuf_addf(out, "    %zu %s", number, r->action);
    for (size_t i = 0; i < r->when.count; i++) {
        strbuf_addf(out, " %s %s", i == 0 ? "if" : "or", r->when.items[i]);
    }
    if (r->match[0] != '\0') {
        strbuf_addf(out, " %s", r->match);
    }
    for (size_t i = 0; i < r->source_labels.count; i++) {
        strbuf_addf(out, "%s%s", i == 0 ? " [" : ", ", r->source_labels.items[i]);
    }
    strbuf_add_c(out, r->source_labels.count > 0 ? "]" : "");
    if (strcmp(r->regex, "(.*)") != 0) {
        strbuf_addf(out, " =~ \"%s\"", r->regex);
    }
    if (r->modulus > 0) {
        strbuf_addf(out, " mod %lld", (long long)r->modulus);
    }
    if (r->target_label[0] != '\0') {
        strbuf_addf(out, " -> %s", r->target_label);
    }
    if (strcmp(r->replacement, "$1") != 0) {
        strbuf_addf(out, " = \"%s\"", r->replacement);
    }
    strbuf_add_char(out, '\n');
}

static void write_label(char sign, struct label label, struct strbuf *out)
{
    strbuf_addf(out, "        %c %.*s=\"%.*s\"", sign, STR_ARG(label.name), STR_ARG(label.value));
}

/* What is different between two sets; both are sorted. */
static void write_changes(
    const struct labels *before, const struct labels *after, struct strbuf *out)
{
    size_t i = 0, k = 0;
    while (i < labels_count(before) || k < labels_count(after)) {
        struct label a = i < labels_count(before) ? labels_at(before, i) : (struct label){0};
        struct label b = k < labels_count(after) ? labels_at(after, k) : (struct label){0};
        int order = a.name.len == 0 ? 1 : b.name.len == 0 ? -1 : str_cmp(a.name, b.name);
        if (order < 0) {
            write_label('-', a, out);
            strbuf_add_char(out, '\n');
        } else if (order > 0) {
            write_label('+', b, out);
            strbuf_add_char(out, '\n');
        } else if (!str_eq(a.value, b.value)) {
            write_label('~', b, out);
            strbuf_addf(out, ", was \"%.*s\"\n", STR_ARG(a.value));
        }
        i += order <= 0;
        k += order >= 0;
    }
}

/* Applies a list and tells of each rule. 1: kept, 0: dropped, else an error. */
static int show_rules(const char *title, const struct config_list *list, struct labels_builder *b,
    struct arena *arena, struct strbuf *out, struct err *e)
{
    const struct relabel_rule *rules = list->items;
    struct relabel *relabel = NULL;
    int status = relabel_new(rules, list->count, &relabel, e);
    int kept = status == 0 ? 1 : status;
    if (status == 0 && list->count > 0) {
        strbuf_addf(out, "  %s\n", title);
    }
    for (size_t i = 0; kept == 1 && i < list->count; i++) {
        const struct labels *before = NULL, *after = NULL;
        write_rule(&rules[i], i + 1, out);
        status = labels_builder_finish(b, &before);
        kept = status == 0 ? relabel_apply_one(relabel, i, b, arena) : status;
        status = kept == 1 ? labels_builder_finish(b, &after) : 0;
        if (kept == 0) {
            strbuf_add_c(out, "        dropped here\n");
        } else if (kept == 1 && status == 0) {
            write_changes(before, after, out);
        }
        kept = status != 0 ? status : kept;
        labels_unref(before);
        labels_unref(after);
    }
    relabel_unref(relabel);
    return kept;
}

/* ---- Targets ---- */

struct showing {
    const struct agent_scrape *scrape;
    const struct labels *series;
    struct strbuf *out;
    struct err *e;
    size_t shown;
};

static int write_set(const char *title, const struct labels_builder *b, struct strbuf *out)
{
    const struct labels *labels = NULL;
    int status = labels_builder_finish(b, &labels);
    if (status == 0) {
        strbuf_addf(out, "  %-12s", title);
        labels_write(labels, out);
        strbuf_add_char(out, '\n');
    }
    labels_unref(labels);
    return status;
}

/* The series as the rules see it: its own labels, and those of its target, which win unless honor_labels. */
static int show_series(struct showing *s, const struct labels *target, struct arena *arena)
{
    struct labels_builder b;
    labels_builder_init(&b);
    for (size_t i = 0; i < labels_count(target); i++) {
        struct label label = labels_at(target, i);
        labels_builder_set(&b, label.name, label.value);
    }
    for (size_t i = 0; i < labels_count(s->series); i++) {
        struct label label = labels_at(s->series, i);
        if (labels_has(target, label.name) && !s->scrape->honor_labels) {
            size_t size = sizeof("exported_") - 1 + label.name.len;
            char *name = arena_alloc(arena, size);
            if (name == NULL) {
                b.error = ERR_NOMEM;
                break;
            }
            memcpy(name, "exported_", sizeof("exported_") - 1);
            memcpy(name + sizeof("exported_") - 1, label.name.ptr, label.name.len);
            label.name = str_make(name, size);
        }
        labels_builder_set(&b, label.name, label.value);
    }
    int status = write_set("series", &b, s->out);
    int kept = status == 0 ? show_rules("metric_relabel_configs",
                                 &s->scrape->metric_relabel_configs, &b, arena, s->out, s->e)
                           : status;
    status = kept == 1 ? write_set("sent", &b, s->out) : kept;
    if (kept == 0) {
        strbuf_add_c(s->out, "  dropped\n");
    }
    labels_builder_release(&b);
    return status;
}

static int show_kept(struct showing *s, struct labels_builder *b, struct arena *arena)
{
    struct err why = ERR_INIT;
    struct target_options options = {0};
    int status = agent_target_finish(s->scrape, arena, b, &options, &why);
    if (status == ERR_INVALID) {
        strbuf_addf(s->out, "  cannot be scraped: %s\n", why.message);
        return 0;
    }
    if (status != 0) {
        return err_set(s->e, status, -1, "%s", why.message);
    }
    strbuf_addf(s->out, "  %-12s", "labels");
    labels_write(options.labels, s->out);
    strbuf_addf(s->out, "\n  %-12s%s every ", "scraped", options.url);
    duration_write(options.interval_ms, s->out);
    strbuf_add_char(s->out, '\n');
    status = s->series != NULL ? show_series(s, options.labels, arena) : 0;
    labels_unref(options.labels);
    return status;
}

/* A target with the labels in the builder, over those that every target of the job has. */
static int show_target(struct showing *s, const struct labels *discovered)
{
    struct arena arena;
    struct err why = ERR_INIT;
    struct labels_builder b;
    arena_init(&arena, 0);
    labels_builder_init(&b);
    int status = agent_target_begin(s->scrape, &arena, &b, &why);
    for (size_t i = 0; i < labels_count(discovered); i++) {
        struct label label = labels_at(discovered, i);
        labels_builder_set(&b, label.name, label.value);
    }
    strbuf_addf(s->out, "%sjob %s, target %.*s\n", s->shown++ > 0 ? "\n" : "", s->scrape->job_name,
        STR_ARG(labels_get(discovered, STR("__address__"))));
    status = status == 0 ? write_set("discovered", &b, s->out) : status;
    int kept = status == 0 ? show_rules("relabel_configs", &s->scrape->relabel_configs, &b, &arena,
                                 s->out, s->e)
                           : status;
    if (kept == 0) {
        strbuf_add_c(s->out, "  dropped\n");
    }
    status = kept == 1 ? show_kept(s, &b, &arena) : kept;
    if (status != 0 && s->e->code == 0) {
        status = err_set(s->e, status, -1, "job %s: %s", s->scrape->job_name, err_text(status));
    }
    labels_builder_release(&b);
    arena_release(&arena);
    return status;
}

static int show_static(struct showing *s)
{
    const struct agent_static *groups = s->scrape->static_configs.items;
    int status = 0;
    for (size_t g = 0; g < s->scrape->static_configs.count; g++) {
        for (size_t i = 0; status == 0 && i < groups[g].targets.count; i++) {
            const struct labels *labels = NULL;
            struct labels_builder b;
            labels_builder_init(&b);
            labels_builder_set(&b, STR("__address__"), str_of(groups[g].targets.items[i]));
            for (size_t k = 0; k < groups[g].labels.count; k++) {
                labels_builder_set(&b, str_of(groups[g].labels.items[k].key),
                    str_of(groups[g].labels.items[k].value));
            }
            status = labels_builder_finish(&b, &labels);
            status = status == 0 ? show_target(s, labels) : status;
            labels_unref(labels);
            labels_builder_release(&b);
        }
    }
    return status;
}

int agent_dry_run_show(struct agent_dry_run *run, const struct agent_dry_run_question *question,
    struct strbuf *out, struct err *e)
{
    struct err why = ERR_INIT;
    struct showing s = {.series = question->series, .out = out, .e = &why};
    const struct agent_scrape *jobs = run->config.scrape_configs.items;
    bool found = false;
    int status = 0;
    for (size_t i = 0; status == 0 && i < run->config.scrape_configs.count; i++) {
        if (question->job == NULL || strcmp(question->job, jobs[i].job_name) == 0) {
            found = true;
            s.scrape = &jobs[i];
            status = question->target != NULL ? show_target(&s, question->target) : show_static(&s);
        }
    }
    if (status == 0 && !found) {
        status = err_set(&why, ERR_NOT_FOUND, -1, "there is no job%s%s in the file",
            question->job != NULL ? " " : "", question->job != NULL ? question->job : "");
    } else if (status == 0 && s.shown == 0) {
        status = err_set(&why, ERR_NOT_FOUND, -1,
            "no job here has static targets; give the labels of one, or a running agent");
    } else if (status != 0 && why.code == 0) {
        (void)err_set(&why, status, -1, "%s", err_text(status)); /* gives back its code */
    }
    if (status != 0 && e != NULL) {
        *e = why;
    }
    return status;
}
