/* The scripted twin of base/http_client: no network, no loop, no time. What is sent waits in flight,
 * in order; the test looks at it and says when which answer comes.
 *
 *   struct sim_http_client sim;
 *   sim_http_client_init(&sim);
 *   sim_http_client_expect(&sim, &(struct sim_http_answer){.method = "POST", .status = 204});
 *   shipper_send(shipper, &sim.client);
 *   sim_http_client_deliver(&sim);          // `done` is called here
 *   sim_http_client_release(&sim);          // fails when expected requests never came
 *
 * A request that is not the expected one fails the test at once, both sides printed. A body that is taken
 * as it comes is given in pieces of a few bytes.
 */
#ifndef SONDE_TESTS_SIM_HTTP_CLIENT_H
#define SONDE_TESTS_SIM_HTTP_CLIENT_H

#include <stddef.h>

#include "base/http_client.h"

enum { SIM_HTTP_ANSWERS_MAX = 1024, SIM_HTTP_ANSWER_HEADERS_MAX = 8 };

/* One exchange of the script. Strings are borrowed for the life of the twin. */
struct sim_http_answer {
    /* What must be asked; NULL = anything. */
    const char *method;
    const char *url;
    const char *body; /* the whole body, as text */
    /* The answer: an error, or status, headers and body. */
    int error;
    unsigned status; /* 0 = 200 */
    struct str answer_body;
    struct http_client_header headers[SIM_HTTP_ANSWER_HEADERS_MAX];
    size_t header_count;
    int64_t retry_after_ms; /* 0 = absent; use 1 for "at once" */
};

/* A request as it was sent. */
struct sim_http_request {
    char *method, *url;
    struct http_client_header *headers; /* copies */
    size_t header_count;
    char *body;
    size_t body_size;
    int64_t timeout_ms;
    size_t body_max;
    bool follow_redirects, accept_gzip;
    bool streams; /* on_body takes the body */
};

struct sim_http_call; /* a request in flight */

struct sim_http_client {
    struct http_client client; /* first: hand out &sim.client */
    struct sim_http_answer answers[SIM_HTTP_ANSWERS_MAX];
    size_t answer_count; /* in the script */
    size_t matched;      /* given to requests */
    struct sim_http_call *oldest, *newest;
    size_t in_flight;
    size_t in_flight_max;         /* send gives ERR_LIMIT beyond; 0 = none */
    struct sim_http_request last; /* the request sent last; empty before the first */
    size_t sent;                  /* requests since the beginning */
};

void sim_http_client_init(struct sim_http_client *sim);
/* Cancels what is in flight; fails the test when part of the script was not asked for. */
void sim_http_client_release(struct sim_http_client *sim);
/* Adds an exchange to the script: the next request without one must match and will get it. Requests
 * may also be sent first and answered by an exchange added later. */
void sim_http_client_expect(struct sim_http_client *sim, const struct sim_http_answer *answer);
/* Delivers the answer of the oldest request in flight; false when nothing is in flight. Fails the
 * test when the script has no answer for it. */
bool sim_http_client_deliver(struct sim_http_client *sim);
/* The request that is answered next; NULL when nothing is in flight. */
const struct sim_http_request *sim_http_client_oldest(const struct sim_http_client *sim);
/* A piece of the body of an answer of status 200 that is still coming, to the oldest request in flight whose
 * URL has `url_part` in it and whose body is taken as it comes. False when there is no such request. When
 * the taker does not want it, the request ends with what it said. */
bool sim_http_client_feed(struct sim_http_client *sim, const char *url_part, struct str piece);
/* Answers the oldest request in flight whose URL has `url_part` in it, beside the script; false when there is
 * none. */
bool sim_http_client_answer(
    struct sim_http_client *sim, const char *url_part, const struct sim_http_answer *answer);
/* Delivers until nothing is in flight, requests sent meanwhile included; returns how many. */
size_t sim_http_client_deliver_all(struct sim_http_client *sim);
/* The value of a header of the request sent last; ptr NULL when absent. */
struct str sim_http_client_last_header(const struct sim_http_client *sim, const char *name);

#endif
