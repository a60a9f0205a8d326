/* Conditions on all spans of a page, from its columns: once a value of a dictionary, not once a span.
 *
 * What columns cannot tell (ids, arithmetic, what depends on the trace) is open, and whoever asks looks at the span
 * itself. Zone data and the dictionary of resources are asked first: most pages of a search are left after them, before
 * a column is read.
 */
#ifndef SONDE_QUERY_TRACEQL_PAGE_H
#define SONDE_QUERY_TRACEQL_PAGE_H

#include "trace/traceql_condition.h"
#include "tsdb/span_page.h"

/* Conditions on resources whose verdicts are kept for the page. */
enum { TRACEQL_PAGE_ASKED_MAX = 8 };

struct traceql_page {
    struct span_page *page;
    struct arena *arena; /* what is found lives here */
    uint32_t rows;
    struct span_page_columns columns; /* those that were read */
    struct {
        const struct traceql_expr *expr;
        const uint8_t *by_index;
    } asked[TRACEQL_PAGE_ASKED_MAX];
    uint32_t asked_count;
};

void traceql_page_init(struct traceql_page *p, struct span_page *page, struct arena *arena);
/* Reads columns, a set of enum span_page_which. All functions return 0 or an error: ERR_CORRUPT, ERR_NOMEM, the
 * arena's. */
int traceql_page_read(struct traceql_page *p, unsigned which);

/* What a condition says of a span: may be true, may be false, or, both, is open. */
enum { TRACEQL_MAY_HOLD = 1, TRACEQL_MAY_FAIL = 2, TRACEQL_OPEN = 3 };

static inline uint8_t traceql_verdict_of(bool holds)
{
    return holds ? TRACEQL_MAY_HOLD : TRACEQL_MAY_FAIL;
}

static inline uint8_t traceql_verdict_and(uint8_t a, uint8_t b)
{
    return (uint8_t)((a & b & TRACEQL_MAY_HOLD) | ((a | b) & TRACEQL_MAY_FAIL));
}

static inline uint8_t traceql_verdict_or(uint8_t a, uint8_t b)
{
    return (uint8_t)(((a | b) & TRACEQL_MAY_HOLD) | (a & b & TRACEQL_MAY_FAIL));
}

static inline uint8_t traceql_verdict_not(uint8_t a)
{
    return (uint8_t)(a >> 1 | (a & 1) << 1);
}

/* What one condition says of all spans of the page, from what is known without looking at them. */
int traceql_page_verdict(
    struct traceql_page *p, const struct traceql_condition *c, uint8_t *verdict_out);
/* What it says of each resource of the page, for spans that have nothing to say. Lives as long as p's arena. */
int traceql_page_resources(
    struct traceql_page *p, const struct traceql_condition *c, const uint8_t **by_index_out);

/* False when no span of the page can satisfy the condition (NULL: every span does). */
int traceql_page_may_hold(struct traceql_page *p, const struct traceql_expr *expr, bool *may_out);
/* A byte a row of the above. */
int traceql_page_filter(
    struct traceql_page *p, const struct traceql_expr *expr, uint8_t **verdicts_out);

bool traceql_any_holds(const uint8_t *verdicts, uint32_t rows);

/* The values of a field: values[codes[row]]. */
struct traceql_page_values {
    const struct traceql_value *values;
    const uint32_t *codes; /* a row each, or one of the two below */
    uint32_t count;
};
#define TRACEQL_CODE_NIL UINT32_MAX
#define TRACEQL_CODE_OPEN (UINT32_MAX - 1)

/* 1; 0 when columns cannot tell; or an error. Fields of events have their first value. */
int traceql_page_values(struct traceql_page *p, const struct traceql_field *field,
    struct traceql_page_values *values_out);

#endif
