/* From a configuration to the targets it means: labels, relabelling, how to scrape. */
#include "agent_targets.h"

#include <stdio.h>
#include <string.h>

#include "agent_duplicates.h"
#include "base/hash.h"
#include "discovery/url_text.h"
#include "model/duration.h"
#include "scrape/scraper.h"

#define META_PREFIX "__meta_"
#define PARAM_PREFIX "__param_"

enum { URL_MAX = 4096 };

struct maker {
    const struct agent_config *config;
    const struct discovery *discovery; /* NULL: none */
    struct arena *arena;
    struct agent_targets *targets;
    size_t cap;
    uint64_t seed;
    const struct labels *external;
    struct err *err;
};

static void target_release(struct target_options *options)
{
    labels_unref(options->labels);
    labels_unref(options->discovered);
    labels_unref(options->external);
    relabel_unref(options->metric_relabel);
}

void agent_targets_release(struct agent_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        target_release(&targets->items[i]);
    }
    for (size_t i = 0; i < targets->dropped_count && i < AGENT_DROPPED_MAX; i++) {
        labels_unref(targets->dropped[i]);
    }
    targets->count = targets->dropped_count = targets->refused_count = 0;
    targets->duplicate_count = 0;
    labels_unref(targets->external);
    targets->external = NULL;
}

/* Room for one more. */
static int add_target(struct maker *m, const struct target_options *options)
{
    struct agent_targets *t = m->targets;
    if (t->count == m->cap) {
        size_t cap = m->cap == 0 ? 16 : m->cap * 2;
        struct target_options *grown =
            cap > SCRAPER_TARGETS_MAX * 2 ? NULL : arena_calloc(m->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            return err_set(
                m->err, ERR_LIMIT, -1, "the targets are too many: at most %d", SCRAPER_TARGETS_MAX);
        }
        if (t->count > 0) {
            memcpy(grown, t->items, t->count * sizeof(*grown));
        }
        t->items = grown;
        m->cap = cap;
    }
    t->items[t->count++] = *options;
    return 0;
}

/* Labels of a configuration into the builder; they win over what is there. */
static int set_labels(struct maker *m, struct labels_builder *b, const struct config_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        struct str name = str_of(map->items[i].key);
        if (!label_name_is_classic(name)) {
            return err_set(m->err, ERR_INVALID, -1,
                "\"%.*s\" is no label name; accepted: letters, digits and _, not beginning with a "
                "digit",
                STR_ARG(name));
        }
        labels_builder_set(b, name, str_of(map->items[i].value));
    }
    return 0;
}

static int make_external(struct maker *m)
{
    struct labels_builder b;
    labels_builder_init(&b);
    int status = set_labels(m, &b, &m->config->global.external_labels);
    if (status == 0) {
        status = labels_builder_finish(&b, &m->external);
    }
    labels_builder_release(&b);
    return status;
}

/* ---- This process ---- */

static int add_local(struct maker *m, const struct agent_local *local, const char *job,
    void (*expose)(void *context, struct strbuf *out))
{
    const struct agent_host *host = &m->config->host;
    const char *instance = host->instance[0] != '\0' ? host->instance : local->hostname;
    struct target_options options = {.expose = expose,
        .expose_context = local->context,
        .interval_ms = host->interval_ms,
        .timeout_ms = host->interval_ms,
        .honor_timestamps = true,
        .seed = m->seed};
    const struct label pairs[] = {{STR("job"), str_of(job)}, {STR("instance"), str_of(instance)}};
    int status = labels_new(pairs, 2, &options.labels, m->err);
    if (status == 0) {
        options.external = labels_ref(m->external);
        status = add_target(m, &options);
    }
    if (status != 0) {
        target_release(&options);
    }
    return status;
}

/* ---- Scraped targets ---- */

/* One job with its rules compiled. */
struct job {
    struct maker *m;
    const struct agent_scrape *scrape;
    struct relabel *relabel, *metric_relabel;
};

static int bad_target(struct job *j, const char *address, int status, const char *why)
{
    return err_set(
        j->m->err, status, -1, "job %s: target %s: %s", j->scrape->job_name, address, why);
}

static void set_duration(
    struct job *j, struct labels_builder *b, const char *name, int64_t milliseconds)
{
    struct strbuf text = STRBUF_INIT;
    duration_write(milliseconds, &text);
    char *copy = arena_strndup(j->m->arena, text.data, text.size);
    labels_builder_set(b, str_of(name), str_make(copy, copy != NULL ? text.size : 0));
    strbuf_release(&text);
}

/* What is known of every target of the job before any rule. */
static int begin_target(struct job *j, struct labels_builder *b)
{
    const struct agent_scrape *s = j->scrape;
    labels_builder_set(b, STR("job"), str_of(s->job_name));
    labels_builder_set(b, STR("__scheme__"), str_of(s->scheme));
    labels_builder_set(b, STR("__metrics_path__"), str_of(s->metrics_path));
    set_duration(j, b, "__scrape_interval__", s->interval_ms);
    set_duration(j, b, "__scrape_timeout__", s->timeout_ms);
    for (size_t i = 0; i < s->params.count; i++) {
        const struct agent_parameter *p = &s->params.items[i];
        size_t length = strlen(p->name) + sizeof(PARAM_PREFIX) - 1;
        char *name = arena_alloc(j->m->arena, length);
        if (name == NULL) {
            return err_set(j->m->err, ERR_NOMEM, -1, "out of memory for the targets");
        }
        memcpy(name, PARAM_PREFIX, sizeof(PARAM_PREFIX) - 1);
        memcpy(name + sizeof(PARAM_PREFIX) - 1, p->name, strlen(p->name));
        if (p->values.count > 0) {
            labels_builder_set(b, str_make(name, length), str_of(p->values.items[0]));
        }
    }
    return 0;
}

/* The first value of a parameter is its label's, which rules may have changed; the others are those
 * of the configuration. */
static void add_parameters(struct job *j, const struct labels_builder *b, struct strbuf *url)
{
    struct str prefix = STR(PARAM_PREFIX);
    for (size_t i = 0; i < b->count; i++) {
        struct str name = b->pairs[i].name;
        if (str_starts_with(name, prefix)) {
            name = str_make(name.ptr + prefix.len, name.len - prefix.len);
            url_add_parameter(url, name, b->pairs[i].value);
        }
    }
    for (size_t i = 0; i < j->scrape->params.count; i++) {
        const struct agent_parameter *p = &j->scrape->params.items[i];
        for (size_t k = 1; k < p->values.count; k++) {
            url_add_parameter(url, str_of(p->name), str_of(p->values.items[k]));
        }
    }
}

static int make_url(struct job *j, const struct labels_builder *b, const char **url_out)
{
    struct str scheme = labels_builder_get(b, STR("__scheme__"));
    struct str address = labels_builder_get(b, STR("__address__"));
    struct str path = labels_builder_get(b, STR("__metrics_path__"));
    char name[128];
    snprintf(name, sizeof(name), "%.*s", address.len < 100 ? (int)address.len : 100,
        address.len > 0 ? address.ptr : "");
    if (address.len == 0 || memchr(address.ptr, '/', address.len) != NULL) {
        return bad_target(j, name, ERR_INVALID,
            "no address; accepted: HOST:PORT (the path is metrics_path or __metrics_path__)");
    }
    if (!str_eq_c(scheme, "http") && !str_eq_c(scheme, "https")) {
        return bad_target(j, name, ERR_INVALID, "__scheme__ is neither http nor https");
    }
    struct strbuf url;
    strbuf_init(&url, URL_MAX);
    strbuf_addf(&url, "%.*s://%.*s%s%.*s", STR_ARG(scheme), STR_ARG(address),
        path.len > 0 && path.ptr[0] == '/' ? "" : "/", (int)path.len, path.len > 0 ? path.ptr : "");
    if (strbuf_error(&url) == 0) {
        add_parameters(j, b, &url);
    }
    *url_out = strbuf_error(&url) == 0 ? arena_strndup(j->m->arena, url.data, url.size) : NULL;
    strbuf_release(&url);
    return *url_out != NULL ? 0 : bad_target(j, name, ERR_LIMIT, "its URL is too long");
}

/* Interval and timeout as rules have left them. */
static int read_times(struct job *j, const struct labels_builder *b, struct target_options *o)
{
    struct str address = labels_builder_get(b, STR("__address__"));
    struct str interval = labels_builder_get(b, STR("__scrape_interval__"));
    struct str timeout = labels_builder_get(b, STR("__scrape_timeout__"));
    if (config_parse_duration(interval, &o->interval_ms) != 0 || o->interval_ms <= 0 ||
        config_parse_duration(timeout, &o->timeout_ms) != 0 || o->timeout_ms <= 0 ||
        o->timeout_ms > o->interval_ms) {
        return err_set(j->m->err, ERR_INVALID, -1,
            "job %s: target %.*s: __scrape_interval__ \"%.*s\" and __scrape_timeout__ \"%.*s\" "
            "must "
            "be durations above zero, the timeout not above the interval",
            j->scrape->job_name, STR_ARG(address), STR_ARG(interval), STR_ARG(timeout));
    }
    return 0;
}

/* The labels that are the target's own: not those that begin with __. */
static int own_labels(struct labels_builder *b, const struct labels **labels_out)
{
    if (labels_builder_get(b, STR("instance")).len == 0) {
        labels_builder_set(b, STR("instance"), labels_builder_get(b, STR("__address__")));
    }
    for (size_t i = b->count; i-- > 0;) {
        if (str_starts_with(b->pairs[i].name, STR("__"))) {
            labels_builder_delete(b, b->pairs[i].name);
        }
    }
    return labels_builder_finish(b, labels_out);
}

/* URL, times and labels as rules have left them. */
static int resolve_target(struct job *j, struct labels_builder *b, struct target_options *o)
{
    int status = make_url(j, b, &o->url);
    if (status == 0) {
        status = read_times(j, b, o);
    }
    if (status == 0) {
        status = own_labels(b, &o->labels);
    }
    return status == 0 || j->m->err->code != 0 ? status
                                               : err_set(j->m->err, status, -1, "job %s: %s",
                                                     j->scrape->job_name, err_text(status));
}

static int finish_target(struct job *j, struct labels_builder *b, struct target_options *o)
{
    const struct agent_scrape *s = j->scrape;
    int status = resolve_target(j, b, o);
    if (status != 0) {
        return status;
    }
    o->honor_labels = s->honor_labels;
    o->honor_timestamps = s->honor_timestamps;
    o->sample_limit = (size_t)s->sample_limit;
    o->body_max = (size_t)s->body_size_limit;
    o->label_limit = (size_t)s->label_limit;
    o->label_name_limit = (size_t)s->label_name_limit;
    o->label_value_limit = (size_t)s->label_value_limit;
    o->bucket_limit = (size_t)s->bucket_limit;
    o->track_timestamps = s->track_timestamps;
    o->native_histograms = s->native_histograms;
    o->classic_histograms = s->classic_histograms;
    (void)agent_config_fallback(s->fallback_protocol, &o->fallback, &o->no_fallback); /* checked */
    o->seed = j->m->seed;
    o->profile = http_profile_is_plain(&s->profile) ? NULL : &s->profile;
    o->external = labels_ref(j->m->external);
    o->metric_relabel = relabel_ref(j->metric_relabel);
    return add_target(j->m, o);
}

static void note_dropped(struct agent_targets *t, const struct labels *discovered)
{
    if (t->dropped_count < AGENT_DROPPED_MAX) {
        t->dropped[t->dropped_count] = labels_ref(discovered);
    }
    t->dropped_count++;
}

/* From all that is known of a target to how it is scraped, if it is. */
static int add_known(struct job *j, struct labels_builder *b)
{
    struct target_options options = {0};
    int status = labels_builder_finish(b, &options.discovered);
    int kept = status == 0 ? relabel_apply(j->relabel, b, j->m->arena) : status;
    if (kept == 1) {
        status = finish_target(j, b, &options);
    } else if (kept == 0) {
        note_dropped(j->m->targets, options.discovered);
    } else {
        status = kept;
    }
    if (kept != 1 || status != 0) {
        target_release(&options);
    }
    return status;
}

static int add_static(struct job *j, const struct agent_static *group, const char *address)
{
    struct labels_builder b;
    labels_builder_init(&b);
    labels_builder_set(&b, STR("__address__"), str_of(address));
    int status = begin_target(j, &b);
    status = status == 0 ? set_labels(j->m, &b, &group->labels) : status;
    status = status == 0 ? add_known(j, &b) : status;
    if (status != 0 && j->m->err->code == 0) {
        status = bad_target(j, address, status, err_text(status));
    }
    labels_builder_release(&b);
    return status;
}

/* A discovered target that is wrong is nobody's fault here: it is left out, the others are scraped. */
static int add_discovered(void *context, const struct labels *target)
{
    struct job *j = context;
    struct agent_targets *t = j->m->targets;
    struct labels_builder b;
    labels_builder_init(&b);
    int status = begin_target(j, &b);
    for (size_t i = 0; i < labels_count(target); i++) {
        struct label label = labels_at(target, i);
        labels_builder_set(&b, label.name, label.value);
    }
    status = status == 0 ? add_known(j, &b) : status;
    labels_builder_release(&b);
    if (status != ERR_INVALID) {
        return status;
    }
    if (t->refused_count++ == 0) {
        snprintf(t->refused, sizeof(t->refused), "%s", j->m->err->message);
    }
    *j->m->err = (struct err)ERR_INIT;
    return 0;
}

static int compile(
    struct job *j, const struct config_list *rules, const char *key, struct relabel **relabel_out)
{
    struct err why = ERR_INIT;
    int status = relabel_new(rules->items, rules->count, relabel_out, &why);
    return status == 0 ? 0
                       : err_set(j->m->err, status, -1, "job %s: %s: %s", j->scrape->job_name, key,
                             why.message);
}

/* What is there twice is scraped once. */
static int drop_duplicates(struct maker *m, const struct agent_scrape *s, size_t first)
{
    struct agent_targets *t = m->targets;
    size_t count = t->count - first, unique = count;
    int status = agent_duplicates_sort_out(&t->items[first], count, m->arena, &unique);
    if (status != 0) {
        return err_set(m->err, status, -1, "out of memory for the targets");
    }
    if (unique < count && t->duplicate_count == 0) {
        snprintf(t->duplicate, sizeof(t->duplicate), "job %s: %s", s->job_name,
            t->items[first + unique].url);
    }
    t->duplicate_count += count - unique;
    while (t->count > first + unique) {
        target_release(&t->items[--t->count]);
    }
    return 0;
}

/* A job with more targets than it may have: all of them fail, so that nobody takes a part for the
 * whole. */
static int enforce_target_limit(struct maker *m, const struct agent_scrape *s, size_t first)
{
    char text[128];
    size_t count = m->targets->count - first;
    if (s->target_limit == 0 || count <= (size_t)s->target_limit) {
        return 0;
    }
    int length = snprintf(text, sizeof(text), "the job has %zu targets; target_limit is %lld",
        count, (long long)s->target_limit);
    const char *sentence = arena_strndup(m->arena, text, (size_t)length);
    if (sentence == NULL) {
        return err_set(m->err, ERR_NOMEM, -1, "out of memory for the targets");
    }
    for (size_t i = first; i < m->targets->count; i++) {
        m->targets->items[i].forced_error = sentence;
    }
    return 0;
}

static int add_scrape(struct maker *m, const struct agent_scrape *s)
{
    size_t first = m->targets->count;
    struct job j = {.m = m, .scrape = s};
    const struct agent_static *groups = s->static_configs.items;
    int status = compile(&j, &s->relabel_configs, "relabel_configs", &j.relabel);
    if (status == 0) {
        status =
            compile(&j, &s->metric_relabel_configs, "metric_relabel_configs", &j.metric_relabel);
    }
    for (size_t g = 0; status == 0 && g < s->static_configs.count; g++) {
        for (size_t i = 0; status == 0 && i < groups[g].targets.count; i++) {
            status = add_static(&j, &groups[g], groups[g].targets.items[i]);
        }
    }
    if (status == 0 && m->discovery != NULL) {
        status = discovery_each(m->discovery, &s->discovery, add_discovered, &j);
    }
    status = status == 0 ? drop_duplicates(m, s, first) : status;
    if (status == 0) {
        status = enforce_target_limit(m, s, first);
    }
    relabel_unref(j.relabel);
    relabel_unref(j.metric_relabel);
    return status;
}

int agent_targets_make(const struct agent_config *config, const struct agent_local *local,
    const struct discovery *discovery, struct arena *arena, struct agent_targets *targets_out,
    struct err *e)
{
    targets_out->count = targets_out->dropped_count = targets_out->refused_count = 0;
    targets_out->duplicate_count = 0;
    targets_out->duplicate[0] = '\0';
    targets_out->external = NULL;
    struct err why = ERR_INIT;
    struct maker m = {
        .config = config,
        .discovery = discovery,
        .arena = arena,
        .targets = targets_out,
        .seed = hash64(local->hostname, strlen(local->hostname), 0),
        .err = &why,
    };
    int status = make_external(&m);
    if (status == 0 && config->host.enabled) {
        status = add_local(&m, local, config->host.job, local->expose_host);
    }
    if (status == 0) {
        status = add_local(&m, local, "sonde-agent", local->expose_self);
    }
    const struct agent_scrape *scrapes = config->scrape_configs.items;
    for (size_t i = 0; status == 0 && i < config->scrape_configs.count; i++) {
        status = add_scrape(&m, &scrapes[i]);
        const struct yaml_node *node = scrapes[i].node;
        if (status == ERR_INVALID && node != NULL) {
            (void)err_prefix(&why, "%s:%zu:%zu", scrapes[i].file, node->line, node->column);
        }
    }
    targets_out->external = m.external;
    if (status != 0 && why.code == 0) {
        err_set(&why, status, -1, "the targets cannot be made: %s", err_text(status));
    }
    if (status != 0 && e != NULL) {
        *e = why;
    }
    return status;
}

/* ---- One target alone ---- */

int agent_target_begin(
    const struct agent_scrape *scrape, struct arena *arena, struct labels_builder *b, struct err *e)
{
    struct maker m = {.arena = arena, .err = e};
    struct job j = {.m = &m, .scrape = scrape};
    return begin_target(&j, b);
}

int agent_target_finish(const struct agent_scrape *scrape, struct arena *arena,
    struct labels_builder *b, struct target_options *options_out, struct err *e)
{
    struct maker m = {.arena = arena, .err = e};
    struct job j = {.m = &m, .scrape = scrape};
    struct target_options options = {0};
    int status = resolve_target(&j, b, &options);
    if (status == 0) {
        *options_out = options;
    }
    return status;
}
