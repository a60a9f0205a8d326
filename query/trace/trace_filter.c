/* A condition after the other takes rows away; the cheap ones come first, and nothing more is read when no
 * row is left. Texts are compared once a dictionary's entry, not once a row. */
#include "trace/trace_filter.h"

#include <string.h>

#include "base/strbuf.h"

struct filter {
    struct span_page *page;
    const struct trace_query *query;
    struct arena *arena;
    struct span_page_columns columns;
    uint32_t rows;
    uint8_t *matches;
};

static uint32_t count_matches(const struct filter *f)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < f->rows; row++) {
        count += f->matches[row];
    }
    return count;
}

/* ---- Numbers, service, name ---- */

static void filter_numbers(struct filter *f)
{
    const struct trace_query *q = f->query;
    uint64_t longest = q->duration_max_ns != 0 ? q->duration_max_ns : UINT64_MAX;
    const uint64_t *start = f->columns.start_ns, *duration = f->columns.duration_ns;
    for (uint32_t row = 0; row < f->rows; row++) {
        f->matches[row] = start[row] >= q->start_ns && start[row] <= q->end_ns &&
                          duration[row] >= q->duration_min_ns && duration[row] <= longest;
    }
}

static int filter_service(struct filter *f)
{
    uint8_t *wanted = arena_calloc(f->arena, (size_t)f->columns.resource_count + 1, 1);
    if (wanted == NULL) {
        return arena_error(f->arena);
    }
    for (uint32_t i = 0; i < f->columns.resource_count; i++) {
        const struct span_resource *resource;
        int status = span_page_resource(f->page, i, &resource);
        if (status != 0) {
            return status;
        }
        wanted[i] = str_eq(span_resource_service(resource), f->query->service);
    }
    for (uint32_t row = 0; row < f->rows; row++) {
        f->matches[row] &= wanted[f->columns.resource[row]];
    }
    return 0;
}

static void filter_operation(struct filter *f)
{
    uint32_t code = 0;
    while (code < f->columns.name_count && !str_eq(f->columns.names[code], f->query->operation)) {
        code++;
    }
    for (uint32_t row = 0; row < f->rows; row++) {
        f->matches[row] &= f->columns.name[row] == code;
    }
}

/* ---- Tags ---- */

/* As text, so that it does not matter of which type the sender made it. */
static bool value_is(const struct attribute *value, struct str text)
{
    struct strbuf written = STRBUF_INIT;
    if (value->kind == ATTRIBUTE_STRING) {
        return str_eq(value->bytes, text);
    }
    otlp_attribute_write_text(value, &written);
    bool same = strbuf_error(&written) == 0 && str_eq(strbuf_str(&written), text);
    strbuf_release(&written);
    return same;
}

static bool list_has(struct attributes list, const struct trace_tag *tag)
{
    const struct attribute *value = attributes_get(list, tag->key);
    return value != NULL && value_is(value, tag->value);
}

/* The codes of a dictionary whose text is the value. */
static int match_codes(const struct filter *f, const struct span_page_column *c,
    const struct trace_tag *tag, uint8_t *has)
{
    uint8_t *wanted = arena_calloc(f->arena, (size_t)c->text_count + 1, 1);
    if (wanted == NULL) {
        return arena_error(f->arena);
    }
    for (uint32_t i = 0; i < c->text_count; i++) {
        const struct attribute value = {.kind = c->kind, .bytes = c->texts[i]};
        wanted[i] = value_is(&value, tag->value);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        has[c->rows[i]] |= wanted[c->codes[i]];
    }
    return 0;
}

static void match_integers(
    const struct span_page_column *c, const struct trace_tag *tag, uint8_t *has)
{
    int64_t wanted;
    if (c->kind == ATTRIBUTE_BOOL) {
        wanted = str_eq_c(tag->value, "true");
        if (wanted == 0 && !str_eq_c(tag->value, "false")) {
            return;
        }
    } else if (str_to_i64(tag->value, &wanted) != 0) {
        return;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        has[c->rows[i]] |= c->integers[i] == wanted;
    }
}

/* "1.50" is 1.5: senders and people write the same number in more than one way. */
static void match_numbers(
    const struct span_page_column *c, const struct trace_tag *tag, uint8_t *has)
{
    double wanted;
    if (str_to_double(tag->value, &wanted) != 0) {
        return;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        has[c->rows[i]] |= c->numbers[i] == wanted;
    }
}

static int match_columns(const struct filter *f, const struct trace_tag *tag, uint8_t *has)
{
    int status = 0;
    uint32_t count = span_page_column_count(f->page);
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        struct span_page_column column;
        struct str key;
        enum attribute_kind kind;
        span_page_column_key(f->page, i, &key, &kind);
        if (!str_eq(key, tag->key) || kind == ATTRIBUTE_EMPTY) {
            continue;
        }
        status = span_page_column(f->page, i, &column);
        if (status != 0) {
            return status;
        }
        if (kind == ATTRIBUTE_BOOL || kind == ATTRIBUTE_INT) {
            match_integers(&column, tag, has);
        } else if (kind == ATTRIBUTE_DOUBLE) {
            match_numbers(&column, tag, has);
        } else {
            status = match_codes(f, &column, tag, has);
        }
    }
    return status;
}

/* A page whose columns are all taken keeps further attributes with the spans: those rows that still may
 * match are put together again. */
static int match_beyond_columns(const struct filter *f, const struct trace_tag *tag, uint8_t *has)
{
    int status = 0;
    if (span_page_column_count(f->page) < SPAN_PAGE_COLUMNS_MAX) {
        return 0;
    }
    for (uint32_t row = 0; status == 0 && row < f->rows; row++) {
        struct otlp_span span;
        if (f->matches[row] == 0 || has[row] != 0) {
            continue;
        }
        struct arena_mark mark = arena_mark(f->arena);
        status = span_page_spans(f->page, row, 1, f->arena, &span);
        has[row] = status == 0 && list_has(span.span.attributes, tag);
        arena_rewind(f->arena, mark);
    }
    return status;
}

static int match_resources(const struct filter *f, const struct trace_tag *tag, uint8_t *has)
{
    uint8_t *wanted = arena_calloc(f->arena, (size_t)f->columns.resource_count + 1, 1);
    if (wanted == NULL) {
        return arena_error(f->arena);
    }
    for (uint32_t i = 0; i < f->columns.resource_count; i++) {
        const struct span_resource *resource;
        int status = span_page_resource(f->page, i, &resource);
        if (status != 0) {
            return status;
        }
        wanted[i] = list_has(resource->attributes, tag);
    }
    for (uint32_t row = 0; row < f->rows; row++) {
        has[row] |= wanted[f->columns.resource[row]];
    }
    return 0;
}

static int match_scopes(const struct filter *f, const struct trace_tag *tag, uint8_t *has)
{
    bool name = str_eq_c(tag->key, "otel.scope.name");
    if (!name && !str_eq_c(tag->key, "otel.scope.version")) {
        return 0;
    }
    for (uint32_t row = 0; row < f->rows; row++) {
        const struct span_scope *scope;
        int status = span_page_scope(f->page, f->columns.scope[row], &scope);
        if (status != 0) {
            return status;
        }
        has[row] |= str_eq(name ? scope->name : scope->version, tag->value);
    }
    return 0;
}

/* What a span has in fields of its own, and Jaeger shows as tags. */
static void match_fields(const struct filter *f, const struct trace_tag *tag, uint8_t *has)
{
    int status = -1, kind = -1;
    if (str_eq_c(tag->key, "error") && str_eq_c(tag->value, "true")) {
        status = SPAN_STATUS_ERROR;
    } else if (str_eq_c(tag->key, "otel.status_code")) {
        status = str_eq_c(tag->value, "ERROR") ? SPAN_STATUS_ERROR
                 : str_eq_c(tag->value, "OK")  ? SPAN_STATUS_OK
                                               : -1;
    } else if (str_eq_c(tag->key, "span.kind")) {
        for (int k = 1; k < SPAN_KIND_COUNT; k++) {
            kind = str_eq_c(tag->value, span_kind_name((enum span_kind)k)) ? k : kind;
        }
    }
    for (uint32_t row = 0; row < f->rows && (status >= 0 || kind >= 0); row++) {
        has[row] |= f->columns.status[row] == status || f->columns.kind[row] == kind;
    }
}

static int filter_tag(struct filter *f, const struct trace_tag *tag)
{
    uint8_t *has = arena_calloc(f->arena, (size_t)f->rows + 1, 1);
    if (has == NULL) {
        return arena_error(f->arena);
    }
    match_fields(f, tag, has);
    int status = match_columns(f, tag, has);
    status = status == 0 ? match_resources(f, tag, has) : status;
    status = status == 0 ? match_scopes(f, tag, has) : status;
    status = status == 0 ? match_beyond_columns(f, tag, has) : status;
    for (uint32_t row = 0; row < f->rows; row++) {
        f->matches[row] &= has[row];
    }
    return status;
}

/* ---- All of it ---- */

int trace_filter_page(struct span_page *page, const struct trace_query *query, struct arena *arena,
    uint8_t **matches_out, uint32_t *count_out)
{
    struct filter f = {
        .page = page, .query = query, .arena = arena, .rows = span_page_info(page).rows};
    int status = span_page_columns(page, &f.columns);
    f.matches = arena_calloc(arena, (size_t)f.rows + 1, 1);
    if (status == 0 && f.matches == NULL) {
        status = arena_error(arena);
    }
    if (status != 0) {
        return status;
    }
    filter_numbers(&f);
    if (query->service.len > 0) {
        status = filter_service(&f);
    }
    if (status == 0 && query->operation.len > 0) {
        filter_operation(&f);
    }
    for (size_t i = 0; status == 0 && i < query->tag_count && count_matches(&f) > 0; i++) {
        status = filter_tag(&f, &query->tags[i]);
    }
    if (status == 0) {
        *matches_out = f.matches;
        *count_out = count_matches(&f);
    }
    return status;
}
