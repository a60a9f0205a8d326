/* One question to a server's HTTP API, and the wait for its answer. */
#ifndef SONDE_QUERY_API_CLIENT_H
#define SONDE_QUERY_API_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http_client.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "cli/client_identity.h"

/* Parameters of one question. */
enum { API_CLIENT_PARAMS_MAX = 16 };

struct api_client_param {
    const char *name;
    const char *value; /* NULL: left out */
};

struct api_client_request {
    const char *server;                     /* "http://127.0.0.1:9095", a path prefix included */
    const char *path;                       /* "/api/v1/query" */
    const struct client_identity *identity; /* NULL: nobody in particular */
    const struct api_client_param *params;
    size_t param_count;
    int64_t timeout_ms;
    /* Sent instead of a form when there are headers: they say what it is. */
    struct str body;
    const struct http_client_header *headers;
    size_t header_count;
    bool get; /* GET, with the parameters in the address */
};

/* POSTs the parameters as a form, or the body (or GETs), and waits. The body is appended to `body`. 0 when there was an
 * answer, whatever its status but 401, which is ERR_PERMISSION; else a sentence that names the server. */
int api_client_ask(const struct api_client_request *request, unsigned *status_out,
    struct strbuf *body, struct err *e);

#endif
