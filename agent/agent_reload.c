/* Another configuration in place of the one in force, without a restart.
 *
 * What may fail is done first, beside what runs: files are read, settings checked, destinations, collectors,
 * rules and the pipeline of spans made. Targets are last of it, since they alone change at once. From there on
 * nothing fails: either all of the new configuration is in force, or all of the old one still is.
 *
 * Settings under `receive` are those of listeners; they change at a restart, which is said.
 */
#include <string.h>

#include "agent_host.h"
#include "agent_private.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

/* All that a new configuration needs. */
struct change {
    struct arena arena; /* of `config` */
    struct agent_config config;
    struct collectors *collectors;
    char *instance;
    struct outbox_change outbox;
    bool has_outbox; /* prepared */
    struct agent_spans_change spans;
    bool has_spans; /* prepared */
    struct stream_aggregator *aggregator;
    bool has_aggregator; /* there are other rules, perhaps none */
};

/* ---- What may fail ---- */

static int load(struct agent *a, struct change *c, struct err *e)
{
    const struct agent_options *o = a->options;
    int status =
        agent_config_load(o->config_path, o->servers, o->server_count, &c->arena, &c->config, e);
    status = status == 0 ? agent_host_open(&c->config.host, &c->collectors, e) : status;
    status = status == 0 ? access_logs_check(&c->config.access_logs, e) : status;
    if (status == 0) {
        c->instance = agent_find_instance(a, &c->config);
        status = c->instance != NULL
                     ? 0
                     : err_set(e, ERR_NOMEM, -1, "out of memory for the configuration");
    }
    return status;
}

static int prepare_shipping(struct agent *a, struct change *c, struct err *e)
{
    struct sender_options destinations[OUTBOX_DESTINATIONS_MAX];
    struct outbox_options outbox;
    int status = agent_make_outbox(a, &c->config, &c->arena, destinations, &outbox, e);
    if (status == 0) {
        const struct shipper_options options = agent_shipper_options(a, &outbox);
        status = shipper_prepare(a->shipper, &options, &c->outbox, e);
        c->has_outbox = status == 0;
    }
    if (status == 0) {
        status = agent_spans_prepare(&a->spans, &c->config, &outbox, c->instance, &c->spans, e);
        c->has_spans = status == 0;
    }
    return status;
}

static int prepare_aggregator(struct agent *a, struct change *c, struct err *e)
{
    if (agent_config_same(&a->config, &c->config, "stream_aggr")) {
        return 0;
    }
    int status = agent_open_aggregator(a, &c->config, &c->aggregator, e);
    c->has_aggregator = status == 0;
    return status;
}

static void abandon(struct agent *a, struct change *c)
{
    if (c->has_spans) {
        agent_spans_abandon(&a->spans, &c->spans);
    }
    if (c->has_outbox) {
        shipper_abandon(a->shipper, &c->outbox);
    }
    stream_aggregator_free(c->aggregator);
    collectors_close(c->collectors);
    mem_free(c->instance);
    arena_release(&c->arena);
}

/* ---- What does not ---- */

/* Jobs that changed begin anew; their files go on where the old ones left them. */
static void use_access_logs(struct agent *a, const struct config_list *jobs, bool same_instance)
{
    struct err e = ERR_INIT;
    struct access_logs *logs;
    if (a->access_logs != NULL && same_instance && access_logs_are(a->access_logs, jobs)) {
        return;
    }
    access_logs_close(a->access_logs); // keeps the places
    a->access_logs = NULL;
    if (agent_open_access_logs(a, jobs, &logs, &e) == 0) {
        a->access_logs = logs;
    } else {
        LOG_ERROR("agent: access logs are not read", LOG_S("error", e.message)); // no memory
    }
}

static void commit(struct agent *a, struct change *c)
{
    char *instance = a->instance;
    if (!agent_config_same(&a->config, &c->config, "receive")) {
        LOG_WARN("agent: settings under receive have changed; they change at a restart");
    }
    collectors_close(a->collectors);
    a->collectors = c->collectors;
    if (c->has_aggregator) {
        agent_use_aggregator(a, c->aggregator);
    }
    agent_spans_commit(&a->spans, &c->spans);
    shipper_commit(a->shipper, &c->outbox);
    memory_watch_set_max(&a->memory, (uint64_t)c->config.memory_max);
    a->instance = c->instance;
    use_access_logs(a, &c->config.access_logs, strcmp(instance, c->instance) == 0);
    mem_free(instance);
    c->config.receive = a->config.receive; /* those that are in force */
    a->config = c->config;
    arena_release(&a->reloaded);
    a->reloaded = c->arena;
}

int agent_reload(struct agent *a, struct err *e)
{
    struct change c = {.has_outbox = false};
    arena_init(&c.arena, 0);
    int status = load(a, &c, e);
    status = status == 0 ? prepare_aggregator(a, &c, e) : status;
    status = status == 0 ? prepare_shipping(a, &c, e) : status;
    status = status == 0 ? agent_apply_scrapes(a, &c.config, &c.arena, e) : status;
    a->reload_good = status == 0;
    if (status != 0) {
        abandon(a, &c);
        LOG_ERROR("agent: reload failed, the old configuration stays", LOG_S("error", e->message));
        return status;
    }
    commit(a, &c);
    a->reload_ms = clock_now_ms(a->clock);
    LOG_INFO("agent: configuration reloaded", LOG_I("targets", scraper_count(a->scraper)),
        LOG_I("destinations", shipper_destination_count(a->shipper)));
    return 0;
}
