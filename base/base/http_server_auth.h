/* Passwords: the header Authorization against names and bcrypt hashes. A check costs tens of milliseconds by
 * design, so those that succeeded are remembered, by an HMAC under a key of this process. */
#ifndef SONDE_BASE_HTTP_SERVER_AUTH_H
#define SONDE_BASE_HTTP_SERVER_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/lock.h"
#include "base/str.h"

enum { HTTP_AUTH_REMEMBERED_MAX = 64, HTTP_AUTH_HEADER_MAX = 1024 };

/* What has been good: by the header and the hash it was good for, so that a changed password is
 * forgotten by itself. */
struct http_auth_memory {
    struct lock lock;
    uint8_t key[32];
    uint8_t sums[HTTP_AUTH_REMEMBERED_MAX][32];
    size_t count, next;
};

void http_auth_memory_init(struct http_auth_memory *memory);
void http_auth_memory_release(struct http_auth_memory *memory);

enum http_auth_verdict {
    HTTP_AUTH_GOOD,
    HTTP_AUTH_BAD,
    HTTP_AUTH_UNKNOWN, /* it takes http_auth_check to know */
};

/* At once: what is remembered, and what cannot be good. `header` is the value of Authorization, ptr NULL when
 * absent. */
enum http_auth_verdict http_auth_recall(
    struct http_auth_memory *memory, const struct config_map *users, struct str header);
/* Computes, and remembers what is good. Names that are not there take as long as wrong passwords. From any
 * thread. */
bool http_auth_check(
    struct http_auth_memory *memory, const struct config_map *users, struct str header);

#endif
