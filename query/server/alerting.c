/* The order of things: whom to tell is there before those who tell, and leaves after them. */
#include "server/alerting.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

struct alerting {
    struct notify *notify;
    struct rules *rules;
    struct slo_manager *slos;
    bool measured;
};

static int make_labels(
    const struct config_map *map, const struct labels **labels_out, struct err *e)
{
    struct label *pairs = mem_calloc(map->count + 1, sizeof(*pairs));
    if (pairs == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    for (size_t i = 0; i < map->count; i++) {
        pairs[i] = (struct label){str_of(map->items[i].key), str_of(map->items[i].value)};
    }
    int status = labels_new(pairs, map->count, labels_out, e);
    mem_free(pairs);
    return status != 0 ? err_prefix(e, "evaluation.external_labels") : 0;
}

static int open_rules(struct alerting *a, const struct alerting_options *options, struct err *e)
{
    const struct server_config *config = options->config;
    const struct server_evaluation_config *evaluation = &config->evaluation;
    const struct labels *external = NULL;
    int status = make_labels(&evaluation->external_labels, &external, e);
    if (status != 0) {
        return status;
    }
    const struct rules_options rules = {.sink = notify_sink(a->notify),
        .engine = options->engine,
        .features = options->features,
        .reads = tsdb_querier_source(options->db),
        .writes = tsdb_appender_source(options->db),
        .data_path = config->data,
        .external_labels = external,
        .external_url = notify_external_url(a->notify), /* links of messages are whole */
        .interval_ms = evaluation->interval_ms,
        .query_offset_ms = evaluation->query_offset_ms,
        .catch_up_ms = evaluation->catch_up_ms,
        .threads = (unsigned)evaluation->threads,
        .query = {.lookback_ms = config->query.lookback_ms,
            .timeout_ms = config->query.timeout_ms,
            .samples_max = (uint64_t)config->query.samples_max}};
    status = rules_open(&rules, &a->rules, e);
    labels_unref(external);
    return status;
}

static int open_slos(struct alerting *a, const struct alerting_options *options, struct err *e)
{
    const struct server_config *config = options->config;
    const struct labels *external = NULL;
    int status = make_labels(&config->evaluation.external_labels, &external, e);
    if (status != 0) {
        return status;
    }
    const struct slo_options slos = {.sink = notify_sink(a->notify),
        .engine = options->slo_engine,
        .reads = tsdb_querier_source(options->db),
        .writes = tsdb_appender_source(options->db),
        .data_path = config->data,
        .external_labels = external,
        .external_url = config->web.external_url};
    status = slo_open(&slos, &a->slos, e);
    labels_unref(external);
    return status == 0 ? slo_load(a->slos, config->slo.items, config->slo.count, e) : status;
}

static void write_metrics(void *context, struct strbuf *out)
{
    struct alerting *a = context;
    rules_write_metrics(a->rules, out);
    slo_write_metrics(a->slos, out);
    notify_write_metrics(a->notify, out);
}

/* Alerts that nobody is told of are worth a line: most likely somebody meant to. */
static void say_who_is_told(struct alerting *a)
{
    bool any = rules_have_alerts(a->rules) || slo_count(a->slos) > 0;
    if (any && !notify_tells_anybody(a->notify)) {
        LOG_INFO("alerting: alerts are evaluated, stored and shown; nobody is notified");
    }
}

int alerting_open(
    const struct alerting_options *options, struct alerting **alerting_out, struct err *e)
{
    struct alerting *a = mem_calloc(1, sizeof(*a));
    if (a == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    int status = notification_open(&options->config->alerting, options->config->data,
        options->config->web.external_url, options->port, &a->notify, e);
    if (status == 0) {
        status = open_rules(a, options, e);
    }
    if (status == 0) {
        status =
            rules_load(a->rules, options->config->rules.items, options->config->rules.count, e);
    }
    if (status == 0) {
        status = open_slos(a, options, e);
    }
    if (status == 0) {
        status = rules_start(a->rules, e);
    }
    if (status == 0) {
        status = slo_start(a->slos, e);
    }
    if (status != 0) {
        alerting_close(a);
        return status;
    }
    a->measured = metrics_register_collector(write_metrics, a) == 0;
    say_who_is_told(a);
    *alerting_out = a;
    return 0;
}

int alerting_reload(struct alerting *a, const struct server_config *config, struct err *e)
{
    const char *file = notification_file(&config->alerting);
    struct strbuf report = STRBUF_INIT;
    struct slo_set *slos = NULL;
    /* Everything is looked at before anything changes: what is found and whom it tells change together or not
     * at all. Reading the rules is the last that may be refused. */
    int status = file != NULL ? notify_check(file, &report, e) : 0;
    strbuf_release(&report);
    if (status == 0) {
        status = slo_read(a->slos, config->slo.items, config->slo.count, &slos, e);
    }
    if (status == 0) {
        status = rules_load(a->rules, config->rules.items, config->rules.count, e);
    }
    if (status != 0) {
        slo_set_unref(slos);
        return status;
    }
    status = slo_use(a->slos, slos, e);
    return status == 0 ? notify_reload(a->notify, file, e) : status;
}

struct rules *alerting_rules(struct alerting *a)
{
    return a->rules;
}

struct notify *alerting_notify(struct alerting *a)
{
    return a->notify;
}

struct slo_manager *alerting_slos(struct alerting *a)
{
    return a->slos;
}

void alerting_close(struct alerting *a)
{
    if (a == NULL) {
        return;
    }
    if (a->measured) {
        metrics_unregister_collector(write_metrics, a);
    }
    slo_close(a->slos);
    rules_close(a->rules);
    notify_close(a->notify);
    mem_free(a);
}
