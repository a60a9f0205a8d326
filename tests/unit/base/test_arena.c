/* Arenas: alignment, limits, marks, cleanups, and how much memory is behind them. */
#include "support/support.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"

static void objects_are_aligned_apart_and_keep_their_bytes(void **state)
{
    (void)state;
    enum { OBJECTS = 3000 };
    static unsigned char *objects[OBJECTS];
    static size_t sizes[OBJECTS];
    uint64_t random = test_seed();
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < OBJECTS; i++) {
        uint64_t dice = test_random(&random) % 100;
        sizes[i] = test_random(&random) % (dice < 90 ? 200 : dice < 99 ? 5000 : 400000);
        objects[i] = arena_alloc(&arena, sizes[i]);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % 16, 0);
        memset(objects[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < OBJECTS; i++) {
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(objects[i][k], i % 251);
        }
    }
    arena_release(&arena);
    assert_int_equal(arena.used, 0);
}

static void copies_and_zeros(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    assert_non_null(arena_alloc(&arena, 8)); /* keeps the block that is dirtied */
    struct arena_mark mark = arena_mark(&arena);
    memset(arena_alloc(&arena, 1000), 0xff, 1000);
    arena_rewind(&arena, mark);
    unsigned char *zeros = arena_calloc(&arena, 10, 100);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(zeros[i], 0);
    }
    assert_memory_equal(arena_dup(&arena, "abc", 3), "abc", 3);
    assert_string_equal(arena_strndup(&arena, "abcdef", 4), "abcd");
    assert_string_equal(arena_strndup(&arena, NULL, 0), "");
    assert_non_null(arena_alloc(&arena, 0));
    assert_ptr_not_equal(arena_alloc(&arena, 0), arena_alloc(&arena, 0));
    arena_release(&arena);
}

static void limits_and_memory_are_told_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_non_null(arena_alloc(&arena, 48));
    assert_null(arena_alloc(&arena, 17));
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    assert_non_null(arena_alloc(&arena, 16));
    assert_null(arena_alloc(&arena, 0)); /* takes a place too */
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    arena_release(&arena);
    mem_fail_nth(1);
    assert_null(arena_alloc(&arena, 16));
    assert_int_equal(arena_error(&arena), ERR_NOMEM);
    assert_non_null(arena_alloc(&arena, 64)); /* the limit is still there, and all of it free */
    arena_release(&arena);
    arena_init(&arena, 0);
    volatile size_t huge = SIZE_MAX; /* volatile: the compiler would warn of the constant */
    assert_null(arena_alloc(&arena, huge));
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    assert_null(arena_alloc(&arena, huge - 8));
    assert_null(arena_alloc(&arena, huge - 100));
    assert_null(arena_calloc(&arena, huge / 2, 3));
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    assert_null(arena_strndup(&arena, "x", huge));
    assert_int_equal(arena_error(&arena), ERR_LIMIT);
    arena_release(&arena);
}

struct journal {
    char text[16];
    size_t size;
};

struct entry {
    struct journal *journal;
    char letter;
};

static void write_letter(void *object)
{
    struct entry *entry = object;
    entry->journal->text[entry->journal->size++] = entry->letter;
}

static void cleanups_run_newest_first_down_to_the_mark(void **state)
{
    (void)state;
    struct journal journal = {.size = 0};
    struct entry entries[] = {{&journal, 'a'}, {&journal, 'b'}, {&journal, 'c'}, {&journal, 'd'}};
    struct arena arena;
    arena_init(&arena, 0);
    assert_int_equal(arena_on_release(&arena, write_letter, &entries[0]), 0);
    struct arena_mark mark = arena_mark(&arena);
    assert_int_equal(arena_on_release(&arena, write_letter, &entries[1]), 0);
    assert_non_null(arena_alloc(&arena, 300000));
    assert_int_equal(arena_on_release(&arena, write_letter, &entries[2]), 0);
    arena_rewind(&arena, mark);
    assert_string_equal(journal.text, "cb");
    assert_int_equal(arena.used, mark.used);
    assert_int_equal(arena_on_release(&arena, write_letter, &entries[3]), 0);
    arena_release(&arena);
    assert_string_equal(journal.text, "cbda");
    arena_release(&arena);
    assert_string_equal(journal.text, "cbda");
    arena_init(&arena, 8);
    assert_int_equal(arena_on_release(&arena, write_letter, &entries[0]), ERR_LIMIT);
    arena_release(&arena);
    assert_string_equal(journal.text, "cbda");
}

/* Random pushes and pops of marks: what was allocated before a mark keeps its bytes, and `used`
 * returns to what it was. */
static void rewinding_keeps_what_is_older(void **state)
{
    (void)state;
    enum { DEPTH = 40 };
    struct {
        struct arena_mark mark;
        unsigned char *object;
        size_t size;
        size_t used;
    } stack[DEPTH];
    uint64_t random = test_seed();
    struct arena arena;
    arena_init(&arena, 0);
    size_t depth = 0;
    for (int step = 0; step < 5000; step++) {
        if (depth < DEPTH && test_random(&random) % 5 < 3) {
            stack[depth].mark = arena_mark(&arena);
            stack[depth].used = arena.used;
            stack[depth].size =
                test_random(&random) % (test_random(&random) % 4 == 0 ? 90000 : 500);
            stack[depth].object = arena_alloc(&arena, stack[depth].size);
            assert_non_null(stack[depth].object);
            memset(stack[depth].object, (int)depth, stack[depth].size);
            depth++;
        } else if (depth > 0) {
            size_t down = test_random(&random) % depth;
            for (size_t i = 0; i < depth; i++) {
                for (size_t k = 0; k < stack[i].size; k += 97) {
                    assert_int_equal(stack[i].object[k], i);
                }
            }
            arena_rewind(&arena, stack[down].mark);
            assert_int_equal(arena.used, stack[down].used);
            depth = down;
        }
    }
    arena_release(&arena);
}

/* Large objects between small ones must not cost a fresh block each: the limit would mean nothing.
 * Behind 64 pairs of 16 and 300,000 bytes lie 64 large allocations and a few blocks. */
static void large_objects_leave_the_current_block_in_use(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* each object is an allocation of its own there */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    skip();
#endif
#endif
    struct arena arena;
    arena_init(&arena, 0);
    uint64_t before = mem_allocation_count();
    for (int i = 0; i < 64; i++) {
        assert_non_null(arena_alloc(&arena, 16));
        assert_non_null(arena_alloc(&arena, 300000));
    }
    assert_true(mem_allocation_count() - before <= 64 + 2);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_aligned_apart_and_keep_their_bytes),
        cmocka_unit_test(copies_and_zeros),
        cmocka_unit_test(limits_and_memory_are_told_apart),
        cmocka_unit_test(cleanups_run_newest_first_down_to_the_mark),
        cmocka_unit_test(rewinding_keeps_what_is_older),
        cmocka_unit_test(large_objects_leave_the_current_block_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
