/* Levels at their boundaries, with a reading and a clock that the test moves. */
#include "support/support.h"

#include "base/err.h"
#include "base/log.h"
#include "server/memory_guard.h"
#include "support/fake_clock.h"

struct world {
    struct fake_clock clock;
    struct memory_guard *guard;
    uint64_t used;
    int status;
    unsigned reads, changes;
    enum memory_level last;
};

static int read_used(void *context, uint64_t *used_out)
{
    struct world *w = context;
    w->reads++;
    *used_out = w->used;
    return w->status;
}

static void on_change(void *context, enum memory_level level)
{
    struct world *w = context;
    w->changes++;
    w->last = level;
}

static void world_open(struct world *w, uint64_t limit)
{
    *w = (struct world){0};
    fake_clock_init(&w->clock, 1000000);
    const struct memory_guard_options options = {.limit_bytes = limit,
        .clock = &w->clock.clock,
        .read = read_used,
        .changed = on_change,
        .context = w};
    assert_int_equal(memory_guard_new(&options, &w->guard), 0);
}

static enum memory_level level_at(struct world *w, uint64_t used)
{
    w->used = used;
    fake_clock_advance_ms(&w->clock, MEMORY_READ_EACH_MS);
    return memory_guard_level(w->guard);
}

/* Steps of one guard with a limit of 1000 bytes. */
static void test_levels(void **state)
{
    (void)state;
    static const struct {
        uint64_t used;
        enum memory_level level;
    } steps[] = {
        {0, MEMORY_GOOD},
        {849, MEMORY_GOOD},
        {850, MEMORY_SOFT},
        {800, MEMORY_SOFT},
        {799, MEMORY_GOOD},
        {849, MEMORY_GOOD},
        {949, MEMORY_SOFT},
        {950, MEMORY_HARD},
        {930, MEMORY_HARD},
        {929, MEMORY_SOFT},
        {949, MEMORY_SOFT},
        {5000, MEMORY_HARD},
        {10, MEMORY_GOOD},
        {1000, MEMORY_HARD},
        {850, MEMORY_SOFT},
        {800, MEMORY_SOFT},
    };
    struct world w;
    unsigned changes = 0;
    enum memory_level before = MEMORY_GOOD;
    world_open(&w, 1000);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum memory_level level = level_at(&w, steps[i].used);
        if (level != steps[i].level) {
            fail_msg("step %zu, %llu used: level %d instead of %d", i,
                (unsigned long long)steps[i].used, level, steps[i].level);
        }
        changes += level != before;
        before = level;
        assert_int_equal(w.changes, changes);
        assert_int_equal(memory_guard_admit(w.guard), level != MEMORY_HARD);
    }
    struct memory_guard_statistics s;
    memory_guard_statistics(w.guard, &s);
    assert_int_equal(s.turned_away, 4);
    assert_int_equal(s.used_bytes, 800);
    assert_int_equal(s.limit_bytes, 1000);
    assert_int_equal(s.level, MEMORY_SOFT);
    memory_guard_free(w.guard);
}

/* Percentages of limits that are no multiple of 100, and of the largest there are. */
static void test_rounding(void **state)
{
    (void)state;
    static const struct {
        uint64_t limit, good, soft, hard; /* the last good one, the first soft and hard ones */
    } cases[] = {
        {101, 85, 86, 96},
        {1, 0, 1, 1},
        {UINT64_C(18446744073709551600), UINT64_C(15679732462653118859),
            UINT64_C(15679732462653118860), UINT64_C(17524406870024074020)},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world w;
        world_open(&w, cases[i].limit);
        assert_int_equal(level_at(&w, cases[i].good), MEMORY_GOOD);
        assert_true(level_at(&w, cases[i].soft) >= MEMORY_SOFT);
        assert_int_equal(level_at(&w, cases[i].hard), MEMORY_HARD);
        memory_guard_free(w.guard);
    }
}

/* However often it is asked, memory is read twenty times a second; a reading that fails changes
 * nothing. */
static void test_reading(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1000);
    assert_int_equal(level_at(&w, 960), MEMORY_HARD);
    assert_int_equal(w.reads, 1);
    w.used = 0;
    for (int i = 0; i < MEMORY_READ_EACH_MS - 1; i++) {
        fake_clock_advance_ms(&w.clock, 1);
        assert_false(memory_guard_admit(w.guard));
    }
    assert_int_equal(w.reads, 1);
    w.status = ERR_NOT_FOUND;
    assert_int_equal(level_at(&w, 0), MEMORY_HARD);
    assert_int_equal(w.reads, 2);
    w.status = 0;
    assert_int_equal(level_at(&w, 0), MEMORY_GOOD);
    memory_guard_free(w.guard);
}

static void test_relief(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1000);
    (void)level_at(&w, 500);
    assert_false(memory_guard_wants_relief(w.guard));
    (void)level_at(&w, 860);
    assert_true(memory_guard_wants_relief(w.guard));
    assert_false(memory_guard_wants_relief(w.guard));
    fake_clock_advance_ms(&w.clock, MEMORY_RELIEF_EACH_MS - 1);
    assert_false(memory_guard_wants_relief(w.guard));
    fake_clock_advance_ms(&w.clock, 1);
    assert_true(memory_guard_wants_relief(w.guard));
    (void)level_at(&w, 100);
    fake_clock_advance_ms(&w.clock, MEMORY_RELIEF_EACH_MS);
    assert_false(memory_guard_wants_relief(w.guard));
    struct memory_guard_statistics s;
    memory_guard_statistics(w.guard, &s);
    assert_int_equal(s.reliefs, 2);
    memory_guard_free(w.guard);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR); // changes of level are logged
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_relief),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
