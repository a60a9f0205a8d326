/* The agent's configuration: the scrape part of Prometheus' file, and what is the agent's own.
 *
 * No file at all is a good configuration: the host is reported to a server on loopback. Unknown keys
 * and bad values are errors with file, line and column.
 */
#ifndef SONDE_AGENT_AGENT_CONFIG_H
#define SONDE_AGENT_AGENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/http_profile.h"
#include "base/strbuf.h"
#include "discovery/discovery_config.h"
#include "intake/stream_aggregator.h"
#include "logs/access_log_config.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "receive/receive_config.h"
#include "ship/request_maker.h"
#include "spans/spans_config.h"
#include "wire/exposition.h"

#define AGENT_CONFIG_BYTES_MAX ((size_t)16 << 20)
#define AGENT_SERVER_DEFAULT "http://127.0.0.1:9095"
#define AGENT_WRITE_PATH "/api/v1/write"
#define AGENT_OTLP_PATH "/v1/metrics"
#define AGENT_TRACES_PATH "/v1/traces"
#define AGENT_DESTINATIONS_MAX 8

struct agent_global {
    int64_t scrape_interval_ms, scrape_timeout_ms, evaluation_interval_ms;
    int64_t sample_limit, body_size_limit, target_limit; /* of jobs that set none */
    int64_t label_limit, label_name_limit, label_value_limit;
    bool native_histograms, classic_histograms;
    struct config_strings protocols;
    struct config_map external_labels;
};

/* The host's own metrics. */
struct agent_host {
    bool enabled;
    int64_t interval_ms;
    const char *job;
    const char *instance; /* "" = the host's name */
    struct config_strings collectors;
    struct config_map settings; /* of collectors */
    const char *proc_path, *sys_path, *root_path, *udev_path;
};

struct agent_static {
    struct config_strings targets;
    struct config_map labels;
};

/* Query parameters of a scrape: those of one name. */
struct agent_parameter {
    const char *name;
    struct config_strings values;
};

struct agent_parameters {
    struct agent_parameter *items;
    size_t count;
};

struct agent_scrape {
    const char *file;             /* that it stands in */
    const struct yaml_node *node; /* its place there; NULL: nowhere */
    const char *job_name;
    int64_t interval_ms, timeout_ms; /* 0 = the global one */
    const char *metrics_path, *scheme;
    bool honor_labels, honor_timestamps;
    int64_t sample_limit, body_size_limit, target_limit;
    int64_t label_limit, label_name_limit, label_value_limit, bucket_limit;
    bool track_timestamps, native_histograms, classic_histograms;
    const char *fallback_protocol;
    struct config_strings protocols; /* in this order; PrometheusProto first: native_histograms */
    struct agent_parameters params;
    struct http_profile profile;
    struct config_list static_configs;         /* struct agent_static */
    struct discovery_configs discovery;        /* *_sd_configs */
    struct config_list relabel_configs;        /* struct relabel_rule: of targets */
    struct config_list metric_relabel_configs; /* struct relabel_rule: of series */
};

/* Prometheus' queue_config, as far as it has a meaning here. */
struct agent_queue_config {
    int64_t samples_max; /* of one request; 0 = as batches are */
    int64_t backoff_min_ms, backoff_max_ms, sample_age_max_ms, unauthorized_grace_ms;
    int64_t capacity, shards_max, shards_min, deadline_ms; /* accepted, without effect */
    bool retry_on_429;                                     /* accepted; it is always so */
};

struct agent_metadata_config {
    bool send;
    int64_t interval_ms, samples_max; /* accepted, without effect */
};

struct agent_destination {
    const char *url;
    const char *shown_url;  /* for sentences: without name and password */
    const char *traces_url; /* "" = spans are not sent there */
    const char *name; /* of its place in the queue; made from the address when the file has none */
    int64_t timeout_ms;
    struct config_map headers;
    struct http_profile profile;
    const char *protobuf_message;
    enum ship_protocol protocol;              /* from that, or of the list it stands in */
    struct config_list write_relabel_configs; /* struct relabel_rule: of series */
    struct relabel *relabel;                  /* the same, compiled; the arena's */
    bool send_exemplars, send_native_histograms;
    struct agent_metadata_config metadata;
    struct agent_queue_config queue;
};

struct agent_queue {
    int64_t size_max, age_max_ms, free_min;
};

struct agent_config {
    struct config_strings
        scrape_config_files; /* with more of scrape_configs, which are behind the others */
    struct agent_global global;
    struct agent_host host;
    struct config_list scrape_configs;      /* struct agent_scrape */
    struct config_list remote_write;        /* struct agent_destination */
    struct config_list otlp;                /* struct agent_destination */
    struct agent_destination *destinations; /* of both */
    size_t destination_count;
    struct config_list stream_aggr; /* struct stream_rule */
    struct config_list access_logs; /* struct access_log_config */
    struct receive_config receive;
    struct spans_config traces;
    struct agent_queue queue;
    int64_t memory_max; /* 0 = by the host */
};

/* The tables, for the reference. */
const struct config_field *agent_config_fields(void);

/* What fallback_scrape_protocol names; false for an unknown name. */
bool agent_config_fallback(const char *name, enum exposition_format *format_out, bool *none_out);

/* Whether two configurations say the same under a key of the top, one without rows that are read in a way of
 * their own. */
bool agent_config_same(const struct agent_config *a, const struct agent_config *b, const char *key);

/* Adds a line for each setting of the file that has no effect here: "file:line:column: key: why". At most
 * AGENT_CONFIG_NOTES_MAX. `path` has been loaded before. */
#define AGENT_CONFIG_NOTES_MAX 100
void agent_config_write_notes(const char *path, struct strbuf *out);

/* Reads `path` (NULL = no file). Everything lives in `arena`. `servers` are addresses given by flags:
 * they replace remote_write. ERR_INVALID, ERR_IO … with a sentence. */
int agent_config_load(const char *path, const char *const *servers, size_t server_count,
    struct arena *arena, struct agent_config *config_out, struct err *e);

#endif
