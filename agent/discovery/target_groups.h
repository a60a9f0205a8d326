/* What a discoverer has found: groups of targets by the source that named them, each replaced or
 * removed as a whole. Sorted by source, so that jobs see their targets in a steady order. */
#ifndef SONDE_DISCOVERY_TARGET_GROUPS_H
#define SONDE_DISCOVERY_TARGET_GROUPS_H

#include <stdbool.h>

#include "base/arena.h"
#include "model/labels.h"

/* Targets of one entry; one that gives more fails, and what it gave before stays. */
#define DISCOVERY_TARGETS_MAX 100000

/* Targets in the making. Errors stick. */
struct target_list {
    const struct labels **items; /* references of the list's own */
    size_t count, cap;
    int error; /* 0, ERR_NOMEM, ERR_LIMIT (more than DISCOVERY_TARGETS_MAX), or the labels' */
};

void target_list_add(struct target_list *list, const struct labels_builder *target);
void target_list_release(struct target_list *list);

struct target_group {
    char *source;
    struct target_list targets;
};

struct target_groups {
    struct target_group *items;
    size_t count, cap;
    size_t target_count;
    bool changed; /* for the owner to clear */
};

/* The targets of `source` are now these; the list is empty after. The same as before changes nothing.
 * On an error (the list's, ERR_NOMEM, ERR_LIMIT) nothing has changed. */
int target_groups_put(struct target_groups *g, struct str source, struct target_list *targets);
void target_groups_remove(struct target_groups *g, struct str source);
/* Removes the groups that `keep` says no to. */
void target_groups_retain(
    struct target_groups *g, bool (*keep)(void *context, const char *source), void *context);
void target_groups_release(struct target_groups *g);

/* ---- Labels of a target ---- */

/* Sets PREFIX plus `name` with every character outside [a-zA-Z0-9_] become _. The text lives in the
 * arena; false when it is exhausted. */
bool meta_label(struct labels_builder *b, struct arena *arena, const char *prefix, struct str name,
    struct str value);
/* "host:port", with brackets around an IPv6 address; "" when the arena is exhausted. */
struct str meta_address(struct arena *arena, struct str host, uint64_t port);
/* A number as text. */
struct str meta_number(struct arena *arena, uint64_t number);

#endif
