/* kubernetes_sd_configs: objects of a cluster, listed and watched at its API server.
 *
 * An entry has a source for its role's objects in each namespace, and one for each kind that these are joined
 * with (a pod's node, an address's pod …). What sources say goes into a store; an object of the role whose
 * own JSON or whose neighbours have changed is due, and its targets are made anew, some hundred objects a
 * turn so that scrapes between are on time. An entry whose objects have no neighbours keeps names alone and
 * makes targets at once. Nothing is made before every source has been listed once: half a join would be
 * targets with labels missing.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "discovery/discoverer.h"
#include "discovery/kubernetes_source.h"
#include "discovery/kubernetes_store.h"
#include "discovery/kubernetes_targets.h"

enum {
    KINDS_MAX = 3, /* per namespace: the role's, services and pods; and what is attached */
    ATTACHED_MAX = 4,
    SOURCES_MAX = (KUBERNETES_NAMESPACES_MAX + 1) * (KINDS_MAX + ATTACHED_MAX),
    MAKES_PER_TURN = 200,
    ACCESS_RETRY_MS = 30 * 1000,
    SOURCE_NAME_MAX = 1024,
};

struct state {
    enum kubernetes_role role;
    enum kubernetes_resource primary; /* the role's own objects */
    bool has_access, keeps;           /* keeps: objects have neighbours, so their JSON is kept */
    struct kubernetes_access access;
    struct kubernetes_listener listener;
    struct kubernetes_source *sources;
    size_t source_count;
    struct kubernetes_store store;
    struct kubernetes_object *making; /* whose targets are made now */
};

static const enum kubernetes_resource primaries[] = {
    [KUBERNETES_POD] = KUBERNETES_PODS,
    [KUBERNETES_ENDPOINTS] = KUBERNETES_ENDPOINTS_LISTS,
    [KUBERNETES_ENDPOINTSLICE] = KUBERNETES_SLICES,
    [KUBERNETES_SERVICE] = KUBERNETES_SERVICES,
    [KUBERNETES_NODE] = KUBERNETES_NODES,
    [KUBERNETES_INGRESS] = KUBERNETES_INGRESSES,
};

static bool is_synced(const struct state *s)
{
    for (size_t i = 0; i < s->source_count; i++) {
        if (!s->sources[i].synced) {
            return false;
        }
    }
    return s->source_count > 0;
}

/* ---- Targets ---- */

static json_t *find_object(void *context, enum kubernetes_resource resource, struct str key)
{
    struct discoverer *d = context;
    struct state *s = d->state;
    const struct kubernetes_object *object = kubernetes_store_find(&s->store, resource, key);
    if (s->making != NULL &&
        kubernetes_store_refer(s->making, kubernetes_store_hash(resource, key)) != 0) {
        return NULL; /* too many neighbours to be told of their changes */
    }
    return object != NULL ? json_loadb(object->json, object->json_size, 0, NULL) : NULL;
}

static int make_targets(struct discoverer *d, struct str key, const json_t *object)
{
    struct state *s = d->state;
    const struct kubernetes_discovery_config *c = d->config;
    struct target_list list = {0};
    struct kubernetes_making m = {
        .attach = &c->attach, .find = find_object, .context = d, .list = &list};
    int status = kubernetes_targets_make(&m, s->role, object);
    if (status == 0) {
        status = target_groups_put(&d->groups, key, &list);
    } else if (status != ERR_NOMEM && list.count < DISCOVERY_TARGETS_MAX) {
        /* It has more labels than a target may have: that object goes without targets, nobody else. */
        LOG_WARN("discovery: an object gives no good targets", LOG_S("kind", d->kind->name),
            LOG_STR("object", key), LOG_S("error", err_text(status)));
        target_groups_remove(&d->groups, key);
        status = 0;
    }
    target_list_release(&list);
    return status;
}

static int make_kept(struct discoverer *d, struct kubernetes_object *object)
{
    struct state *s = d->state;
    json_t *json = json_loadb(object->json, object->json_size, 0, NULL);
    s->making = object;
    object->reference_count = 0;
    int status = json != NULL ? make_targets(d, str_of(object->key), json) : ERR_NOMEM;
    s->making = NULL;
    json_decref(json);
    return status;
}

/* ---- What sources say ---- */

/* The text of what is worth keeping. */
static int write_kept(json_t *object, char **text_out, size_t *size_out)
{
    size_t size = json_dumpb(object, NULL, 0, JSON_COMPACT);
    char *text = size > 0 ? mem_alloc(size) : NULL;
    if (text == NULL) {
        return ERR_NOMEM;
    }
    *text_out = text;
    *size_out = json_dumpb(object, text, size, JSON_COMPACT);
    return 0;
}

static int remove_object(struct discoverer *d, struct kubernetes_object *object)
{
    struct state *s = d->state;
    int status = s->keeps ? kubernetes_store_touch(&s->store, object->hash) : 0;
    if (object->resource == s->primary) {
        target_groups_remove(&d->groups, str_of(object->key));
    }
    kubernetes_store_remove(&s->store, object);
    return status;
}

static int put_object(
    struct discoverer *d, struct kubernetes_source *source, struct str key, json_t *json)
{
    struct state *s = d->state;
    bool is_primary = source->resource == s->primary;
    struct kubernetes_object *object = kubernetes_store_find(&s->store, source->resource, key);
    char *text = NULL;
    size_t size = 0;
    int status = 0;
    if (s->keeps) {
        kubernetes_object_prune(source->resource, !is_primary, json);
        status = write_kept(json, &text, &size);
    }
    bool same = object != NULL && s->keeps && object->json_size == size && status == 0 &&
                memcmp(object->json, text, size) == 0;
    if (status == 0 && !same) {
        status = kubernetes_store_put(
            &s->store, source->resource, key, str_make(text != NULL ? text : "", size), &object);
    }
    mem_free(text);
    if (status == 0) {
        object->source = source->index;
        object->generation = source->generation;
    }
    if (status != 0 || same) {
        return status;
    }
    if (!s->keeps) {
        return make_targets(d, key, json);
    }
    if (is_primary) {
        status = kubernetes_store_enqueue(&s->store, object);
    }
    return status == 0 && !is_primary ? kubernetes_store_touch(&s->store, object->hash) : status;
}

static int on_object(void *context, struct kubernetes_source *source, json_t *json, bool gone)
{
    struct discoverer *d = context;
    struct state *s = d->state;
    struct arena arena;
    const json_t *metadata = kubernetes_metadata(json);
    arena_init(&arena, 0);
    struct str key = kubernetes_key(
        &arena, kubernetes_text(metadata, "namespace"), kubernetes_text(metadata, "name"));
    int status = 0;
    if (key.len == 0) {
        status = ERR_INVALID;
    } else if (!gone) {
        status = put_object(d, source, key, json);
    } else {
        struct kubernetes_object *known = kubernetes_store_find(&s->store, source->resource, key);
        status = known != NULL ? remove_object(d, known) : 0;
    }
    arena_release(&arena);
    d->due_ms = clock_monotonic_ms(d->world->clock);
    return status;
}

static void on_complete(void *context, struct kubernetes_source *source)
{
    struct discoverer *d = context;
    struct state *s = d->state;
    struct kubernetes_object *old;
    size_t bucket = 0;
    while ((old = kubernetes_store_outdated(
                &s->store, source->index, source->generation, &bucket)) != NULL) {
        (void)remove_object(d, old); /* its removal alone cannot fail; what it touches may wait */
    }
}

/* The entry is as good as the first source that fails. */
static void on_news(void *context, struct kubernetes_source *source)
{
    struct discoverer *d = context;
    struct state *s = d->state;
    size_t i = 0;
    while (i < s->source_count && !s->sources[i].failing) {
        i++;
    }
    if (i == s->source_count) {
        discoverer_answered(d);
    } else if (source->failing) {
        discoverer_failed(d, "%s: %s", s->access.server, s->sources[i].error);
    }
}

static void on_end(void *context, struct kubernetes_source *source)
{
    struct discoverer *d = context;
    d->due_ms = source->due_ms < d->due_ms ? source->due_ms : d->due_ms;
}

/* ---- Setting up ---- */

static const struct kubernetes_selector *find_selector(
    const struct kubernetes_discovery_config *c, enum kubernetes_resource resource)
{
    const struct kubernetes_selector *s = c->selectors.items;
    const char *role = kubernetes_kinds[resource].selector;
    for (size_t i = 0; role != NULL && i < c->selectors.count; i++) {
        if (strcmp(s[i].role, role) == 0) {
            return &s[i];
        }
    }
    return NULL;
}

static void add_source(
    struct discoverer *d, enum kubernetes_resource resource, const char *namespace)
{
    struct state *s = d->state;
    s->sources[s->source_count] = (struct kubernetes_source){
        .world = d->world,
        .access = &s->access,
        .selector = find_selector(d->config, resource),
        .listener = &s->listener,
        .resource = resource,
        .namespace = namespace,
        .index = (uint32_t)s->source_count,
        .due_ms = clock_monotonic_ms(d->world->clock),
    };
    s->source_count++;
}

/* Sources of the kinds that live in namespaces. */
static void add_namespace(struct discoverer *d, const char *namespace)
{
    const struct state *s = d->state;
    const struct kubernetes_discovery_config *c = d->config;
    bool joins = s->role == KUBERNETES_ENDPOINTS || s->role == KUBERNETES_ENDPOINTSLICE;
    bool has_pods = joins || s->role == KUBERNETES_POD;
    add_source(d, s->primary, namespace);
    if (joins) {
        add_source(d, KUBERNETES_SERVICES, namespace);
        add_source(d, KUBERNETES_PODS, namespace);
    }
    if (has_pods && c->attach.deployment) {
        add_source(d, KUBERNETES_REPLICA_SETS, namespace);
    }
    if (has_pods && c->attach.cronjob) {
        add_source(d, KUBERNETES_JOBS, namespace);
    }
}

static void add_sources(struct discoverer *d)
{
    struct state *s = d->state;
    const struct kubernetes_discovery_config *c = d->config;
    const struct config_strings *names = &c->namespaces.names;
    bool is_node = s->role == KUBERNETES_NODE;
    bool has_pods = s->role == KUBERNETES_POD || s->role == KUBERNETES_ENDPOINTS ||
                    s->role == KUBERNETES_ENDPOINTSLICE;
    if (is_node || (names->count == 0 && !c->namespaces.own)) {
        add_namespace(d, NULL);
    }
    for (size_t i = 0; !is_node && i < names->count; i++) {
        add_namespace(d, names->items[i]);
    }
    if (!is_node && c->namespaces.own) {
        add_namespace(d, s->access.own_namespace);
    }
    if (has_pods && c->attach.node) {
        add_source(d, KUBERNETES_NODES, NULL);
    }
    if (!is_node && c->attach.namespace) {
        add_source(d, KUBERNETES_NAMESPACES, NULL);
    }
    /* An entry of one kind of objects has no joins. */
    for (size_t i = 1; i < s->source_count; i++) {
        s->keeps = s->keeps || s->sources[i].resource != s->primary;
    }
}

static int start(struct discoverer *d)
{
    struct state *s = d->state;
    s->role = kubernetes_config_role(d->config);
    s->primary = primaries[s->role];
    s->listener = (struct kubernetes_listener){on_object, on_complete, on_news, on_end, d};
    s->sources = arena_calloc(&d->arena, SOURCES_MAX, sizeof(*s->sources));
    return s->sources != NULL ? 0 : arena_error(&d->arena);
}

static bool open_access(struct discoverer *d)
{
    struct state *s = d->state;
    struct err why = ERR_INIT;
    struct arena_mark mark = arena_mark(&d->arena);
    if (kubernetes_access_open(d->world, d->config, &d->arena, &s->access, &why) != 0) {
        arena_rewind(&d->arena, mark);
        discoverer_failed(d, "%s", why.message);
        discoverer_due_in(d, ACCESS_RETRY_MS);
        return false;
    }
    s->has_access = true;
    add_sources(d);
    return true;
}

/* ---- Turns ---- */

/* Makes what is due; true when more is. */
static bool make_due(struct discoverer *d)
{
    struct state *s = d->state;
    struct kubernetes_object *object = NULL;
    int status = is_synced(s) ? kubernetes_store_spread(&s->store, s->primary) : 0;
    for (int i = 0; status == 0 && is_synced(s) && i < MAKES_PER_TURN; i++) {
        object = kubernetes_store_dequeue(&s->store);
        if (object == NULL) {
            return false;
        }
        status = make_kept(d, object);
    }
    if (status != 0) {
        discoverer_failed(d, "%s: targets of %s: %s", s->access.server,
            object != NULL ? object->key : "an object", err_text(status));
    }
    return object != NULL;
}

static void step(struct discoverer *d)
{
    struct state *s = d->state;
    int64_t due = DISCOVERER_NEVER;
    if (!s->has_access && !open_access(d)) {
        return;
    }
    for (size_t i = 0; i < s->source_count; i++) {
        kubernetes_source_step(&s->sources[i]);
    }
    bool more = s->keeps && make_due(d);
    for (size_t i = 0; i < s->source_count; i++) {
        if (s->sources[i].call == NULL && s->sources[i].due_ms < due) {
            due = s->sources[i].due_ms;
        }
    }
    d->due_ms = more ? clock_monotonic_ms(d->world->clock) + 1 : due;
}

static void stop(struct discoverer *d)
{
    struct state *s = d->state;
    for (size_t i = 0; i < s->source_count; i++) {
        kubernetes_source_stop(&s->sources[i]);
    }
    kubernetes_store_release(&s->store);
    kubernetes_access_close(&s->access);
}

const struct discovery_kind kubernetes_discovery_kind = {
    .name = "kubernetes",
    .offset = offsetof(struct discovery_configs, kubernetes),
    .fields = kubernetes_discovery_fields,
    .config_size = sizeof(struct kubernetes_discovery_config),
    .state_size = sizeof(struct state),
    .check = kubernetes_config_check,
    .start = start,
    .step = step,
    .stop = stop,
};
