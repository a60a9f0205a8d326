/* The transaction of one writer: samples are sorted into runs, cells of one table at one time, as they
 * come, and handed to the group commit.
 *
 * A sample costs an append to one array and, for a sender in step, no search at all: it belongs to the
 * run of the sample before, or to the run after that one (several times for each series), or to the
 * first run of its table. Commit then scatters the samples to their runs.
 */
#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "exemplar/exemplar_block.h"
#include "head/head_private.h"

/* Samples, histograms, exemplars and metadata of one transaction. */
#define APPENDER_ITEMS_MAX ((size_t)1 << 26)
/* Bytes of histograms, exemplars and texts of one transaction. */
#define APPENDER_ARENA_MAX ((size_t)512 << 20)
/* Runs that are looked at, newest first, before a new one is begun. */
enum { RUNS_SEARCHED = 16 };

struct pending {
    double value;
    uint32_t column;
    uint32_t run;
};

/* Samples of refused series, metric by metric as they came. */
struct lost_samples {
    struct str metric;
    uint64_t samples;
};

struct head_appender {
    struct appender appender;
    struct head *h;
    int64_t min_t, max_t; /* accepted times */
    struct key_cache *cache;
    uint32_t cursor;      /* of the cache */
    uint32_t known_table; /* + 1: that was there when it was last looked at */
    struct pending *samples;
    size_t sample_count, sample_cap;
    struct commit_run *runs;
    size_t run_count, run_cap;
    uint32_t run;         /* of the last sample */
    uint32_t table_first; /* first run of the current table */
    struct arena arena;
    struct commit_histogram *histograms;
    size_t histogram_count, histogram_cap;
    struct commit_exemplar *exemplars;
    size_t exemplar_count, exemplar_cap;
    struct commit_metadata *metadata;
    size_t metadata_count, metadata_cap;
    struct lost_samples *lost;
    size_t lost_count, lost_cap;
    struct append_counts counts;
};

static struct head_appender *self_of(struct appender *a)
{
    return (struct head_appender *)a;
}

static void appender_release(struct head_appender *self)
{
    mem_free(self->samples);
    mem_free(self->runs);
    mem_free(self->histograms);
    mem_free(self->exemplars);
    mem_free(self->metadata);
    mem_free(self->lost);
    arena_release(&self->arena);
    key_cache_unref(self->cache);
    mem_free(self);
}

/* ---- Series ---- */

static int op_lookup(struct appender *a, struct hash128 key, struct series_ref *ref_out)
{
    struct head_appender *self = self_of(a);
    if (key_cache_find(self->cache, key, &self->cursor, ref_out) == 0) {
        return 0;
    }
    if (ref_out->target + 1 != self->known_table) {
        if (head_table(self->h, ref_out->target) == NULL) {
            return 0; // it was let go: the series gets a new one
        }
        self->known_table = ref_out->target + 1;
    }
    return 1;
}

static int op_series(struct appender *a, const struct label *labels, size_t count,
    const struct hash128 *key, struct series_ref *ref_out, struct err *e)
{
    struct head_appender *self = self_of(a);
    int status = head_limited_series(self->h, labels, count, ref_out, e);
    if (status == 0 && key != NULL) {
        key_cache_add(self->cache, *key, *ref_out, &self->cursor);
    }
    return status;
}

/* ---- Samples ---- */

static int check_time(struct head_appender *self, int64_t t_ms)
{
    if (t_ms >= self->min_t && t_ms <= self->max_t) {
        return 0;
    }
    if (t_ms < self->min_t) {
        self->counts.too_old++;
    } else {
        self->counts.too_far_ahead++;
    }
    atomic_fetch_add_explicit(&self->h->samples_refused, 1, memory_order_relaxed);
    return ERR_RANGE;
}

static bool run_is(const struct head_appender *self, size_t run, uint32_t table, int64_t t_ms)
{
    return run < self->run_count && self->runs[run].table == table && self->runs[run].t_ms == t_ms;
}

/* The run of a sample that does not belong to the last one; made when there is none. */
static int find_run(struct head_appender *self, uint32_t table, int64_t t_ms)
{
    if (run_is(self, (size_t)self->run + 1, table, t_ms)) {
        self->run++;
        return 0;
    }
    if (run_is(self, self->table_first, table, t_ms)) {
        self->run = self->table_first;
        return 0;
    }
    size_t lowest = self->run_count > RUNS_SEARCHED ? self->run_count - RUNS_SEARCHED : 0;
    for (size_t i = self->run_count; i > lowest; i--) {
        if (run_is(self, i - 1, table, t_ms)) {
            self->run = (uint32_t)(i - 1);
            return 0;
        }
    }
    int status = mem_array_grow((void **)&self->runs, &self->run_cap, self->run_count + 1,
        sizeof(*self->runs), APPENDER_ITEMS_MAX);
    if (status != 0) {
        return status;
    }
    if (self->run_count == 0 || self->runs[self->run].table != table) {
        self->table_first = (uint32_t)self->run_count;
    }
    self->run = (uint32_t)self->run_count++;
    self->runs[self->run] = (struct commit_run){.table = table, .t_ms = t_ms};
    return 0;
}

static int op_append(struct appender *a, struct series_ref ref, int64_t t_ms, double value)
{
    struct head_appender *self = self_of(a);
    int status = check_time(self, t_ms);
    if (status == 0 && !run_is(self, self->run, ref.target, t_ms)) {
        status = find_run(self, ref.target, t_ms);
    }
    if (status == 0 && self->sample_count == self->sample_cap) {
        status = mem_array_grow((void **)&self->samples, &self->sample_cap, self->sample_count + 1,
            sizeof(*self->samples), APPENDER_ITEMS_MAX);
        self->counts.limited += status == ERR_LIMIT;
    }
    if (status != 0) {
        return status;
    }
    self->samples[self->sample_count++] = (struct pending){value, ref.column, self->run};
    self->runs[self->run].count++;
    self->counts.samples++;
    return 0;
}

/* The histogram column of the series whose float column `ref` is. */
static int histogram_column(struct head *h, struct series_ref ref, struct series_ref *out)
{
    uint32_t target = 0, shape = 0;
    if (!head_describe(h, ref, &target, &shape)) {
        return ERR_BUSY;
    }
    if (head_find_column(h, target, shape, COLUMN_HISTOGRAM, out)) {
        return 0;
    }
    /* A series is made and counted as one. The table may have left meanwhile, and its ids with it. */
    lock_take(&h->limits.lock);
    int status = head_describe(h, ref, &target, &shape)
                     ? head_column(h, target, shape, COLUMN_HISTOGRAM, out)
                     : ERR_BUSY;
    lock_give(&h->limits.lock);
    return status;
}

static int op_append_histogram(
    struct appender *a, struct series_ref ref, int64_t t_ms, const struct histogram *histogram)
{
    struct head_appender *self = self_of(a);
    int status = check_time(self, t_ms);
    struct series_ref column = {0, 0};
    if (status == 0) {
        status = histogram_column(self->h, ref, &column);
    }
    if (status == 0) {
        status = mem_array_grow((void **)&self->histograms, &self->histogram_cap,
            self->histogram_count + 1, sizeof(*self->histograms), APPENDER_ITEMS_MAX);
    }
    if (status != 0) {
        return status;
    }
    struct strbuf encoded;
    strbuf_init(&encoded, HISTOGRAM_CELL_BYTES_MAX);
    histogram_encode(histogram, &encoded);
    status = strbuf_error(&encoded);
    struct str bytes = strbuf_str(&encoded);
    void *copy = status == 0 ? arena_dup(&self->arena, bytes.ptr, bytes.len) : NULL;
    if (status == 0 && copy == NULL) {
        status = arena_error(&self->arena);
    }
    strbuf_release(&encoded);
    if (status != 0) {
        return status;
    }
    self->histograms[self->histogram_count++] = (struct commit_histogram){.table = column.target,
        .column = column.column,
        .t_ms = t_ms,
        .bytes = str_make(copy, bytes.len)};
    self->counts.histograms++;
    return 0;
}

/* ---- Exemplars and metadata ---- */

static int copy_str(struct arena *arena, struct str text, struct str *out)
{
    char *copy = arena_strndup(arena, text.len > 0 ? text.ptr : "", text.len);
    *out = str_make(copy, text.len);
    return copy != NULL ? 0 : arena_error(arena);
}

/* Labels in order and encoded, both in the transaction's memory. */
static int copy_exemplar_labels(
    struct head_appender *self, const struct label *labels, size_t count, struct commit_exemplar *x)
{
    struct label *copies = arena_calloc(&self->arena, count + 1, sizeof(*copies));
    int status = copies != NULL ? 0 : arena_error(&self->arena);
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = copy_str(&self->arena, labels[i].name, &copies[i].name);
        status = status == 0 ? copy_str(&self->arena, labels[i].value, &copies[i].value) : status;
    }
    status = status == 0 ? exemplar_labels_check(copies, &count) : status;
    struct strbuf encoded = STRBUF_INIT;
    if (status == 0) {
        exemplar_labels_encode(copies, count, &encoded);
        status = strbuf_error(&encoded);
    }
    if (status == 0) {
        status = copy_str(&self->arena, strbuf_str(&encoded), &x->encoded);
    }
    strbuf_release(&encoded);
    x->labels = copies;
    x->label_count = count;
    return status;
}

static int op_append_exemplar(struct appender *a, struct series_ref ref, const struct label *labels,
    size_t count, double value, int64_t t_ms)
{
    struct head_appender *self = self_of(a);
    struct exemplar_store *store = self->h->options.exemplars;
    struct commit_exemplar x = {.ref = ref, .t_ms = t_ms, .value = value};
    if (store == NULL || count > EXEMPLAR_LABEL_RUNES_MAX) {
        return store == NULL ? ERR_UNSUPPORTED : ERR_INVALID;
    }
    int status = t_ms < self->min_t || t_ms > self->max_t ? ERR_RANGE : 0;
    if (status == 0) {
        status = copy_exemplar_labels(self, labels, count, &x);
    }
    if (status == 0) {
        uint32_t target = 0, shape = 0;
        head_describe(self->h, ref, &target, &shape);
        x.key = exemplar_key(target, shape);
        struct exemplar_item item = {t_ms, value, x.encoded};
        status = exemplar_store_check(store, x.key, &item);
    }
    if (status == 0) {
        status = mem_array_grow((void **)&self->exemplars, &self->exemplar_cap,
            self->exemplar_count + 1, sizeof(*self->exemplars), APPENDER_ITEMS_MAX);
    }
    if (status != 0) {
        return status < 0 ? status : 0; // positive: there already
    }
    self->exemplars[self->exemplar_count++] = x;
    self->counts.exemplars++;
    return 0;
}

static int op_set_metadata(
    struct appender *a, struct str metric, enum metric_type type, struct str help, struct str unit)
{
    struct head_appender *self = self_of(a);
    if (metric.len == 0 || !metadata_differs(&self->h->metadata, metric, type, help, unit)) {
        return 0;
    }
    int status = mem_array_grow((void **)&self->metadata, &self->metadata_cap,
        self->metadata_count + 1, sizeof(*self->metadata), METADATA_METRICS_MAX);
    struct commit_metadata copy = {.type = type};
    if (status == 0) {
        status = copy_str(&self->arena, metric, &copy.metric);
    }
    if (status == 0) {
        status = copy_str(&self->arena, help, &copy.help);
    }
    if (status == 0) {
        status = copy_str(&self->arena, unit, &copy.unit);
    }
    if (status == 0) {
        self->metadata[self->metadata_count++] = copy;
    }
    return status;
}

/* Senders name the series of a metric together. Short of memory, the counts of the transaction are all
 * that tells. */
static void op_count_lost(struct appender *a, struct str metric, uint64_t samples)
{
    struct head_appender *self = self_of(a);
    self->counts.limited += samples;
    atomic_fetch_add_explicit(&self->h->samples_refused, samples, memory_order_relaxed);
    if (self->lost_count > 0 && str_eq(self->lost[self->lost_count - 1].metric, metric)) {
        self->lost[self->lost_count - 1].samples += samples;
        return;
    }
    struct lost_samples lost = {.samples = samples};
    if (mem_array_grow((void **)&self->lost, &self->lost_cap, self->lost_count + 1,
            sizeof(*self->lost), APPENDER_ITEMS_MAX) == 0 &&
        copy_str(&self->arena, metric, &lost.metric) == 0) {
        self->lost[self->lost_count++] = lost;
    }
}

/* ---- Commit ---- */

/* Moves samples to their runs: columns and values of a run lie together, in order of arrival. */
static void scatter(struct head_appender *self, uint32_t *columns, double *values)
{
    uint32_t first = 0;
    for (size_t i = 0; i < self->run_count; i++) {
        self->runs[i].first = first;
        first += self->runs[i].count;
        self->runs[i].count = 0;
    }
    for (size_t i = 0; i < self->sample_count; i++) {
        const struct pending *sample = &self->samples[i];
        struct commit_run *run = &self->runs[sample->run];
        uint32_t at = run->first + run->count++;
        columns[at] = sample->column;
        values[at] = sample->value;
    }
}

static bool ascends(const uint32_t *columns, uint32_t count)
{
    bool descent = false;
    for (uint32_t i = 1; i < count; i++) {
        descent |= columns[i - 1] >= columns[i];
    }
    return !descent;
}

static void merge_pairs(
    struct pending *from, struct pending *to, size_t low, size_t middle, size_t high)
{
    size_t a = low, b = middle;
    for (size_t n = low; n < high; n++) {
        bool second = a == middle || (b < high && from[b].column < from[a].column);
        to[n] = second ? from[b++] : from[a++];
    }
}

/* Sorts a run by column, the last of equal columns stays (a sample named twice in one transaction).
 * `scratch` has room for twice the run. */
static void sort_run(struct commit_run *run, uint32_t *columns, double *values,
    struct pending *scratch, uint64_t *repeated)
{
    struct pending *from = scratch, *to = scratch + run->count;
    for (uint32_t i = 0; i < run->count; i++) {
        from[i] = (struct pending){values[i], columns[i], 0};
    }
    for (size_t width = 1; width < run->count; width *= 2) {
        for (size_t low = 0; low < run->count; low += 2 * width) {
            size_t middle = low + width < run->count ? low + width : run->count;
            size_t high = low + 2 * width < run->count ? low + 2 * width : run->count;
            merge_pairs(from, to, low, middle, high);
        }
        struct pending *swap = from;
        from = to;
        to = swap;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        if (i + 1 < run->count && from[i + 1].column == from[i].column) {
            continue;
        }
        columns[kept] = from[i].column;
        values[kept++] = from[i].value;
    }
    *repeated += run->count - kept;
    run->count = kept;
}

static int sort_runs(
    struct head_appender *self, uint32_t *columns, double *values, uint64_t *repeated)
{
    struct pending *scratch = NULL;
    size_t cap = 0;
    int status = 0;
    for (size_t i = 0; status == 0 && i < self->run_count; i++) {
        struct commit_run *run = &self->runs[i];
        if (ascends(columns + run->first, run->count)) {
            continue;
        }
        status = mem_array_grow((void **)&scratch, &cap, 2 * (size_t)run->count, sizeof(*scratch),
            2 * APPENDER_ITEMS_MAX);
        if (status == 0) {
            sort_run(run, columns + run->first, values + run->first, scratch, repeated);
        }
    }
    mem_free(scratch);
    return status;
}

static int op_commit(struct appender *a, enum commit_durability durability,
    struct append_counts *counts_out, struct err *e)
{
    struct head_appender *self = self_of(a);
    struct commit c = {.synced = durability == COMMIT_SYNCED,
        .e = e,
        .runs = self->runs,
        .run_count = self->run_count,
        .columns = mem_alloc(self->sample_count * sizeof(uint32_t)),
        .values = mem_alloc(self->sample_count * sizeof(double)),
        .histograms = self->histograms,
        .histogram_count = self->histogram_count,
        .metadata = self->metadata,
        .metadata_count = self->metadata_count,
        .exemplars = self->exemplars,
        .exemplar_count = self->exemplar_count};
    int status = c.columns != NULL && c.values != NULL ? 0 : ERR_NOMEM;
    if (status == 0) {
        scatter(self, c.columns, c.values);
        status = sort_runs(self, c.columns, c.values, &c.repeated);
    }
    if (status != 0) {
        err_set(e, status, -1, "the commit does not fit in memory");
    } else {
        status = head_commit(self->h, &c);
    }
    self->counts.repeated = c.repeated;
    for (size_t i = 0; status == 0 && i < self->lost_count; i++) {
        overflow_add(&self->h->overflow, self->lost[i].metric, self->lost[i].samples);
    }
    if (status == 0 && counts_out != NULL) {
        *counts_out = self->counts;
    }
    mem_free(c.columns);
    mem_free(c.values);
    appender_release(self);
    return status;
}

static void op_rollback(struct appender *a)
{
    appender_release(self_of(a));
}

static const struct appender_ops ops = {
    .lookup = op_lookup,
    .series = op_series,
    .append = op_append,
    .append_histogram = op_append_histogram,
    .append_exemplar = op_append_exemplar,
    .set_metadata = op_set_metadata,
    .count_lost = op_count_lost,
    .commit = op_commit,
    .rollback = op_rollback,
};

int head_appender_open(
    struct appender_source *source, struct appender **appender_out, struct err *e)
{
    struct head *h = (struct head *)((char *)source - offsetof(struct head, source));
    if (h->wal == NULL) {
        return err_set(e, ERR_CLOSED, -1, "the store is open for reading only");
    }
    struct head_appender *self = mem_calloc(1, sizeof(*self));
    if (self == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for a transaction");
    }
    int64_t now = clock_now_ms(h->options.clock);
    self->appender.ops = &ops;
    self->h = h;
    self->cache = head_cache(h);
    self->cursor = KEY_CACHE_START;
    self->min_t = h->options.retention_ms > 0 ? now - h->options.retention_ms : -SAMPLE_TIME_MAX;
    self->max_t =
        h->options.future_limit_ms > 0 ? now + h->options.future_limit_ms : SAMPLE_TIME_MAX;
    self->min_t = self->min_t > -SAMPLE_TIME_MAX ? self->min_t : -SAMPLE_TIME_MAX;
    self->max_t = self->max_t < SAMPLE_TIME_MAX ? self->max_t : SAMPLE_TIME_MAX;
    arena_init(&self->arena, APPENDER_ARENA_MAX);
    *appender_out = &self->appender;
    return 0;
}
