/* The notification thread between many askers: alerts, questions, silences and reloads at once; and over a
 * restart. Run under TSan.
 */
#include "query/notify.h"

#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/sim_vfs.h"
#include "support/support.h"

enum { SENDERS = 4, ROUNDS = 50 };

static void send_alert(struct notify *n, const char *name, int64_t ends_ms)
{
    const struct label labels[] = {{STR("alertname"), str_of(name)}};
    struct alert alert = {.starts_at_ms = 1, .ends_at_ms = ends_ms, .generator_url = STR("")};
    assert_int_equal(labels_new(labels, 1, &alert.labels, NULL), 0);
    struct alert_sink *sink = notify_sink(n);
    assert_int_equal(sink->send(sink, &alert, 1), 0);
    labels_unref(alert.labels);
}

static void *send_many(void *context)
{
    struct notify *n = context;
    char name[32];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof(name), "a%d", i);
        send_alert(n, name, INT64_MAX / 4);
    }
    return NULL;
}

static const struct notify_alert_query everything = {
    .active = true, .silenced = true, .inhibited = true, .unprocessed = true, .muted = true};

static size_t count_alerts(struct notify *n)
{
    struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    size_t count = 0;
    assert_int_equal(notify_write_alerts(n, &everything, &out, &e), 0);
    for (const char *at = out.data; (at = strstr(at, "fingerprint")) != NULL; at++) {
        count++;
    }
    strbuf_release(&out);
    return count;
}

static void *ask_many(void *context)
{
    struct notify *n = context;
    for (int i = 0; i < ROUNDS; i++) {
        struct strbuf out = STRBUF_INIT;
        struct err e = ERR_INIT;
        (void)count_alerts(n);
        notify_write_metrics(n, &out);
        if (i % 10 == 0) {
            assert_int_equal(notify_reload(n, NULL, &e), 0);
        }
        strbuf_release(&out);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    struct sim_vfs *sim = sim_vfs_new(test_seed());
    struct notify_options options = {
        .fs = sim_vfs_get(sim), .data_path = "", .external_url = "http://x"};
    struct notify *n = NULL;
    struct err e = ERR_INIT;
    pthread_t threads[SENDERS + 1];
    assert_int_equal(notify_open(&options, &n, &e), 0);
    assert_false(notify_tells_anybody(n));
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, n), 0);
    }
    assert_int_equal(pthread_create(&threads[SENDERS], NULL, ask_many, n), 0);
    for (int i = 0; i <= SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(count_alerts(n), ROUNDS);
    notify_close(n);
    /* All of it is there again. */
    assert_int_equal(notify_open(&options, &n, &e), 0);
    assert_int_equal(count_alerts(n), ROUNDS);
    notify_close(n);
    sim_vfs_free(sim);
}

static void test_questions(void **state)
{
    (void)state;
    struct notify_options options = {.external_url = "http://x"};
    struct notify *n = NULL;
    struct err e = ERR_INIT;
    struct strbuf out = STRBUF_INIT;
    assert_int_equal(notify_open(&options, &n, &e), 0);
    assert_int_equal(notify_post_alerts(n, STR("[{\"labels\":{\"a\":\"b\"}}]"), &e), 0);
    assert_int_equal(count_alerts(n), 1);
    assert_int_equal(
        notify_post_alerts(n, STR("[{\"labels\":{\"a\":\"c\"}},{}]"), &e), ERR_INVALID);
    assert_int_equal(count_alerts(n), 2); /* the good one was taken */
    assert_int_equal(notify_write_delivery(n, STR("msg_x"), &out, &e), ERR_NOT_FOUND);
    assert_int_equal(notify_replay(n, STR("msg_x"), &e), ERR_NOT_FOUND);
    assert_int_equal(
        notify_write_deliveries(n, &(struct notify_delivery_query){.state = STR("lost")}, &out, &e),
        ERR_INVALID);
    assert_int_equal(notify_reload(n, "/nowhere/a.yml", &e), ERR_NOT_FOUND);
    assert_int_equal(count_alerts(n), 2);
    strbuf_release(&out);
    notify_close(n);
    notify_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
