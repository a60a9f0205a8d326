/* The server: store, engine, API, HTTP, threads; put together, run, and taken apart.
 *
 *   server_open   listens, opens the store, answers; or says in a sentence why not
 *   server_run    until SIGINT or SIGTERM (SIGHUP reads the configuration again)
 *   server_close  answers what is running, seals the store, and is gone
 */
#ifndef SONDE_QUERY_SERVER_H
#define SONDE_QUERY_SERVER_H

#include "base/err.h"
#include "server/server_config.h"

struct server;

struct server_options {
    const char *config_path; /* NULL: no file */
    const struct server_flags *flags;
};

/* On the thread that will run it. Strings of the options are borrowed until server_close. */
int server_open(const struct server_options *options, struct server **server_out, struct err *e);
void server_run(struct server *server);
/* A failure to seal is a sentence in `e`; nothing is lost by it. Accepts NULL. */
int server_close(struct server *server, struct err *e);

#endif
