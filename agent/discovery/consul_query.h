/* One question to Consul's HTTP API that is asked again and again: a blocking query.
 *
 * Each answer has an index (X-Consul-Index). The next question names it, and Consul answers when there is a
 * higher one, or after the time to wait. An index that goes backwards (a server was restored) is forgotten,
 * so that the next answer comes at once; one below 1 counts as 1, or the next question would not wait. An
 * answer with the same index says nothing new.
 *
 * The body is cut while it comes in; its parts count when the answer is whole.
 */
#ifndef SONDE_DISCOVERY_CONSUL_QUERY_H
#define SONDE_DISCOVERY_CONSUL_QUERY_H

#include "discovery/discoverer.h"
#include "discovery/json_cutter.h"

/* JSON of one instance of a service, or of the tags of one service. */
#define CONSUL_VALUE_BYTES_MAX ((size_t)1 << 20)

struct consul_query;

struct consul_listener {
    /* A part of an answer: an element of a list, or the member `key` of an object. What is not 0 ends the
     * answer as failed. */
    int (*on_part)(void *context, struct consul_query *query, struct str key, struct str value);
    /* An answer has ended. `changed`: it is whole and new, and its parts count; else they do not. `failing` and
     * `error` say whether it was good. */
    void (*on_end)(void *context, struct consul_query *query, bool changed);
    void *context;
};

struct consul_query {
    /* Set by the owner. */
    const struct discovery_options *world;
    const struct consul_discovery_config *config;
    const struct http_profile *profile;
    const struct consul_listener *listener;
    const char *path; /* "/v1/…" */
    bool of_catalog;  /* takes `filter`; else `health_filter` and the tags */
    void *owner;

    struct http_client_call *call; /* NULL: none under way */
    struct json_cutter cutter;
    bool has_cutter, failing;
    uint64_t index; /* 0: none is known */
    int64_t due_ms, began_ms;
    char error[ERR_MESSAGE_MAX];
};

/* As discovery_kind's. */
int consul_config_check(const void *config, struct err *e);

/* What every URL begins with: scheme, server, prefix. */
void consul_add_server(const struct consul_discovery_config *c, struct strbuf *url);
/* Asks when it is due. `may_wait` false: wants an answer at once, whatever its index. */
void consul_query_step(struct consul_query *q, bool may_wait);
/* Cancels what is under way. */
void consul_query_stop(struct consul_query *q);

#endif
