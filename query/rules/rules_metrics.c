/* What rules tell about themselves at /metrics: Prometheus' prometheus_rule_… under our prefix, with the same
 * meaning and the same label, rule_group="file;group". */
#include "base/fpconv.h"
#include "rules/rules_manager.h"

static void write_group(struct strbuf *out, const struct rule_group_status *g)
{
    struct strbuf name = STRBUF_INIT;
    strbuf_addf(&name, "%.*s;%.*s", STR_ARG(g->definition->file), STR_ARG(g->definition->name));
    strbuf_add_c(out, "{rule_group=\"");
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        strbuf_add_c(out, c == '\\' || c == '"' || c == '\n' ? "\\" : "");
        strbuf_add_char(out, c == '\n' ? 'n' : c);
    }
    strbuf_add_c(out, "\"} ");
    strbuf_release(&name);
}

static double interval_of(const struct rule_group_status *g)
{
    return (double)g->interval_ms / 1000;
}

static double evaluated_at(const struct rule_group_status *g)
{
    return g->evaluated_at_ms == INT64_MIN ? 0 : (double)g->evaluated_at_ms / 1000;
}

static double duration_of(const struct rule_group_status *g)
{
    return (double)g->evaluation_ns / 1e9;
}

static double rules_of(const struct rule_group_status *g)
{
    return (double)g->rule_count;
}

static double samples_of(const struct rule_group_status *g)
{
    return (double)g->samples;
}

static double iterations_of(const struct rule_group_status *g)
{
    return (double)g->iterations;
}

static double missed_of(const struct rule_group_status *g)
{
    return (double)g->missed;
}

static double evaluations_of(const struct rule_group_status *g)
{
    return (double)g->evaluations;
}

static double failures_of(const struct rule_group_status *g)
{
    return (double)g->failures;
}

static const struct {
    const char *name, *type, *help;
    double (*value)(const struct rule_group_status *g);
} rows[] = {
    {"sonde_rule_evaluations_total", "counter", "Rules that were evaluated.", evaluations_of},
    {"sonde_rule_evaluation_failures_total", "counter", "Rules whose evaluation failed.",
        failures_of},
    {"sonde_rule_group_iterations_total", "counter",
        "Evaluations of groups that were due, made or missed.", iterations_of},
    {"sonde_rule_group_iterations_missed_total", "counter",
        "Evaluations of groups that were skipped because the one before took too long.", missed_of},
    {"sonde_rule_group_interval_seconds", "gauge", "Between two evaluations of a group.",
        interval_of},
    {"sonde_rule_group_last_evaluation_timestamp_seconds", "gauge",
        "When the group was evaluated last.", evaluated_at},
    {"sonde_rule_group_last_duration_seconds", "gauge", "How long its last evaluation took.",
        duration_of},
    {"sonde_rule_group_rules", "gauge", "Rules of the group.", rules_of},
    {"sonde_rule_group_last_evaluation_samples", "gauge", "Samples that its last evaluation wrote.",
        samples_of},
};

void rules_write_metrics(struct rules *r, struct strbuf *out)
{
    struct arena arena;
    struct rule_group_status *groups = NULL;
    size_t count = 0;
    arena_init(&arena, 0);
    if (rules_status(r, &arena, &groups, &count) == 0 && count > 0) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help,
                rows[i].name, rows[i].type);
            for (size_t g = 0; g < count; g++) {
                strbuf_add_c(out, rows[i].name);
                write_group(out, &groups[g]);
                strbuf_add_double(out, rows[i].value(&groups[g]));
                strbuf_add_char(out, '\n');
            }
        }
    }
    arena_release(&arena);
}
