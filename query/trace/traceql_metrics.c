/* Spans that one span decides are measured from columns; others trace by trace. */
#include "trace/traceql_metrics.h"

#include "trace/traceql_compare.h"
#include "trace/traceql_groups.h"

struct measuring {
    struct traceql_scan scan;
    const struct traceql_metrics *metrics;
    struct traceql_groups groups;   /* of all functions but compare() */
    struct traceql_compare compare; /* of that */
    struct err *e;
};

static int tell(int status, struct err *e)
{
    if (status == ERR_LIMIT && e->code == 0) {
        return err_set(e, status, -1,
            "more than %d series, or %d attributes that are compared, or %zu MiB of them",
            TRACEQL_SERIES_MAX, TRACEQL_COMPARE_ATTRIBUTES_MAX, TRACEQL_METRICS_BYTES_MAX >> 20);
    }
    return status < 0 && e->code == 0 ? err_set(e, status, -1, "%s", err_text(status)) : status;
}

/* What a function measures of a span; false when it has no number there. */
static bool sight(struct traceql_value value, struct traceql_sighting *seen)
{
    if (!traceql_value_number(value, &seen->value)) {
        return false;
    }
    bool positive = value.type == TRACEQL_FLOAT ? seen->value >= 1 : value.integer > 0;
    seen->whole = !positive ? 0
                  : value.type == TRACEQL_FLOAT
                      ? (seen->value < 9e18 ? (uint64_t)seen->value : INT64_MAX)
                      : (uint64_t)value.integer;
    return true;
}

static bool compares(const struct measuring *m)
{
    return m->metrics->function == TRACEQL_COMPARE;
}

/* ---- From columns ---- */

/* The columns of a page that are asked for. */
struct wanted {
    const struct traceql_field *field;
    struct traceql_page_values values;
    bool known;
};

static int read_wanted(
    struct measuring *m, const struct traceql_field *field, struct wanted *wanted)
{
    int known = traceql_page_values(&m->scan.page, field, &wanted->values);
    wanted->field = field;
    wanted->known = known == 1;
    return known < 0 ? known : 0;
}

/* A row's value: from the column, or from the span, which is read into `subject` when it has to be. */
static int row_value(struct measuring *m, const struct wanted *wanted, uint32_t row,
    struct otlp_span *span, struct traceql_subject *subject, struct traceql_value *value_out)
{
    uint32_t code = wanted->known ? wanted->values.codes[row] : TRACEQL_CODE_OPEN;
    *value_out = (struct traceql_value){.type = TRACEQL_NIL};
    if (code < wanted->values.count) {
        *value_out = wanted->values.values[code];
    } else if (code == TRACEQL_CODE_OPEN) {
        if (subject->span == NULL) {
            int status = span_page_spans(m->scan.page.page, row, 1, &m->scan.arena, span);
            if (status != 0) {
                return status;
            }
            subject->span = span;
        }
        *value_out = traceql_field_value(subject, wanted->field);
    }
    return 0;
}

struct page_of_spans {
    struct wanted by[TRACEQL_FIELDS_MAX], field;
    /* The group of each code, when there is one field in by(). */
    struct traceql_group **by_code;
};

static int begin_page(struct measuring *m, struct page_of_spans *p)
{
    const struct traceql_metrics *metrics = m->metrics;
    int status = metrics->field != NULL ? read_wanted(m, metrics->field, &p->field)
                                        : traceql_page_read(&m->scan.page, SPAN_PAGE_DURATIONS);
    for (size_t i = 0; status == 0 && i < metrics->by_count; i++) {
        status = read_wanted(m, metrics->by[i], &p->by[i]);
    }
    p->by_code = NULL;
    if (status == 0 && metrics->by_count == 1 && p->by[0].known) {
        p->by_code = arena_calloc(
            &m->scan.arena, (size_t)p->by[0].values.count + 1, sizeof(struct traceql_group *));
        status = p->by_code == NULL ? arena_error(&m->scan.arena) : 0;
    }
    return status;
}

static int find_group(struct measuring *m, struct page_of_spans *p, uint32_t row,
    struct otlp_span *span, struct traceql_subject *subject, struct traceql_group **group_out)
{
    struct traceql_value by[TRACEQL_FIELDS_MAX];
    uint32_t code = p->by_code != NULL ? p->by[0].values.codes[row] : TRACEQL_CODE_OPEN;
    bool cached = p->by_code != NULL && code < p->by[0].values.count;
    if (cached && p->by_code[code] != NULL) {
        *group_out = p->by_code[code];
        return 0;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < m->metrics->by_count; i++) {
        status = row_value(m, &p->by[i], row, span, subject, &by[i]);
    }
    status = status == 0 ? traceql_groups_find(&m->groups, by, group_out) : status;
    if (status == 0 && cached) {
        p->by_code[code] = *group_out;
    }
    return status;
}

/* All attributes of a span are asked for: it is read as a whole. */
static int compare_row(struct measuring *m, uint32_t row)
{
    struct otlp_span span;
    struct traceql_subject subject = {.span = &span};
    struct arena_mark mark = arena_mark(&m->scan.arena);
    int status = span_page_spans(m->scan.page.page, row, 1, &m->scan.arena, &span);
    status = status == 0 ? traceql_compare_add(&m->compare, &subject) : status;
    arena_rewind(&m->scan.arena, mark);
    return status;
}

static int measure_row(
    struct measuring *m, struct page_of_spans *p, struct trace_id trace, uint32_t row)
{
    struct otlp_span span;
    struct traceql_subject subject = {0};
    struct traceql_group *group = NULL;
    const struct span_page_columns *c = &m->scan.page.columns;
    struct traceql_value value = {.type = TRACEQL_DURATION};
    struct traceql_sighting seen = {.trace = trace, .start_ns = c->start_ns[row]};
    struct arena_mark mark = arena_mark(&m->scan.arena);
    int status = 0;
    if (m->metrics->field != NULL) {
        status = row_value(m, &p->field, row, &span, &subject, &value);
    } else {
        value.integer = (int64_t)c->duration_ns[row];
    }
    if (status == 0 && sight(value, &seen)) {
        status = find_group(m, p, row, &span, &subject, &group);
        status = status == 0 ? traceql_group_add(&m->groups, group, &seen) : status;
    }
    arena_rewind(&m->scan.arena, mark);
    return status;
}

static int measure_page(struct measuring *m)
{
    struct page_of_spans p;
    int status = begin_page(m, &p);
    for (uint32_t t = 0; status == 0 && t < m->scan.trace_count; t++) {
        const struct span_page_trace *trace = &m->scan.traces[t];
        for (uint32_t row = trace->first; status == 0 && row < trace->first + trace->count; row++) {
            bool holds = false;
            if ((m->scan.verdicts[row] & TRACEQL_MAY_HOLD) == 0) {
                continue;
            }
            status = traceql_scan_row(&m->scan, row, &holds, m->e);
            if (status == 0 && holds) {
                status = compares(m) ? compare_row(m, row) : measure_row(m, &p, trace->id, row);
            }
        }
    }
    return status;
}

/* ---- Trace by trace ---- */

static int measure_span(struct measuring *m, const struct trace_tree *tree, uint32_t index)
{
    const struct traceql_metrics *metrics = m->metrics;
    struct traceql_subject subject = {.span = &tree->spans[index], .tree = tree, .index = index};
    const struct span *span = &subject.span->span;
    struct traceql_value by[TRACEQL_FIELDS_MAX];
    struct traceql_group *group;
    struct traceql_value value = {
        .type = TRACEQL_DURATION, .integer = (int64_t)span_duration_ns(span)};
    struct traceql_sighting seen = {.trace = span->trace_id, .start_ns = span->start_ns};
    if (compares(m)) {
        return traceql_compare_add(&m->compare, &subject);
    }
    if (metrics->field != NULL) {
        value = traceql_field_value(&subject, metrics->field);
    }
    if (!sight(value, &seen)) {
        return 0;
    }
    for (size_t i = 0; i < metrics->by_count; i++) {
        by[i] = traceql_field_value(&subject, metrics->by[i]);
    }
    int status = traceql_groups_find(&m->groups, by, &group);
    return status == 0 ? traceql_group_add(&m->groups, group, &seen) : status;
}

static int measure_trace(struct measuring *m, const struct span_page_trace *trace)
{
    struct arena arena;
    struct trace_tree tree;
    struct traceql_sets sets;
    arena_init(&arena, TRACE_BUDGET_BYTES_MAX);
    int status = traceql_scan_trace(&m->scan, trace, &arena, &tree, &sets, m->e);
    bool found = status == 1;
    status = found ? 0 : status;
    for (uint32_t i = 0; found && status == 0 && i < sets.count; i++) {
        for (uint32_t k = 0; status == 0 && k < sets.items[i].count; k++) {
            uint64_t start = tree.spans[sets.items[i].spans[k]].span.start_ns;
            if (start >= m->scan.start_ns && start <= m->scan.end_ns) {
                status = measure_span(m, &tree, sets.items[i].spans[k]);
            }
        }
    }
    arena_release(&arena);
    return status;
}

static int measure_traces(struct measuring *m)
{
    int status = 0;
    for (uint32_t t = 0; status == 0 && t < m->scan.trace_count; t++) {
        const struct span_page_trace *trace = &m->scan.traces[t];
        uint8_t any = 0;
        for (uint32_t row = trace->first; row < trace->first + trace->count; row++) {
            any |= m->scan.verdicts[row];
        }
        if ((any & TRACEQL_MAY_HOLD) != 0) {
            status = measure_trace(m, trace);
        }
    }
    return status;
}

int traceql_measure(struct span_view *view, const struct traceql_query *query,
    const struct traceql_steps *steps, bool exemplars, struct trace_budget *budget,
    struct arena *arena, struct traceql_result *result_out, struct err *e)
{
    struct measuring m = {.e = e, .metrics = query->metrics};
    int status = compares(&m) ? traceql_compare_init(&m.compare, m.metrics, steps, arena)
                              : traceql_groups_init(&m.groups, m.metrics, steps, exemplars, arena);
    if (status != 0) {
        return tell(status, e);
    }
    status = traceql_scan_open(&m.scan, view, query, steps->start_ns, steps->end_ns, budget, e);
    while (status == 0 && (status = traceql_scan_next(&m.scan, 0, e)) == 1) {
        status = m.scan.exact_by_span ? measure_page(&m) : measure_traces(&m);
        if (status == ERR_CORRUPT) {
            m.scan.damaged_pages++;
            e->code = 0;
            status = 0;
        }
    }
    if (status == 0) {
        status = compares(&m) ? traceql_compare_finish(&m.compare, result_out)
                              : traceql_groups_finish(&m.groups, result_out);
    }
    result_out->damaged_pages = m.scan.damaged_pages;
    traceql_scan_close(&m.scan);
    return tell(status, e);
}
