/* A sender and its lanes: one request of a destination, and what they have in common. Private to agent/ship. */
#ifndef SONDE_SHIP_SENDER_PRIVATE_H
#define SONDE_SHIP_SENDER_PRIVATE_H

#include "ship/batch_split.h"
#include "ship/sender.h"
#include "ship/sender_settings.h"

enum lane_state { LANE_IDLE, LANE_SENDING, LANE_WAITING };

/* One record on its way, in one request after the other when it is sent in pieces. */
struct sender_lane {
    struct sender *sender;
    enum lane_state state;
    struct http_client_call *call;
    struct queue_record record; /* being sent */
    struct strbuf piece;       /* its payload, or that of a piece of it; empty: no record in hand */
    struct batch_split *split; /* when it is sent in pieces */
    struct made_request made;  /* of the piece */
    bool is_made;
    unsigned refusals; /* of pieces of this record, for what is in them */
    uint64_t attempt;  /* of this piece, from 0 */
    int64_t wait_until_ms;
};

struct sender {
    struct sender_settings *settings;
    struct sender_settings *next; /* theirs when nothing is on its way any more; NULL: none */
    struct queue *queue;
    size_t cursor;
    struct http_client *client;
    struct clock *clock;

    struct sender_lane lanes[SENDER_LANES_MAX];
    size_t lane_count;
    enum ship_protocol protocol;   /* spoken now */
    bool proven;                   /* the receiver took a request in it */
    int64_t ask_again_ms;          /* when it is offered remote write 2.0 once more */
    int64_t unauthorized_since_ms; /* the first 401 or 403 since a request was taken; 0 = none */
    uint64_t random;
    struct sender_statistics statistics;
};

void sender_lane_init(struct sender_lane *l, struct sender *sender);
/* Cancels its request; the record stays in the queue. */
void sender_lane_release(struct sender_lane *l);
/* Sends, if there is something to send and it is not being waited. Milliseconds until it wants to be called
 * again at the latest; -1: when a record comes. */
int64_t sender_lane_step(struct sender_lane *l);
/* A request was answered: other settings are taken, and what is due is done. */
void sender_goes_on(struct sender *s);

#endif
