/* Which connection has to go when there are too many, by times of the test's own. */
#include "http_connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include "support/support.h"

enum { CONNECTIONS = 8, PATIENCE_MS = 60000 };

struct fixture {
    struct http_connections all;
    struct open_connection *open[CONNECTIONS];
    int ours[CONNECTIONS], theirs[CONNECTIONS];
    size_t count;
};

static void setup(struct fixture *f, size_t max)
{
    *f = (struct fixture){0};
    http_connections_init(&f->all, max, PATIENCE_MS);
}

static void add(struct fixture *f, int64_t now_ms)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    f->ours[f->count] = pair[0];
    f->theirs[f->count] = pair[1];
    f->open[f->count] = http_connections_add(&f->all, pair[0], now_ms);
    assert_non_null(f->open[f->count]);
    f->count++;
}

/* The client of a connection that was ended reads the end. */
static bool is_ended(const struct fixture *f, size_t i)
{
    char byte;
    return recv(f->theirs[i], &byte, 1, MSG_DONTWAIT) == 0;
}

/* "+-" : the first lives, the second was ended. */
static void expect(const struct fixture *f, const char *states)
{
    char found[CONNECTIONS + 1] = {0};
    for (size_t i = 0; i < f->count; i++) {
        found[i] = is_ended(f, i) ? '-' : '+';
    }
    assert_string_equal(found, states);
}

static void teardown(struct fixture *f)
{
    for (size_t i = 0; i < f->count; i++) {
        http_connections_remove(&f->all, f->open[i]);
        close(f->ours[i]);
        close(f->theirs[i]);
    }
    assert_int_equal(f->all.living, 0);
    http_connections_release(&f->all);
}

static void test_oldest_waiting_goes(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 3);
    add(&f, 1000);
    add(&f, 2000);
    add(&f, 3000);
    expect(&f, "+++");
    http_connections_enter(&f.all, f.open[0], CONNECTION_WAITS, 4000); // asked something
    add(&f, 10000);
    expect(&f, "+-++");
    add(&f, 10001);
    expect(&f, "+--++");
    /* What was ended and is not closed counts no more. */
    http_connections_remove(&f.all, f.open[4]);
    f.open[4] = http_connections_add(&f.all, f.ours[4], 10002);
    expect(&f, "+--++");
    teardown(&f);
}

static void test_served_never_goes(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 3);
    for (int i = 0; i < 3; i++) {
        add(&f, 1000 + i);
    }
    http_connections_enter(&f.all, f.open[0], CONNECTION_SERVED, 2000);
    http_connections_enter(&f.all, f.open[1], CONNECTION_ANSWERED, 2000);
    add(&f, 10000); // who waits goes before who reads
    expect(&f, "++-+");
    add(&f, 10001); // the newest are spared: who reads goes
    expect(&f, "+--++");
    add(&f, 10001); // nobody is old enough: the oldest, then
    expect(&f, "+---++");
    http_connections_enter(&f.all, f.open[4], CONNECTION_SERVED, 10003);
    http_connections_enter(&f.all, f.open[5], CONNECTION_ANSWERED, 10003);
    add(&f, 10004); // all are served, or have begun to read
    expect(&f, "+---++-");
    teardown(&f);
}

static void test_patience(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, CONNECTIONS);
    add(&f, 1000);
    add(&f, 1000);
    add(&f, 1000);
    http_connections_enter(&f.all, f.open[1], CONNECTION_SERVED, 1000);
    add(&f, 1000 + PATIENCE_MS); // not yet over it
    expect(&f, "++++");
    http_connections_enter(&f.all, f.open[2], CONNECTION_WAITS, 1000 + PATIENCE_MS);
    /* Looked at once a second, when somebody comes or has been served. */
    add(&f, 1001 + PATIENCE_MS);
    expect(&f, "+++++");
    http_connections_enter(&f.all, f.open[4], CONNECTION_WAITS, 1000 + PATIENCE_MS + HTTP_SWEEP_MS);
    expect(&f, "-++++");
    teardown(&f);
}

static void test_end_all(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, CONNECTIONS);
    add(&f, 1);
    add(&f, 1);
    http_connections_enter(&f.all, f.open[1], CONNECTION_SERVED, 2);
    http_connections_end_all(&f.all);
    lock_give(&f.all.lock);
    expect(&f, "--");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_waiting_goes),
        cmocka_unit_test(test_served_never_goes),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_end_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
