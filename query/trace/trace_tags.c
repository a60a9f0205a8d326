#include "trace/trace_tags.h"

#include <string.h>

#include "base/bytes.h"
#include "tsdb/span_page.h"

static int tell(int status, struct err *e)
{
    return status < 0 && e->code == 0 ? err_set(e, status, -1, "%s", err_text(status)) : status;
}

/* ---- Keys ---- */

struct keys {
    struct arena *arena;
    struct trace_key *items; /* TRACE_NAMES_MAX, in order */
    size_t count;
    bool cut;
};

static int compare_keys(const struct trace_key *a, const struct trace_key *b)
{
    return a->scope != b->scope ? (int)a->scope - (int)b->scope : str_cmp(a->key, b->key);
}

static int add_key(struct keys *k, enum traceql_scope scope, struct str key)
{
    const struct trace_key wanted = {scope, key};
    size_t low = 0, high = k->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_keys(&k->items[middle], &wanted);
        if (order == 0) {
            return 0;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    if (k->count == TRACE_NAMES_MAX) {
        k->cut = true;
        return 0;
    }
    char *copy = arena_strndup(k->arena, key.len > 0 ? key.ptr : "", key.len);
    if (copy == NULL) {
        return arena_error(k->arena);
    }
    memmove(&k->items[low + 1], &k->items[low], (k->count - low) * sizeof(*k->items));
    k->items[low] = (struct trace_key){scope, str_make(copy, key.len)};
    k->count++;
    return 0;
}

static int add_list(struct keys *k, enum traceql_scope scope, struct attributes list)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        status = add_key(k, scope, list.items[i].key);
    }
    return status;
}

/* Of the events or the links of the spans of a page: of all, or of those that may match. */
static int add_extra(struct keys *k, struct span_page *page, bool events, const uint8_t *verdicts,
    struct arena *scratch)
{
    struct span_page_extras extras;
    int status = span_page_extra(page, events ? SPAN_PAGE_EVENTS : SPAN_PAGE_LINKS, &extras);
    for (uint32_t i = 0; status == 0 && i < extras.count; i++) {
        bool wanted = verdicts == NULL || (verdicts[extras.rows[i]] & TRACEQL_MAY_HOLD) != 0;
        struct decbuf in = decbuf_of(extras.items[i].ptr, wanted ? extras.items[i].len : 0);
        while (status == 0 && !in.failed && decbuf_left(&in) > 0) {
            struct span_event event;
            struct span_link link;
            struct str message = decbuf_sized(&in);
            if (events) {
                status = otlp_event_decode(message, scratch, &event);
            } else {
                status = otlp_link_decode(message, scratch, &link);
            }
            if (status == 0) {
                status = add_list(k, events ? TRACEQL_SCOPE_EVENT : TRACEQL_SCOPE_LINK,
                    events ? event.attributes : link.attributes);
            }
        }
    }
    return status;
}

static int add_page(struct keys *k, struct span_page *page)
{
    uint32_t resources, scopes;
    struct arena scratch;
    int status = span_page_pools(page, &resources, &scopes);
    arena_init(&scratch, TRACE_BUDGET_BYTES_MAX);
    for (uint32_t i = 0; status == 0 && i < resources; i++) {
        const struct span_resource *resource;
        status = span_page_resource(page, i, &resource);
        status = status == 0 ? add_list(k, TRACEQL_SCOPE_RESOURCE, resource->attributes) : status;
    }
    for (uint32_t i = 0; status == 0 && i < scopes; i++) {
        const struct span_scope *scope;
        status = span_page_scope(page, i, &scope);
        status =
            status == 0 ? add_list(k, TRACEQL_SCOPE_INSTRUMENTATION, scope->attributes) : status;
    }
    for (uint32_t i = 0; status == 0 && i < span_page_column_count(page); i++) {
        struct str key;
        enum attribute_kind kind;
        span_page_column_key(page, i, &key, &kind);
        status = add_key(k, TRACEQL_SCOPE_SPAN, key);
    }
    status = status == 0 ? add_extra(k, page, true, NULL, &scratch) : status;
    status = status == 0 ? add_extra(k, page, false, NULL, &scratch) : status;
    arena_release(&scratch);
    return status;
}

/* ---- Keys of spans that may match ---- */

/* Which of `count` indices candidates have. */
static int find_used(
    struct traceql_scan *scan, const uint16_t *of, uint32_t count, uint8_t **used_out)
{
    uint8_t *used = arena_calloc(&scan->arena, (size_t)count + 1, 1);
    if (used == NULL) {
        return arena_error(&scan->arena);
    }
    for (uint32_t row = 0; row < scan->page.rows; row++) {
        used[of[row]] |= scan->verdicts[row] & TRACEQL_MAY_HOLD;
    }
    *used_out = used;
    return 0;
}

static int add_pools(struct keys *k, struct traceql_scan *scan)
{
    struct span_page *page = scan->page.page;
    const struct span_page_columns *c = &scan->page.columns;
    uint8_t *resources = NULL, *scopes = NULL;
    int status = traceql_page_read(&scan->page, SPAN_PAGE_OF_RESOURCE | SPAN_PAGE_OF_SCOPE);
    status = status == 0 ? find_used(scan, c->resource, c->resource_count, &resources) : status;
    status = status == 0 ? find_used(scan, c->scope, c->scope_count, &scopes) : status;
    for (uint32_t i = 0; status == 0 && i < c->resource_count; i++) {
        const struct span_resource *resource;
        status = resources[i] != 0 ? span_page_resource(page, i, &resource) : 0;
        if (status == 0 && resources[i] != 0) {
            status = add_list(k, TRACEQL_SCOPE_RESOURCE, resource->attributes);
        }
    }
    for (uint32_t i = 0; status == 0 && i < c->scope_count; i++) {
        const struct span_scope *scope;
        status = scopes[i] != 0 ? span_page_scope(page, i, &scope) : 0;
        if (status == 0 && scopes[i] != 0) {
            status = add_list(k, TRACEQL_SCOPE_INSTRUMENTATION, scope->attributes);
        }
    }
    return status;
}

static int has_value(struct traceql_scan *scan, struct str key, bool *has_out)
{
    const struct traceql_field field = {.scope = TRACEQL_SCOPE_SPAN, .key = key};
    struct traceql_page_values values;
    struct arena_mark mark = arena_mark(&scan->arena);
    int known = traceql_page_values(&scan->page, &field, &values);
    *has_out = known == 0;
    for (uint32_t row = 0; known == 1 && !*has_out && row < scan->page.rows; row++) {
        *has_out =
            (scan->verdicts[row] & TRACEQL_MAY_HOLD) != 0 && values.codes[row] != TRACEQL_CODE_NIL;
    }
    arena_rewind(&scan->arena, mark);
    return known < 0 ? known : 0;
}

static int add_matching(struct keys *k, struct traceql_scan *scan)
{
    struct span_page *page = scan->page.page;
    struct arena scratch;
    int status = add_pools(k, scan);
    for (uint32_t i = 0; status == 0 && i < span_page_column_count(page); i++) {
        struct str key;
        enum attribute_kind kind;
        bool has = false;
        span_page_column_key(page, i, &key, &kind);
        status = has_value(scan, key, &has);
        status = status == 0 && has ? add_key(k, TRACEQL_SCOPE_SPAN, key) : status;
    }
    arena_init(&scratch, TRACE_BUDGET_BYTES_MAX);
    status = status == 0 ? add_extra(k, page, true, scan->verdicts, &scratch) : status;
    status = status == 0 ? add_extra(k, page, false, scan->verdicts, &scratch) : status;
    arena_release(&scratch);
    return status;
}

int trace_keys_of(struct span_view *view, const struct traceql_query *query, uint64_t start_ns,
    uint64_t end_ns, struct trace_budget *budget, struct arena *arena, struct trace_keys *keys_out,
    struct err *e)
{
    struct keys k = {.arena = arena};
    struct traceql_scan scan;
    k.items = arena_alloc(arena, TRACE_NAMES_MAX * sizeof(*k.items));
    if (k.items == NULL) {
        return tell(arena_error(arena), e);
    }
    int status = traceql_scan_open(&scan, view, query, start_ns, end_ns, budget, e);
    for (int seen = 0; status == 0 && (status = traceql_scan_next(&scan, 0, e)) == 1; seen++) {
        if (seen == TRACE_NAMES_PAGES_MAX) {
            k.cut = true;
            break;
        }
        status = add_matching(&k, &scan);
        status = status == ERR_CORRUPT ? 0 : status;
    }
    traceql_scan_close(&scan);
    *keys_out = (struct trace_keys){k.items, k.count, k.cut};
    return status < 0 ? tell(status, e) : 0;
}

/* ---- All keys ---- */

int trace_keys(struct span_view *view, uint64_t start_ns, uint64_t end_ns, struct arena *arena,
    struct trace_keys *keys_out, struct err *e)
{
    struct keys k = {.arena = arena};
    struct span_pages *pages = NULL;
    struct span_page *page;
    uint64_t latest;
    int more = 0;
    k.items = arena_alloc(arena, TRACE_NAMES_MAX * sizeof(*k.items));
    int status =
        k.items == NULL ? arena_error(arena) : span_view_pages(view, start_ns, end_ns, &pages, e);
    for (int seen = 0; status == 0 && (more = span_pages_next(pages, &page, &latest)) == 1;
         seen++) {
        if (seen == TRACE_NAMES_PAGES_MAX) {
            k.cut = true;
            break;
        }
        status = add_page(&k, page);
        status = status == ERR_CORRUPT ? 0 : status; /* keys of other pages are of use */
    }
    span_pages_close(pages);
    status = status == 0 && more < 0 ? more : status;
    *keys_out = (struct trace_keys){k.items, k.count, k.cut};
    return tell(status, e);
}

/* ---- Values ---- */

struct values {
    struct arena *arena;
    struct traceql_value *items; /* `limit`, in order */
    size_t count, limit;
    bool cut;
};

static int add_value(struct values *v, struct traceql_value value)
{
    size_t low = 0, high = v->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = traceql_value_order(v->items[middle], value);
        if (order == 0) {
            return 0;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    if (v->count == v->limit || value.type == TRACEQL_ARRAY) {
        v->cut |= value.type != TRACEQL_ARRAY;
        return 0;
    }
    if (value.type == TRACEQL_STRING) {
        value.text.ptr =
            arena_strndup(v->arena, value.text.len > 0 ? value.text.ptr : "", value.text.len);
        if (value.text.ptr == NULL) {
            return arena_error(v->arena);
        }
    }
    memmove(&v->items[low + 1], &v->items[low], (v->count - low) * sizeof(*v->items));
    v->items[low] = value;
    v->count++;
    return 0;
}

/* Of rows that may match, each value once a page. */
static int add_values(
    struct values *v, struct traceql_scan *scan, const struct traceql_field *field)
{
    struct traceql_page_values found;
    int known = traceql_page_values(&scan->page, field, &found);
    if (known != 1) {
        return known;
    }
    uint8_t *seen = arena_calloc(&scan->arena, (size_t)found.count + 1, 1);
    int status = seen == NULL ? arena_error(&scan->arena) : 0;
    for (uint32_t row = 0; status == 0 && row < scan->page.rows && !v->cut; row++) {
        uint32_t code = found.codes[row];
        if ((scan->verdicts[row] & TRACEQL_MAY_HOLD) != 0 && code < found.count &&
            seen[code] == 0) {
            seen[code] = 1;
            status = add_value(v, found.values[code]);
        }
    }
    return status;
}

/* Whose values stand for those of a root. */
static struct traceql_field stand_in(const struct traceql_field *field)
{
    struct traceql_field of = *field;
    if (of.scope == TRACEQL_SCOPE_INTRINSIC && of.intrinsic == TRACEQL_INTRINSIC_ROOT_NAME) {
        of.intrinsic = TRACEQL_INTRINSIC_NAME;
    } else if (of.scope == TRACEQL_SCOPE_INTRINSIC &&
               of.intrinsic == TRACEQL_INTRINSIC_ROOT_SERVICE) {
        of.scope = TRACEQL_SCOPE_RESOURCE;
        of.key = STR("service.name");
    }
    return of;
}

int trace_values(struct span_view *view, const struct traceql_query *query,
    const struct traceql_field *field, uint64_t start_ns, uint64_t end_ns, size_t limit,
    struct trace_budget *budget, struct arena *arena, struct trace_values *values_out,
    struct err *e)
{
    struct traceql_scan scan;
    struct values v = {.arena = arena, .limit = limit};
    struct traceql_field of = stand_in(field);
    v.items = arena_alloc(arena, limit * sizeof(*v.items));
    if (v.items == NULL) {
        return tell(arena_error(arena), e);
    }
    int status = traceql_scan_open(&scan, view, query, start_ns, end_ns, budget, e);
    for (int seen = 0; status == 0 && !v.cut && (status = traceql_scan_next(&scan, 0, e)) == 1;
         seen++) {
        if (seen == TRACE_NAMES_PAGES_MAX) {
            v.cut = true;
            break;
        }
        status = add_values(&v, &scan, &of);
        status = status == ERR_CORRUPT ? 0 : status;
    }
    traceql_scan_close(&scan);
    *values_out = (struct trace_values){v.items, v.count, v.cut};
    return status < 0 ? tell(status, e) : 0;
}
