/* A part: one immutable file of rows, written whole, read in pieces.
 *
 * What goes in is a *source* of tables (the head being sealed, or parts being merged); what comes out
 * are columns. A *table* is the rows of one target for a list of columns: timestamps, and for every
 * column a value or nothing at each of them. One target may come in several tables of one part (when
 * its columns keep different times); a (target, shape, kind, time) comes once in a part.
 *
 * The writer puts tables of equal column lists into *row groups* (at most PART_GROUP_TARGETS_MAX
 * tables, at most PART_GROUP_ROWS_MAX rows each; longer tables are cut), and the values of a group
 * metric-major: a *run* is one column over all tables of the group, with one checksum.
 *
 * Groups of other parts may come along as they are (struct part_copy): what a merge does not change costs
 * it a read and a write.
 *
 * The format is documented in part_format.h.
 */
#ifndef SONDE_PART_PART_H
#define SONDE_PART_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/memory_budget.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "model/labels.h"
#include "tsdb/column.h"
#include "tsdb/querier.h"

#define PART_GROUP_TARGETS_MAX 256
#define PART_GROUP_ROWS_MAX 4096

/* ---- Writing ---- */

/* One table as the source shows it. Borrowed until the source is freed. */
struct part_table {
    uint32_t target; /* the source's id */
    uint32_t column_count;
    uint32_t row_count;           /* > 0, any number */
    const struct column *columns; /* shapes are the source's ids; no (shape, kind) twice */
    const int64_t *times;         /* strictly ascending; NULL: the source has them when asked */
    /* Where times is NULL: the first and the last of them, and row_count <= PART_GROUP_ROWS_MAX. */
    int64_t first_t, last_t;
};

/* The cells of one column of one table, one for each row. Borrowed until the next call. */
struct part_cells {
    const uint64_t *presence;     /* PRESENCE_WORDS(row_count) words; NULL = all present */
    const double *values;         /* COLUMN_FLOAT: row_count entries, absent ones not looked at */
    const struct str *histograms; /* COLUMN_HISTOGRAM: bytes of histogram_encode */
};

struct part_source;

struct part_source_ops {
    /* Labels by the source's ids; borrowed, live as long as the source. */
    const struct labels *(*target_labels)(struct part_source *source, uint32_t target);
    const struct labels *(*shape_labels)(struct part_source *source, uint32_t shape);
    /* Cells of column `column` of table `table`. The writer asks group by group, column by column,
     * table by table. ERR_CORRUPT (a damaged input of a merge), ERR_NOMEM, ERR_IO. */
    int (*cells)(struct part_source *source, uint32_t table, uint32_t column,
        struct part_cells *cells_out, struct err *e);
    /* Times of the tables of the group that is written next, all of whose tables have none of their own:
     * times_out[i] of tables[i], borrowed until the next call. NULL where every table has times. So that
     * a merge of any size holds the times of one group. Errors as cells. */
    int (*group_times)(struct part_source *source, const uint32_t *tables, uint32_t count,
        const int64_t **times_out, struct err *e);
};

/* A group of another part that goes into the new one as it lies there: its checksums are compared,
 * nothing of it is decoded. Its samples are in no table of the source. */
struct part_copy {
    struct part *part; /* open until the source is freed */
    uint32_t group;
    const uint32_t *targets;      /* the source's ids, one for each table of the group */
    const struct column *columns; /* of its schema, in its order; shapes are the source's ids */
};

struct part_source {
    const struct part_source_ops *ops;
    const struct part_table *tables;
    uint32_t table_count;
    const struct part_copy *copies;
    uint32_t copy_count;
    struct memory_budget *memory; /* charged with what writing takes; NULL = none */
};

/* What the caller decides and the part remembers: enough to list it again when the list is lost. */
struct part_origin {
    uint64_t sequence; /* later parts have higher ones; names the file */
    uint32_t level;    /* 0 sealed, 1 and 2 merged */
    /* Precedences of the sealed parts it was made of, first to last: its own when it was sealed. Of
     * equal samples those of the part with the higher last one count. 0, 0 = not known. */
    uint64_t precedence_first, precedence;
    int64_t day;    /* since 1970, UTC */
    uint64_t split; /* hash of the list of identity labels it was written with */
};

/* Known of a part without reading its rows. */
struct part_info {
    struct part_origin origin;
    int64_t min_t, max_t; /* min_t > max_t when it has no sample */
    uint64_t samples;
    uint64_t file_bytes;
    uint32_t target_count, shape_count, schema_count, group_count;
};

/* Writes `path` complete or not at all: <path>.tmp, sync, rename, sync of the directory (INV-2). The
 * same source gives the same bytes (INV-10). ERR_NO_SPACE, ERR_IO, ERR_NOMEM, the source's errors; on
 * error no file is left, if the disk lets us remove it. Memory: bounded by one run of one group. */
int part_write(struct vfs *fs, const char *path, struct part_source *source,
    const struct part_origin *origin, struct part_info *info_out, struct err *e);

/* ---- Reading ---- */

/* Runs and timestamp streams read lately, verified, shared by all parts of a store; bounded in bytes,
 * any thread. */
struct part_cache;
int part_cache_new(size_t bytes_max, struct part_cache **cache_out);
void part_cache_free(struct part_cache *cache);
/* Lets go of all pages that no reader holds. */
void part_cache_clear(struct part_cache *cache);

struct part;

/* Reads and checks header, footer and the group index. `cache` may be NULL and must outlive the
 * part. ERR_CORRUPT says which section and why; ERR_UNSUPPORTED a newer format. The reference is the
 * caller's. */
int part_open(struct vfs *fs, const char *path, struct part_cache *cache, struct part **part_out,
    struct err *e);
struct part *part_ref(struct part *p);
/* Closes the file with the last one. Accepts NULL. */
void part_unref(struct part *p);

const struct part_info *part_info(const struct part *p);
const char *part_path(const struct part *p);
/* Bytes of memory it holds, cache not counted. */
size_t part_memory(const struct part *p);

/* Local dictionaries, each id once, ascending from 0. Label pairs are sorted and borrowed for the
 * call. A non-zero return stops and is handed back. Reads the file: call once, map to ids of your
 * own. */
struct part_dictionary_handler {
    void *context;
    int (*target)(void *context, uint32_t target, const struct label *labels, size_t count);
    int (*shape)(void *context, uint32_t shape, const struct label *labels, size_t count);
};
int part_read_dictionary(
    struct part *p, const struct part_dictionary_handler *handler, struct err *e);

/* Columns of a schema, local shape ids; lives as long as the part. */
struct part_schema {
    const struct column *columns;
    uint32_t column_count;
};
struct part_schema part_schema(const struct part *p, uint32_t schema);

struct part_group {
    int64_t min_t, max_t; /* of its rows */
    uint32_t schema;
    uint32_t target_count;
    const uint32_t *targets; /* local ids, one for each table of the group */
    uint64_t samples;
    uint64_t bytes; /* in the file */
};
/* Groups in order of min_t; info.group_count of them; lives as long as the part. */
const struct part_group *part_groups(const struct part *p);

/* What part_read hands out, borrowed until the next call with the buffer, and what it remembers so
 * that neighbours cost no second read. One thread; the parts' cache outlives it. */
struct part_buffer {
    const int64_t *times;
    const double *values;
    const struct str *histograms;
    struct querier_statistics reads; /* counted; the caller may begin anew */
    void *private_state;
};
void part_buffer_init(struct part_buffer *b);
void part_buffer_release(struct part_buffer *b);
/* Bytes it takes, with what it remembers. */
size_t part_buffer_memory(const struct part_buffer *b);

/* Samples of one column of one table of a group, those present with min_t <= t <= max_t: *count_out of
 * them in buffer->times and buffer->values (stale markers included) or buffer->histograms (encoded
 * bytes). ERR_CORRUPT (a bad run; names part, group and column), ERR_IO, ERR_NOMEM. Any thread, with
 * its own buffer. */
int part_read(struct part *p, uint32_t group, uint32_t table, uint32_t column, int64_t min_t,
    int64_t max_t, struct part_buffer *buffer, size_t *count_out, struct err *e);

/* Times of the rows of one table of a group, whether or not any column has a cell there: *count_out of
 * them in buffer->times. For merges. Errors as part_read. */
int part_read_times(struct part *p, uint32_t group, uint32_t table, struct part_buffer *buffer,
    size_t *count_out, struct err *e);

/* As much as is known without decoding: 1 and the extent and aggregates of that column of that table,
 * when all of it lies in [min_t, max_t] and the file knows them (of changing numbers only the increase);
 * 0 when only part_read can tell. */
int part_read_summary(struct part *p, uint32_t group, uint32_t table, uint32_t column,
    int64_t min_t, int64_t max_t, struct part_buffer *buffer, struct run_summary *summary_out,
    struct err *e);

/* 1 and the newest sample of that column of that table in [min_t, max_t]: *count_out is 1, or 0 when there is
 * none. Blocks are not decoded but for that row (row/column_newest.h), so some damage that part_read finds
 * goes unseen. 0 when only part_read can tell. */
int part_read_newest(struct part *p, uint32_t group, uint32_t table, uint32_t column, int64_t min_t,
    int64_t max_t, struct part_buffer *buffer, size_t *count_out, int64_t *t_out, double *value_out,
    struct err *e);

/* The times of the first and the last row of a table. Errors as part_read. */
int part_read_extent(struct part *p, uint32_t group, uint32_t table, struct part_buffer *buffer,
    int64_t *first_out, int64_t *last_out, struct err *e);

/* ---- Scrubbing ---- */

/* Where a look at the stored bytes is; zeros at the beginning. */
struct part_scrub {
    uint32_t group, page;
};
/* Reads pages up to `bytes_max`, at least one, and tells of those whose checksum is wrong which columns'
 * runs were in them. 1: there is more, 0: that was all; ERR_IO, ERR_NOMEM. */
int part_scrub(struct part *p, struct part_scrub *at, size_t bytes_max, size_t *bytes_out,
    void (*damaged)(void *context, uint32_t group, uint32_t first_column, uint32_t end_column),
    void *context);

/* ---- Tools ---- */

/* Where the bytes of a part are; they add up to those of the file. */
struct part_sizes {
    uint64_t file, dictionary, times, values, index;
};
void part_sizes(const struct part *p, struct part_sizes *sizes_out);

/* Reads and decodes everything; findings, each with its reason, are lines in `report`, and added to the
 * count. */
int part_verify(
    struct vfs *fs, const char *path, struct strbuf *report, uint64_t *problem_count_out);
/* Header, sections, groups with codecs and bytes a sample; with samples every row. */
int part_dump(
    struct vfs *fs, const char *path, bool with_samples, struct strbuf *out, struct err *e);

#endif
