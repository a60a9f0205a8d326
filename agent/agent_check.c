/* Looking at a configuration file: everything is made that a start would make, and let go of again. */
#include "agent/agent_check.h"

#include "agent_config.h"
#include "agent_host.h"
#include "agent_spans.h"
#include "agent_targets.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vfs.h"
#include "base/yaml.h"
#include "collectors/collector.h"
#include "intake/stream_aggregator.h"
#include "logs/access_logs.h"

bool agent_check_is_agent_file(const char *path)
{
    static const char *const own[] = {"global", "host", "scrape_configs", "scrape_config_files",
        "remote_write", "stream_aggr", "access_logs", "receive", "queue", "memory_max"};
    struct arena arena;
    char *text = NULL;
    size_t size = 0;
    struct yaml_node *root = NULL;
    bool found = false;
    arena_init(&arena, 0);
    if (vfs_read_file(vfs_posix(), path, AGENT_CONFIG_BYTES_MAX, &text, &size) == 0 &&
        yaml_parse(&arena, path, str_make(text, size), &root, NULL) == 0 && root != NULL &&
        root->kind == YAML_MAPPING) {
        for (size_t i = 0; !found && i < sizeof(own) / sizeof(own[0]); i++) {
            found = yaml_get(root, own[i]) != NULL;
        }
    }
    mem_free(text);
    arena_release(&arena);
    return found;
}

/* Whether the rules of aggregation would be taken. */
static int check_aggregator(const struct agent_config *config, struct err *e)
{
    struct stream_aggregator *aggregator = NULL;
    struct intake nowhere = {0}; /* nothing is handed in */
    int status = stream_aggregator_new(config->stream_aggr.items, config->stream_aggr.count,
        clock_real(), &nowhere, &nowhere, &aggregator, e);
    stream_aggregator_free(aggregator);
    return status;
}

static size_t count_discovery(const struct discovery_configs *d)
{
    return d->consul.count + d->dns.count + d->docker.count + d->file.count + d->http.count +
           d->kubernetes.count;
}

static void write_report(const char *path, const struct agent_config *config,
    const struct agent_targets *targets, struct strbuf *report)
{
    const struct agent_scrape *jobs = config->scrape_configs.items;
    size_t entries = 0;
    for (size_t i = 0; i < config->scrape_configs.count; i++) {
        entries += count_discovery(&jobs[i].discovery);
    }
    strbuf_addf(report, "%s: good; %zu jobs, %zu targets", path != NULL ? path : "no file",
        config->scrape_configs.count, targets->count);
    if (entries > 0) {
        strbuf_addf(report, " and what %zu entries discover", entries);
    }
    strbuf_addf(report, ", %zu destinations\n", config->destination_count);
    if (targets->duplicate_count > 0) {
        strbuf_addf(report,
            "%s: targets that are there twice are scraped once: %zu, the first of %s\n", path,
            targets->duplicate_count, targets->duplicate);
    }
    if (path != NULL) {
        agent_config_write_notes(path, report);
    }
}

int agent_check_file(const char *path, const char *const *servers, size_t server_count,
    struct strbuf *report, struct err *e)
{
    struct arena arena;
    struct agent_config config;
    struct collectors *collectors = NULL;
    struct agent_targets targets = {0};
    const struct agent_local local = {.hostname = "localhost"};
    arena_init(&arena, 0);
    int status = agent_config_load(path, servers, server_count, &arena, &config, e);
    status = status == 0 ? check_aggregator(&config, e) : status;
    status = status == 0 ? agent_spans_check(&config, e) : status;
    status = status == 0 ? access_logs_check(&config.access_logs, e) : status;
    status = status == 0 ? agent_host_open(&config.host, &collectors, e) : status;
    status = status == 0 ? agent_targets_make(&config, &local, NULL, &arena, &targets, e) : status;
    if (status == 0) {
        write_report(path, &config, &targets, report);
    }
    agent_targets_release(&targets);
    collectors_close(collectors);
    arena_release(&arena);
    return status;
}
