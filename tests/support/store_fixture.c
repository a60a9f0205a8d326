/* Opening, killing and closing a store; see the header. */
#include "support/store_fixture.h"

#include "support/support.h"

void store_fixture_init(struct store_fixture *f, int64_t now_ms)
{
    *f = (struct store_fixture){.sim = sim_vfs_new(1)};
    fake_clock_init(&f->clock, now_ms);
    f->options =
        (struct tsdb_options){.path = "data", .vfs = sim_vfs_get(f->sim), .clock = &f->clock.clock};
}

void store_fixture_open(struct store_fixture *f)
{
    struct err e = ERR_INIT;
    if (tsdb_open(&f->options, &f->db, &e) != 0) {
        fail_msg("open: %s", e.message);
    }
}

void store_fixture_reopen(struct store_fixture *f)
{
    tsdb_abandon(f->db);
    f->db = NULL;
    store_fixture_open(f);
}

void store_fixture_close(struct store_fixture *f)
{
    if (f->db != NULL) {
        assert_int_equal(tsdb_close(f->db, NULL), 0);
        f->db = NULL;
    }
    sim_vfs_free(f->sim);
}

void store_fixture_maintain(struct store_fixture *f)
{
    bool more = true;
    struct err e = ERR_INIT;
    while (more) {
        if (tsdb_maintain(f->db, &more, &e) != 0) {
            fail_msg("maintain: %s", e.message);
        }
    }
}

struct tsdb_statistics store_fixture_statistics(struct store_fixture *f)
{
    struct tsdb_statistics s;
    tsdb_statistics(f->db, &s);
    return s;
}

struct querier *store_fixture_querier(struct store_fixture *f)
{
    struct querier *q = NULL;
    assert_int_equal(querier_open(tsdb_querier_source(f->db), INT64_MIN, INT64_MAX, &q, NULL), 0);
    return q;
}
