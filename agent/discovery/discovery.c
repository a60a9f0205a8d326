/* All entries at work: starting and ending them, their turns, and whose targets are whose. */
#include "discovery/discovery.h"

#include "base/mem.h"
#include "discovery/discoverer.h"

/* While something is discovered; with nothing there is no hurry. */
enum { STEP_MS_MAX = 1000, IDLE_MS = 60000 };

static const struct discovery_kind *const kinds[] = {
    &consul_discovery_kind,
    &dns_discovery_kind,
    &docker_discovery_kind,
    &file_discovery_kind,
    &http_discovery_kind,
    &kubernetes_discovery_kind,
};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

struct discovery {
    struct discovery_options world;
    struct discoverer **items;
    size_t count, cap;
    bool changed;
};

int discovery_new(const struct discovery_options *options, struct discovery **discovery_out)
{
    struct discovery *d = mem_calloc(1, sizeof(*d));
    if (d == NULL) {
        return ERR_NOMEM;
    }
    d->world = *options;
    *discovery_out = d;
    return 0;
}

static const struct config_list *list_of(
    const struct discovery_configs *configs, const struct discovery_kind *kind)
{
    return (const struct config_list *)((const char *)configs + kind->offset);
}

static const void *entry_of(
    const struct config_list *list, const struct discovery_kind *kind, size_t index)
{
    return (const char *)list->items + index * kind->config_size;
}

int discovery_check(const struct discovery_configs *configs, struct err *e)
{
    for (size_t k = 0; k < KIND_COUNT; k++) {
        const struct config_list *list = list_of(configs, kinds[k]);
        for (size_t i = 0; i < list->count; i++) {
            int status =
                kinds[k]->check != NULL ? kinds[k]->check(entry_of(list, kinds[k], i), e) : 0;
            if (status != 0) {
                (void)err_prefix(e, "%s_sd_configs", kinds[k]->name); /* gives back its code */
                return status;
            }
        }
    }
    return 0;
}

/* ---- All entries ---- */

static struct discoverer *find(
    const struct discovery *d, const struct discovery_kind *kind, const void *config)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->items[i]->kind == kind && config_eq(kind->fields, d->items[i]->config, config)) {
            return d->items[i];
        }
    }
    return NULL;
}

static int want(struct discovery *d, const struct discovery_kind *kind, const void *config)
{
    struct discoverer *known = find(d, kind, config);
    if (known != NULL) {
        known->wanted = true;
        return 0;
    }
    int status = mem_array_grow(
        (void **)&d->items, &d->cap, d->count + 1, sizeof(*d->items), DISCOVERERS_MAX);
    if (status == 0) {
        status = discoverer_new(&d->world, kind, config, &known);
    }
    if (status == 0) {
        known->wanted = true;
        d->items[d->count++] = known;
    }
    return status;
}

int discovery_prepare(
    struct discovery *d, const struct discovery_configs *const *jobs, size_t count, struct err *e)
{
    int status = 0;
    for (size_t i = 0; i < d->count; i++) {
        d->items[i]->wanted = d->items[i]->fresh = false;
    }
    for (size_t j = 0; status == 0 && j < count; j++) {
        for (size_t k = 0; status == 0 && k < KIND_COUNT; k++) {
            const struct config_list *list = list_of(jobs[j], kinds[k]);
            for (size_t i = 0; status == 0 && i < list->count; i++) {
                status = want(d, kinds[k], entry_of(list, kinds[k], i));
            }
        }
    }
    if (status != 0) {
        discovery_settle(d, false);
        return err_set(e, status, -1, "discovery cannot be set up (%d entries at most): %s",
            DISCOVERERS_MAX, err_text(status));
    }
    return 0;
}

void discovery_settle(struct discovery *d, bool accept)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (accept ? d->items[i]->wanted : !d->items[i]->fresh) {
            d->items[kept++] = d->items[i];
        } else {
            discoverer_free(d->items[i]);
        }
    }
    d->count = kept;
}

void discovery_free(struct discovery *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        discoverer_free(d->items[i]);
    }
    mem_free(d->items);
    mem_free(d);
}

int64_t discovery_step(struct discovery *d)
{
    int64_t wake = d->count > 0 ? STEP_MS_MAX : IDLE_MS;
    for (size_t i = 0; i < d->count; i++) {
        struct discoverer *one = d->items[i];
        int64_t now = clock_monotonic_ms(d->world.clock);
        if (one->due_ms <= now) {
            one->kind->step(one);
        }
        d->changed = d->changed || one->groups.changed;
        one->groups.changed = false;
        int64_t left = one->due_ms == DISCOVERER_NEVER ? STEP_MS_MAX : one->due_ms - now;
        wake = left < wake ? left : wake;
    }
    return wake > 0 ? wake : 0;
}

bool discovery_take_changed(struct discovery *d)
{
    bool changed = d->changed;
    d->changed = false;
    return changed;
}

static int visit_groups(const struct target_groups *groups,
    int (*visit)(void *context, const struct labels *target), void *context)
{
    int status = 0;
    for (size_t g = 0; status == 0 && g < groups->count; g++) {
        const struct target_list *targets = &groups->items[g].targets;
        for (size_t i = 0; status == 0 && i < targets->count; i++) {
            status = visit(context, targets->items[i]);
        }
    }
    return status;
}

int discovery_each(const struct discovery *d, const struct discovery_configs *configs,
    int (*visit)(void *context, const struct labels *target), void *context)
{
    int status = 0;
    for (size_t k = 0; status == 0 && k < KIND_COUNT; k++) {
        const struct config_list *list = list_of(configs, kinds[k]);
        for (size_t i = 0; status == 0 && i < list->count; i++) {
            const struct discoverer *one = find(d, kinds[k], entry_of(list, kinds[k], i));
            status = one != NULL ? visit_groups(&one->groups, visit, context) : 0;
        }
    }
    return status;
}

size_t discovery_kind_count(void)
{
    return KIND_COUNT;
}

void discovery_statistics(
    const struct discovery *d, size_t kind_index, struct discovery_statistics *out)
{
    *out = (struct discovery_statistics){.kind = kinds[kind_index]->name};
    for (size_t i = 0; i < d->count; i++) {
        const struct discoverer *one = d->items[i];
        if (one->kind == kinds[kind_index]) {
            out->entries++;
            out->failing += one->failing;
            out->targets += one->groups.target_count;
            out->updates += one->updates;
            out->failures += one->failures;
        }
    }
}
