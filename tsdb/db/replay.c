/* The log back into the head.
 *
 * Ids of the log mean something inside one segment: they are mapped through the index, by labels, to
 * columns of today's tables. Rows that the floor of their slice covers are in parts already. Floors go
 * by the targets of the log; when today's differ, all of it is sealed at once (db->resplit), before
 * any floor moves.
 */
#include "base/mem.h"
#include "db/db.h"
#include "exemplar/exemplar_block.h"

struct replay_column {
    struct series_ref ref;
    enum column_kind kind;
};

/* A target of the current segment. */
struct replay_target {
    uint32_t target; /* of the index */
    uint64_t floor;
    struct replay_column *columns;
    size_t count, cap;
    /* All columns are those of one table, at the same positions: a row goes through unchanged. */
    bool straight;
    bool canonical; /* its labels are those that belong to targets today */
};

struct replay_shape {
    uint32_t shape; /* of the index */
    bool canonical; /* none of its labels belongs to targets today */
};

struct replay {
    struct tsdb *db;
    struct replay_target *targets;
    size_t target_cap;
    struct replay_shape *shapes;
    size_t shape_cap;
    uint32_t *columns; /* of one row */
    double *values;
    size_t row_cap, value_cap;
};

/* Ids of one segment. */
#define REPLAY_IDS_MAX ((size_t)1 << 30)

static void forget(struct replay *r)
{
    for (size_t i = 0; i < r->target_cap; i++) {
        mem_free(r->targets[i].columns);
        r->targets[i] = (struct replay_target){0};
    }
}

static int on_segment(void *context, uint64_t sequence)
{
    (void)sequence;
    forget(context);
    return 0;
}

/* Are all labels of a target, or none of a shape, identity labels of today? */
static bool is_canonical(struct replay *r, const struct label *labels, size_t count, bool identity)
{
    for (size_t i = 0; i < count; i++) {
        if (head_is_identity(r->db->head, labels[i].name) != identity) {
            return false;
        }
    }
    return true;
}

static int on_target(void *context, uint32_t id, const struct label *labels, size_t count)
{
    struct replay *r = context;
    size_t before = r->target_cap;
    int status = mem_array_grow(
        (void **)&r->targets, &r->target_cap, (size_t)id + 1, sizeof(*r->targets), REPLAY_IDS_MAX);
    for (size_t i = before; i < r->target_cap; i++) {
        r->targets[i] = (struct replay_target){0};
    }
    uint32_t target = 0;
    if (status == 0) {
        status = index_add(r->db->index, INDEX_TARGETS, labels, count, &target);
    }
    if (status == 0) {
        uint32_t slice = head_slice(index_labels(r->db->index, INDEX_TARGETS, target));
        mem_free(r->targets[id].columns);
        r->targets[id] = (struct replay_target){.target = target,
            .floor = r->db->manifest.floors[slice],
            .straight = true,
            .canonical = is_canonical(r, labels, count, true)};
    }
    return status;
}

static int on_shape(void *context, uint32_t id, const struct label *labels, size_t count)
{
    struct replay *r = context;
    int status = mem_array_grow(
        (void **)&r->shapes, &r->shape_cap, (size_t)id + 1, sizeof(*r->shapes), REPLAY_IDS_MAX);
    if (status != 0) {
        return status;
    }
    r->shapes[id].canonical = is_canonical(r, labels, count, false);
    return index_add(r->db->index, INDEX_SHAPES, labels, count, &r->shapes[id].shape);
}

/* The log was written with other identity labels: the series is found by its whole label set, so that
 * it has one column, whoever wrote it. */
static int find_resplit(struct replay *r, uint32_t target, uint32_t shape, struct series_ref *ref)
{
    struct label pairs[2 * LABELS_COUNT_MAX];
    size_t count = index_series_labels(r->db->index, target, shape, pairs);
    r->db->resplit = true;
    return head_series(r->db->head, pairs, count, ref, NULL);
}

static int find_column(struct replay *r, const struct replay_target *t,
    const struct replay_shape *shape, enum column_kind kind, struct series_ref *ref)
{
    if (t->canonical && shape->canonical) {
        return head_column(r->db->head, t->target, shape->shape, kind, ref);
    }
    int status = find_resplit(r, t->target, shape->shape, ref);
    if (status == 0 && kind != COLUMN_FLOAT) {
        uint32_t target = 0, own_shape = 0;
        /* Nothing is let go while the log is read. */
        status = head_describe(r->db->head, *ref, &target, &own_shape)
                     ? head_column(r->db->head, target, own_shape, kind, ref)
                     : ERR_INTERNAL;
    }
    return status;
}

static int on_columns(
    void *context, uint32_t id, uint32_t first, const struct column *columns, uint32_t count)
{
    struct replay *r = context;
    struct replay_target *t = &r->targets[id];
    int status = mem_array_grow((void **)&t->columns, &t->cap, (size_t)first + count,
        sizeof(*t->columns), TABLE_COLUMNS_MAX);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        struct replay_column *c = &t->columns[first + i];
        c->kind = (enum column_kind)columns[i].kind;
        status = find_column(r, t, &r->shapes[columns[i].shape], c->kind, &c->ref);
        t->straight =
            t->straight && c->ref.column == first + i && c->ref.target == t->columns[0].ref.target;
    }
    t->count = (size_t)first + count > t->count ? (size_t)first + count : t->count;
    return status;
}

static int row_reserve(struct replay *r, size_t count)
{
    int status = mem_array_grow(
        (void **)&r->columns, &r->row_cap, count, sizeof(*r->columns), TABLE_COLUMNS_MAX);
    return status == 0 ? mem_array_grow((void **)&r->values, &r->value_cap, count,
                             sizeof(*r->values), TABLE_COLUMNS_MAX)
                       : status;
}

/* The columns of the row went to different places: runs that ascend within one table. */
static int replay_scattered(struct replay *r, const struct replay_target *t, uint64_t lsn,
    int64_t t_ms, const uint32_t *columns, const double *values, size_t count)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < count;) {
        uint32_t table = t->columns[columns[i]].ref.target;
        uint32_t n = 0;
        for (; i < count; i++) {
            struct series_ref ref = t->columns[columns[i]].ref;
            if (ref.target != table || (n > 0 && ref.column <= r->columns[n - 1])) {
                break;
            }
            r->columns[n] = ref.column;
            r->values[n++] = values[i];
        }
        status = head_replay_row(r->db->head, lsn, table, t_ms, r->columns, r->values, n);
    }
    return status;
}

static int on_row(void *context, uint64_t lsn, uint32_t id, int64_t t_ms, const uint32_t *columns,
    const double *values, size_t count)
{
    struct replay *r = context;
    const struct replay_target *t = &r->targets[id];
    if (lsn <= t->floor) {
        return 0;
    }
    int status = row_reserve(r, count);
    if (status != 0) {
        return status;
    }
    if (!t->straight) {
        return replay_scattered(r, t, lsn, t_ms, columns, values, count);
    }
    for (size_t i = 0; i < count; i++) {
        r->columns[i] = columns[i];
        r->values[i] = values[i];
    }
    return head_replay_row(
        r->db->head, lsn, t->columns[0].ref.target, t_ms, r->columns, r->values, (uint32_t)count);
}

static int on_histogram(
    void *context, uint64_t lsn, uint32_t id, int64_t t_ms, uint32_t column, struct str bytes)
{
    struct replay *r = context;
    const struct replay_target *t = &r->targets[id];
    if (lsn <= t->floor) {
        return 0;
    }
    struct series_ref ref = t->columns[column].ref;
    return head_replay_histogram(r->db->head, lsn, ref.target, t_ms, ref.column, bytes);
}

static int on_metadata(void *context, uint64_t lsn, struct str metric, enum metric_type type,
    struct str help, struct str unit)
{
    struct replay *r = context;
    (void)lsn;
    int status = metadata_set(head_metadata(r->db->head), metric, type, help, unit);
    return status < 0 ? status : 0;
}

static int on_exemplar(void *context, uint64_t lsn, uint32_t id, uint32_t column, int64_t t_ms,
    double value, const struct label *labels, size_t count)
{
    struct replay *r = context;
    struct strbuf blob = STRBUF_INIT;
    uint32_t target = 0, shape = 0;
    head_describe(r->db->head, r->targets[id].columns[column].ref, &target, &shape);
    exemplar_labels_encode(labels, count, &blob);
    struct exemplar_item item = {t_ms, value, strbuf_str(&blob)};
    int status = strbuf_error(&blob);
    if (status == 0) {
        status = exemplar_store_add(r->db->exemplars, lsn, exemplar_key(target, shape), &item);
    }
    strbuf_release(&blob);
    return status == ERR_NOMEM ? status : 0; // refused then as it would be now
}

int db_replay(struct tsdb *db, struct err *e)
{
    char path[DB_PATH_MAX];
    if (db_path(db, "wal", path) != 0) {
        return err_set(e, ERR_LIMIT, -1, "the path %s is too long", db->path);
    }
    struct replay r = {.db = db};
    const struct wal_handler handler = {.context = &r,
        .segment = on_segment,
        .target = on_target,
        .shape = on_shape,
        .columns = on_columns,
        .row = on_row,
        .histogram = on_histogram,
        .metadata = on_metadata,
        .exemplar = on_exemplar};
    int64_t started = clock_monotonic_ms(db->clock);
    int status = wal_replay(db->fs, path, !db->options.read_only, &handler, &db->replay, e);
    status = status == ERR_NOT_FOUND ? 0 : status;
    db->replay_ms = clock_monotonic_ms(db->clock) - started;
    forget(&r);
    mem_free(r.targets);
    mem_free(r.shapes);
    mem_free(r.columns);
    mem_free(r.values);
    return status;
}
