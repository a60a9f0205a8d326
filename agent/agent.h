/* The agent as a whole: collectors and scraper, shipper, and a page about itself, all on one loop. */
#ifndef SONDE_AGENT_AGENT_H
#define SONDE_AGENT_AGENT_H

#include "base/err.h"
#include "base/loop.h"

#define AGENT_OTLP_LISTEN "127.0.0.1:4318"
#define AGENT_OTLP_GRPC_LISTEN "127.0.0.1:4317"

struct agent_options {
    const char *config_path; /* NULL = none */
    const char *data_path;
    const char *listen;
    const char *otlp_listen;      /* of what others send; "" = nowhere, NULL = AGENT_OTLP_LISTEN */
    const char *otlp_grpc_listen; /* of OTLP over gRPC, likewise */
    const char *web_config;       /* of all listeners; NULL = none */
    const char *const *servers;   /* of --server; replace remote_write */
    size_t server_count;
};

struct agent;

/* Everything started, nothing running until the loop does. The sentence of a failure says what to
 * do. `options` is borrowed for the agent's life. */
int agent_start(const struct agent_options *options, struct loop *loop, struct agent **agent_out,
    struct err *e);
/* Flushes to disk and ends. Accepts NULL. */
void agent_stop(struct agent *a);
/* Reads the configuration again; on an error the old one stays. */
int agent_reload(struct agent *a, struct err *e);

#endif
