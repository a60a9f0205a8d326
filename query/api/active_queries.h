/* Queries that run now: what they ask, for whom, how far they are; and how to end one.
 *
 * A query is in the list from begin to end, and lies in its handler's memory. Any thread may look; whoever
 * looks gets copies.
 */
#ifndef SONDE_QUERY_ACTIVE_QUERIES_H
#define SONDE_QUERY_ACTIVE_QUERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/lock.h"
#include "base/str.h"
#include "query/engine.h"

enum {
    /* Of texts that are kept; longer ones are cut. */
    QUERY_TEXT_MAX = 1024,
    QUERY_CLIENT_MAX = 96,
};

struct active_query {
    struct active_query *next, *previous;
    uint64_t id; /* from 1, never used twice */
    int64_t begun_ns;
    int64_t start_ms, end_ms, step_ms; /* step 0: an instant query, at end_ms */
    size_t text_size, client_size, remote_size;
    char text[QUERY_TEXT_MAX], client[QUERY_CLIENT_MAX], remote[QUERY_CLIENT_MAX];
    struct engine_watch watch;
};

struct active_queries {
    struct lock lock;           /* guards all below, and the links of the queries */
    struct active_query *first; /* newest first */
    size_t count;
    uint64_t last_id;
};

void active_queries_init(struct active_queries *list);
/* None may be left. */
void active_queries_release(struct active_queries *list);

/* Copies what the query is; `begun_ns` is monotonic. */
void active_query_describe(struct active_query *q, struct str text, struct str client,
    struct str remote, int64_t begun_ns);
void active_queries_begin(struct active_queries *list, struct active_query *q);
void active_queries_end(struct active_queries *list, struct active_query *q);

/* What is shown of a query. */
struct active_query_view {
    uint64_t id;
    int64_t begun_ns, start_ms, end_ms, step_ms;
    uint64_t samples, memory_bytes;
    struct str text, client, remote;
};

/* Copies of all, newest first, into `arena`. 0 or the arena's error. */
int active_queries_list(struct active_queries *list, struct arena *arena,
    const struct active_query_view **views_out, size_t *count_out);
/* Asks a query to end; it does at its next look. False when there is none of this number. */
bool active_queries_kill(struct active_queries *list, uint64_t id);

#endif
