/* One entry: made, ended, and what its kind says of it. */
#include "discovery/discoverer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

void discoverer_free(struct discoverer *d)
{
    if (d->kind->stop != NULL) {
        d->kind->stop(d);
    }
    target_groups_release(&d->groups);
    arena_release(&d->arena);
    mem_free(d);
}

int discoverer_new(const struct discovery_options *world, const struct discovery_kind *kind,
    const void *config, struct discoverer **discoverer_out)
{
    struct discoverer *d = mem_calloc(1, sizeof(*d));
    if (d == NULL) {
        return ERR_NOMEM;
    }
    *d = (struct discoverer){.kind = kind, .world = world, .fresh = true};
    arena_init(&d->arena, 0);
    d->due_ms = clock_monotonic_ms(world->clock);
    d->config = arena_alloc(&d->arena, kind->config_size);
    d->state = arena_calloc(&d->arena, 1, kind->state_size);
    int status = d->config != NULL && d->state != NULL
                     ? config_copy(&d->arena, kind->fields, config, kind->config_size, d->config)
                     : arena_error(&d->arena);
    if (status == 0 && kind->start != NULL) {
        status = kind->start(d);
    }
    if (status != 0) {
        arena_release(&d->arena);
        mem_free(d);
        return status;
    }
    *discoverer_out = d;
    return 0;
}

void discoverer_due_in(struct discoverer *d, int64_t wait_ms)
{
    d->due_ms = clock_monotonic_ms(d->world->clock) + wait_ms;
}

void discoverer_answered(struct discoverer *d)
{
    d->updates++;
    d->failing = false;
    d->error[0] = '\0';
}

void discoverer_failed(struct discoverer *d, const char *format, ...)
{
    struct err why = ERR_INIT;
    va_list arguments;
    va_start(arguments, format);
    err_vset(&why, ERR_IO, -1, format, arguments);
    va_end(arguments);
    d->failures++;
    d->failing = true;
    if (strcmp(d->error, why.message) != 0) {
        snprintf(d->error, sizeof(d->error), "%s", why.message);
        LOG_WARN("discovery: a source fails, its targets stay as they were",
            LOG_S("kind", d->kind->name), LOG_I("targets", d->groups.target_count),
            LOG_S("error", d->error));
    }
}
