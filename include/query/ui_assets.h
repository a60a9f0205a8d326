/* The files of the web page, inside the program: page, script, style sheet and dashboards.
 *
 * The table is generated when the house is built (dashboards/CMakeLists.txt). All of it is constant
 * and may be used from any thread.
 *
 * How to serve an asset: send `bytes` as they are with Content-Encoding gzip when `gzipped` and the
 * client accepts it; otherwise decompress (base/gzip.h, limit `plain_size`) and leave the ETag out,
 * which names the stored bytes. Answer 304 when If-None-Match holds `etag`. Cache-Control is
 * UI_CACHE_FOR_EVER for `immutable` ones and UI_CACHE_ASK for the others. Pages (text/html) go out
 * with UI_CONTENT_SECURITY_POLICY, which the page is built for: no inline script or style, no eval,
 * nothing from anywhere else.
 */
#ifndef SONDE_QUERY_UI_ASSETS_H
#define SONDE_QUERY_UI_ASSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define UI_CONTENT_SECURITY_POLICY                                                                 \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "                   \
    "frame-ancestors 'none'"
#define UI_CACHE_FOR_EVER "public, max-age=31536000, immutable"
#define UI_CACHE_ASK "no-cache"

struct ui_asset {
    const char *path; /* without a route prefix: "/", "/ui/dashboards/host-use.json" */
    const char *content_type;
    const uint8_t *bytes;
    size_t size;       /* of `bytes` */
    size_t plain_size; /* decompressed */
    bool gzipped;
    bool immutable;   /* the name changes with the content */
    const char *etag; /* strong, quotes included */
};

/* The asset at a path without route prefix and query, or NULL. "/graph" and "/traces" are the page "/"
 * too: links of alerts and of exemplars lead there. */
const struct ui_asset *ui_asset_find(struct str path);

/* All assets, in bytewise order of their paths. */
const struct ui_asset *ui_assets_all(size_t *count_out);

#endif
