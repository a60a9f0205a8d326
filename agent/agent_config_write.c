/* Where samples go: tables of remote_write, otlp and queue, and their rules. */
#include <stddef.h>
#include <string.h>

#include "agent_config_private.h"
#include "wire/remote_write2.h"

enum { NAME_MAX_LENGTH = 64, MINUTE_MS = 60000, DAY_MS = 24 * 3600 * 1000 };

static const struct config_field queue_config_fields[] = {
    {.key = "max_samples_per_send",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct agent_queue_config, samples_max),
        .default_text = "0",
        .max = 1000000,
        .help = "Largest request, in samples; 0 = as batches are, about 5000"},
    {.key = "min_backoff",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_queue_config, backoff_min_ms),
        .default_text = "100ms",
        .min = 1,
        .max = MINUTE_MS,
        .help = "Shortest wait before a request is repeated"},
    {.key = "max_backoff",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_queue_config, backoff_max_ms),
        .default_text = "30s",
        .min = 1,
        .max = 60 * MINUTE_MS,
        .help = "Longest wait before a request is repeated"},
    {.key = "sample_age_limit",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_queue_config, sample_age_max_ms),
        .default_text = "0s",
        .max = (int64_t)366 * DAY_MS,
        .help = "Older samples are dropped, for this destination; 0s = of any age"},
    {.key = "unauthorized_grace",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_queue_config, unauthorized_grace_ms),
        .default_text = "0s",
        .max = DAY_MS,
        .help =
            "How long answers 401 and 403 keep samples in the queue, tried once a minute, while a "
            "token or password is exchanged; 0s = they are dropped at once, as remote write says"},
    {.key = "retry_on_http_429",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_queue_config, retry_on_429),
        .default_text = "true",
        .help = "Accepted; 429 is always repeated"},
    {.key = "capacity",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct agent_queue_config, capacity),
        .max = INT64_MAX,
        .help = "Accepted, without effect: the queue is on disk (see queue)"},
    {.key = "max_shards",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct agent_queue_config, shards_max),
        .max = INT64_MAX,
        .help = "Accepted, without effect: there is one"},
    {.key = "min_shards",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct agent_queue_config, shards_min),
        .max = INT64_MAX,
        .help = "Accepted, without effect: there is one"},
    {.key = "batch_send_deadline",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_queue_config, deadline_ms),
        .max = DAY_MS,
        .help = "Accepted, without effect: a batch waits a second at most"},
    AGENT_CONFIG_IGNORED("max_retries",
        "Accepted, without effect: a request is repeated until it is taken, or too old for queue"),
    {.key = NULL},
};

static const struct config_field metadata_config_fields[] = {
    {.key = "send",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_metadata_config, send),
        .default_text = "true",
        .help = "Send type, help and unit of metrics"},
    {.key = "send_interval",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_metadata_config, interval_ms),
        .max = DAY_MS,
        .help = "Accepted, without effect: once a minute, and what changed at once"},
    {.key = "max_samples_per_send",
        .kind = CONFIG_INTEGER,
        .offset = offsetof(struct agent_metadata_config, samples_max),
        .max = INT64_MAX,
        .help = "Accepted, without effect: 2000 at most"},
    {.key = NULL},
};

#define NAME_FIELD                                                                                 \
    {                                                                                              \
        .key = "name", .kind = CONFIG_STRING, .offset = offsetof(struct agent_destination, name),  \
        .default_text = "", .help = "Name of its place in the queue; made from the url when empty" \
    }
#define TRACES_FIELD                                                                               \
    {                                                                                              \
        .key = "traces_url", .kind = CONFIG_STRING,                                                \
        .offset = offsetof(struct agent_destination, traces_url), .default_text = "",              \
        .help = "Where spans go; " AGENT_TRACES_PATH " of the url's host when empty, none = "      \
                "nowhere"                                                                          \
    }
#define HEADERS_FIELD                                                                              \
    {                                                                                              \
        .key = "headers", .kind = CONFIG_STRING_MAP,                                               \
        .offset = offsetof(struct agent_destination, headers), .secret = true,                     \
        .help = "Headers added to each request, such as the tenant in X-Scope-OrgID"               \
    }
#define RULES_FIELD                                                                                \
    {                                                                                              \
        .key = "write_relabel_configs", .kind = CONFIG_LIST,                                       \
        .offset = offsetof(struct agent_destination, write_relabel_configs),                       \
        .fields = relabel_fields, .item_size = sizeof(struct relabel_rule),                        \
        .help = "Rules that rewrite or drop series on their way to this destination"               \
    }
#define QUEUE_CONFIG_FIELD                                                                         \
    {                                                                                              \
        .key = "queue_config", .kind = CONFIG_OBJECT,                                              \
        .offset = offsetof(struct agent_destination, queue), .fields = queue_config_fields,        \
        .help = "How requests are sent to it"                                                      \
    }

/* What flags of vmagent and other senders say of a destination, and what signs requests for clouds. */
#define CLOUD_REFUSED                                                                              \
    AGENT_CONFIG_REFUSED("sigv4",                                                                  \
        "requests are not signed for AWS; write the address of a proxy that signs them as url"),   \
        AGENT_CONFIG_REFUSED("azuread",                                                            \
            "write oauth2 with the token_url of the tenant "                                       \
            "(https://login.microsoftonline.com/TENANT/oauth2/v2.0/token), or a token that "       \
            "another program keeps fresh as authorization.credentials_file"),                      \
        AGENT_CONFIG_REFUSED("google_iam",                                                         \
            "write a token that another program keeps fresh as authorization.credentials_file")

const struct config_field agent_remote_write_fields[] = {
    {.key = "url",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_destination, url),
        .required = true,
        .help = "Where to send, e.g. http://127.0.0.1:9095/api/v1/write"},
    TRACES_FIELD,
    NAME_FIELD,
    {.key = "remote_timeout",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_destination, timeout_ms),
        .default_text = "15s",
        .min = 100,
        .max = 10 * MINUTE_MS,
        .help = "How long one request may take"},
    {.key = "protobuf_message",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_destination, protobuf_message),
        .default_text = REMOTE_WRITE_MESSAGE_NAME,
        .help = REMOTE_WRITE_MESSAGE_NAME " (remote write 1.0), or " REMOTE_WRITE2_MESSAGE_NAME
                                          " (2.0; 1.0 where the receiver has no 2.0)"},
    HEADERS_FIELD,
    HTTP_PROFILE_FIELDS(struct agent_destination),
    RULES_FIELD,
    {.key = "send_exemplars",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_destination, send_exemplars),
        .default_text = "true",
        .help = "Send exemplars"},
    {.key = "send_native_histograms",
        .kind = CONFIG_BOOL,
        .offset = offsetof(struct agent_destination, send_native_histograms),
        .default_text = "true",
        .help = "Send native histograms"},
    {.key = "metadata_config",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct agent_destination, metadata),
        .fields = metadata_config_fields,
        .help = "Metadata of metrics"},
    QUEUE_CONFIG_FIELD,
    AGENT_CONFIG_IGNORED("round_robin_dns",
        "Accepted, without effect: names are asked for with each new connection"),
    CLOUD_REFUSED,
    {.key = NULL},
};

const struct config_field agent_otlp_fields[] = {
    {.key = "url",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct agent_destination, url),
        .required = true,
        .help = "Where to send, e.g. http://127.0.0.1:4318; " AGENT_OTLP_PATH
                " is added where it has no path"},
    TRACES_FIELD,
    NAME_FIELD,
    {.key = "timeout",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_destination, timeout_ms),
        .default_text = "15s",
        .min = 100,
        .max = 10 * MINUTE_MS,
        .help = "How long one request may take"},
    HEADERS_FIELD,
    HTTP_PROFILE_FIELDS(struct agent_destination),
    RULES_FIELD,
    QUEUE_CONFIG_FIELD,
    {.key = NULL},
};

const struct config_field agent_queue_fields[] = {
    {.key = "max_size",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct agent_queue, size_max),
        .default_text = "1GiB",
        .min = (int64_t)1 << 20,
        .max = (int64_t)1 << 42,
        .help = "Bytes on disk; the oldest go first"},
    {.key = "max_age",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct agent_queue, age_max_ms),
        .default_text = "1d",
        .min = MINUTE_MS,
        .max = (int64_t)366 * DAY_MS,
        .help = "Samples older than this are not worth sending"},
    {.key = "min_free",
        .kind = CONFIG_BYTES,
        .offset = offsetof(struct agent_queue, free_min),
        .default_text = "512MiB",
        .min = (int64_t)1 << 16,
        .max = (int64_t)1 << 42,
        .help = "With less free space on its disk the queue gives up the oldest it has"},
    {.key = NULL},
};

/* ---- Addresses ---- */

static bool is_http_url(const char *url)
{
    struct str text = str_of(url);
    return (str_starts_with(text, STR("http://")) && text.len > 7) ||
           (str_starts_with(text, STR("https://")) && text.len > 8);
}

/* An address without a path, or with "/", gets the one that is usual. */
static int add_path(struct arena *arena, const char *given, const char *usual, const char **url_out)
{
    const char *host = strstr(given, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    if (path != NULL && path[1] != '\0') {
        *url_out = given;
        return 0;
    }
    size_t length = path != NULL ? (size_t)(path - given) : strlen(given);
    size_t more = strlen(usual) + 1;
    char *url = arena_alloc(arena, length + more);
    if (url == NULL) {
        return arena_error(arena);
    }
    memcpy(url, given, length);
    memcpy(url + length, usual, more);
    *url_out = url;
    return 0;
}

/* An address as others may see it: without the name and the password that may stand in it. */
static const char *public_url(struct arena *arena, const char *url)
{
    struct strbuf text = STRBUF_INIT;
    config_add_public_url(str_of(url), &text);
    const char *copy = strbuf_error(&text) == 0 ? arena_strndup(arena, text.data, text.size) : NULL;
    strbuf_release(&text);
    return copy != NULL ? copy : "";
}

/* Where spans go: what the file says, or the usual place on the host of the url. */
static int find_traces_url(struct agent_destination *d, const struct agent_config_place *place,
    struct arena *arena, struct err *e)
{
    if (strcmp(d->traces_url, "none") == 0) {
        d->traces_url = "";
        return 0;
    }
    if (d->traces_url[0] != '\0') {
        return is_http_url(d->traces_url)
                   ? 0
                   : agent_config_fail(place, "traces_url", e,
                         "%s: traces_url \"%s\"; accepted: http://HOST:PORT/PATH, https://…, none",
                         d->shown_url, public_url(arena, d->traces_url));
    }
    const char *host = strstr(d->url, "://") + 3;
    size_t length = (size_t)(host - d->url) + strcspn(host, "/?#");
    const char *origin = arena_strndup(arena, d->url, length);
    if (origin == NULL || add_path(arena, origin, AGENT_TRACES_PATH, &d->traces_url) != 0) {
        return err_set(e, arena_error(arena), -1, "out of memory for the configuration");
    }
    return 0;
}

int agent_config_servers(struct agent_config *config, const char *const *servers, size_t count,
    struct arena *arena, struct err *e)
{
    static const char *const local[] = {AGENT_SERVER_DEFAULT};
    if (count == 0 && config->remote_write.count + config->otlp.count > 0) {
        return 0;
    }
    if (count == 0) {
        servers = local;
        count = 1;
    }
    struct agent_destination *all = arena_calloc(arena, count, sizeof(*all));
    if (all == NULL) {
        return err_set(e, arena_error(arena), -1, "out of memory for the configuration");
    }
    for (size_t i = 0; i < count; i++) {
        int status = config_defaults(arena, agent_remote_write_fields, &all[i], e);
        if (status == 0) {
            status = add_path(arena, servers[i], AGENT_WRITE_PATH, &all[i].url);
        }
        if (status != 0) {
            return status;
        }
    }
    config->remote_write = (struct config_list){all, count};
    return 0;
}

/* ---- Rules over several settings ---- */

/* Behind the name and the password of an address, where it has them. */
static const char *find_host(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    size_t length = strcspn(host, "/?#");
    for (size_t i = length; i > 0; i--) {
        if (host[i - 1] == '@') {
            return host + i;
        }
    }
    return host;
}

/* A name for the cursor file: letters, digits, - and _ of the address. It is a label and stands in logs. */
static int name_destination(struct arena *arena, struct agent_destination *d)
{
    char name[NAME_MAX_LENGTH];
    size_t n = 0;
    const char *from = d->name[0] != '\0' ? d->name : find_host(d->url);
    for (; *from != '\0' && n + 1 < sizeof(name); from++) {
        bool plain = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                     (*from >= '0' && *from <= '9') || *from == '-';
        name[n++] = plain ? *from : '_';
    }
    d->name = arena_strndup(arena, name, n);
    return d->name == NULL ? arena_error(arena) : 0;
}

static void drop_relabel(void *object)
{
    relabel_unref(object);
}

static int compile_rules(struct agent_destination *d, const struct agent_config_place *place,
    struct arena *arena, struct err *e)
{
    int status = agent_config_relabel(
        place, "write_relabel_configs", &d->write_relabel_configs, &d->relabel, e);
    if (status != 0) {
        return status;
    }
    status = arena_on_release(arena, drop_relabel, d->relabel);
    if (status != 0) {
        relabel_unref(d->relabel);
        return err_set(e, status, -1, "out of memory for the configuration");
    }
    return 0;
}

/* Which protocol a destination of remote_write speaks. */
static int read_protocol(
    struct agent_destination *d, const struct agent_config_place *place, struct err *e)
{
    if (strcmp(d->protobuf_message, REMOTE_WRITE_MESSAGE_NAME) == 0) {
        d->protocol = SHIP_REMOTE_WRITE_1;
    } else if (strcmp(d->protobuf_message, REMOTE_WRITE2_MESSAGE_NAME) == 0) {
        d->protocol = SHIP_REMOTE_WRITE_2;
    } else {
        return agent_config_fail(place, "protobuf_message", e,
            "%s: protobuf_message \"%s\"; accepted: " REMOTE_WRITE_MESSAGE_NAME
            ", " REMOTE_WRITE2_MESSAGE_NAME,
            d->shown_url, d->protobuf_message);
    }
    return 0;
}

static int finish_destination(struct agent_destination *d, const struct agent_config_place *place,
    struct arena *arena, struct err *e)
{
    struct err why = ERR_INIT;
    d->shown_url = public_url(arena, d->url);
    if (!is_http_url(d->url)) {
        return agent_config_fail(place, "url", e,
            "\"%s\" is no address to send to; accepted: http://HOST:PORT or https://…",
            d->shown_url);
    }
    if (http_profile_check(&d->profile, &why) != 0) {
        return agent_config_fail(place, NULL, e, "%s: %s", d->shown_url, why.message);
    }
    if (d->queue.backoff_min_ms > d->queue.backoff_max_ms) {
        return agent_config_fail(
            place, "queue_config", e, "%s: min_backoff is longer than max_backoff", d->shown_url);
    }
    int status = find_traces_url(d, place, arena, e);
    if (status != 0) {
        return status;
    }
    status = name_destination(arena, d);
    if (status == 0 && d->protocol == SHIP_OTLP) {
        status = add_path(arena, d->url, AGENT_OTLP_PATH, &d->url);
    }
    if (status != 0) {
        return err_set(e, status, -1, "out of memory for the configuration");
    }
    status = d->protocol == SHIP_OTLP ? 0 : read_protocol(d, place, e);
    return status != 0 ? status : compile_rules(d, place, arena, e);
}

/* Both lists in one. */
static int join_lists(struct agent_config *config, struct arena *arena)
{
    size_t first = config->remote_write.count, second = config->otlp.count;
    struct agent_destination *all = arena_calloc(arena, first + second, sizeof(*all));
    if (all == NULL) {
        return arena_error(arena);
    }
    if (first > 0) {
        memcpy(all, config->remote_write.items, first * sizeof(*all));
    }
    if (second > 0) {
        memcpy(all + first, config->otlp.items, second * sizeof(*all));
    }
    for (size_t i = first; i < first + second; i++) {
        all[i].protocol = SHIP_OTLP;
    }
    config->destinations = all;
    config->destination_count = first + second;
    return 0;
}

int agent_config_destinations(struct agent_config *config, const char *file,
    const struct yaml_node *root, struct arena *arena, struct err *e)
{
    size_t first = config->remote_write.count, count = first + config->otlp.count;
    if (count > AGENT_DESTINATIONS_MAX) {
        const struct agent_config_place place =
            agent_config_item(file, root, "remote_write", AGENT_DESTINATIONS_MAX);
        return agent_config_fail(&place, NULL, e, "%zu destinations in remote_write; at most %d",
            count, AGENT_DESTINATIONS_MAX);
    }
    if (join_lists(config, arena) != 0) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the configuration");
    }
    struct agent_destination *all = config->destinations;
    for (size_t i = 0; i < count; i++) {
        const struct agent_config_place place =
            i < first ? agent_config_item(file, root, "remote_write", i)
                      : agent_config_item(file, root, "otlp", i - first);
        int status = finish_destination(&all[i], &place, arena, e);
        for (size_t k = 0; status == 0 && k < i; k++) {
            if (strcmp(all[k].name, all[i].name) == 0) {
                status = agent_config_fail(&place, "name", e,
                    "two destinations in remote_write are named %s; give one a name of its own",
                    all[i].name);
            }
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}
