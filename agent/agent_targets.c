/* From a configuration to the targets it means. */
#include "agent_targets.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "scrape/scraper.h"

enum { URL_MAX = 4096 };

struct maker {
    const struct agent_config *config;
    struct arena *arena;
    struct agent_targets *targets;
    size_t cap;
    uint64_t seed;
    struct err *err;
};

void agent_targets_release(struct agent_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        labels_unref(targets->items[i].labels);
    }
    *targets = (struct agent_targets){NULL, 0};
}

/* Labels of a target: external ones first, then those of its configuration, then job and instance;
 * a later one wins. */
static int make_labels(struct maker *m, const struct config_map *own, const char *job,
    const char *instance, const struct labels **labels_out)
{
    const struct config_map *maps[] = {&m->config->global.external_labels, own};
    struct labels_builder b;
    labels_builder_init(&b);
    labels_builder_set(&b, STR("job"), str_of(job));
    labels_builder_set(&b, STR("instance"), str_of(instance));
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; maps[k] != NULL && i < maps[k]->count; i++) {
            struct str name = str_of(maps[k]->items[i].key);
            if (!label_name_is_classic(name) || str_starts_with(name, STR("__"))) {
                labels_builder_release(&b);
                return err_set(m->err, ERR_INVALID, -1,
                    "\"%.*s\" is no label name; accepted: letters, digits and _, not beginning "
                    "with a digit or two _",
                    STR_ARG(name));
            }
            labels_builder_set(&b, name, str_of(maps[k]->items[i].value));
        }
    }
    int status = labels_builder_finish(&b, labels_out);
    labels_builder_release(&b);
    return status == 0 ? 0
                       : err_set(m->err, status, -1, "labels of job %s: %s", job, err_text(status));
}

/* Room for one more; its labels are still to come. */
static struct target_options *add_target(struct maker *m)
{
    struct agent_targets *t = m->targets;
    if (t->count == m->cap) {
        size_t cap = m->cap == 0 ? 16 : m->cap * 2;
        struct target_options *grown =
            cap > SCRAPER_TARGETS_MAX * 2 ? NULL : arena_calloc(m->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        if (t->count > 0) {
            memcpy(grown, t->items, t->count * sizeof(*grown));
        }
        t->items = grown;
        m->cap = cap;
    }
    struct target_options *options = &t->items[t->count];
    *options = (struct target_options){.seed = m->seed, .honor_timestamps = true};
    return options;
}

static int add_local(struct maker *m, const struct agent_local *local, const char *job,
    void (*expose)(void *context, struct strbuf *out))
{
    const struct agent_host *host = &m->config->host;
    const char *instance = host->instance[0] != '\0' ? host->instance : local->hostname;
    struct target_options *options = add_target(m);
    if (options == NULL) {
        return err_set(m->err, ERR_NOMEM, -1, "out of memory for the targets");
    }
    options->expose = expose;
    options->expose_context = local->context;
    options->interval_ms = host->interval_ms;
    options->timeout_ms = host->interval_ms;
    int status = make_labels(m, NULL, job, instance, &options->labels);
    m->targets->count += status == 0;
    return status;
}

static int add_static(struct maker *m, const struct agent_scrape *s,
    const struct agent_static *group, const char *address)
{
    char url[URL_MAX];
    struct target_options *options = add_target(m);
    if (options == NULL) {
        return err_set(m->err, ERR_NOMEM, -1, "out of memory for the targets");
    }
    if (address[0] == '\0' || strchr(address, '/') != NULL) {
        return err_set(m->err, ERR_INVALID, -1,
            "job %s: \"%s\" is no target; accepted: HOST:PORT (the path is metrics_path)",
            s->job_name, address);
    }
    int length = snprintf(url, sizeof(url), "%s://%s%s", s->scheme, address, s->metrics_path);
    options->url = length < URL_MAX ? arena_strndup(m->arena, url, (size_t)length) : NULL;
    if (options->url == NULL) {
        return err_set(m->err, ERR_LIMIT, -1, "job %s: the address of \"%s\" is too long",
            s->job_name, address);
    }
    options->interval_ms = s->interval_ms;
    options->timeout_ms = s->timeout_ms;
    options->honor_labels = s->honor_labels;
    options->honor_timestamps = s->honor_timestamps;
    options->sample_limit = (size_t)s->sample_limit;
    options->body_max = (size_t)s->body_size_limit;
    int status = make_labels(m, &group->labels, s->job_name, address, &options->labels);
    m->targets->count += status == 0;
    return status;
}

static int add_scrape(struct maker *m, const struct agent_scrape *s)
{
    const struct agent_static *groups = s->static_configs.items;
    int status = 0;
    for (size_t g = 0; status == 0 && g < s->static_configs.count; g++) {
        for (size_t i = 0; status == 0 && i < groups[g].targets.count; i++) {
            status = add_static(m, s, &groups[g], groups[g].targets.items[i]);
        }
    }
    return status;
}

int agent_targets_make(const struct agent_config *config, const struct agent_local *local,
    struct arena *arena, struct agent_targets *targets_out, struct err *e)
{
    *targets_out = (struct agent_targets){NULL, 0};
    struct maker m = {
        .config = config,
        .arena = arena,
        .targets = targets_out,
        .seed = hash64(local->hostname, strlen(local->hostname), 0),
        .err = e,
    };
    int status = 0;
    if (config->host.enabled) {
        status = add_local(&m, local, config->host.job, local->expose_host);
    }
    if (status == 0) {
        status = add_local(&m, local, "sonde-agent", local->expose_self);
    }
    const struct agent_scrape *scrapes = config->scrape_configs.items;
    for (size_t i = 0; status == 0 && i < config->scrape_configs.count; i++) {
        status = add_scrape(&m, &scrapes[i]);
    }
    return status;
}
