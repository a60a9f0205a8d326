/* Receivers of remote write behind a struct http_client: each host has a mood, and remembers every
 * sample it took. Samples carry their number as time and value. */
#ifndef SONDE_TESTS_SHIP_RECEIVER_H
#define SONDE_TESTS_SHIP_RECEIVER_H

#include <stdbool.h>

#include "base/http_client.h"

enum { RECEIVER_SAMPLES_MAX = 200000, RECEIVER_CALLS_MAX = 8, RECEIVER_HOSTS_MAX = 4 };

struct receiver_host {
    const char *url;
    unsigned status; /* its answer; 0 = none comes: the network fails */
    size_t body_max; /* larger requests are answered 413; 0 = none are */
    uint8_t *seen;   /* how often each sample came */
    uint64_t samples, requests, metadata, largest_request;
    int64_t newest; /* order is checked: numbers only grow, but for repetitions */
    uint64_t repeated;
    size_t message_bytes_max;
};

struct receiver_call {
    char *body;
    size_t body_size;
    struct receiver_host *host;
    http_client_done done;
    void *context;
};

struct receiver {
    struct http_client client; /* first: hand out &receiver.client */
    struct receiver_host hosts[RECEIVER_HOSTS_MAX];
    size_t host_count;
    struct receiver_call calls[RECEIVER_CALLS_MAX];
};

void receiver_init(struct receiver *r);
void receiver_release(struct receiver *r);
struct receiver_host *receiver_add(struct receiver *r, const char *url, unsigned status);
/* Answers what is in flight now; returns how many. */
size_t receiver_answer(struct receiver *r);

#endif
