/* Writing exemplars to files before their log goes, reading them, and keeping the files few.
 *
 * A flush makes one file for each day it has exemplars of, every few minutes; a day of many small files
 * becomes one. Readers look at memory first and at files then, so that what a flush moves between the two
 * is seen. A file that a merge removes under a reader's hands makes the reader look again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "db/store_files.h"
#include "db/store_querier.h"
#include "exemplar/exemplar_block.h"
#include "exemplar/exemplar_collect.h"
#include "exemplar/exemplar_store.h"

/* A block that has this much is closed. */
#define BLOCK_PLAIN_FULL ((size_t)64 << 20)
/* Files of one day from which on they are merged; larger ones stay as they are. */
enum { FILES_OF_DAY = 16 };
#define MERGED_FILE_MAX ((uint64_t)1 << 20)
/* Files of one merge. */
enum { MERGED_FILES_MAX = 64 };
/* Memory of one merge. */
#define MERGE_ARENA_MAX ((size_t)1 << 30)
/* How often a reader looks again. */
enum { READ_ATTEMPTS = 3 };
enum { NAME_MAX_BYTES = 40 };
/* Days that samples may have; other directories are not ours. */
#define DAY_MAX (SAMPLE_TIME_MAX / DAY_MS + 1)

/* ---- Names ---- */

static int directory_path(const struct tsdb *db, int64_t day, char *buffer)
{
    int written = snprintf(buffer, DB_PATH_MAX, "%s/exemplars/%lld", db->path, (long long)day);
    return written > 0 && written < DB_PATH_MAX ? 0 : ERR_LIMIT;
}

static bool parse_day(const char *name, bool is_directory, int64_t *day_out)
{
    return is_directory && str_to_i64(str_of(name), day_out) == 0 && *day_out <= DAY_MAX &&
           *day_out >= -DAY_MAX;
}

static bool parse_sequence(const char *name, uint64_t *sequence_out)
{
    return str_starts_with(str_of(name), STR("e-")) &&
           str_to_u64(str_of(name + 2), sequence_out) == 0;
}

/* ---- Walking ---- */

struct walk {
    const struct tsdb *db;
    int64_t first_day, last_day;
    int64_t day;
    int (*on_file)(void *context, const char *path);
    void *context;
};

static int walk_file(void *context, const char *name, bool is_directory)
{
    const struct walk *w = context;
    char path[DB_PATH_MAX];
    uint64_t sequence;
    if (is_directory || !parse_sequence(name, &sequence)) {
        return 0;
    }
    int written = snprintf(path, sizeof(path), "%s/exemplars/%lld/%.*s", w->db->path,
        (long long)w->day, NAME_MAX_BYTES, name);
    return written > 0 && written < DB_PATH_MAX ? w->on_file(w->context, path) : ERR_LIMIT;
}

static int walk_day(void *context, const char *name, bool is_directory)
{
    struct walk *w = context;
    char path[DB_PATH_MAX];
    if (!parse_day(name, is_directory, &w->day) || w->day < w->first_day || w->day > w->last_day) {
        return 0;
    }
    int status = directory_path(w->db, w->day, path);
    status = status == 0 ? vfs_list(w->db->fs, path, walk_file, w) : status;
    return status == ERR_NOT_FOUND ? 0 : status;
}

static int walk_days(
    const struct tsdb *db, int (*callback)(void *, const char *, bool), void *context)
{
    char path[DB_PATH_MAX];
    int status = db_path(db, "exemplars", path);
    status = status == 0 ? vfs_list(db->fs, path, callback, context) : status;
    return status == ERR_NOT_FOUND ? 0 : status;
}

int db_exemplars_each_file(const struct tsdb *db, int64_t min_t, int64_t max_t,
    int (*callback)(void *context, const char *path), void *context)
{
    struct walk w = {.db = db,
        .first_day = db_day_of(min_t),
        .last_day = db_day_of(max_t),
        .on_file = callback,
        .context = context};
    return walk_days(db, walk_day, &w);
}

/* ---- Opening ---- */

static int note_sequence(void *context, const char *path)
{
    struct tsdb *db = context;
    uint64_t sequence = 0;
    if (parse_sequence(strrchr(path, '/') + 1, &sequence) && sequence >= db->exemplar_sequence) {
        db->exemplar_sequence = sequence + 1;
    }
    return 0;
}

int db_exemplars_open(struct tsdb *db, struct err *e)
{
    int status = exemplar_store_new(db->options.exemplars_per_minute, &db->exemplars);
    if (status == 0) {
        status = db_exemplars_each_file(db, INT64_MIN, INT64_MAX, note_sequence, db);
    }
    return status == 0 ? 0 : err_set(e, status, -1, "exemplars: %s", err_text(status));
}

/* ---- Writing ---- */

static int make_day(struct tsdb *db, int64_t day, char *path)
{
    int status = db_path(db, "exemplars", path);
    status = status == 0 ? db_make_directory(db, path) : status;
    status = status == 0 ? directory_path(db, day, path) : status;
    return status == 0 ? db_make_directory(db, path) : status;
}

/* What the writer has, as a file of its own; the writer is empty after. */
static int write_block(struct tsdb *db, int64_t day, struct exemplar_writer *w)
{
    char path[DB_PATH_MAX];
    struct strbuf file;
    strbuf_init(&file, EXEMPLAR_BLOCK_FILE_MAX);
    int status = exemplar_writer_finish(w, &file);
    if (status == 0) {
        status = make_day(db, day, path);
    }
    if (status == 0) {
        size_t length = strlen(path);
        int written = snprintf(path + length, DB_PATH_MAX - length, "/e-%08llu",
            (unsigned long long)db->exemplar_sequence++);
        status = written > 0 && (size_t)written < DB_PATH_MAX - length ? 0 : ERR_LIMIT;
    }
    if (status == 0) {
        status = vfs_write_file_atomic(db->fs, path, file.data, file.size);
    }
    strbuf_release(&file);
    exemplar_writer_release(w);
    exemplar_writer_init(w);
    return status;
}

static bool is_full(const struct exemplar_writer *w)
{
    return w->plain.size >= BLOCK_PLAIN_FULL;
}

/* The frozen exemplars of one series that belong to a day. */
static void add_series(struct tsdb *db, uint64_t key, int64_t day, struct exemplar_writer *w)
{
    const struct exemplar_item *items;
    struct label pairs[2 * LABELS_COUNT_MAX];
    size_t count, of_day = 0;
    exemplar_store_frozen(db->exemplars, key, &items, &count);
    for (size_t i = 0; i < count; i++) {
        of_day += db_day_of(items[i].t_ms) == day;
    }
    if (of_day == 0) {
        return;
    }
    size_t labels = index_series_labels(db->index, (uint32_t)(key >> 32), (uint32_t)key, pairs);
    exemplar_writer_series(w, pairs, labels, of_day);
    for (size_t i = 0; i < count; i++) {
        if (db_day_of(items[i].t_ms) == day) {
            exemplar_writer_add(w, items[i].t_ms, items[i].value, items[i].labels);
        }
    }
}

static int write_day(struct tsdb *db, const uint64_t *keys, size_t count, int64_t day)
{
    struct exemplar_writer w;
    int status = 0;
    exemplar_writer_init(&w);
    for (size_t i = 0; status == 0 && i < count; i++) {
        add_series(db, keys[i], day, &w);
        if (is_full(&w)) {
            status = write_block(db, day, &w);
        }
    }
    if (status == 0 && w.series > 0) {
        status = write_block(db, day, &w);
    }
    exemplar_writer_release(&w);
    return status;
}

/* The lowest day above `day` that a frozen exemplar has; INT64_MAX when there is none. */
static int64_t next_day(struct tsdb *db, const uint64_t *keys, size_t count, int64_t day)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct exemplar_item *items;
        size_t n;
        exemplar_store_frozen(db->exemplars, keys[i], &items, &n);
        for (size_t k = 0; k < n; k++) {
            int64_t d = db_day_of(items[k].t_ms);
            next = d > day && d < next ? d : next;
        }
    }
    return next;
}

static int write_frozen(struct tsdb *db)
{
    uint64_t *keys = NULL;
    size_t count = 0;
    int status = exemplar_store_keys(db->exemplars, &keys, &count);
    int64_t day = INT64_MIN;
    while (status == 0 && (day = next_day(db, keys, count, day)) != INT64_MAX) {
        status = write_day(db, keys, count, day);
    }
    mem_free(keys);
    return status;
}

int db_exemplars_flush(struct tsdb *db, uint64_t floor, struct err *e)
{
    /* Twice, when a flush that failed had set something aside. */
    while (exemplar_store_oldest_lsn(db->exemplars) <= floor &&
           exemplar_store_freeze(db->exemplars) > 0) {
        int status = write_frozen(db);
        if (status != 0) {
            return err_set(e, status, -1, "exemplars: %s", err_text(status));
        }
        exemplar_store_drop_frozen(db->exemplars);
    }
    return 0;
}

/* ---- Reading ---- */

/* Sentences about files that could not be read; further ones are not told. */
enum { WARNINGS_MAX = 16 };

struct reading {
    struct tsdb *db;
    struct exemplar_collector *collector;
    bool vanished; /* a file that was listed is gone */
    const char **warnings;
    size_t warning_count;
};

/* Says of a day that some of its exemplars are missing; once a file, also when it is looked at again. */
static int tell(struct reading *r, const char *path)
{
    struct arena *arena = r->collector->arena;
    if (r->warnings == NULL) {
        r->warnings = arena_calloc(arena, WARNINGS_MAX, sizeof(*r->warnings));
    }
    const size_t cap = DB_PATH_MAX + 80;
    char *sentence = r->warnings != NULL ? arena_alloc(arena, cap) : NULL;
    if (sentence == NULL) {
        return arena_error(arena);
    }
    (void)snprintf(sentence, cap, "exemplars are damaged and missing from the answer (%s)", path);
    for (size_t i = 0; i < r->warning_count; i++) {
        if (strcmp(r->warnings[i], sentence) == 0) {
            return 0;
        }
    }
    if (r->warning_count < WARNINGS_MAX) {
        r->warnings[r->warning_count++] = sentence;
    }
    return 0;
}

/* A damaged file is named in the log and in the answer, and passed over: the rest is served (promise 9). */
static int read_file(void *context, const char *path)
{
    struct reading *r = context;
    uint64_t sequence = 0;
    (void)parse_sequence(strrchr(path, '/') + 1, &sequence); // it was walked to by this name
    if (db_exemplar_damage_has(r->db, sequence)) {
        return tell(r, path);
    }
    const struct exemplar_reader reader = {
        r->collector, exemplar_collect_series, exemplar_collect_exemplar};
    struct err e = ERR_INIT;
    char *data = NULL;
    size_t size = 0;
    int status = vfs_read_file(r->db->fs, path, EXEMPLAR_BLOCK_FILE_MAX, &data, &size);
    if (status == ERR_NOT_FOUND) {
        r->vanished = true;
        return 0;
    }
    struct exemplar_block_info info;
    struct str file = str_make(data, size);
    if (status == 0) {
        status = exemplar_block_header(file, &info, &e);
    }
    if (status == 0 && info.min_t <= r->collector->max_t && info.max_t >= r->collector->min_t) {
        status = exemplar_block_read(file, &reader, NULL, &e);
    }
    mem_free(data);
    if (status == ERR_CORRUPT || status == ERR_UNSUPPORTED) {
        db_exemplar_damage_note(r->db, sequence, path, e.message);
        return tell(r, path);
    }
    return status;
}

static int read_items(struct exemplar_collector *c, const struct exemplar_item *items, size_t count)
{
    struct label labels[LABELS_COUNT_MAX];
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct decbuf in = decbuf_of(items[i].labels.ptr, items[i].labels.len);
        size_t n = 0;
        status = exemplar_labels_decode(&in, labels, &n);
        if (status == 0) {
            status = exemplar_collect_exemplar(c, items[i].t_ms, items[i].value, labels, n);
        }
    }
    return status;
}

static int read_memory(struct tsdb *db, struct exemplar_collector *c)
{
    uint64_t *keys = NULL;
    size_t count = 0;
    uint64_t pin = index_pin(db->index);
    int status = exemplar_store_keys(db->exemplars, &keys, &count);
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct label pairs[2 * LABELS_COUNT_MAX];
        size_t n =
            index_series_labels(db->index, (uint32_t)(keys[i] >> 32), (uint32_t)keys[i], pairs);
        int wanted = exemplar_collect_series(c, pairs, n);
        status = wanted < 0 ? wanted : 0;
        if (wanted == 1) {
            struct exemplar_item *items;
            status = exemplar_store_read(
                db->exemplars, keys[i], c->min_t, c->max_t, c->arena, &items, &n);
            status = status == 0 ? read_items(c, items, n) : status;
        }
    }
    index_unpin(db->index, pin);
    mem_free(keys);
    return status;
}

int db_querier_exemplars(struct querier *q, const struct select_request *request,
    struct arena *arena, struct exemplar_list *list_out, struct err *e)
{
    struct tsdb *db = db_querier_of(q)->db;
    struct exemplar_collector c = {.arena = arena,
        .matchers = request->matchers,
        .matcher_count = request->matcher_count,
        .min_t = request->min_t,
        .max_t = request->max_t};
    struct reading r = {.db = db, .collector = &c, .vanished = true};
    int status = read_memory(db, &c);
    for (int i = 0; status == 0 && r.vanished && i < READ_ATTEMPTS; i++) {
        r.vanished = false;
        status = db_exemplars_each_file(db, request->min_t, request->max_t, read_file, &r);
    }
    if (status == 0) {
        status = exemplar_collector_finish(&c, list_out);
    }
    exemplar_collector_release(&c);
    if (status == 0) {
        list_out->warnings = r.warnings;
        list_out->warning_count = r.warning_count;
    }
    if (status == ERR_LIMIT) {
        return err_set(e, status, -1,
            "more than %zu exemplars, or more memory than a query may take: "
            "ask for less time or fewer series",
            EXEMPLARS_COLLECTED_MAX);
    }
    return status == 0 ? 0 : err_set(e, status, -1, "exemplars: %s", err_text(status));
}

/* ---- Merging ---- */

struct merging {
    struct tsdb *db;
    struct arena arena;
    char **paths; /* in the arena */
    size_t count, cap;
};

static int note_small_file(void *context, const char *path)
{
    struct merging *m = context;
    struct vfs_file *file = NULL;
    uint64_t size = 0, sequence = 0;
    if (!parse_sequence(strrchr(path, '/') + 1, &sequence) ||
        db_exemplar_damage_has(m->db, sequence)) {
        return 0; // it stays as it is
    }
    int status = vfs_open(m->db->fs, path, VFS_READ, &file);
    status = status == 0 ? vfs_size(m->db->fs, file, &size) : status;
    vfs_close(m->db->fs, file);
    if (status != 0 || size > MERGED_FILE_MAX || m->count >= MERGED_FILES_MAX) {
        return status == ERR_NOT_FOUND ? 0 : status;
    }
    char *copy = arena_strndup(&m->arena, path, strlen(path));
    status = copy != NULL ? mem_array_grow((void **)&m->paths, &m->cap, m->count + 1,
                                sizeof(*m->paths), MERGED_FILES_MAX)
                          : arena_error(&m->arena);
    if (status == 0) {
        m->paths[m->count++] = copy;
    }
    return status;
}

static void write_series(
    const struct exemplar_series *s, struct strbuf *blob, struct exemplar_writer *w)
{
    exemplar_writer_series(w, labels_pairs(s->labels), labels_count(s->labels), s->count);
    for (size_t i = 0; i < s->count; i++) {
        const struct exemplar *x = &s->items[i];
        strbuf_reset(blob);
        exemplar_labels_encode(labels_pairs(x->labels), labels_count(x->labels), blob);
        w->plain.error = w->plain.error == 0 ? strbuf_error(blob) : w->plain.error;
        exemplar_writer_add(w, x->t_ms, x->value, strbuf_str(blob));
    }
}

/* A damaged file is no reason to lose it: then nothing is merged, and the next time it is left aside. */
static int read_strictly(struct merging *m, struct exemplar_collector *c, bool *damaged)
{
    const struct exemplar_reader reader = {c, exemplar_collect_series, exemplar_collect_exemplar};
    struct err e = ERR_INIT;
    int status = 0;
    for (size_t i = 0; status == 0 && i < m->count; i++) {
        char *data = NULL;
        size_t size = 0;
        status = vfs_read_file(m->db->fs, m->paths[i], EXEMPLAR_BLOCK_FILE_MAX, &data, &size);
        if (status == 0) {
            status = exemplar_block_read(str_make(data, size), &reader, NULL, &e);
        }
        mem_free(data);
        *damaged = status == ERR_CORRUPT || status == ERR_UNSUPPORTED;
        uint64_t sequence = 0;
        if (*damaged && parse_sequence(strrchr(m->paths[i], '/') + 1, &sequence)) {
            db_exemplar_damage_note(m->db, sequence, m->paths[i], e.message);
        }
    }
    return *damaged ? 0 : status;
}

static int merge_files(struct merging *m, int64_t day)
{
    struct exemplar_collector c = {.arena = &m->arena, .min_t = INT64_MIN, .max_t = INT64_MAX};
    struct exemplar_list list = {0};
    struct exemplar_writer w;
    struct strbuf blob = STRBUF_INIT;
    bool damaged = false;
    exemplar_writer_init(&w);
    int status = read_strictly(m, &c, &damaged);
    if (status == 0 && !damaged) {
        status = exemplar_collector_finish(&c, &list);
    }
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        write_series(&list.series[i], &blob, &w);
    }
    if (status == 0 && w.series > 0) {
        status = write_block(m->db, day, &w);
        for (size_t i = 0; status == 0 && i < m->count; i++) {
            /* What stays for an error is read once more, and once only counted. */
            (void)vfs_remove(m->db->fs, m->paths[i]);
        }
    }
    exemplar_collector_release(&c);
    exemplar_writer_release(&w);
    strbuf_release(&blob);
    return status;
}

static int merge_day(struct tsdb *db, int64_t day)
{
    struct merging m = {.db = db};
    arena_init(&m.arena, MERGE_ARENA_MAX);
    int status = db_exemplars_each_file(db, day * DAY_MS, day * DAY_MS, note_small_file, &m);
    if (status == 0 && m.count >= FILES_OF_DAY) {
        status = merge_files(&m, day);
        status = status == ERR_LIMIT ? 0 : status; // too much for one file: they stay
    }
    mem_free(m.paths);
    arena_release(&m.arena);
    return status;
}

/* ---- Retention ---- */

struct tidying {
    struct tsdb *db;
    int64_t keep_from; /* day */
    bool did_work;
};

static int tidy_day(void *context, const char *name, bool is_directory)
{
    struct tidying *t = context;
    int64_t day = 0;
    char path[DB_PATH_MAX];
    if (!parse_day(name, is_directory, &day)) {
        return 0;
    }
    if (day >= t->keep_from) {
        return merge_day(t->db, day);
    }
    int status = directory_path(t->db, day, path);
    t->did_work = true;
    return status == 0 ? store_directory_remove(t->db->fs, path) : status;
}

int db_exemplars_tidy(struct tsdb *db, bool *did_work, struct err *e)
{
    int64_t now = clock_monotonic_ms(db->clock);
    if (now - db->exemplars_tidied_ms < db->options.seal_interval_ms) {
        return 0;
    }
    db->exemplars_tidied_ms = now;
    int64_t retention_ms = db->options.exemplar_retention_ms;
    struct tidying t = {.db = db, .keep_from = INT64_MIN};
    if (retention_ms > 0) {
        t.keep_from = db_day_of(clock_now_ms(db->clock) - retention_ms);
    }
    int status = walk_days(db, tidy_day, &t);
    *did_work = *did_work || t.did_work;
    return status == 0 ? 0 : err_set(e, status, -1, "exemplars: %s", err_text(status));
}
