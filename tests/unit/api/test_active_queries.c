/* The list of running queries, alone and with threads that come, go, look and kill. */
#include "support/support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/active_queries.h"

static struct active_queries list;

static void begin(struct active_query *q, const char *text)
{
    *q = (struct active_query){.start_ms = 1, .end_ms = 2, .step_ms = 3};
    active_query_describe(q, str_of(text), STR("tenant"), STR("127.0.0.1:9"), 77);
    active_queries_begin(&list, q);
}

static void test_list(void **state)
{
    (void)state;
    struct active_query a, b, c;
    struct arena arena;
    const struct active_query_view *views;
    size_t count;
    char text[QUERY_TEXT_MAX + 50];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    active_queries_init(&list);
    arena_init(&arena, 0);
    begin(&a, "a");
    begin(&b, text);
    begin(&c, "");
    atomic_store(&a.watch.samples, 5);
    atomic_store(&a.watch.memory_bytes, 6);
    assert_int_equal(active_queries_list(&list, &arena, &views, &count), 0);
    assert_int_equal(count, 3);
    assert_true(views[0].id > views[1].id && views[1].id > views[2].id);
    assert_int_equal(views[0].text.len, 0);
    assert_int_equal(views[1].text.len, QUERY_TEXT_MAX);
    assert_true(str_eq_c(views[2].text, "a") && str_eq_c(views[2].client, "tenant") &&
                str_eq_c(views[2].remote, "127.0.0.1:9"));
    assert_int_equal(views[2].samples, 5);
    assert_int_equal(views[2].memory_bytes, 6);
    assert_int_equal(
        views[2].begun_ns + views[2].start_ms + views[2].end_ms + views[2].step_ms, 83);
    assert_true(active_queries_kill(&list, b.id));
    assert_true(atomic_load(&b.watch.killed) && !atomic_load(&a.watch.killed));
    active_queries_end(&list, &b);
    assert_false(active_queries_kill(&list, b.id));
    assert_false(active_queries_kill(&list, 0));
    active_queries_end(&list, &a);
    active_queries_end(&list, &c);
    assert_int_equal(active_queries_list(&list, &arena, &views, &count), 0);
    assert_int_equal(count, 0);
    arena_release(&arena);
    active_queries_release(&list);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *come_and_go(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        struct active_query q;
        struct arena arena;
        const struct active_query_view *views;
        size_t count;
        begin(&q, "q");
        arena_init(&arena, 0);
        if (active_queries_list(&list, &arena, &views, &count) != 0 || count < 1 ||
            !active_queries_kill(&list, q.id) || !atomic_load(&q.watch.killed)) {
            abort();
        }
        arena_release(&arena);
        active_queries_end(&list, &q);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    active_queries_init(&list);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(list.last_id, THREADS * ROUNDS);
    active_queries_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
