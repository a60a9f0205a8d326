/* One destination: takes records from the queue in order and posts them: samples one request at a time, so that
 * series stay in order; spans, which have none, several at a time. Where it says samples, a queue of spans counts
 * spans. Each record on its way goes by itself:
 *
 *   idle --record--> sending --taken--> idle
 *                       |--again--> waiting --time--> sending (the same record)
 *                       |--too large--> idle (its halves instead, down to a series, a span)
 *                       |--400, of spans--> idle (likewise, until only what it cannot take is dropped)
 *                       |--another protocol--> idle (the same record, as remote write 1.0)
 *                       '--refused--> idle (dropped, counted: the receiver will never take it)
 *
 * Which answer is which: ship/sender_answer.h. Waiting is anything from the least backoff to a ceiling,
 * which is doubled with each attempt from twice that to the largest (full jitter: a fleet does not
 * return in step); Retry-After is a lower bound, itself bounded. A receiver that does not speak remote
 * write 2.0 gets 1.0 for an hour, then is asked again; so it is after a restart, which costs one
 * request. An answer makes it send the next record at once; else it has no time of its own: the owner
 * calls sender_step with the clock. While delivery fails, one request at a time asks whether it works again.
 */
#ifndef SONDE_SHIP_SENDER_H
#define SONDE_SHIP_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/http_client.h"
#include "ship/queue.h"
#include "ship/request_maker.h"

/* Requests of spans on their way to a destination, and bytes of records from which on no other is taken: with
 * requests of 512 spans and 50 ms to the receiver and back that is 160 000 spans a second. */
#define SENDER_LANES_MAX 16
#define SENDER_HAND_BYTES_MAX ((size_t)16 << 20)
#define SENDER_BACKOFF_MIN_MS 100
#define SENDER_BACKOFF_MAX_MS 30000
#define SENDER_RETRY_AFTER_MAX_MS 300000
#define SENDER_TIMEOUT_DEFAULT_MS 15000
/* Between two attempts while 401 and 403 are no refusal: who has to change a password needs time, and a server
 * that counts failures must not lock the agent out. */
#define SENDER_UNAUTHORIZED_WAIT_MS 60000
/* How long a receiver that refused remote write 2.0 gets 1.0. */
#define SENDER_FALL_BACK_MS 3600000

/* Headers of a destination; those beside them are the sender's own. */
#define SENDER_HEADERS_MAX ((size_t)HTTP_CLIENT_HEADERS_MAX - 4)

/* All of it is copied. */
struct sender_options {
    const char *name;                         /* for logs, and of its cursor file */
    const char *url;                          /* whole: http://host:port/api/v1/write */
    const struct http_client_header *headers; /* added to each request */
    size_t header_count;
    const struct http_profile *profile; /* NULL: of nobody in particular */
    enum ship_protocol protocol;
    struct request_maker_options request;
    uint32_t samples_max;                   /* of one request; 0 = as batches are */
    int64_t timeout_ms;                     /* 0 = default */
    int64_t backoff_min_ms, backoff_max_ms; /* 0 = default */
    int64_t sample_age_max_ms;              /* older ones are not worth sending; 0 = any age */
    int64_t unauthorized_grace_ms; /* 401 and 403 are no refusal for as long; 0 = they are */
    uint64_t seed;                 /* of the jitter */
};

struct sender_statistics {
    uint64_t sent_samples, sent_requests, sent_bytes;
    uint64_t sent_exemplars; /* where they were counted: not in batches sent as they are */
    uint64_t retries;
    uint64_t rejected_samples; /* refused for good by the receiver */
    uint64_t rejected_requests;
    uint64_t filtered_samples; /* left out by the destination's own rules */
    uint64_t aged_samples;     /* too old to be worth sending here */
    uint64_t splits;           /* requests that were too large, and halved */
    uint64_t fall_backs;       /* to remote write 1.0 */
    uint64_t waiting_samples;  /* in the queue for this destination */
    uint64_t found_samples;    /* waiting when the queue was opened, or the destination added */
    uint64_t missed_samples;   /* went through the queue before it was added */
    uint64_t dropped_samples;  /* by the queue, over its bounds or damaged, not delivered here */
    uint64_t dropped_by[QUEUE_DROP_COUNT]; /* the same, by reason */
    unsigned last_status;                  /* HTTP status of the last answer, 0 = none came */
    enum ship_protocol protocol;           /* spoken now */
    bool in_flight, failing;
    int64_t newest_sent_t; /* highest sample time delivered */
};

struct sender;
struct sender_settings;

/* Queue, client and clock are borrowed. */
int sender_new(const struct sender_options *options, struct queue *queue, size_t cursor,
    struct http_client *client, struct clock *clock, struct sender **sender_out);
/* Cancels what is in flight; the record stays in the queue. Accepts NULL. */
void sender_free(struct sender *s);
/* Its cursor in the queue, and its name. */
size_t sender_cursor(const struct sender *s);
const char *sender_name(const struct sender *s);
/* What it would like to speak: that of the settings it will go by. */
enum ship_protocol sender_protocol(const struct sender *s);
/* Other settings, in two steps so that a failure changes nothing: `sender_settings_new` may fail (ERR_NOMEM;
 * ERR_LIMIT: too many headers), `sender_change` takes them over and cannot. The name stays what it was. A
 * request on its way is waited for, and its answer counts; with another receiver a pause ends at once. */
int sender_settings_new(
    const struct sender_options *options, struct sender_settings **settings_out);
void sender_settings_free(struct sender_settings *settings);
void sender_change(struct sender *s, struct sender_settings *settings);
/* Does what is due. Returns milliseconds until it wants to be called again at the latest, -1 = when a
 * record comes. */
int64_t sender_step(struct sender *s);
void sender_statistics(const struct sender *s, struct sender_statistics *statistics_out);

#endif
