/* Budgets: limits along a chain, arenas that are charged, and threads that charge at once. */
#include "support/support.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memory_budget.h"

static void a_charge_counts_everywhere_or_nowhere(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        int status; /* of a chain of 60, 100, none */
    } steps[] = {{50, 0}, {11, ERR_LIMIT}, {10, 0}, {1, ERR_LIMIT}};
    struct memory_budget top, middle, own, other;
    memory_budget_init(&top, NULL, 0);
    memory_budget_init(&middle, &top, 100);
    memory_budget_init(&own, &middle, 60);
    memory_budget_init(&other, &middle, 0);
    size_t sum = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(memory_budget_charge(&own, steps[i].bytes), steps[i].status);
        sum += steps[i].status == 0 ? steps[i].bytes : 0;
        assert_int_equal(memory_budget_used(&own), sum);
        assert_int_equal(memory_budget_used(&middle), sum);
        assert_int_equal(memory_budget_used(&top), sum);
    }
    assert_int_equal(memory_budget_charge(&other, 41), ERR_BUSY);
    assert_int_equal(memory_budget_used(&other), 0);
    assert_int_equal(memory_budget_used(&top), sum);
    assert_int_equal(memory_budget_charge(&other, 40), 0);
    assert_int_equal(memory_budget_charge(&other, SIZE_MAX), ERR_LIMIT);
    memory_budget_discharge(&own, 60);
    assert_int_equal(memory_budget_used(&own), 0);
    assert_int_equal(memory_budget_used(&middle), 40);
    memory_budget_discharge(&other, 40);
    assert_int_equal(memory_budget_used(&top), 0);
    /* What was refused is not in the peak. */
    assert_int_equal(memory_budget_peak(&own), 60);
    assert_int_equal(memory_budget_peak(&other), 40);
    assert_int_equal(memory_budget_peak(&middle), 100);
    assert_int_equal(memory_budget_peak(&top), 100);
}

static void arenas_charge_what_they_take(void **state)
{
    (void)state;
    struct memory_budget budget;
    memory_budget_init(&budget, NULL, 1 << 20);
    struct arena a, b;
    arena_init_charged(&a, &budget);
    arena_init_charged(&b, &budget);
    assert_int_equal(memory_budget_used(&budget), 0);
    assert_non_null(arena_alloc(&a, 100));
    size_t one = memory_budget_used(&budget);
    assert_true(one >= 100);
    struct arena_mark mark = arena_mark(&a);
    assert_non_null(arena_alloc(&a, 500000));
    assert_int_equal(arena_charge(&a, 1000), 0);
    assert_true(memory_budget_used(&budget) >= one + 501000);
    assert_null(arena_alloc(&b, 600000));
    assert_int_equal(arena_error(&b), ERR_LIMIT);
    assert_int_equal(arena_charge(&b, 600000), ERR_LIMIT);
    arena_rewind(&a, mark);
    assert_int_equal(memory_budget_used(&budget), one);
    assert_non_null(arena_alloc(&b, 600000));
    arena_release(&a);
    arena_release(&b);
    assert_int_equal(memory_budget_used(&budget), 0);
    assert_non_null(arena_alloc(&a, 100)); /* the budget stays the arena's */
    assert_true(memory_budget_used(&budget) > 0);
    arena_release(&a);
}

static void a_charge_can_move_up(void **state)
{
    (void)state;
    struct memory_budget all, own;
    memory_budget_init(&all, NULL, 0);
    memory_budget_init(&own, &all, 0);
    struct arena kept, gone;
    arena_init_charged(&kept, &own);
    arena_init_charged(&gone, &own);
    assert_non_null(arena_alloc(&kept, 5000));
    size_t bytes = memory_budget_used(&all);
    assert_non_null(arena_alloc(&gone, 5000));
    arena_move_charge(&kept, &all);
    arena_release(&gone);
    assert_int_equal(memory_budget_used(&all), bytes);
    arena_release(&kept);
    assert_int_equal(memory_budget_used(&all), 0);
}

static void a_failed_allocation_charges_nothing(void **state)
{
    (void)state;
    struct memory_budget budget;
    memory_budget_init(&budget, NULL, 0);
    struct arena a;
    arena_init_charged(&a, &budget);
    mem_fail_nth(1);
    assert_null(arena_alloc(&a, 100));
    mem_fail_nth(0);
    assert_int_equal(arena_error(&a), ERR_NOMEM);
    assert_int_equal(memory_budget_used(&budget), 0);
    arena_release(&a);
}

enum { THREADS = 4, ROUNDS = 20000, LIMIT = 1000 };

static void *charge_often(void *argument)
{
    struct memory_budget own;
    memory_budget_init(&own, argument, 0);
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t bytes = i % 700;
        if (memory_budget_charge(&own, bytes) == 0) {
            memory_budget_discharge(&own, bytes);
        }
    }
    assert(memory_budget_used(&own) == 0);
    return NULL;
}

static void threads_leave_it_balanced(void **state)
{
    (void)state;
    struct memory_budget budget;
    memory_budget_init(&budget, NULL, LIMIT);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, charge_often, &budget), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(memory_budget_used(&budget), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_charge_counts_everywhere_or_nowhere),
        cmocka_unit_test(arenas_charge_what_they_take),
        cmocka_unit_test(a_charge_can_move_up),
        cmocka_unit_test(a_failed_allocation_charges_nothing),
        cmocka_unit_test(threads_leave_it_balanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
