/* The web page: files embedded in the program.
 *
 * ETags name the stored bytes. They are sent as weak ones, since the same file may leave compressed or
 * not, and comparing for If-None-Match is weak anyway (RFC 9110, section 8.8.3).
 */
#include <stdio.h>

#include "api/api_private.h"
#include "query/ui_assets.h"

/* Whether the list of an If-None-Match header names the tag. */
static bool names_tag(struct str header, const char *etag)
{
    while (header.len > 0) {
        struct str one = str_trim(str_split(&header, ','));
        if (str_starts_with(one, STR("W/"))) {
            one = str_skip(one, 2);
        }
        if (str_eq_c(one, "*") || str_eq_c(one, etag)) {
            return true;
        }
    }
    return false;
}

static void set_headers(struct http_exchange *x, const struct ui_asset *asset)
{
    char tag[128];
    snprintf(tag, sizeof(tag), "W/%s", asset->etag);
    http_exchange_set_header(x, "ETag", tag);
    http_exchange_set_header(
        x, "Cache-Control", asset->immutable ? UI_CACHE_FOR_EVER : UI_CACHE_ASK);
    if (str_starts_with(str_of(asset->content_type), STR("text/html"))) {
        http_exchange_set_header(x, "Content-Security-Policy", UI_CONTENT_SECURITY_POLICY);
    }
}

void api_page(struct api_request *r)
{
    const struct ui_asset *asset = ui_asset_find(http_exchange_path(r->exchange));
    if (asset == NULL) {
        api_reply_text(r, 404, "There is nothing at this path.");
        return;
    }
    set_headers(r->exchange, asset);
    if (names_tag(http_exchange_header(r->exchange, "If-None-Match"), asset->etag)) {
        api_reply_empty(r, 304);
        return;
    }
    api_reply_static(r, 200, asset->content_type, asset->bytes, asset->size, asset->gzipped);
}
