/* The tables of settings. */
#include "receive/receive_config.h"

#include <stddef.h>

#include "receive/receive.h"

struct otlp_holder {
    struct otlp_settings settings; /* what is at the member's offset */
};
static const struct config_field otlp_fields[] = {
    OTLP_SETTINGS_FIELDS(struct otlp_holder, settings),
    {.key = NULL},
};

static const struct config_field statsd_fields[] = {
    {.key = "listen",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct receive_statsd_config, listen),
        .default_text = "",
        .help = "UDP address, e.g. 127.0.0.1:8125; not at all when empty"},
    {.key = "socket",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct receive_statsd_config, socket),
        .default_text = "",
        .help = "Path of a Unix datagram socket; none when empty"},
    {.key = "interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct receive_statsd_config, interval_ms),
        .default_text = "10s",
        .min = 100,
        .max = 60000,
        .help = "How often what was added up is handed on"},
    {.key = "max_series",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct receive_statsd_config, series_max),
        .default_text = "10000",
        .min = 1,
        .max = 1000000,
        .help = "Series that are added up; lines of more are refused"},
    {.key = NULL},
};

static const struct config_field graphite_fields[] = {
    {.key = "listen",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct receive_graphite_config, listen),
        .default_text = "",
        .help = "TCP address, e.g. 127.0.0.1:2003; not at all when empty"},
    {.key = NULL},
};

static const struct config_field jaeger_fields[] = {
    {.key = "compact_listen",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct receive_jaeger_config, compact_listen),
        .default_text = "",
        .help = "UDP address for Thrift's compact protocol, e.g. 127.0.0.1:6831; not at all when "
                "empty"},
    {.key = "binary_listen",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct receive_jaeger_config, binary_listen),
        .default_text = "",
        .help = "UDP address for Thrift's binary protocol, e.g. 127.0.0.1:6832; not at all when "
                "empty"},
    {.key = NULL},
};

const struct config_field receive_fields[] = {
    {.key = "otlp",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct receive_config, otlp),
        .fields = otlp_fields,
        .help = "OTLP over HTTP, on --otlp-listen"},
    {.key = "statsd",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct receive_config, statsd),
        .fields = statsd_fields,
        .help = "StatsD and DogStatsD"},
    {.key = "graphite",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct receive_config, graphite),
        .fields = graphite_fields,
        .help = "Graphite's plaintext protocol"},
    {.key = "jaeger",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct receive_config, jaeger),
        .fields = jaeger_fields,
        .help = "Jaeger's spans over UDP, as its own clients send them"},
    {.key = "max_body_size",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct receive_config, body_max),
        .default_text = "64MiB",
        .min = 1024,
        .max = RECEIVE_MESSAGE_MAX,
        .help =
            "A larger request, as it is sent, is refused; all that come at once may take a quarter "
            "of memory_max, or one of this size"},
    {.key = NULL},
};

int receive_config_check(const struct receive_config *config, const char *file, struct err *e)
{
    struct err why = ERR_INIT;
    int status = otlp_settings_check(&config->otlp, &why);
    return status == 0 ? 0 : err_set(e, status, -1, "%s: receive: %s", file, why.message);
}
