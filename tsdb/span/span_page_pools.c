/* Resources and scopes of a page. */
#include "span/span_page_private.h"

/* The messages of a pool, each with its schema URL. */
static int read_pool(struct span_page *page, uint32_t what, uint32_t count, struct str **raw_out,
    struct str **schema_urls_out)
{
    struct str plain;
    int status = span_page_section(page, what, &plain);
    if (status != 0) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    struct str *raw = arena_alloc(&page->arena, count * sizeof(*raw));
    struct str *urls = arena_alloc(&page->arena, count * sizeof(*urls));
    if (raw == NULL || urls == NULL) {
        return ERR_NOMEM;
    }
    (void)decbuf_uvarint(&in); /* the count, known */
    for (uint32_t i = 0; i < count; i++) {
        raw[i] = decbuf_sized(&in);
        urls[i] = decbuf_sized(&in);
    }
    *raw_out = raw;
    *schema_urls_out = urls;
    return in.failed || decbuf_left(&in) != 0 ? ERR_CORRUPT : 0;
}

/* From the pool; 0: they have to be the page's own, 1: done, or an error. */
static int share_resources(struct span_page *page)
{
    struct span_resource_pool *pool = page->unpacker->resources;
    struct str plain;
    int status = pool != NULL ? span_page_glance(page, SPAN_SECTION_RESOURCES, &plain) : 0;
    if (status != 0 || pool == NULL) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t count = decbuf_uvarint(&in);
    if (in.failed || count == 0 || count > page->info.rows) {
        return ERR_CORRUPT;
    }
    struct str *raw = arena_alloc(&page->arena, count * sizeof(*raw));
    const struct span_resource **resources = arena_alloc(&page->arena, count * sizeof(*resources));
    status = raw == NULL || resources == NULL ? ERR_NOMEM : 1;
    for (uint64_t i = 0; status == 1 && i < count; i++) {
        const struct span_pooled_resource *found = NULL;
        struct str message = decbuf_sized(&in), url = decbuf_sized(&in);
        status = in.failed ? ERR_CORRUPT : span_resource_pool_find(pool, message, url, &found);
        if (status == 1) {
            raw[i] = found->raw;
            resources[i] = &found->resource;
        }
    }
    if (status == 1) {
        page->resources_raw = raw;
        page->resources = resources;
        page->resource_count = (uint32_t)count;
    }
    return status == 1 && decbuf_left(&in) != 0 ? ERR_CORRUPT : status;
}

static int own_resources(struct span_page *page)
{
    struct str *urls;
    uint32_t count;
    int status = span_page_count(page, SPAN_SECTION_RESOURCES, &count);
    status = status == 0
                 ? read_pool(page, SPAN_SECTION_RESOURCES, count, &page->resources_raw, &urls)
                 : status;
    if (status != 0) {
        return status;
    }
    struct span_resource *decoded = arena_calloc(&page->arena, count, sizeof(*decoded));
    const struct span_resource **resources = arena_alloc(&page->arena, count * sizeof(*resources));
    status = decoded == NULL || resources == NULL ? ERR_NOMEM : 0;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = otlp_resource_decode(page->resources_raw[i], &page->arena, &decoded[i]);
        decoded[i].schema_url = urls[i];
        resources[i] = &decoded[i];
    }
    if (status == 0) {
        page->resources = resources;
        page->resource_count = count;
    }
    return status;
}

int span_page_read_resources(struct span_page *page)
{
    int status = page->resources != NULL ? 1 : share_resources(page);
    return status == 0 ? own_resources(page) : status == 1 ? 0 : status;
}

int span_page_read_scopes(struct span_page *page)
{
    struct str *urls;
    uint32_t count;
    if (page->scopes != NULL) {
        return 0;
    }
    int status = span_page_count(page, SPAN_SECTION_SCOPES, &count);
    status = status == 0 ? read_pool(page, SPAN_SECTION_SCOPES, count, &page->scopes_raw, &urls)
                         : status;
    struct span_scope *scopes =
        status == 0 ? arena_calloc(&page->arena, count, sizeof(*scopes)) : NULL;
    status = status == 0 && scopes == NULL ? ERR_NOMEM : status;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = otlp_scope_decode(page->scopes_raw[i], &page->arena, &scopes[i]);
        scopes[i].schema_url = urls[i];
    }
    if (status == 0) {
        page->scopes = scopes;
    }
    return status;
}

int span_page_resource(
    struct span_page *page, uint32_t index, const struct span_resource **resource_out)
{
    int status = span_page_read_resources(page);
    if (status == 0) {
        *resource_out = page->resources[index];
    }
    return status;
}

int span_page_scope(struct span_page *page, uint32_t index, const struct span_scope **scope_out)
{
    int status = span_page_read_scopes(page);
    if (status == 0) {
        *scope_out = &page->scopes[index];
    }
    return status;
}
