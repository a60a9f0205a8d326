/* Names are collected page by page, once a dictionary's entry, and put in order. */
#include "trace/trace_names.h"

#include <string.h>

#include "tsdb/span_page.h"

struct collector {
    struct arena *arena;
    struct trace_name *items; /* TRACE_NAMES_MAX, in order */
    size_t count;
    bool cut;
};

static int compare(const struct trace_name *a, const struct trace_name *b)
{
    int order = str_cmp(a->name, b->name);
    return order != 0 ? order : (int)a->kind - (int)b->kind;
}

static int add(struct collector *c, struct trace_name name)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(&c->items[middle], &name);
        if (order == 0) {
            return 0;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    if (c->count == TRACE_NAMES_MAX) {
        c->cut = true;
        return 0;
    }
    char *copy = arena_strndup(c->arena, name.name.ptr, name.name.len);
    if (copy == NULL) {
        return arena_error(c->arena);
    }
    memmove(&c->items[low + 1], &c->items[low], (c->count - low) * sizeof(*c->items));
    c->items[low] = (struct trace_name){str_make(copy, name.name.len), name.kind};
    c->count++;
    return 0;
}

static int add_services(struct collector *c, struct span_page *page, struct str service)
{
    struct span_page_columns columns;
    (void)service;
    int status = span_page_columns(page, &columns);
    for (uint32_t i = 0; status == 0 && i < columns.resource_count; i++) {
        const struct span_resource *resource;
        status = span_page_resource(page, i, &resource);
        if (status == 0) {
            status = add(c, (struct trace_name){span_resource_service(resource), 0});
        }
    }
    return status;
}

/* Which kinds, as bits, each name has among the spans of the service. */
static int note_kinds(struct span_page *page, const struct span_page_columns *columns,
    struct str service, struct arena *scratch, uint8_t **kinds_out)
{
    uint8_t *wanted = arena_calloc(scratch, (size_t)columns->resource_count + 1, 1);
    uint8_t *kinds = arena_calloc(scratch, (size_t)columns->name_count + 1, 1);
    if (wanted == NULL || kinds == NULL) {
        return arena_error(scratch);
    }
    for (uint32_t i = 0; i < columns->resource_count; i++) {
        const struct span_resource *resource;
        int status = span_page_resource(page, i, &resource);
        if (status != 0) {
            return status;
        }
        wanted[i] = service.len == 0 || str_eq(span_resource_service(resource), service);
    }
    uint32_t rows = span_page_info(page).rows;
    for (uint32_t row = 0; row < rows; row++) {
        if (wanted[columns->resource[row]] != 0 && columns->kind[row] < SPAN_KIND_COUNT) {
            kinds[columns->name[row]] |= (uint8_t)(1U << columns->kind[row]);
        }
    }
    *kinds_out = kinds;
    return 0;
}

static int add_operations(struct collector *c, struct span_page *page, struct str service)
{
    struct span_page_columns columns;
    struct arena scratch;
    uint8_t *kinds = NULL;
    arena_init(&scratch, 0);
    int status = span_page_columns(page, &columns);
    status = status == 0 ? note_kinds(page, &columns, service, &scratch, &kinds) : status;
    for (uint32_t i = 0; status == 0 && i < columns.name_count; i++) {
        for (unsigned k = 0; status == 0 && k < SPAN_KIND_COUNT; k++) {
            if ((kinds[i] >> k & 1) != 0) {
                status = add(c, (struct trace_name){columns.names[i], (enum span_kind)k});
            }
        }
    }
    arena_release(&scratch);
    return status;
}

static int collect(struct span_view *view, struct str service, struct arena *arena,
    int (*add_page)(struct collector *, struct span_page *, struct str),
    struct trace_names *names_out, struct err *e)
{
    struct collector c = {.arena = arena};
    struct span_pages *pages = NULL;
    struct span_page *page;
    uint64_t latest;
    int more = 0;
    c.items = arena_alloc(arena, TRACE_NAMES_MAX * sizeof(*c.items));
    if (c.items == NULL) {
        return err_set(e, arena_error(arena), -1, "%s", err_text(arena_error(arena)));
    }
    int status = span_view_pages(view, 0, UINT64_MAX, &pages, e);
    if (status != 0) {
        return status;
    }
    for (int seen = 0; status == 0 && (more = span_pages_next(pages, &page, &latest)) == 1;
         seen++) {
        if (seen == TRACE_NAMES_PAGES_MAX) {
            c.cut = true;
            break;
        }
        status = add_page(&c, page, service);
        status = status == ERR_CORRUPT ? 0 : status; /* names of other pages are of use */
    }
    span_pages_close(pages);
    status = status == 0 && more < 0 ? more : status;
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    *names_out = (struct trace_names){c.items, c.count, c.cut};
    return 0;
}

int trace_services(
    struct span_view *view, struct arena *arena, struct trace_names *names_out, struct err *e)
{
    return collect(view, STR(""), arena, add_services, names_out, e);
}

int trace_operations(struct span_view *view, struct str service, struct arena *arena,
    struct trace_names *names_out, struct err *e)
{
    return collect(view, service, arena, add_operations, names_out, e);
}
