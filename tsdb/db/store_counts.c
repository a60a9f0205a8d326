/* What the store counts, for its own metrics and for people: tsdb_statistics, tsdb_each_part. */
#include <string.h>

#include "db/db.h"

static void part_statistics(struct tsdb *db, struct tsdb_statistics *out)
{
    struct store_view *v = db_view(db);
    out->tombstones = v->tombstones->count;
    for (size_t i = 0; i < v->count; i++) {
        const struct part_info *info = part_info(v->parts[i]->part);
        out->part_count++;
        out->part_bytes += info->file_bytes;
        out->tier_parts += v->parts[i]->about.tier != STORE_RAW;
        out->tier_bytes += v->parts[i]->about.tier != STORE_RAW ? info->file_bytes : 0;
        out->part_samples += v->parts[i]->about.tier == STORE_RAW ? info->samples : 0;
        out->parts_quarantined +=
            atomic_load_explicit(&v->parts[i]->damaged_count, memory_order_relaxed) > 0 ||
            atomic_load_explicit(&v->parts[i]->unmergeable, memory_order_relaxed);
        out->min_t = info->min_t < out->min_t ? info->min_t : out->min_t;
        out->max_t = info->max_t > out->max_t ? info->max_t : out->max_t;
    }
    store_view_unref(v);
}

enum disk_level tsdb_disk_level(const struct tsdb *db)
{
    return (enum disk_level)atomic_load_explicit(&db->disk_level, memory_order_relaxed);
}

void tsdb_statistics(struct tsdb *db, struct tsdb_statistics *out)
{
    struct head_statistics head;
    head_statistics(db->head, &head);
    *out = (struct tsdb_statistics){.targets = index_live(db->index, INDEX_TARGETS),
        .shapes = index_live(db->index, INDEX_SHAPES),
        .series = head.columns,
        .samples_appended = head.samples_appended,
        .samples_repeated = head.samples_repeated,
        .samples_refused = head.samples_refused,
        .head_rows = head.rows,
        .head_bytes = head.memory + index_memory(db->index),
        .min_t = head.min_t,
        .max_t = head.max_t,
        .wal_corrupt_records = db->replay.corrupt_frames,
        .wal_truncated_bytes = db->replay.truncated_bytes,
        .replayed_samples = db->replay.samples,
        .replay_ms = db->replay_ms,
        .seals = atomic_load_explicit(&db->seals, memory_order_relaxed),
        .tier_builds = atomic_load_explicit(&db->tier_builds, memory_order_relaxed),
        .merges = atomic_load_explicit(&db->merges, memory_order_relaxed),
        .expired_parts = atomic_load_explicit(&db->expired_parts, memory_order_relaxed),
        .scrubbed_bytes = atomic_load_explicit(&db->scrubbed_bytes, memory_order_relaxed),
        .disk_level = atomic_load_explicit(&db->disk_level, memory_order_relaxed),
        .disk_free_bytes = atomic_load_explicit(&db->disk_free_bytes, memory_order_relaxed),
        .manifest_rebuilds = db->manifest_rebuilds,
        .tombstones_lost = db->tombstones_lost,
        .exemplar_files_damaged = db_exemplar_damage_count(db),
        .parts_quarantined = atomic_load_explicit(&db->parts_quarantined, memory_order_relaxed)};
    exemplar_store_counts(db->exemplars, &out->exemplars_taken, &out->exemplars_refused);
    memcpy(out->limit_refused, head.limit_refused, sizeof(out->limit_refused));
    part_statistics(db, out);
    if (db->wal != NULL) {
        struct wal_statistics wal;
        wal_statistics(db->wal, &wal);
        out->wal_segments = wal.segments;
        out->wal_bytes = wal.bytes;
        out->wal_syncs = wal.syncs;
    }
}

int tsdb_each_part(struct tsdb *db,
    int (*callback)(void *context, const struct tsdb_part_about *part), void *context)
{
    struct store_view *v = db_view(db);
    int status = 0;
    for (size_t i = 0; status == 0 && i < v->count; i++) {
        const struct store_part *p = v->parts[i];
        const struct part_info *info = part_info(p->part);
        char name[MANIFEST_NAME_MAX];
        manifest_part_name(&p->about, name);
        const struct tsdb_part_about about = {.name = str_of(name),
            .min_t = info->min_t,
            .max_t = info->max_t,
            .samples = info->samples,
            .bytes = info->file_bytes,
            .level = p->about.level,
            .resolution_ms = store_tier_resolution(p->about.tier)};
        status = callback(context, &about);
    }
    store_view_unref(v);
    return status;
}
