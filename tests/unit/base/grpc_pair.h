/* A client and a session of the gRPC server, joined in memory; time by hand. */
#ifndef SONDE_TESTS_GRPC_PAIR_H
#define SONDE_TESTS_GRPC_PAIR_H

#include "grpc_server_session.h"
#include "support/fake_clock.h"
#include "support/grpc_client.h"

enum { GRPC_PAIR_HELD_MAX = 64 };

struct grpc_pair {
    struct fake_clock clock;
    struct grpc_server_options options;
    struct grpc_call_host host;
    struct grpc_session *session;
    struct grpc_client client;
    size_t piece; /* bytes that are handed to the session at a time; 0: all */
    bool hold;    /* calls that are complete wait in `held` */
    struct grpc_call *held[GRPC_PAIR_HELD_MAX];
    size_t held_count, handled;
    size_t charged, charge_max;
    int status; /* of the session: the first error */
};

/* Handlers: /test.Echo/Echo answers its message; /test.Echo/Fail fails with the status that is the first
 * byte of the message, the rest being the sentence; /test.Echo/Busy asks to come again in 1500 ms. */
extern const struct grpc_method grpc_pair_methods[];
extern const size_t grpc_pair_method_count;

/* Small limits unless `options` says otherwise: messages 64 KiB, 8 streams, 10 resets, headers 1 KiB. */
void grpc_pair_init(struct grpc_pair *p, struct grpc_server_options options);
void grpc_pair_release(struct grpc_pair *p);
/* Carries bytes both ways until there are none. */
void grpc_pair_pump(struct grpc_pair *p);
/* Carries given bytes to the session; what it answers goes nowhere. */
void grpc_pair_feed(struct grpc_pair *p, struct str bytes);
/* Begins a call with one message in one frame. */
size_t grpc_pair_call(struct grpc_pair *p, const char *path, struct str message);
/* Lets the handler of a held call go on. */
void grpc_pair_resume(struct grpc_pair *p, size_t index);

#endif
