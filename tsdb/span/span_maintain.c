/* What a store does by itself: syncs its log, cuts blocks, merges them, lets old ones go. One step a call,
 * by one thread. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "span/span_plan.h"
#include "span/span_seal.h"
#include "span/span_store_private.h"

enum {
    SYNC_MS = 1000,
    /* Each look at the store ends a page: so many of them become a block, though it be a small one. */
    HEAD_PAGES_MAX = 1024,
    CUT_COMPRESSION = 1, /* merging does it again, and better */
    MERGE_COMPRESSION = 3,
};
static int fail(struct span_store *store, int status, struct err *e)
{
    return e->code != 0 ? status : err_set(e, status, -1, "%s: %s", store->path, err_text(status));
}

static uint64_t oldest_ns(struct span_store *store)
{
    int64_t longest_ms = span_retention_longest_ms(&store->retention);
    return span_retention_start_ns(clock_now_ms(store->clock), longest_ms);
}

/* ---- The log ---- */

static int sync_log(struct span_store *store)
{
    int status = 0;
    int64_t now = clock_now_ms(store->clock);
    lock_take(&store->writing);
    if (store->unsynced && store->options.sync == WAL_SYNC_EVERY_SECOND &&
        (now - store->synced_ms >= SYNC_MS || now < store->synced_ms)) {
        status = span_log_sync(store->log);
        store->unsynced = status != 0;
        store->synced_ms = now;
    }
    lock_give(&store->writing);
    return status;
}

/* ---- Cutting a block ---- */

/* With `writing` held: a block is due. */
static bool cut_is_due(struct span_store *store)
{
    int64_t age = clock_now_ms(store->clock) - store->head_since_ms;
    bool wanted = atomic_load(&store->cut_wanted);
    bool half = store->head_bytes + span_pager_bytes(store->pager) > store->options.head_bytes / 2;
    lock_take(&store->list);
    bool many = store->head.count >= HEAD_PAGES_MAX;
    lock_give(&store->list);
    return store->head_spans > 0 &&
           (store->head_spans >= store->options.block_spans || age >= store->options.block_age_ms ||
               half || many || wanted);
}

/* The head becomes what a block is made of. */
static int begin_cut(struct span_store *store, bool *any_out)
{
    int status = 0;
    lock_take(&store->writing);
    bool due = cut_is_due(store);
    if (due) {
        status = span_store_end_page(store);
        status = status == 0 ? span_log_cut(store->log, &store->sealing_covered) : status;
    }
    if (due && status == 0) {
        lock_take(&store->list);
        store->sealing = store->head;
        store->head = (struct span_sources){0};
        lock_give(&store->list);
        atomic_store(&store->cut_wanted, false);
        store->head_spans = 0;
        store->head_bytes = 0;
        store->unsynced = false;
    }
    lock_give(&store->writing);
    *any_out = due && status == 0;
    return status;
}

/* With `list` held: blocks that another one replaces leave. The references in `replaced` keep their
 * files until the lock is given. */
static void take_out(struct span_store *store, const struct span_sources *replaced)
{
    size_t kept = 0;
    for (size_t i = 0; i < store->blocks.count; i++) {
        struct span_source *s = store->blocks.items[i];
        bool gone = false;
        for (size_t k = 0; k < replaced->count && !gone; k++) {
            gone = replaced->items[k] == s;
        }
        if (gone) {
            atomic_store(&s->remove, true);
            span_source_unref(s);
        } else {
            store->blocks.items[kept++] = s;
        }
    }
    store->blocks.count = kept;
}

/* Puts a block in the place of what it was made of, in one act for those who look: of `replaced`, or of
 * what was being sealed when that is NULL, which becomes the caller's. `made` NULL: nothing was left. */
static int swap_in(struct span_store *store, struct span_source *made,
    const struct span_sources *replaced, struct span_sources *sealed_out)
{
    int status = 0;
    lock_take(&store->list);
    if (made != NULL) {
        status = span_sources_add(&store->blocks, made);
    }
    if (status == 0 && replaced != NULL) {
        take_out(store, replaced);
    } else if (status == 0) {
        *sealed_out = store->sealing;
        store->sealing = (struct span_sources){0};
    } else {
        atomic_store(&made->remove, true); /* or it would be there twice at the next start */
    }
    lock_give(&store->list);
    return status;
}

/* Writes `sources`, all blocks or all in memory, into a block of its own. *made_out NULL: nothing was left. */
static int write_block(struct span_store *store, const struct span_sources *sources,
    const struct span_block_options *options, struct span_source **made_out, struct err *e)
{
    char path[SPAN_PATH_BYTES_MAX];
    struct span_block *block = NULL;
    uint64_t spans = 0, damaged = 0;
    uint64_t number = store->next_number;
    *made_out = NULL;
    span_store_block_path(store, number, path);
    const struct span_keep keep = {&store->retention, clock_now_ms(store->clock)};
    /* What is in memory is not looked into: what is due there stays until it is merged. */
    bool in_memory = sources->items[0]->block == NULL;
    int status =
        in_memory
            ? span_seal(sources, store->fs, path, options, oldest_ns(store), &spans, e)
            : span_gather_merge(sources, store->fs, path, options, &keep, &spans, &damaged, e);
    if (damaged > 0) {
        LOG_ERROR("spans: damaged pages are left out of a merge, their blocks are kept aside",
            LOG_S("into", path), LOG_I("pages", (int64_t)damaged));
    }
    lock_take(&store->list);
    store->damaged_pages += damaged;
    lock_give(&store->list);
    if (status != 0 || spans == 0) {
        return status;
    }
    store->next_number++;
    lock_take(&store->list);
    *(in_memory ? &store->cut_spans : &store->merged_spans) += spans;
    lock_give(&store->list);
    status = span_block_open(store->fs, path, &block, e);
    status = status == 0 ? span_source_of_block(block, number, made_out) : status;
    if (status != 0) {
        span_block_close(block);
        (void)vfs_remove(store->fs, path); /* what it was made of is still there */
    }
    return status;
}

static int end_cut(struct span_store *store, struct err *e)
{
    struct span_source *made = NULL;
    struct span_block_options options = {.covered = store->sealing_covered,
        .compression = CUT_COMPRESSION,
        .in_order = true,
        .borrow = true};
    int status = write_block(store, &store->sealing, &options, &made, e);
    struct span_sources done = {0};
    status = status == 0 ? swap_in(store, made, NULL, &done) : status;
    span_source_unref(made);
    if (status != 0) {
        return fail(store, status, e); /* `sealing` is seen and written again at the next step */
    }
    span_sources_release(&done);
    lock_take(&store->writing);
    span_log_forget(store->log, store->sealing_covered);
    lock_give(&store->writing);
    return 1;
}

/* ---- Merging ---- */

/* What plans are made of. By the thread that maintains, the only one that changes the list. */
static int describe_blocks(const struct span_store *store, struct span_plan_block **plan_out)
{
    struct span_plan_block *plan = mem_calloc(store->blocks.count + 1, sizeof(*plan));
    if (plan == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < store->blocks.count; i++) {
        const struct span_block *b = store->blocks.items[i]->block;
        plan[i] = (struct span_plan_block){b->level, b->page_count, b->file_bytes, b->start_max_ns};
    }
    *plan_out = plan;
    return 0;
}

static int choose_merge(struct span_store *store, struct span_sources *chosen, uint32_t *level_out)
{
    struct span_plan_block *plan = NULL;
    size_t indexes[SPAN_PLAN_MERGE];
    int status = describe_blocks(store, &plan);
    if (status == 0 &&
        span_plan_merge(plan, store->blocks.count, store->options.retention_bytes, indexes)) {
        *level_out = plan[indexes[0]].level + 1;
        for (size_t i = 0; status == 0 && i < SPAN_PLAN_MERGE; i++) {
            status = span_sources_add(chosen, store->blocks.items[indexes[i]]);
        }
    }
    mem_free(plan);
    return status;
}

/* A block for all of whose traces more of the rules have had their time than when it was written. */
static int choose_thinning(
    struct span_store *store, struct span_sources *chosen, uint32_t *level_out)
{
    int64_t now = clock_now_ms(store->clock);
    int status = 0;
    for (size_t i = 0; chosen->count == 0 && status == 0 && i < store->blocks.count; i++) {
        const struct span_block *b = store->blocks.items[i]->block;
        if (span_retention_is_due(&store->retention, now, b->retention_mark, b->start_max_ns)) {
            *level_out = b->level;
            status = span_sources_add(chosen, store->blocks.items[i]);
        }
    }
    return status;
}

/* Blocks that `block` was made of, and whose files are still there: a reader holds them, or they could not be
 * removed. The next block has to name them, too, or they would be back when those that replaced them are gone. */
static int carry_replaced(const struct span_store *store, const struct span_block *block,
    uint64_t *replaced, uint32_t *count)
{
    for (uint32_t i = 0; i < block->replaced_count; i++) {
        char path[SPAN_PATH_BYTES_MAX];
        struct vfs_file *file = NULL;
        span_store_block_path(store, block->replaced[i], path);
        int status = vfs_open(store->fs, path, VFS_READ, &file);
        vfs_close(store->fs, file);
        if (status == ERR_NOT_FOUND) {
            continue;
        }
        if (*count == SPAN_BLOCK_REPLACED_MAX) {
            return ERR_LIMIT; /* readers end: tried again */
        }
        replaced[(*count)++] = block->replaced[i];
    }
    return 0;
}

/* Blocks become one; their references are given back. */
static int replace(
    struct span_store *store, struct span_sources *chosen, uint32_t level, struct err *e)
{
    struct span_source *made = NULL;
    uint64_t replaced[SPAN_BLOCK_REPLACED_MAX], latest_ns = 0;
    int status = 0;
    struct span_block_options options = {
        .level = level, .replaced = replaced, .compression = MERGE_COMPRESSION};
    for (size_t i = 0; i < chosen->count; i++) {
        const struct span_source *s = chosen->items[i];
        replaced[options.replaced_count++] = s->number;
        options.covered = s->block->covered > options.covered ? s->block->covered : options.covered;
        latest_ns = s->block->start_max_ns > latest_ns ? s->block->start_max_ns : latest_ns;
    }
    for (size_t i = 0; status == 0 && i < chosen->count; i++) {
        status = carry_replaced(store, chosen->items[i]->block, replaced, &options.replaced_count);
    }
    options.retention_mark =
        span_retention_mark(&store->retention, clock_now_ms(store->clock), latest_ns);
    status = status == 0 ? write_block(store, chosen, &options, &made, e) : status;
    status = status == 0 ? swap_in(store, made, chosen, NULL) : status;
    span_source_unref(made);
    span_sources_release(chosen);
    return status == 0 ? 1 : fail(store, status, e);
}

/* The next block of which something is due, or the next merge. */
static int merge(struct span_store *store, struct err *e)
{
    struct span_sources chosen = {0};
    uint32_t level = 0;
    int status = choose_thinning(store, &chosen, &level);
    bool roomy = atomic_load_explicit(&store->disk_level, memory_order_relaxed) == DISK_GOOD;
    if (status == 0 && chosen.count == 0 && roomy) {
        status = choose_merge(store, &chosen, &level);
    }
    if (status != 0 || chosen.count == 0) {
        span_sources_release(&chosen);
        return status == 0 ? 0 : fail(store, status, e);
    }
    return replace(store, &chosen, level, e);
}

/* ---- Retention ---- */

/* 1: a block that is too old, or too much, has left the list, and its file goes with the last reader. */
static int expire(struct span_store *store)
{
    struct span_plan_block *plan = NULL;
    size_t at;
    int status = describe_blocks(store, &plan);
    bool any = status == 0 && span_plan_expire(plan, store->blocks.count, oldest_ns(store),
                                  store->options.retention_bytes,
                                  store->wants_room && store->options.retention_bytes > 0, &at);
    mem_free(plan);
    if (!any) {
        return status;
    }
    store->wants_room = false;
    struct span_sources *blocks = &store->blocks;
    struct span_source *expired = blocks->items[at];
    atomic_store(&expired->remove, true);
    lock_take(&store->list);
    blocks->count--;
    memmove(
        blocks->items + at, blocks->items + at + 1, (blocks->count - at) * sizeof(*blocks->items));
    lock_give(&store->list);
    span_source_unref(expired);
    return 1;
}

/* ---- A step ---- */

void span_store_cut_soon(struct span_store *store)
{
    atomic_store(&store->cut_wanted, true);
}

void span_store_set_disk_level(struct span_store *store, enum disk_level level)
{
    store->wants_room = level != DISK_GOOD;
    atomic_store_explicit(&store->disk_level, level, memory_order_relaxed);
}

/* Blocks go first: on a full disk nothing else may work before. */
int span_store_maintain(struct span_store *store, struct err *e)
{
    bool any = store->sealing.count > 0;
    int status = expire(store);
    if (status == 1) {
        return 1;
    }
    status = status == 0 ? sync_log(store) : status;
    if (status == 0 && !any) {
        status = begin_cut(store, &any);
    }
    if (status != 0) {
        return fail(store, status, e);
    }
    status = any ? end_cut(store, e) : merge(store, e);
    return status == 0 ? span_store_scrub(store, e) : status;
}

void span_store_statistics(struct span_store *store, struct span_store_statistics *statistics_out)
{
    struct span_store_statistics s = {.start_min_ns = UINT64_MAX};
    lock_take(&store->writing);
    s.head_spans = store->head_spans;
    s.head_bytes = store->head_bytes + span_pager_bytes(store->pager);
    s.appended_spans = store->appended_spans;
    s.replayed_spans = store->replayed_spans;
    s.log_bytes = span_log_bytes(store->log);
    lock_take(&store->list);
    for (size_t i = 0; i < store->blocks.count; i++) {
        const struct span_block *b = store->blocks.items[i]->block;
        s.blocks++;
        s.block_bytes += b->file_bytes;
        s.block_spans += b->rows;
        s.block_traces += b->traces;
        s.start_min_ns = b->start_min_ns < s.start_min_ns ? b->start_min_ns : s.start_min_ns;
        s.start_max_ns = b->start_max_ns > s.start_max_ns ? b->start_max_ns : s.start_max_ns;
    }
    s.damaged_pages = store->damaged_pages;
    s.scrubbed_bytes = atomic_load_explicit(&store->scrubbed_bytes, memory_order_relaxed);
    s.cut_spans = store->cut_spans;
    s.merged_spans = store->merged_spans;
    lock_give(&store->list);
    lock_give(&store->writing);
    s.start_min_ns = s.blocks > 0 ? s.start_min_ns : 0;
    *statistics_out = s;
}
