/* Opening and closing the store.
 *
 * Open: lock file; manifest; listed parts, whose dictionaries fill the index; files that nobody lists
 * are removed; metadata; the log is replayed into the head; a new segment begins. Nothing that is
 * damaged stops it: a manifest that is damaged or gone is made anew from what the parts say.
 */
#include "db/db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/manifest_rebuild.h"

#define RETENTION_DEFAULT_MS ((int64_t)30 * DAY_MS)
#define SEAL_INTERVAL_DEFAULT_MS ((int64_t)30 * 60 * 1000)
#define FUTURE_LIMIT_DEFAULT_MS ((int64_t)10 * 60 * 1000)

/* What remote write, OTLP and scrapes use to say who sent something. Sorted. */
static const char *const DEFAULT_IDENTITY_LABELS[] = {"cluster", "container", "host", "host_name",
    "instance", "job", "k8s_cluster_name", "k8s_container_name", "k8s_namespace_name",
    "k8s_node_name", "k8s_pod_name", "k8s_pod_uid", "namespace", "node", "pod", "service",
    "service_instance_id", "service_name", "service_namespace"};

enum { DEFAULT_IDENTITY_COUNT = sizeof(DEFAULT_IDENTITY_LABELS) / sizeof(char *) };

/* ---- Options ---- */

static int compare_strings(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static int take_options(struct tsdb *db, const struct tsdb_options *options, struct err *e)
{
    if (options->path == NULL || options->path[0] == '\0') {
        return err_set(e, ERR_INVALID, -1, "a store needs a data directory");
    }
    db->options = *options;
    db->fs = options->vfs != NULL ? options->vfs : vfs_posix();
    db->clock = options->clock != NULL ? options->clock : clock_real();
    if (db->options.seal_interval_ms <= 0) {
        db->options.seal_interval_ms = SEAL_INTERVAL_DEFAULT_MS;
    }
    if (db->options.purge_after_ms <= 0) {
        db->options.purge_after_ms = DAY_MS;
    }
    size_t count =
        options->identity_labels != NULL ? options->identity_label_count : DEFAULT_IDENTITY_COUNT;
    const char *const *names =
        options->identity_labels != NULL ? options->identity_labels : DEFAULT_IDENTITY_LABELS;
    int status = retention_init(&db->retention, options);
    if (status != 0) {
        return err_set(e, status, -1, "the rules of retention: %s", err_text(status));
    }
    db->path = mem_strdup(options->path);
    db->identity_labels = mem_calloc(count + 1, sizeof(*db->identity_labels));
    if (db->path == NULL || db->identity_labels == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the store");
    }
    for (size_t i = 0; i < count; i++) {
        char *copy = mem_strdup(names[i]);
        if (copy == NULL) {
            return err_set(e, ERR_NOMEM, -1, "out of memory for the store");
        }
        db->identity_labels[db->identity_label_count++] = str_of(copy);
    }
    qsort(db->identity_labels, count, sizeof(*db->identity_labels), compare_strings);
    for (size_t i = 0; i < count; i++) {
        db->split = hash64(db->identity_labels[i].ptr, db->identity_labels[i].len, db->split);
    }
    return 0;
}

/* ---- Opening ---- */

/* The data directory, and those in it. */
static int make_directories(struct tsdb *db)
{
    static const char *const names[] = {"wal", "raw", "t5m", "t1h"};
    int status = vfs_mkdir_all(db->fs, db->path);
    if (status == 0) {
        status = db_make_directory(db, db->path);
    }
    for (size_t i = 0; status == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        char path[DB_PATH_MAX];
        status = db_path(db, names[i], path);
        status = status == 0 ? db_make_directory(db, path) : status;
    }
    return status;
}

static int take_lock(struct tsdb *db, struct err *e)
{
    char path[DB_PATH_MAX];
    int status = make_directories(db);
    if (status == 0) {
        status = db_path(db, "LOCK", path);
    }
    if (status == 0) {
        status = vfs_open(db->fs, path, VFS_READWRITE, &db->lock_file);
    }
    if (status != 0) {
        return err_set(e, status, -1,
            "the data directory %s is not writable (%s): name another with --data", db->path,
            err_text(status));
    }
    status = vfs_lock(db->fs, db->lock_file);
    if (status != 0) {
        return err_set(e, status, -1,
            "the data directory %s is in use by another server (%s): stop it, or name another "
            "directory with --data",
            db->path, err_text(status));
    }
    return 0;
}

/* A new store has no manifest, and gets one at once, so that its absence later means something. */
static int rebuild_manifest(struct tsdb *db, const char *path, const struct err *why, struct err *e)
{
    bool damaged = why->code == ERR_CORRUPT;
    int status = manifest_rebuild(db->fs, db->path, &db->manifest, e);
    if (status != 0) {
        return status;
    }
    if (damaged || db->manifest.count > 0) {
        db->manifest_rebuilds = 1;
        LOG_ERROR("tsdb: the list of parts was made anew from the parts", LOG_S("path", path),
            LOG_S("error", damaged ? why->message : "it is gone"),
            LOG_I("parts", db->manifest.count));
    }
    if (db->options.read_only) {
        return 0;
    }
    char aside[DB_PATH_MAX];
    if (damaged && db_path(db, "MANIFEST.damaged", aside) == 0) {
        (void)vfs_rename(db->fs, path, aside); // kept for whoever wants to know; not needed
    }
    return manifest_store(db->fs, path, &db->manifest, e);
}

static int load_manifest(struct tsdb *db, struct err *e)
{
    char path[DB_PATH_MAX];
    int status = db_path(db, "MANIFEST", path);
    if (status != 0) {
        return err_set(e, status, -1, "the path %s is too long", db->path);
    }
    manifest_release(&db->manifest);
    struct err local = ERR_INIT;
    status = manifest_load(db->fs, path, &db->manifest, &local);
    if (status == ERR_CORRUPT || status == ERR_NOT_FOUND) {
        return rebuild_manifest(db, path, &local, e);
    }
    if (status != 0 && e != NULL) {
        *e = local;
    }
    return status;
}

int db_open_part(struct tsdb *db, const char *path, const struct manifest_part *about,
    struct store_part **part_out, struct err *e)
{
    const struct store_indexes indexes = {db->index, db->tier_shapes};
    return store_part_open(db->fs, path, db->cache, &indexes, about, part_out, e);
}

/* A part that cannot be opened stays listed and out of the way: it is counted, named in the log, and
 * never deleted by us. */
static int open_parts(struct tsdb *db, struct err *e)
{
    int status = store_view_new(db->manifest.count, db->loaded, &db->view);
    for (uint32_t i = 0; status == 0 && i < db->manifest.count; i++) {
        char path[DB_PATH_MAX];
        struct store_part *part = NULL;
        struct err local = ERR_INIT;
        status = db_part_path(db, &db->manifest.parts[i], path);
        if (status == 0) {
            status = db_open_part(db, path, &db->manifest.parts[i], &part, &local);
        }
        if (status == ERR_CORRUPT || status == ERR_NOT_FOUND) {
            atomic_fetch_add_explicit(&db->parts_quarantined, 1, memory_order_relaxed);
            LOG_ERROR("tsdb: part set aside", LOG_S("path", path), LOG_S("error", local.message));
            status = db_tiers_forget(&db->manifest, &db->manifest.parts[i]);
        } else if (status == 0) {
            db->view->parts[db->view->count++] = part;
        } else if (e != NULL) {
            *e = local;
        }
    }
    if (status == 0) {
        db_tiers_note_coverage(&db->manifest, db->view);
    }
    db->version = 1;
    for (size_t i = 0; status == 0 && i < db->loaded->count; i++) {
        status = tombstone_resolve(db->loaded->items[i], db->index, e);
    }
    return status;
}

struct sweep {
    struct tsdb *db;
    uint16_t tier;
    struct str period; /* name of the directory below that of the tier */
    const char *directory;
};

/* Is this the name of a listed part of the directory? */
static bool is_listed(const struct sweep *sweep, const char *name)
{
    for (uint32_t i = 0; i < sweep->db->manifest.count; i++) {
        const struct manifest_part *part = &sweep->db->manifest.parts[i];
        char listed[MANIFEST_NAME_MAX];
        manifest_part_name(part, listed);
        struct str rest = str_of(listed + strlen(store_tier_name(part->tier)) + 1);
        if (part->tier == sweep->tier && str_starts_with(rest, sweep->period) &&
            rest.ptr[sweep->period.len] == '/' &&
            str_eq_c(str_of(name), rest.ptr + sweep->period.len + 1)) {
            return true;
        }
    }
    return false;
}

static int sweep_file(void *context, const char *name, bool is_directory)
{
    const struct sweep *sweep = context;
    char path[DB_PATH_MAX];
    int written = snprintf(path, sizeof(path), "%s/%s", sweep->directory, name);
    if (!is_directory && !is_listed(sweep, name) && written > 0 && written < DB_PATH_MAX) {
        (void)vfs_remove(sweep->db->fs, path); // tried again at the next open
    }
    return 0;
}

/* Only directories that parts may lie in. */
static int sweep_period(void *context, const char *name, bool is_directory)
{
    struct sweep *sweep = context;
    char path[DB_PATH_MAX];
    int64_t day;
    int written = snprintf(
        path, sizeof(path), "%s/%s/%s", sweep->db->path, store_tier_name(sweep->tier), name);
    if (is_directory && store_tier_parse(sweep->tier, str_of(name), &day) == 0 && written > 0 &&
        written < DB_PATH_MAX) {
        sweep->period = str_of(name);
        sweep->directory = path;
        (void)vfs_list(sweep->db->fs, path, sweep_file, sweep);
        (void)vfs_remove(sweep->db->fs, path); // only goes when it is empty
    }
    return 0;
}

/* What no manifest lists does not exist: parts that were being written when the power went. */
static void sweep_unlisted(struct tsdb *db)
{
    for (uint16_t tier = STORE_RAW; tier < STORE_TIERS; tier++) {
        struct sweep sweep = {.db = db, .tier = tier};
        char path[DB_PATH_MAX];
        if (db_path(db, store_tier_name(tier), path) == 0) {
            (void)vfs_list(db->fs, path, sweep_period, &sweep);
        }
    }
}

static int start_head(struct tsdb *db, struct err *e)
{
    int status = db_exemplars_open(db, e);
    if (status != 0) {
        return status;
    }
    const struct head_options options = {.index = db->index,
        .exemplars = db->exemplars,
        .clock = db->clock,
        .identity_labels = db->identity_labels,
        .identity_label_count = db->identity_label_count,
        .retention_ms = retention_longest(&db->retention),
        .future_limit_ms = db->options.future_limit_ms};
    status = head_new(&options, &db->head);
    if (status != 0) {
        return err_set(e, status, -1, "out of memory for the head");
    }
    head_set_limits(db->head, &db->options.limits);
    status = db_metadata_load(db, e);
    return status == 0 ? db_replay(db, e) : status;
}

static int start_wal(struct tsdb *db, struct err *e)
{
    uint64_t lsn = db->replay.last_lsn;
    for (int i = 0; i < HEAD_SLICES; i++) {
        lsn = db->manifest.floors[i] > lsn ? db->manifest.floors[i] : lsn;
    }
    if (db->options.read_only) {
        head_start(db->head, NULL, lsn);
        return 0;
    }
    char path[DB_PATH_MAX];
    int status = db_path(db, "wal", path);
    if (status != 0) {
        return err_set(e, status, -1, "the path %s is too long", db->path);
    }
    const struct wal_options options = {.path = path,
        .vfs = db->fs,
        .clock = db->clock,
        .policy = db->options.sync_policy,
        .segment_bytes = db->options.wal_segment_bytes,
        .background_sync =
            db->options.sync_policy == WAL_SYNC_EVERY_SECOND && db->clock == clock_real(),
        .first_lsn = lsn + 1,
        .dictionary = head_dictionary(db->head)};
    status = wal_open(&options, &db->wal, e);
    if (status == 0) {
        head_start(db->head, db->wal, lsn);
    }
    return status;
}

static int open_steps(struct tsdb *db, const struct tsdb_options *options, struct err *e)
{
    int status = take_options(db, options, e);
    if (status == 0 && !options->read_only) {
        status = take_lock(db, e);
    }
    if (status == 0) {
        status = load_manifest(db, e);
    }
    if (status == 0) {
        status = db_tombstones_load(db, e);
    }
    if (status == 0 && (index_new(&db->index) != 0 || index_new(&db->tier_shapes) != 0 ||
                           part_cache_new(DB_CACHE_BYTES, &db->cache) != 0)) {
        status = err_set(e, ERR_NOMEM, -1, "out of memory for the store");
    }
    if (status == 0) {
        status = open_parts(db, e);
    }
    if (status == 0 && !options->read_only) {
        sweep_unlisted(db);
    }
    if (status == 0) {
        status = start_head(db, e);
    }
    if (status == 0) {
        status = start_wal(db, e);
    }
    if (status == 0 && db->resplit && !options->read_only) {
        struct err local = ERR_INIT;
        if (db_seal_all(db, &local) != 0) {
            LOG_WARN("tsdb: sealing after a change of identity labels will be tried again",
                LOG_S("error", local.message));
        }
    }
    return status;
}

static void stagger_seals(struct tsdb *db)
{
    int64_t now = clock_monotonic_ms(db->clock);
    for (int i = 0; i < HEAD_SLICES; i++) {
        db->sealed_ms[i] = now - db->options.seal_interval_ms * i / HEAD_SLICES;
    }
}

int tsdb_open(const struct tsdb_options *options, struct tsdb **db_out, struct err *e)
{
    struct err local = ERR_INIT;
    struct tsdb *db = mem_calloc(1, sizeof(*db));
    if (db == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for the store");
    }
    manifest_init(&db->manifest);
    lock_init(&db->maintenance_lock, LOCK_RANK_MAINTENANCE);
    lock_init(&db->view_lock, LOCK_RANK_VIEW);
    db_exemplar_damage_init(db);
    db->querier_source.open = db_querier_open;
    int status = open_steps(db, options, &local);
    if (status != 0) {
        if (local.code != status) {
            err_set(&local, status, -1, "the store cannot be opened: %s", err_text(status));
        }
        if (e != NULL) {
            *e = local;
        }
        tsdb_abandon(db);
        return status;
    }
    stagger_seals(db);
    if (!options->read_only) {
        db_disk_open(db);
    }
    *db_out = db;
    return 0;
}

/* ---- Closing ---- */

void tsdb_abandon(struct tsdb *db)
{
    if (db == NULL) {
        return;
    }
    wal_abandon(db->wal);
    for (size_t i = 0; i < db->published_count; i++) {
        head_freeze_drop(db->head, db->published[i]);
    }
    for (int i = 0; i < HEAD_SLICES; i++) {
        if (db->unsealed[i] != NULL) {
            head_freeze_drop(db->head, db->unsealed[i]);
        }
    }
    mem_free(db->published);
    head_free(db->head);
    exemplar_store_free(db->exemplars);
    store_view_unref(db->view);
    tombstone_list_unref(db->loaded);
    index_free(db->index);
    index_free(db->tier_shapes);
    part_cache_free(db->cache);
    manifest_release(&db->manifest);
    if (db->lock_file != NULL) {
        vfs_close(db->fs, db->lock_file);
    }
    for (size_t i = 0; i < db->identity_label_count; i++) {
        mem_free((char *)(uintptr_t)db->identity_labels[i].ptr);
    }
    retention_release(&db->retention);
    mem_free(db->identity_labels);
    mem_free(db->path);
    db_exemplar_damage_release(db);
    lock_release(&db->view_lock);
    lock_release(&db->maintenance_lock);
    mem_free(db);
}

int tsdb_close(struct tsdb *db, struct err *e)
{
    if (db == NULL) {
        return 0;
    }
    int status = 0;
    if (!db->options.read_only) {
        /* Counts that cannot be stored now are lost, as what they count was. */
        (void)head_write_overflow(db->head, true, NULL);
        status = db_seal_all(db, e);
        wal_close(db->wal);
        db->wal = NULL;
    }
    tsdb_abandon(db);
    return status;
}

struct querier_source *tsdb_querier_source(struct tsdb *db)
{
    return &db->querier_source;
}

uint64_t tsdb_data_version(struct tsdb *db)
{
    return change_log_version(head_changes(db->head));
}

int64_t tsdb_changed_since(struct tsdb *db, uint64_t version)
{
    return change_log_since(head_changes(db->head), version);
}

struct appender_source *tsdb_appender_source(struct tsdb *db)
{
    return head_appender_source(db->head);
}

int tsdb_sync(struct tsdb *db, struct err *e)
{
    return db->wal != NULL ? wal_sync(db->wal, e) : 0;
}

void tsdb_set_limits(struct tsdb *db, const struct series_limits *limits)
{
    head_set_limits(db->head, limits);
}

void tsdb_set_memory_short(struct tsdb *db, bool is_short)
{
    head_set_memory_short(db->head, is_short);
}

int tsdb_metadata(struct tsdb *db, struct str metric,
    int (*callback)(void *context, const struct metric_metadata *metadata), void *context)
{
    return metadata_each(head_metadata(db->head), metric, callback, context);
}
