/* What http_plain sends, and where to: a request as its bytes, from a URL with an address in numbers or
 * localhost. */
#ifndef SONDE_BASE_HTTP_CLIENT_PLAIN_REQUEST_H
#define SONDE_BASE_HTTP_CLIENT_PLAIN_REQUEST_H

#include <netinet/in.h>

#include "base/http_client.h"
#include "base/strbuf.h"

struct http_plain_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to; /* zeroed behind what is used: compared by its bytes */
    socklen_t size;
    bool is_localhost; /* as the name: both loopback addresses are meant, IPv4's first */
};

/* `http://127.0.0.1[:port][/path][?query]`, or `[::1]` or `localhost` for the host; a fragment is left out. False
 * for what is anything else: another name, https, a user, bytes that have no place in a URL. */
bool http_plain_read_url(const char *url, struct http_plain_address *address_out,
    struct str *host_out, struct str *path_out);

/* Whether http_plain can do this request at all. */
bool http_plain_takes(const struct http_client_request *request);

/* Turns to the other address of localhost: false when there is none, or it has been tried. */
bool http_plain_next_address(struct http_plain_address *address);

/* Request line and headers onto `out`: Host, User-Agent, Accept, those of the profile, those of the request; a
 * header of the request takes the place of ours, and one without a value is sent without one. 0, ERR_NOMEM,
 * ERR_LIMIT, ERR_INVALID (header with a line end), or the error of a secret's file. */
int http_plain_write_request(
    const struct http_client_request *request, const char *user_agent, struct strbuf *out);

#endif
