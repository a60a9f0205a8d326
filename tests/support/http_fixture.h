/* An HTTP server to test, with handlers of every kind, in its four ways: threads of its own with handlers in
 * place, threads with pools, and both driven by a loop. */
#ifndef SONDE_TESTS_HTTP_FIXTURE_H
#define SONDE_TESTS_HTTP_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_server.h"
#include "base/lock.h"
#include "base/loop.h"
#include "base/workpool.h"

/* The bytes that /large answers: 'a' + index % 17. */
enum { LARGE = 100000 };

/* What a test blocks handlers with, and what they count. */
struct gate {
    struct lock lock;
    struct lock_condition changed;
    bool open;
    size_t waiting, done;
    _Atomic size_t written; /* bytes that /pieces was allowed to write */
    int error;              /* what ended it */
};

extern struct gate gate;

/* Before all others; a set-up function of cmocka. */
int gate_set_up(void **state);
void gate_set(bool open);
void gate_await_waiting(size_t count);

enum way { WAY_THREADS, WAY_POOLS, WAY_LOOP, WAY_LOOP_POOLS, WAYS };

struct fixture {
    enum way way;
    struct http_server *server;
    struct workpool *pools[2]; /* ingest: one thread, 4 may wait; query: two threads, 1 may wait */
    struct loop *loop;
    pthread_t loop_thread;
    uint16_t port;
};

extern const struct http_route fixture_routes[];

/* Options beyond address, routes, lanes and loop are the caller's. */
void fixture_start(struct fixture *f, enum way way, struct http_server_options o);
void fixture_stop(struct fixture *f);
int fixture_dial(const struct fixture *f);
/* Of this process. */
size_t open_files(void);

struct exchange_case {
    const char *request;
    unsigned status;
    const char *body;           /* NULL: not compared */
    const char *header, *value; /* NULL: not compared; value NULL: must be absent */
};

/* All on one connection. */
void run_cases(const struct fixture *f, const struct exchange_case *cases, size_t count);

#define GET(target) "GET " target " HTTP/1.1\r\nHost: h\r\n\r\n"
#define FORM(target, length, body)                                                                 \
    "POST " target " HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded; "     \
    "charset=utf-8\r\nContent-Length: " length "\r\n\r\n" body

#endif
