/* Who may come in: the web configuration in force, read again when its files change.
 *
 * Files are looked at when connections and requests come, at most once a second: a renewed certificate or a changed
 * password counts from then on, without a reload. Files that cannot be read or make no sense change nothing,
 * and are told once. TLS cannot be turned on or off by a change.
 */
#ifndef SONDE_BASE_HTTP_SERVER_GUARD_H
#define SONDE_BASE_HTTP_SERVER_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "http_server_auth.h"
#include "http_server_tls.h"
#include "web_config.h"

/* One state of the files; counted, constant. */
struct http_rules {
    _Atomic unsigned holders;
    struct web_config config;
    struct http_tls *tls; /* NULL: none */
};

struct http_guard;

/* `changed` is told of each change after the first state: NULL, or why it was refused. */
int http_guard_open(const char *path,
    void (*changed)(void *context, const char *path, const struct err *e), void *context,
    struct http_guard **guard_out, struct err *e);
/* Accepts NULL. */
void http_guard_close(struct http_guard *guard);
/* What is in force now; the caller lets go of it. From any thread. */
struct http_rules *http_guard_rules(struct http_guard *guard);
/* Accepts NULL. */
void http_rules_unref(struct http_rules *rules);
struct http_auth_memory *http_guard_memory(struct http_guard *guard);

#endif
