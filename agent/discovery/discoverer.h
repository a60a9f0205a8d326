/* One entry of a *_sd_configs list at work, and the table of kinds.
 *
 * A kind is told when it is due (`step`), does its work or begins it, and says when it is due again.
 * What it finds it puts into the groups. It knows no timer and no thread.
 */
#ifndef SONDE_DISCOVERY_DISCOVERER_H
#define SONDE_DISCOVERY_DISCOVERER_H

#include "base/arena.h"
#include "base/err.h"
#include "discovery/discovery_config.h"
#include "discovery/target_groups.h"

struct discoverer;

struct discovery_kind {
    const char *name; /* in logs and metrics */
    size_t offset;    /* of its list in struct discovery_configs */
    const struct config_field *fields;
    size_t config_size;
    size_t state_size;
    /* Rules over several settings; NULL: none. */
    int (*check)(const void *config, struct err *e);
    /* Before the first step, with a zeroed state; NULL: nothing to do. */
    int (*start)(struct discoverer *d);
    /* Due; sets due_ms. */
    void (*step)(struct discoverer *d);
    /* Cancels what is under way; NULL: nothing ever is. */
    void (*stop)(struct discoverer *d);
};

extern const struct discovery_kind consul_discovery_kind;
extern const struct discovery_kind dns_discovery_kind;
extern const struct discovery_kind docker_discovery_kind;
extern const struct discovery_kind file_discovery_kind;
extern const struct discovery_kind http_discovery_kind;
extern const struct discovery_kind kubernetes_discovery_kind;

struct discoverer {
    const struct discovery_kind *kind;
    const struct discovery_options *world;
    void *config, *state; /* in the arena */
    struct arena arena;
    struct target_groups groups;
    int64_t due_ms; /* monotonic; DISCOVERER_NEVER: while an answer is awaited */
    bool wanted, fresh;
    bool failing;
    uint64_t updates, failures;
    char error[ERR_MESSAGE_MAX];
};

#define DISCOVERER_NEVER INT64_MAX

/* A copy of `config` is made; what is due is due at once. 0, ERR_NOMEM, or why the kind cannot start. */
int discoverer_new(const struct discovery_options *world, const struct discovery_kind *kind,
    const void *config, struct discoverer **discoverer_out);
/* Cancels what is under way. */
void discoverer_free(struct discoverer *d);

/* ---- For kinds ---- */

void discoverer_due_in(struct discoverer *d, int64_t wait_ms);
/* The source has answered, and its answer was taken. */
void discoverer_answered(struct discoverer *d);
/* It has not; what it gave before stays. The sentence is logged when it is a new one. */
void discoverer_failed(struct discoverer *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
