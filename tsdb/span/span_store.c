/* Opening and appending.
 *
 *   DIR/lock            held by the process that has the store
 *   DIR/log/            messages that no block covers yet (span_log.h)
 *   DIR/NUMBER.spans    blocks (span_block.h), 16 hex digits; numbers ascend with time of making
 *
 * There is no list of blocks: a block says which others it replaces and which segments of the log it
 * covers, so what counts follows from the names that are there.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "span/span_admit.h"
#include "span/span_store_private.h"

void span_store_block_path(
    const struct span_store *store, uint64_t number, char path[SPAN_PATH_BYTES_MAX])
{
    snprintf(path, SPAN_PATH_BYTES_MAX, "%s/%0*" PRIx64 ".spans", store->path,
        SPAN_BLOCK_NAME_DIGITS, number);
}

/* The last moment that nanoseconds since 1970 can name. */
#define TIME_MS_MAX (INT64_MAX / 1000000)

/* ---- What is there ---- */

struct block_names {
    uint64_t *numbers;
    size_t count, cap;
    struct span_store *store;
};

static int note_block(void *context, const char *name, bool is_directory)
{
    struct block_names *names = context;
    char path[SPAN_PATH_BYTES_MAX];
    uint64_t number = 0;
    size_t length = strlen(name);
    if (is_directory) {
        return 0;
    }
    if (length > 4 && strcmp(name + length - 4, ".new") == 0) {
        snprintf(path, sizeof(path), "%s/%s", names->store->path, name);
        (void)vfs_remove(names->store->fs, path); /* of a crash; in nobody's way */
        return 0;
    }
    if (!span_block_name_parse(name, &number)) {
        return 0;
    }
    int status = mem_array_grow(
        (void **)&names->numbers, &names->cap, names->count + 1, sizeof(*names->numbers), 1 << 20);
    if (status == 0) {
        names->numbers[names->count++] = number;
    }
    return status;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* A block that cannot be read is set aside, where somebody may look at it; the rest goes on. */
static int set_aside(struct span_store *store, const char *path, const struct err *why)
{
    char aside[SPAN_PATH_BYTES_MAX + 16];
    snprintf(aside, sizeof(aside), "%s" SPAN_BLOCK_DAMAGED, path);
    LOG_ERROR("spans: a block is set aside", LOG_S("error", why->message));
    store->damaged_pages++;
    return vfs_rename(store->fs, path, aside);
}

static int open_block(struct span_store *store, uint64_t number)
{
    char path[SPAN_PATH_BYTES_MAX];
    struct span_block *block = NULL;
    struct span_source *source = NULL;
    struct err e = ERR_INIT;
    span_store_block_path(store, number, path);
    int status = span_block_open(store->fs, path, &block, &e);
    if (status == ERR_CORRUPT) {
        return set_aside(store, path, &e);
    }
    status = status == 0 ? span_source_of_block(block, number, &source) : status;
    if (status != 0) {
        span_block_close(block);
        return status;
    }
    status = span_sources_add(&store->blocks, source);
    span_source_unref(source);
    return status;
}

/* Removes blocks that another one replaces: a crash came between its name and their end. */
static void drop_replaced(struct span_store *store)
{
    size_t kept = 0;
    for (size_t i = 0; i < store->blocks.count; i++) {
        struct span_source *s = store->blocks.items[i];
        bool replaced = false;
        for (size_t k = 0; k < store->blocks.count && !replaced; k++) {
            const struct span_block *other = store->blocks.items[k]->block;
            for (uint32_t r = 0; r < other->replaced_count && !replaced; r++) {
                replaced = other->replaced[r] == s->number;
            }
        }
        atomic_store(&s->remove, replaced);
    }
    for (size_t i = 0; i < store->blocks.count; i++) {
        struct span_source *s = store->blocks.items[i];
        if (atomic_load(&s->remove)) {
            span_source_unref(s);
        } else {
            store->blocks.items[kept++] = s;
        }
    }
    store->blocks.count = kept;
}

static int open_blocks(struct span_store *store, uint64_t *covered_out)
{
    struct block_names names = {.store = store};
    uint64_t covered = 0;
    int status = vfs_list(store->fs, store->path, note_block, &names);
    if (status == 0 && names.count > 0) {
        qsort(names.numbers, names.count, sizeof(*names.numbers), by_number);
        store->next_number = names.numbers[names.count - 1] + 1;
    }
    for (size_t i = 0; status == 0 && i < names.count; i++) {
        status = open_block(store, names.numbers[i]);
    }
    mem_free(names.numbers);
    for (size_t i = 0; i < store->blocks.count; i++) {
        uint64_t of_block = store->blocks.items[i]->block->covered;
        covered = of_block > covered ? of_block : covered;
    }
    drop_replaced(store);
    *covered_out = covered;
    return status;
}

/* ---- Appending ---- */

int span_store_end_page(struct span_store *store)
{
    struct span_source *page = NULL;
    struct span_pager *next = NULL;
    if (span_pager_rows(store->pager) == 0) {
        return 0;
    }
    int status = span_pager_new(&next);
    lock_take(&store->list);
    status = status == 0 ? span_sources_reserve(&store->head) : status;
    lock_give(&store->list);
    uint64_t bytes = span_pager_bytes(store->pager);
    status = status == 0 ? span_source_of_pager(store->pager, &page) : status;
    if (status != 0) {
        span_pager_free(next);
        return status;
    }
    lock_take(&store->list);
    status = span_sources_add(&store->head, page);
    lock_give(&store->list);
    assert(status == 0); /* there was room */
    store->head_bytes += bytes;
    store->pager = next;
    span_source_unref(page);
    return status;
}

/* All spans of the walker's message. */
static int take_spans(struct span_store *store, struct span_append_counts *counts)
{
    struct otlp_span span;
    int status;
    while ((status = otlp_traces_skim(store->walker, &span)) == 1) {
        int added = span_pager_add(store->pager, &span);
        if (added == ERR_LIMIT && span_pager_rows(store->pager) > 0) {
            added = span_store_end_page(store);
            added = added == 0 ? span_pager_add(store->pager, &span) : added;
        }
        if (added == ERR_LIMIT) {
            counts->too_large++;
        } else if (added != 0) {
            return added;
        } else {
            counts->spans++;
        }
    }
    for (size_t f = 0; f < OTLP_SPAN_FAULT_COUNT; f++) {
        counts->faults[f] = otlp_traces_faults(store->walker, (enum otlp_span_fault)f);
    }
    if (counts->spans > 0) {
        if (store->head_spans == 0) {
            store->head_since_ms = clock_now_ms(store->clock);
        }
        store->head_spans += counts->spans;
    }
    return status;
}

static bool head_is_full(struct span_store *store)
{
    lock_take(&store->list);
    uint64_t sealing = 0;
    for (size_t i = 0; i < store->sealing.count; i++) {
        sealing += span_pager_bytes(store->sealing.items[i]->pager);
    }
    lock_give(&store->list);
    return store->head_bytes + sealing + span_pager_bytes(store->pager) > store->options.head_bytes;
}

/* With `writing` held. */
static int append_locked(struct span_store *store, struct str message, const struct strbuf *frame,
    bool synced, struct span_append_counts *counts, struct err *e)
{
    int status = otlp_traces_begin(store->walker, message, e);
    if (status != 0) {
        return status;
    }
    if (head_is_full(store)) {
        return err_set(e, ERR_BUSY, -1, "%" PRIu64 " bytes of spans wait to be written, send again",
            store->options.head_bytes);
    }
    status = span_log_append(store->log, frame);
    if (status == 0 && synced) {
        status = span_log_sync(store->log);
    }
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", store->path, err_text(status));
    }
    store->unsynced = store->unsynced || !synced;
    status = take_spans(store, counts);
    return status == 0 ? 0 : err_set(e, status, -1, "%s", err_text(status));
}

/* The codec that was used last, or a new one. */
static int pack(struct span_store *store, struct str message, struct strbuf *frame)
{
    struct zstd_codec *codec = atomic_exchange(&store->packer, NULL);
    int status = codec == NULL ? zstd_codec_new(&codec) : 0;
    if (status == 0) {
        status = span_log_pack(codec, message, frame);
        zstd_codec_free(atomic_exchange(&store->packer, codec));
    }
    return status;
}

static struct span_window window_of(struct span_store *store)
{
    int64_t now_ms = clock_now_ms(store->clock), limit_ms = store->options.future_limit_ms;
    bool any = limit_ms == 0 || limit_ms > TIME_MS_MAX - now_ms;
    return (struct span_window){
        .oldest_ns = span_retention_start_ns(now_ms, span_retention_longest_ms(&store->retention)),
        .newest_ns = any ? UINT64_MAX : (uint64_t)(now_ms + limit_ms) * 1000000};
}

/* What is left of the message, which is logged and taken. */
static int append_admitted(struct span_store *store, struct str message, bool synced,
    struct span_append_counts *counts, struct err *e)
{
    struct strbuf frame;
    strbuf_init(&frame, OTLP_TRACES_MAX + (1 << 20));
    int status = pack(store, message, &frame);
    if (status == 0) {
        lock_take(&store->writing);
        status = append_locked(store, message, &frame, synced, counts, e);
        store->appended_spans += counts->spans;
        lock_give(&store->writing);
    }
    strbuf_release(&frame);
    return status;
}

int span_store_append(struct span_store *store, struct str message, bool synced,
    struct span_append_counts *counts_out, struct err *e)
{
    struct strbuf room;
    struct str admitted;
    struct span_refusals refusals;
    struct span_append_counts counts = {0};
    if (message.len > OTLP_TRACES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "the message has %zu bytes, at most %zu are read",
            message.len, OTLP_TRACES_MAX);
    }
    if (atomic_load_explicit(&store->disk_level, memory_order_relaxed) == DISK_FULL) {
        return err_set(e, ERR_NO_SPACE, -1,
            "the disk of the store is full: nothing is written until some of it is free");
    }
    strbuf_init(&room, OTLP_TRACES_MAX);
    int status = span_admit(message, window_of(store), &room, &admitted, &refusals);
    bool nothing = status == 0 && admitted.len == 0 && message.len > 0;
    if (status == 0 && !nothing) {
        synced = synced || store->options.sync == WAL_SYNC_ALWAYS;
        status = append_admitted(store, admitted, synced, &counts, e);
    }
    strbuf_release(&room);
    if (status == 0) {
        counts.too_old = refusals.too_old;
        counts.too_new = refusals.too_new;
        for (size_t f = 0; f < OTLP_SPAN_FAULT_COUNT; f++) {
            counts.faults[f] += refusals.faults[f];
        }
        *counts_out = counts;
    }
    return status == 0 || e->code != 0 ? status : err_set(e, status, -1, "%s", err_text(status));
}

/* ---- Life ---- */

static int replay(void *context, struct str message)
{
    struct span_store *store = context;
    struct span_append_counts counts = {0};
    int status = otlp_traces_begin(store->walker, message, NULL);
    status = status == 0 ? take_spans(store, &counts) : status;
    store->replayed_spans += counts.spans;
    return status;
}

static void fill_options(struct span_store *store, const struct span_store_options *options)
{
    struct span_store_options *o = &store->options;
    *o = *options;
    o->retention_ms = o->retention_ms != 0 ? o->retention_ms : SPAN_STORE_RETENTION_MS_DEFAULT;
    o->block_age_ms = o->block_age_ms != 0 ? o->block_age_ms : SPAN_STORE_BLOCK_AGE_MS_DEFAULT;
    o->block_spans = o->block_spans != 0 ? o->block_spans : SPAN_STORE_BLOCK_SPANS_DEFAULT;
    o->cache_bytes = o->cache_bytes != 0 ? o->cache_bytes : SPAN_STORE_CACHE_BYTES_DEFAULT;
    o->head_bytes = o->head_bytes != 0 ? o->head_bytes : SPAN_STORE_HEAD_BYTES_DEFAULT;
    store->fs = o->fs != NULL ? o->fs : vfs_posix();
    store->clock = o->clock != NULL ? o->clock : clock_real();
}

static int init_retention(struct span_store *store, struct err *e)
{
    struct span_store_options *o = &store->options;
    const struct span_retention_rules rules = {
        o->retention_ms, o->retention_errors_ms, o->retention_rules, o->retention_rule_count};
    o->retention_rules = NULL; /* the caller's */
    return span_retention_init(&store->retention, &rules, e);
}

static int take_directory(struct span_store *store)
{
    char path[SPAN_PATH_BYTES_MAX];
    snprintf(path, sizeof(path), "%s/lock", store->path);
    int status = vfs_mkdir_all(store->fs, store->path);
    status = status == 0 ? vfs_open(store->fs, path, VFS_READWRITE, &store->lock_file) : status;
    return status == 0 ? vfs_lock(store->fs, store->lock_file) : status;
}

int span_store_open(const char *path, const struct span_store_options *options,
    struct span_store **store_out, struct err *e)
{
    struct span_store *store = mem_calloc(1, sizeof(*store));
    struct span_log_report report = {0};
    char log_path[SPAN_PATH_BYTES_MAX];
    uint64_t covered = 0;
    if (store == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    atomic_init(&store->disk_level, DISK_GOOD);
    atomic_init(&store->cut_wanted, false);
    lock_init(&store->writing, LOCK_RANK_COMMIT);
    lock_init(&store->list, LOCK_RANK_LEAF);
    fill_options(store, options);
    span_page_cache_init(&store->pages, store->options.cache_bytes);
    span_resource_pool_init(&store->resources);
    store->next_number = 1;
    store->path = mem_strdup(path);
    int status = init_retention(store, e);
    bool fits = strlen(path) + 64 < SPAN_PATH_BYTES_MAX;
    status = status != 0           ? status
             : store->path == NULL ? ERR_NOMEM
             : !fits               ? ERR_INVALID
                                   : take_directory(store);
    status = status == 0 ? otlp_traces_new(&store->walker) : status;
    status = status == 0 ? span_pager_new(&store->pager) : status;
    status = status == 0 ? open_blocks(store, &covered) : status;
    if (status == 0) {
        snprintf(log_path, sizeof(log_path), "%s/log", path);
        status =
            span_log_open(store->fs, log_path, covered, replay, store, &store->log, &report, e);
    }
    if (status != 0) {
        span_store_close(store);
        return e->code != 0 ? status : err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    if (report.damaged_bytes > 0) {
        LOG_WARN("spans: the log was damaged", LOG_I("bytes", (int64_t)report.damaged_bytes));
    }
    store->synced_ms = clock_now_ms(store->clock);
    store->scrub.last_ms = clock_monotonic_ms(store->clock);
    *store_out = store;
    return 0;
}

void span_store_close(struct span_store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->log != NULL && store->options.sync != WAL_SYNC_NEVER) {
        (void)span_log_sync(store->log); /* the last chance; the next start finds what is there */
    }
    zstd_codec_free(atomic_load(&store->packer));
    span_log_close(store->log);
    span_sources_release(&store->head);
    span_sources_release(&store->sealing);
    span_sources_release(&store->blocks);
    span_pager_free(store->pager);
    otlp_traces_free(store->walker);
    vfs_close(store->fs, store->lock_file);
    span_page_cache_release(&store->pages);
    span_resource_pool_release(&store->resources);
    span_retention_release(&store->retention);
    lock_release(&store->writing);
    lock_release(&store->list);
    mem_free(store->path);
    mem_free(store);
}
