/* consul_sd_configs: instances of services, from Consul's catalog by blocking queries.
 *
 * The catalog names the services (unless the entry names them all and wants no tags or filter), and each
 * service is asked for its instances. Every question waits at Consul until its answer changes. With more
 * services than may wait at once (CONSUL_WAITING_MAX) none waits, and they are asked in turn.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "discovery/consul_query.h"
#include "discovery/consul_targets.h"
#include "discovery/url_text.h"

/* Services of one entry; questions of one entry that are under way. */
#define CONSUL_SERVICES_MAX 10000
#define CONSUL_WAITING_MAX 128
#define SELF_BYTES_MAX ((size_t)4 << 20)

enum { SELF_RETRY_MS = 15 * 1000, DATACENTER_MAX = 256 };

struct service {
    char *name, *path;
    bool listed; /* in the answer that comes in */
    struct consul_query query;
    struct target_list coming; /* of that answer */
};

struct state {
    struct http_profile profile;
    struct consul_listener listener;
    struct http_client_call *self_call; /* the question for the datacenter */
    int64_t self_due_ms;
    char datacenter[DATACENTER_MAX];
    bool is_ready, has_catalog;
    struct consul_query catalog;
    char **coming; /* names of the catalog's answer that comes in */
    size_t coming_count, coming_cap;
    struct service **services; /* by name */
    size_t service_count, service_cap;
    size_t turn; /* who is asked first */
};

/* ---- Services ---- */

static void service_free(struct service *s)
{
    consul_query_stop(&s->query);
    target_list_release(&s->coming);
    mem_free(s->name);
    mem_free(s->path);
    mem_free(s);
}

static struct service *service_new(struct discoverer *d, const char *name)
{
    struct state *s = d->state;
    struct service *service = mem_calloc(1, sizeof(*service));
    struct strbuf path = STRBUF_INIT;
    if (service == NULL) {
        return NULL;
    }
    strbuf_add_c(&path, "/v1/health/service/");
    url_add_encoded(&path, str_of(name));
    size_t size;
    service->path = strbuf_take(&path, &size);
    service->name = mem_strdup(name);
    strbuf_release(&path);
    service->query = (struct consul_query){.world = d->world,
        .config = d->config,
        .profile = &s->profile,
        .listener = &s->listener,
        .path = service->path,
        .owner = service,
        .due_ms = clock_monotonic_ms(d->world->clock)};
    if (service->path == NULL || service->name == NULL) {
        service_free(service);
        return NULL;
    }
    return service;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_name(const void *a, const void *b)
{
    const struct service *x = *(struct service *const *)a, *y = *(struct service *const *)b;
    return strcmp(x->name, y->name);
}

static int add_service(struct discoverer *d, const char *name)
{
    struct state *s = d->state;
    int status = mem_array_grow((void **)&s->services, &s->service_cap, s->service_count + 1,
        sizeof(*s->services), CONSUL_SERVICES_MAX);
    struct service *service = status == 0 ? service_new(d, name) : NULL;
    if (service == NULL) {
        return status != 0 ? status : ERR_NOMEM;
    }
    s->services[s->service_count++] = service;
    return 0;
}

/* The services are those of the sorted names; what stays goes on as it is. */
static int set_services(struct discoverer *d, char **names, size_t count)
{
    struct state *s = d->state;
    size_t kept = 0, before = s->service_count;
    int status = 0;
    for (size_t i = 0, k = 0; i < before; i++) {
        struct service *service = s->services[i];
        while (k < count && strcmp(names[k], service->name) < 0) {
            k++;
        }
        service->listed = k < count && strcmp(names[k], service->name) == 0;
    }
    size_t k = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        while (k < before && strcmp(s->services[k]->name, names[i]) < 0) {
            k++;
        }
        bool again = i > 0 && strcmp(names[i - 1], names[i]) == 0;
        if (!again && (k == before || strcmp(s->services[k]->name, names[i]) != 0)) {
            status = add_service(d, names[i]);
        }
    }
    for (size_t i = 0; i < s->service_count; i++) {
        struct service *service = s->services[i];
        if (service->listed || i >= before) {
            s->services[kept++] = service;
        } else {
            target_groups_remove(&d->groups, str_of(service->name));
            service_free(service);
        }
    }
    s->service_count = kept;
    qsort(s->services, kept, sizeof(*s->services), by_name);
    return status;
}

/* ---- The catalog: {"service": ["tag", …], …} ---- */

static void forget_coming(struct state *s)
{
    while (s->coming_count > 0) {
        mem_free(s->coming[--s->coming_count]);
    }
}

static bool has_text(const struct config_strings *list, const char *text)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->items[i], text) != 0) {
        i++;
    }
    return i < list->count;
}

static bool has_tags(const json_t *tags, const struct config_strings *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        size_t k = 0;
        while (k < json_array_size(tags) &&
               strcmp(wanted->items[i], json_string_value(json_array_get(tags, k)) != NULL
                                            ? json_string_value(json_array_get(tags, k))
                                            : "") != 0) {
            k++;
        }
        if (k == json_array_size(tags)) {
            return false;
        }
    }
    return true;
}

static int take_name(struct discoverer *d, struct str key, struct str value)
{
    struct state *s = d->state;
    const struct consul_discovery_config *c = d->config;
    json_t *tags = json_loadb(value.ptr, value.len, JSON_DECODE_ANY, NULL);
    int status = json_is_array(tags) && key.len > 0 ? 0 : ERR_INVALID;
    char *name = status == 0 ? mem_strndup(key.ptr, key.len) : NULL;
    bool wanted = name != NULL && has_tags(tags, &c->tags) &&
                  (c->services.count == 0 || has_text(&c->services, name));
    json_decref(tags);
    if (wanted) {
        status = mem_array_grow((void **)&s->coming, &s->coming_cap, s->coming_count + 1,
            sizeof(*s->coming), CONSUL_SERVICES_MAX);
    }
    if (wanted && status == 0) {
        s->coming[s->coming_count++] = name;
        return 0;
    }
    mem_free(name);
    return status;
}

/* ---- What queries say ---- */

static int on_part(void *context, struct consul_query *query, struct str key, struct str value)
{
    struct discoverer *d = context;
    struct state *s = d->state;
    struct service *service = query->owner;
    if (service == NULL) {
        return take_name(d, key, value);
    }
    return consul_targets_add(d->config, s->datacenter, service->name, value, &service->coming);
}

static const struct consul_query *first_failing(const struct state *s)
{
    if (s->catalog.failing) {
        return &s->catalog;
    }
    for (size_t i = 0; i < s->service_count; i++) {
        if (s->services[i]->query.failing) {
            return &s->services[i]->query;
        }
    }
    return NULL;
}

static void on_end(void *context, struct consul_query *query, bool changed)
{
    struct discoverer *d = context;
    struct state *s = d->state;
    const struct consul_discovery_config *c = d->config;
    struct service *service = query->owner;
    int status = 0;
    if (changed && service != NULL) {
        status = target_groups_put(&d->groups, str_of(service->name), &service->coming);
    } else if (changed) {
        qsort(s->coming, s->coming_count, sizeof(*s->coming), by_text);
        status = set_services(d, s->coming, s->coming_count);
    }
    if (service != NULL) {
        target_list_release(&service->coming);
    } else {
        forget_coming(s);
    }
    const struct consul_query *failing = first_failing(s);
    if (status != 0) {
        discoverer_failed(d, "%s: %s: %s", c->server, query->path, err_text(status));
    } else if (failing == NULL) {
        discoverer_answered(d);
    } else if (query->failing) {
        discoverer_failed(d, "%s%s", c->server, failing->error);
    }
    d->due_ms = clock_monotonic_ms(d->world->clock);
}

/* ---- The datacenter ---- */

static void on_self(void *context, const struct http_client_response *r)
{
    struct discoverer *d = context;
    struct state *s = d->state;
    const struct consul_discovery_config *c = d->config;
    s->self_call = NULL;
    if (r->error == ERR_CANCELED) {
        return;
    }
    json_t *root = r->error == 0 && r->status == 200
                       ? json_loadb(r->body.ptr != NULL ? r->body.ptr : "", r->body.len, 0, NULL)
                       : NULL;
    const char *name =
        json_string_value(json_object_get(json_object_get(root, "Config"), "Datacenter"));
    if (name != NULL && name[0] != '\0' && strlen(name) < sizeof(s->datacenter)) {
        memcpy(s->datacenter, name, strlen(name) + 1);
        s->is_ready = true;
    } else if (r->error != 0) {
        discoverer_failed(d, "%s: %s", c->server, r->error_text);
    } else {
        discoverer_failed(
            d, "%s/v1/agent/self: status %u, and no datacenter's name", c->server, r->status);
    }
    json_decref(root);
    s->self_due_ms = clock_monotonic_ms(d->world->clock) + SELF_RETRY_MS;
    discoverer_due_in(d, s->is_ready ? 0 : SELF_RETRY_MS);
}

static void ask_self(struct discoverer *d)
{
    struct state *s = d->state;
    const struct consul_discovery_config *c = d->config;
    const struct http_client_header token = {"X-Consul-Token", c->token};
    struct strbuf url = STRBUF_INIT;
    consul_add_server(c, &url);
    strbuf_add_c(&url, "/v1/agent/self");
    const struct http_client_request request = {.method = "GET",
        .url = url.data,
        .headers = &token,
        .header_count = c->token[0] != '\0',
        .body_max = SELF_BYTES_MAX,
        .follow_redirects = s->profile.follow_redirects,
        .accept_gzip = true,
        .profile = &s->profile};
    int status = strbuf_error(&url);
    if (status == 0) {
        status = d->world->client->send(d->world->client, &request, on_self, d, &s->self_call);
    }
    strbuf_release(&url);
    d->due_ms = DISCOVERER_NEVER;
    if (status != 0) {
        s->self_call = NULL;
        discoverer_failed(d, "%s: %s", c->server, err_text(status));
        discoverer_due_in(d, SELF_RETRY_MS);
    }
}

/* ---- The kind ---- */

static void stop(struct discoverer *d)
{
    struct state *s = d->state;
    if (s->self_call != NULL) {
        d->world->client->cancel(d->world->client, s->self_call);
    }
    consul_query_stop(&s->catalog);
    for (size_t i = 0; i < s->service_count; i++) {
        service_free(s->services[i]);
    }
    forget_coming(s);
    mem_free(s->coming);
    mem_free(s->services);
}

static int start(struct discoverer *d)
{
    struct state *s = d->state;
    const struct consul_discovery_config *c = d->config;
    s->profile = c->profile;
    if (c->username[0] != '\0' || c->password[0] != '\0') {
        s->profile.basic_auth =
            (struct http_basic_auth){.username = c->username, .password = c->password};
    }
    s->listener = (struct consul_listener){on_part, on_end, d};
    s->has_catalog = c->services.count == 0 || c->tags.count > 0 || c->filter[0] != '\0';
    s->catalog = (struct consul_query){.world = d->world,
        .config = c,
        .profile = &s->profile,
        .listener = &s->listener,
        .path = "/v1/catalog/services",
        .of_catalog = true,
        .due_ms = d->due_ms};
    s->is_ready = c->datacenter[0] != '\0' && strlen(c->datacenter) < sizeof(s->datacenter);
    if (s->is_ready) {
        memcpy(s->datacenter, c->datacenter, strlen(c->datacenter) + 1);
    }
    int status = 0;
    for (size_t i = 0; status == 0 && !s->has_catalog && i < c->services.count; i++) {
        status = add_service(d, c->services.items[i]);
    }
    if (status != 0) {
        stop(d);
    }
    return status;
}

static void earlier(const struct consul_query *q, int64_t *due_ms)
{
    if (q->call == NULL && q->due_ms < *due_ms) {
        *due_ms = q->due_ms;
    }
}

static void step(struct discoverer *d)
{
    struct state *s = d->state;
    int64_t due = DISCOVERER_NEVER;
    size_t under_way = 0;
    if (!s->is_ready) {
        if (s->self_call == NULL) {
            ask_self(d);
        }
        return;
    }
    if (s->has_catalog) {
        consul_query_step(&s->catalog, true);
        earlier(&s->catalog, &due);
    }
    bool may_wait = s->service_count <= CONSUL_WAITING_MAX;
    for (size_t i = 0; i < s->service_count; i++) {
        under_way += s->services[i]->query.call != NULL;
    }
    for (size_t i = 0; i < s->service_count && under_way < CONSUL_WAITING_MAX; i++) {
        struct consul_query *q = &s->services[(s->turn + i) % s->service_count]->query;
        bool was_idle = q->call == NULL;
        consul_query_step(q, may_wait);
        under_way += was_idle && q->call != NULL;
        earlier(q, &due);
    }
    s->turn += CONSUL_WAITING_MAX / 2;
    d->due_ms = due; /* who is held back goes on when an answer comes */
}

const struct discovery_kind consul_discovery_kind = {
    .name = "consul",
    .offset = offsetof(struct discovery_configs, consul),
    .fields = consul_discovery_fields,
    .config_size = sizeof(struct consul_discovery_config),
    .state_size = sizeof(struct state),
    .check = consul_config_check,
    .start = start,
    .step = step,
    .stop = stop,
};
