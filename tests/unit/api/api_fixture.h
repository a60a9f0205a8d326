/* The API under test: its real routes behind a real HTTP server on a free loopback port, over a store
 * in memory. The store's own calls (metadata, statistics, compaction) are twins that answer from
 * `struct api_fixture`. */
#ifndef SONDE_TESTS_API_FIXTURE_H
#define SONDE_TESTS_API_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "lookup_source.h"
#include "memory_sink.h"
#include "support/fake_clock.h"
#include "support/memory_store.h"
#include "tsdb/cardinality.h"

struct api_fixture {
    struct fake_clock clock;
    struct memory_store *store;
    struct lookup_source lookup; /* reads the store */
    struct memory_sink *sink;
    struct engine *engine;
    struct api *api;
    struct workpool *lane; /* of queries: two threads */
    struct http_server *server;
    bool memory_is_short; /* what the program says when it is asked */
    /* The last answer; text is zero-terminated. */
    unsigned status;
    struct strbuf head, body;
};

/* What the twins of tsdb_… answer. */
extern struct tsdb_statistics fake_statistics;
extern const struct metric_metadata *fake_metadata;
extern size_t fake_metadata_count;
extern int fake_compact_status;
extern unsigned fake_compactions;
extern const struct cardinality *fake_cardinality; /* NULL: the store has no counts */
extern struct strbuf fake_deletes; /* a line for each delete, cleaning and snapshot */
extern bool fake_admin_api;        /* before the start: whether they are allowed */

/* `serving`: the store is there. The clock stands at 1 000 000 s. */
void api_fixture_start(struct api_fixture *f, bool serving);
void api_fixture_serve(struct api_fixture *f);
void api_fixture_stop(struct api_fixture *f);

/* Sends a request and reads the whole answer. `headers` are lines that end in \r\n, may be NULL. */
void api_fixture_send(struct api_fixture *f, const char *method, const char *target,
    const char *headers, const void *body, size_t size);
/* GET; returns the body. */
const char *api_fixture_get(struct api_fixture *f, const char *target);
/* POST of a form. */
const char *api_fixture_post(struct api_fixture *f, const char *target, const char *form);
/* The value of a header of the last answer; ptr NULL when absent. */
struct str api_fixture_header(const struct api_fixture *f, const char *name);

/* Appends one sample: labels as name, value, …, NULL. */
void api_fixture_sample(struct api_fixture *f, int64_t t_ms, double value, ...);

#endif
