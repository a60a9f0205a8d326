/* A store on a simulated disk, by a clock that tests move: what tests of the store begin with. */
#ifndef SONDE_TESTS_STORE_FIXTURE_H
#define SONDE_TESTS_STORE_FIXTURE_H

#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "tsdb/tsdb.h"

/* A midnight. */
#define FIXTURE_START_MS (INT64_C(19700) * 86400000)

struct store_fixture {
    struct fake_clock clock;
    struct sim_vfs *sim;
    struct tsdb_options
        options; /* path "data"; a test may change them before the store is opened */
    struct tsdb *db;
};

/* Disk, clock and options; the store is not open yet. */
void store_fixture_init(struct store_fixture *f, int64_t now_ms);
/* Opens it, or fails the test with a sentence. */
void store_fixture_open(struct store_fixture *f);
/* As after a kill. */
void store_fixture_reopen(struct store_fixture *f);
/* Closes the store, if it is open, and frees the rest. */
void store_fixture_close(struct store_fixture *f);

/* Steps of maintenance until nothing is left to do. */
void store_fixture_maintain(struct store_fixture *f);
struct tsdb_statistics store_fixture_statistics(struct store_fixture *f);
struct querier *store_fixture_querier(struct store_fixture *f);

#endif
