/* Groups of targets, and the labels they are made of. */
#include "discovery/target_groups.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* ---- Lists ---- */

void target_list_add(struct target_list *list, const struct labels_builder *target)
{
    const struct labels *labels = NULL;
    if (list->error == 0) {
        list->error = mem_array_grow((void **)&list->items, &list->cap, list->count + 1,
            sizeof(*list->items), DISCOVERY_TARGETS_MAX);
    }
    if (list->error == 0) {
        list->error = labels_builder_finish(target, &labels);
    }
    if (list->error == 0) {
        list->items[list->count++] = labels;
    }
}

void target_list_release(struct target_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        labels_unref(list->items[i]);
    }
    mem_free(list->items);
    *list = (struct target_list){0};
}

static bool same_targets(const struct target_list *a, const struct target_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = labels_eq(a->items[i], b->items[i]);
    }
    return same;
}

/* ---- Groups ---- */

/* Where the group of `source` is, or would be. */
static size_t find(const struct target_groups *g, struct str source, bool *found_out)
{
    size_t low = 0, high = g->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(str_of(g->items[middle].source), source);
        if (order == 0) {
            *found_out = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found_out = false;
    return low;
}

static int insert(struct target_groups *g, size_t at, struct str source)
{
    int status = mem_array_grow(
        (void **)&g->items, &g->cap, g->count + 1, sizeof(*g->items), DISCOVERY_TARGETS_MAX);
    char *name = status == 0 ? mem_strndup(source.ptr != NULL ? source.ptr : "", source.len) : NULL;
    if (status != 0 || name == NULL) {
        return status != 0 ? status : ERR_NOMEM;
    }
    memmove(&g->items[at + 1], &g->items[at], (g->count - at) * sizeof(*g->items));
    g->items[at] = (struct target_group){.source = name};
    g->count++;
    return 0;
}

static void remove_at(struct target_groups *g, size_t at)
{
    struct target_group *group = &g->items[at];
    g->changed = g->changed || group->targets.count > 0;
    g->target_count -= group->targets.count;
    target_list_release(&group->targets);
    mem_free(group->source);
    memmove(group, group + 1, (g->count - at - 1) * sizeof(*group));
    g->count--;
}

int target_groups_put(struct target_groups *g, struct str source, struct target_list *targets)
{
    bool found;
    size_t at = find(g, source, &found);
    size_t before = found ? g->items[at].targets.count : 0;
    int status = targets->error;
    if (status == 0 && g->target_count - before + targets->count > DISCOVERY_TARGETS_MAX) {
        status = ERR_LIMIT;
    }
    if (status == 0 && found && same_targets(&g->items[at].targets, targets)) {
        target_list_release(targets);
        return 0;
    }
    if (status == 0 && !found) {
        status = insert(g, at, source);
    }
    if (status != 0) {
        target_list_release(targets);
        return status;
    }
    target_list_release(&g->items[at].targets);
    g->items[at].targets = *targets;
    g->target_count += targets->count - before;
    g->changed = g->changed || targets->count + before > 0;
    *targets = (struct target_list){0};
    return 0;
}

void target_groups_remove(struct target_groups *g, struct str source)
{
    bool found;
    size_t at = find(g, source, &found);
    if (found) {
        remove_at(g, at);
    }
}

void target_groups_retain(
    struct target_groups *g, bool (*keep)(void *context, const char *source), void *context)
{
    for (size_t i = g->count; i-- > 0;) {
        if (!keep(context, g->items[i].source)) {
            remove_at(g, i);
        }
    }
}

void target_groups_release(struct target_groups *g)
{
    while (g->count > 0) {
        remove_at(g, g->count - 1);
    }
    mem_free(g->items);
    *g = (struct target_groups){0};
}

/* ---- Labels ---- */

bool meta_label(struct labels_builder *b, struct arena *arena, const char *prefix, struct str name,
    struct str value)
{
    size_t length = strlen(prefix);
    char *text = arena_alloc(arena, length + name.len + 1);
    if (text == NULL) {
        return false;
    }
    memcpy(text, prefix, length);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        text[length + i] = plain ? c : '_';
    }
    labels_builder_set(b, str_make(text, length + name.len), value);
    return true;
}

struct str meta_address(struct arena *arena, struct str host, uint64_t port)
{
    bool brackets = host.len > 0 && memchr(host.ptr, ':', host.len) != NULL;
    size_t size = host.len + 32;
    char *text = arena_alloc(arena, size);
    if (text == NULL) {
        return STR("");
    }
    int length = snprintf(text, size, "%s%.*s%s:%llu", brackets ? "[" : "", (int)host.len,
        host.len > 0 ? host.ptr : "", brackets ? "]" : "", (unsigned long long)port);
    return str_make(text, (size_t)length);
}

struct str meta_number(struct arena *arena, uint64_t number)
{
    char *text = arena_alloc(arena, 24);
    if (text == NULL) {
        return STR("");
    }
    return str_make(text, (size_t)snprintf(text, 24, "%llu", (unsigned long long)number));
}
