/* Discovery with a fake clock, a scripted HTTP client and a simulated disk: what its tests share. */
#ifndef SONDE_TESTS_DISCOVERY_WORLD_H
#define SONDE_TESTS_DISCOVERY_WORLD_H

#include "discovery/discovery.h"
#include "support/fake_clock.h"
#include "support/sim_http_client.h"
#include "support/sim_vfs.h"

struct discovery_world {
    struct fake_clock clock;
    struct sim_http_client http;
    struct sim_vfs *disk;
    struct discovery_options options;
    struct discovery *discovery;
};

void discovery_world_init(struct discovery_world *w);
void discovery_world_release(struct discovery_world *w);
/* The configurations in force are those of these jobs. */
void discovery_world_set(
    struct discovery_world *w, const struct discovery_configs *const *jobs, size_t count);
/* Time passes, and what is due is done. */
void discovery_world_pass(struct discovery_world *w, int64_t milliseconds);
/* An answer of status 200 that is JSON, to a GET of `url` (NULL: of any). */
void discovery_world_expect(struct discovery_world *w, const char *url, const char *json);
/* Fails the test unless the targets of a job, as label sets one a line, are these; in order. */
void discovery_world_check(
    struct discovery_world *w, const struct discovery_configs *configs, const char *expected);
/* Entries of a kind whose last answer was not good. */
uint64_t discovery_world_failing(const struct discovery_world *w, const char *kind);

#endif
