/* Where the bytes of a store are, and which metrics have most series: for whoever wonders why it grows. */
#include <stdlib.h>

#include "base/mem.h"
#include "db/db.h"
#include "span/span_files.h"

enum { METRICS_MAX = 1 << 20 };

/* One metric over all parts. A series counts in each part that has it. */
struct metric_use {
    struct str name; /* in the arena */
    uint64_t series, samples;
};

struct survey {
    struct arena arena;
    struct metric_use *metrics;
    size_t count, cap;
    uint32_t *metric_of; /* of the part at hand: shape -> metric */
    uint32_t shape_count;
    struct part_sizes total;
    uint64_t samples;
};

static int compare_names(const void *a, const void *b)
{
    return str_cmp(((const struct metric_use *)a)->name, ((const struct metric_use *)b)->name);
}

static int compare_series(const void *a, const void *b)
{
    const struct metric_use *x = a, *y = b;
    if (x->series != y->series) {
        return x->series > y->series ? -1 : 1;
    }
    return str_cmp(x->name, y->name);
}

/* ---- One part ---- */

static int on_target(void *context, uint32_t id, const struct label *labels, size_t count)
{
    (void)context, (void)id, (void)labels, (void)count;
    return 0;
}

/* A new entry for each shape; entries of one name are joined at the end. */
static int on_shape(void *context, uint32_t id, const struct label *labels, size_t count)
{
    struct survey *s = context;
    struct str name = STR("");
    for (size_t i = 0; i < count; i++) {
        name = str_eq_c(labels[i].name, LABEL_METRIC_NAME) ? labels[i].value : name;
    }
    int status = mem_array_grow(
        (void **)&s->metrics, &s->cap, s->count + 1, sizeof(*s->metrics), METRICS_MAX);
    char *copy = status == 0 ? arena_strndup(&s->arena, name.ptr, name.len) : NULL;
    if (copy == NULL || id >= s->shape_count) {
        return status != 0 ? status : ERR_NOMEM;
    }
    s->metric_of[id] = (uint32_t)s->count;
    s->metrics[s->count++] = (struct metric_use){str_make(copy, name.len), 0, 0};
    return 0;
}

static int count_group(
    struct survey *s, struct part *p, uint32_t index, struct part_buffer *buffer, struct err *e)
{
    const struct part_group *g = &part_groups(p)[index];
    struct part_schema schema = part_schema(p, g->schema);
    int status = 0;
    for (uint32_t c = 0; status == 0 && c < schema.column_count; c++) {
        struct metric_use *m = &s->metrics[s->metric_of[schema.columns[c].shape]];
        m->series += g->target_count;
        for (uint32_t t = 0; status == 0 && t < g->target_count; t++) {
            size_t count = 0;
            status = part_read(p, index, t, c, INT64_MIN, INT64_MAX, buffer, &count, e);
            m->samples += count;
        }
    }
    return status;
}

/* Joins entries of one name, so that the list stays as short as there are metrics. */
static void join_metrics(struct survey *s)
{
    size_t kept = 0;
    qsort(s->metrics, s->count, sizeof(*s->metrics), compare_names);
    for (size_t i = 0; i < s->count; i++) {
        if (kept > 0 && str_eq(s->metrics[kept - 1].name, s->metrics[i].name)) {
            s->metrics[kept - 1].series += s->metrics[i].series;
            s->metrics[kept - 1].samples += s->metrics[i].samples;
        } else {
            s->metrics[kept++] = s->metrics[i];
        }
    }
    s->count = kept;
}

static int survey_part(struct survey *s, struct part *p, struct err *e)
{
    const struct part_dictionary_handler handler = {s, on_target, on_shape};
    struct part_buffer buffer;
    s->shape_count = part_info(p)->shape_count;
    s->metric_of = mem_calloc(s->shape_count + 1, sizeof(*s->metric_of));
    part_buffer_init(&buffer);
    int status = s->metric_of != NULL ? part_read_dictionary(p, &handler, e) : ERR_NOMEM;
    for (uint32_t i = 0; status == 0 && i < part_info(p)->group_count; i++) {
        status = count_group(s, p, i, &buffer, e);
    }
    part_buffer_release(&buffer);
    mem_free(s->metric_of);
    if (s->count > 0) {
        join_metrics(s);
    }
    return status;
}

/* ---- What is printed ---- */

static double per_sample(uint64_t bytes, uint64_t samples)
{
    return samples > 0 ? (double)bytes / (double)samples : 0;
}

static void write_sizes(
    struct strbuf *out, const char *name, const struct part_sizes *sizes, uint64_t samples)
{
    strbuf_addf(out,
        "%-24s %14llu bytes %14llu samples %8.3f B/sample: values %.3f, times %.3f, dictionary "
        "%.3f, "
        "index %.3f\n",
        name, (unsigned long long)sizes->file, (unsigned long long)samples,
        per_sample(sizes->file, samples), per_sample(sizes->values, samples),
        per_sample(sizes->times, samples), per_sample(sizes->dictionary, samples),
        per_sample(sizes->index, samples));
}

static int add_part(struct survey *s, const struct tsdb *db, const struct manifest_part *about,
    struct strbuf *out, struct err *e)
{
    char path[DB_PATH_MAX], name[MANIFEST_NAME_MAX];
    struct part *p = NULL;
    struct part_sizes sizes;
    int status = db_part_path(db, about, path);
    if (status == 0) {
        status = part_open(db->fs, path, NULL, &p, e);
    }
    if (status != 0) {
        return status;
    }
    uint64_t samples = part_info(p)->samples;
    manifest_part_name(about, name);
    part_sizes(p, &sizes);
    write_sizes(out, name, &sizes, samples);
    if (about->tier == STORE_RAW) {
        status = survey_part(s, p, e);
        s->samples += samples;
        s->total.file += sizes.file;
        s->total.values += sizes.values;
        s->total.times += sizes.times;
        s->total.dictionary += sizes.dictionary;
        s->total.index += sizes.index;
    }
    part_unref(p);
    return status;
}

static void write_metrics(struct survey *s, size_t top, struct strbuf *out)
{
    if (s->count == 0) {
        return;
    }
    qsort(s->metrics, s->count, sizeof(*s->metrics), compare_series);
    strbuf_addf(out,
        "\n%zu metrics; those of most series, each counted once in every part that has it:\n",
        s->count);
    for (size_t i = 0; i < s->count && i < top; i++) {
        const struct metric_use *m = &s->metrics[i];
        strbuf_addf(out, "%10llu series %14llu samples  %.*s\n", (unsigned long long)m->series,
            (unsigned long long)m->samples, STR_ARG(m->name));
    }
}

int tsdb_stats(const struct tsdb_options *options, size_t top, struct strbuf *out, struct err *e)
{
    struct tsdb db = {.fs = options->vfs != NULL ? options->vfs : vfs_posix(),
        .path = (char *)(uintptr_t)options->path};
    struct survey s = {.metrics = NULL};
    char path[DB_PATH_MAX];
    manifest_init(&db.manifest);
    arena_init(&s.arena, 0);
    int status = db_path(&db, "MANIFEST", path);
    if (status == 0) {
        status = manifest_load(db.fs, path, &db.manifest, e);
    }
    for (uint32_t i = 0; status == 0 && i < db.manifest.count; i++) {
        status = add_part(&s, &db, &db.manifest.parts[i], out, e);
    }
    if (status == 0) {
        write_sizes(out, "all raw parts", &s.total, s.samples);
        write_metrics(&s, top, out);
        status = db_path(&db, SPAN_FILES_DIRECTORY, path);
    }
    status = status == 0 ? span_files_stats(db.fs, path, out, e) : status;
    if (status == 0) {
        status = strbuf_error(out);
    }
    mem_free(s.metrics);
    arena_release(&s.arena);
    manifest_release(&db.manifest);
    return status == 0 || (e != NULL && e->code == status)
               ? status
               : err_set(e, status, -1, "%s: %s", options->path, err_text(status));
}
