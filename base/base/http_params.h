/* Parameters of query strings and forms (application/x-www-form-urlencoded). Private to
 * http_server.c. */
#ifndef SONDE_BASE_HTTP_PARAMS_H
#define SONDE_BASE_HTTP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

/* Parameters of one request. */
#define HTTP_PARAMS_MAX 10000

struct http_param {
    struct str name, value; /* decoded, in the arena, zero-terminated too */
};

struct http_params {
    struct http_param *items;
    size_t count;
};

/* Undoes %XX, and '+' for a space where asked; a percent sign without two hexadecimal digits stays
 * as it is. 0 or the arena's error. */
int http_decode(
    struct arena *arena, struct str encoded, bool plus_is_space, struct str *decoded_out);
/* Adds the parameters of "a=1&b=2" behind those that are there. ERR_LIMIT beyond HTTP_PARAMS_MAX. */
int http_params_add(struct arena *arena, struct str encoded, struct http_params *params);
/* The index-th value of a name; NULL when there are not that many. */
const struct http_param *http_params_find(
    const struct http_params *params, struct str name, size_t index);

#endif
