/* A page: some thousand spans in columns, the unit in which spans are compressed, searched and kept.
 *
 * Its bytes are read here: columns are decompressed when they are asked for. They are made by span_pager.h,
 * and described in span_page_format.h, both in tsdb/span.
 *
 * A page stands alone: it has its own dictionaries, and no page needs another. Spans are sorted by trace,
 * and a trace's by start, so that a trace is a run of rows.
 *
 * Not thread-safe: one thread at a time.
 */
#ifndef SONDE_TSDB_SPAN_PAGE_H
#define SONDE_TSDB_SPAN_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/span.h"
#include "wire/otlp_traces.h"

/* A page is full with this many spans, or bytes of encoded spans. */
#define SPAN_PAGE_ROWS_MAX 8192
#define SPAN_PAGE_BYTES_MAX ((size_t)8 << 20)
/* Different keys, each with its kind, that get columns of their own; attributes of further keys are kept
 * as they came. */
#define SPAN_PAGE_COLUMNS_MAX 1024

/* The key that stands for a span's name, where values are wanted (span_store.h). */
#define SPAN_WANT_NAME ":name"

/* ---- Reading ---- */

struct span_page;

/* The bytes are borrowed while it is open. Directory and header are checked here, each column when it is
 * read. ERR_CORRUPT with a sentence, ERR_NOMEM. */
int span_page_open(struct str bytes, struct span_page **page_out, struct err *e);
void span_page_close(struct span_page *page);

struct span_page_info {
    uint32_t rows, traces;
    uint64_t start_min_ns, start_max_ns; /* of spans' starts */
    uint64_t duration_max_ns;
};
struct span_page_info span_page_info(const struct span_page *page);

/* A trace of the page: a run of rows. Rows of one trace may be in several pages. */
struct span_page_trace {
    struct trace_id id;
    uint32_t first, count;
};
/* All traces, sorted by id: no two have the same. Lives as long as the page. ERR_CORRUPT, ERR_NOMEM. */
int span_page_traces(struct span_page *page, const struct span_page_trace **traces_out);
/* The same in the order of their rows. */
int span_page_runs(struct span_page *page, const struct span_page_trace **traces_out);
/* 1 and where it is; 0 when the page has none of it. */
int span_page_find(struct span_page *page, struct trace_id id, struct span_page_trace *trace_out);

/* Columns that every span has; `rows` values each, which live as long as the page. */
struct span_page_columns {
    const uint64_t *start_ns;
    const uint64_t *duration_ns;
    const uint8_t *kind;
    const uint8_t *status;
    const uint32_t *name;     /* into `names` */
    const uint16_t *resource; /* into the resources */
    const uint16_t *scope;    /* into the scopes */
    const struct str *names;
    uint32_t name_count, resource_count, scope_count;
};
enum span_page_which {
    SPAN_PAGE_STARTS = 1,
    SPAN_PAGE_DURATIONS = 2,
    SPAN_PAGE_KINDS = 4, /* and statuses */
    SPAN_PAGE_NAMES = 8,
    SPAN_PAGE_OF_RESOURCE = 16,
    SPAN_PAGE_OF_SCOPE = 32,
};
/* All of them. */
int span_page_columns(struct span_page *page, struct span_page_columns *columns_out);
/* Those of the set `which`, and what was read before; the others are NULL. */
int span_page_columns_of(
    struct span_page *page, unsigned which, struct span_page_columns *columns_out);
int span_page_resource(
    struct span_page *page, uint32_t index, const struct span_resource **resource_out);
int span_page_scope(struct span_page *page, uint32_t index, const struct span_scope **scope_out);

/* Ids of all spans and of their parents (0: none), a row each; they live as long as the page. */
int span_page_ids(struct span_page *page, const uint64_t **ids_out, const uint64_t **parents_out);

/* What few spans have: the k-th of `count` items is that of row rows[k]; rows ascend. */
enum span_page_extra {
    SPAN_PAGE_EVENTS,   /* encoded messages, each behind its size as a varint */
    SPAN_PAGE_LINKS,    /* likewise */
    SPAN_PAGE_MESSAGES, /* of the status, as they are; empty ones are not here */
};
struct span_page_extras {
    const uint16_t *rows;
    const struct str *items;
    uint32_t count;
};
/* Lives as long as the page. */
int span_page_extra(
    struct span_page *page, enum span_page_extra which, struct span_page_extras *extras_out);
/* How many resources and scopes there are, without reading columns. */
int span_page_pools(struct span_page *page, uint32_t *resources_out, uint32_t *scopes_out);

/* A column of attributes: one key and kind. */
struct span_page_column {
    struct str key;
    enum attribute_kind kind;
    uint32_t count; /* of values */
    const uint16_t
        *rows; /* of each value, ascending; a row comes twice when its span has the key twice */
    const uint16_t
        *places; /* of each row of the page: 1 + the index of its value; 0: it has none; or */
#define SPAN_PAGE_PLACE_SEVERAL UINT16_MAX
    bool
        several; /* some row has more than one, or a value is too far behind for its place: `rows` tells */
    /* By kind, `count` values: */
    const int64_t *integers; /* ATTRIBUTE_INT, ATTRIBUTE_BOOL */
    int64_t integer_min, integer_max;
    const double *numbers; /* ATTRIBUTE_DOUBLE */
    const uint32_t *codes; /* others: into `texts` */
    const struct str *texts;
    uint32_t text_count;
};
/* How many there are; key and kind of each are known without reading it. */
uint32_t span_page_column_count(const struct span_page *page);
void span_page_column_key(const struct span_page *page, uint32_t index, struct str *key_out,
    enum attribute_kind *kind_out);
/* Reads it. The arrays live as long as the page. */
int span_page_column(struct span_page *page, uint32_t index, struct span_page_column *column_out);

/* The spans of `count` rows as they were taken, in `arena`, texts borrowed from the page. Resource and
 * scope numbers are 1 + their index in the page. ERR_CORRUPT, ERR_NOMEM, or the arena's. */
int span_page_spans(struct span_page *page, uint32_t first, uint32_t count, struct arena *arena,
    struct otlp_span *spans_out);

#endif
