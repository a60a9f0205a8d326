/* Sloth's prometheus/v1: a service and its objectives, each with two queries over `[{{.window}}]`. Windows,
 * which that format leaves to the generator, are 30 days unless an annotation says otherwise; the tiers are
 * ours, made for the period. Plugins are programs and are refused.
 */
#include "slo_file.h"

struct alert_fields {
    bool disable;
    struct config_map labels, annotations;
};

struct sloth_slo {
    const char *name, *objective, *description;
    struct config_map labels;
    struct {
        struct {
            const char *error_query, *total_query;
        } events;
        struct {
            const char *error_ratio_query;
        } raw;
        const struct yaml_node *plugin;
    } sli;
    struct {
        const char *name;
        struct config_map labels, annotations;
        struct alert_fields page, ticket;
    } alerting;
};

struct sloth_file {
    const char *version, *service;
    struct config_map labels;
    const struct yaml_node *slos;
};

static int keep_node(struct config_reader *reader, const struct yaml_node *node, void *member)
{
    (void)reader;
    *(const struct yaml_node **)member = node;
    return 0;
}

#define ALERT(member) offsetof(struct alert_fields, member)
static const struct config_field alert_table[] = {
    {"disable", CONFIG_BOOL, ALERT(disable), .help = "Accepted; tiers are told apart by severity."},
    {"labels", CONFIG_STRING_MAP, ALERT(labels), .help = "Of alerts."},
    {"annotations", CONFIG_STRING_MAP, ALERT(annotations), .help = "Of alerts."},
    {0},
};

#define SLO(member) offsetof(struct sloth_slo, member)
static const struct config_field events_table[] = {
    {"error_query", CONFIG_STRING, SLO(sli.events.error_query) - SLO(sli.events),
        .help = "Bad events."},
    {"total_query", CONFIG_STRING, SLO(sli.events.total_query) - SLO(sli.events),
        .help = "All events."},
    {0},
};
static const struct config_field raw_table[] = {
    {"error_ratio_query", CONFIG_STRING, 0, .help = "An error ratio."},
    {0},
};
static const struct config_field sli_table[] = {
    {"events", CONFIG_OBJECT, SLO(sli.events) - SLO(sli), .fields = events_table,
        .help = "Counts."},
    {"raw", CONFIG_OBJECT, SLO(sli.raw) - SLO(sli), .fields = raw_table, .help = "A ratio."},
    {"plugin", CONFIG_CUSTOM, SLO(sli.plugin) - SLO(sli), .read = keep_node, .help = "Refused."},
    {0},
};
static const struct config_field alerting_table[] = {
    {"name", CONFIG_STRING, SLO(alerting.name) - SLO(alerting), .help = "Name of alerts."},
    {"labels", CONFIG_STRING_MAP, SLO(alerting.labels) - SLO(alerting), .help = "Of all alerts."},
    {"annotations", CONFIG_STRING_MAP, SLO(alerting.annotations) - SLO(alerting),
        .help = "Of all alerts; settings, too."},
    {"page_alert", CONFIG_OBJECT, SLO(alerting.page) - SLO(alerting), .fields = alert_table,
        .help = "Pages."},
    {"ticket_alert", CONFIG_OBJECT, SLO(alerting.ticket) - SLO(alerting), .fields = alert_table,
        .help = "Tickets."},
    {0},
};
static const struct config_field slo_table[] = {
    {"name", CONFIG_STRING, SLO(name), .required = true, .help = "Of the objective."},
    {"objective", CONFIG_STRING, SLO(objective), .required = true, .help = "In percent."},
    {"description", CONFIG_STRING, SLO(description), .help = "For people."},
    {"labels", CONFIG_STRING_MAP, SLO(labels), .help = "Of its series and alerts."},
    {"sli", CONFIG_OBJECT, SLO(sli), .fields = sli_table, .help = "The indicator."},
    {"alerting", CONFIG_OBJECT, SLO(alerting), .fields = alerting_table, .help = "Alerts."},
    {0},
};

#define FILE_(member) offsetof(struct sloth_file, member)
static const struct config_field file_table[] = {
    {"version", CONFIG_STRING, FILE_(version), .help = "prometheus/v1"},
    {"service", CONFIG_STRING, FILE_(service), .required = true, .help = "Whose objectives."},
    {"labels", CONFIG_STRING_MAP, FILE_(labels), .help = "Of all objectives."},
    {"slos", CONFIG_CUSTOM, FILE_(slos), .read = keep_node, .required = true,
        .help = "Objectives."},
    {0},
};

static const struct yaml_node *at(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *value = yaml_get(mapping, key);
    return value != NULL ? value : mapping;
}

static struct str text_of(const char *text)
{
    return str_of(text != NULL ? text : "");
}

/* "service-name": names of Sloth are unique within their service only. */
static int set_name(struct slo_reading *r, struct slo_definition *d, const struct sloth_file *f,
    const struct sloth_slo *s)
{
    struct strbuf name = STRBUF_INIT;
    strbuf_add_c(&name, f->service);
    strbuf_add_char(&name, '-');
    strbuf_add_c(&name, s->name);
    char *kept = name.data != NULL ? arena_strndup(r->reader.arena, name.data, name.size) : NULL;
    d->name = str_make(kept, kept != NULL ? name.size : 0);
    strbuf_release(&name);
    return kept != NULL ? 0 : err_set(r->reader.err, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
}

static int set_indicator(struct slo_reading *r, struct slo_definition *d, const struct sloth_slo *s,
    const struct yaml_node *node)
{
    struct slo_indicator *x = &d->indicators[0];
    bool events = s->sli.events.error_query != NULL || s->sli.events.total_query != NULL;
    bool raw = s->sli.raw.error_ratio_query != NULL;
    if (s->sli.plugin != NULL) {
        return config_fail(&r->reader, s->sli.plugin,
            "plugins are programs and are not run: give sli.events with their queries");
    }
    if (events == raw) {
        return config_fail(&r->reader, at(node, "sli"), "one of sli.events and sli.raw is wanted");
    }
    if (raw) {
        x->kind = SLO_RATIO;
        x->part_query = str_of(s->sli.raw.error_ratio_query);
        strbuf_addf(&r->file->warnings,
            "%s:%zu: sli.raw gives ratios: a quiet minute weighs as much as a busy one\n",
            r->reader.file, node->line);
    } else {
        x->kind = SLO_EVENTS;
        x->part_query = text_of(s->sli.events.error_query);
        x->total_query = text_of(s->sli.events.total_query);
        if (x->part_query.len == 0 || x->total_query.len == 0) {
            return config_fail(
                &r->reader, at(node, "sli"), "sli.events has both error_query and total_query");
        }
    }
    d->indicator_count = 1;
    d->weights[0] = 1;
    return 0;
}

static int read_slo(struct slo_reading *r, const struct sloth_file *f, const struct yaml_node *root,
    const struct yaml_node *node)
{
    struct sloth_slo s = {0};
    int status = config_read(r->reader.arena, r->reader.file, node, slo_table, &s, r->reader.err);
    struct slo_definition *d = status == 0 ? slo_reading_add(r, node) : NULL;
    if (d == NULL) {
        return status != 0 ? status : ERR_INVALID;
    }
    d->service = str_of(f->service);
    d->display_name = str_of(s.name);
    d->description = text_of(s.description);
    const struct yaml_node *alerting = at(node, "alerting");
    status = set_name(r, d, f, &s);
    if (status == 0) {
        status = slo_reading_target(r, at(node, "objective"), s.objective, 100, &d->budgets[0]);
    }
    if (status == 0) {
        status = set_indicator(r, d, &s, node);
    }
    if (status == 0) {
        status = slo_reading_labels(r, d, root, &f->labels);
    }
    if (status == 0) {
        status = slo_reading_labels(r, d, node, &s.labels);
    }
    if (status == 0) {
        status = slo_reading_labels(r, d, alerting, &s.alerting.labels);
    }
    const struct config_map *annotations[] = {
        &s.alerting.ticket.annotations, &s.alerting.page.annotations, &s.alerting.annotations};
    for (size_t i = 0; i < 3 && status == 0; i++) {
        status = slo_reading_annotations(r, d, alerting, annotations[i]);
    }
    return status != 0 ? status : slo_reading_finish(r, d, node);
}

int slo_read_sloth(struct slo_reading *r, const struct yaml_node *root)
{
    struct sloth_file f = {0};
    int status = config_read(r->reader.arena, r->reader.file, root, file_table, &f, r->reader.err);
    if (status != 0) {
        return status;
    }
    if (f.slos->kind != YAML_SEQUENCE) {
        return config_fail(&r->reader, f.slos, "slos: expected a list");
    }
    for (size_t i = 0; i < f.slos->count && status == 0; i++) {
        status = read_slo(r, &f, root, f.slos->entries[i].value);
    }
    return status;
}
