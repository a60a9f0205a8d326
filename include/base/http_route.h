/* A row of the table that maps method and path to a handler. */
#ifndef SONDE_BASE_HTTP_ROUTE_H
#define SONDE_BASE_HTTP_ROUTE_H

struct http_exchange;

enum http_lane {
    HTTP_LANE_DIRECT, /* on the server's own thread: must not block; health checks, small pages */
    HTTP_LANE_INGEST, /* writes */
    HTTP_LANE_QUERY,  /* reads */
    HTTP_LANE_COUNT,
};

typedef void (*http_handler)(struct http_exchange *x, void *context);

/* `path` is exact, or ends in "/" + "*" to take all below it, or holds one ":name" segment, read back
 * with http_exchange_path_value. Exact is preferred to named, named to all below, a longer path to a
 * shorter. `method` may list several: "GET POST". HEAD is answered wherever GET is. */
struct http_route {
    const char *method;
    const char *path;
    http_handler handler;
    void *context;
    enum http_lane lane;
    const char *help; /* one line, for docs */
};

#endif
