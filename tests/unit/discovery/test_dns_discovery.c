/* dns_sd_configs: records into targets, with a resolver of the test's own, in place and on a thread. */
#include "discovery_world.h"

#include <semaphore.h>
#include <string.h>

#include "base/log.h"
#include "support/support.h"

#define ANSWER(count) "\0\0\x81\x80\0\0\0" count "\0\0\0\0"
#define RECORD(type, length) "\0\0" type "\0\x01\0\0\0\x1e\0" length

static const char srv[] = ANSWER("\x01") RECORD("\x21", "\x0b") "\0\0\0\0\x1f\x90"
                                                                "\x01n\x01x\0";
static const char a[] =
    ANSWER("\x02") RECORD("\x01", "\x04") "\x0a\0\0\x01" RECORD("\x01", "\x04") "\x0a\0\0\x02";

static int resolve_status;
static sem_t may_resolve;

static int resolve(const char *name, int type, uint8_t *answer, size_t cap, size_t *size_out)
{
    const char *bytes = type == 33 ? srv : a;
    size_t size = type == 33 ? sizeof(srv) - 1 : sizeof(a) - 1;
    assert_true(cap >= size);
    memcpy(answer, bytes, size);
    *size_out = strcmp(name, "none") == 0 ? 0 : size;
    return resolve_status;
}

static int resolve_when_allowed(
    const char *name, int type, uint8_t *answer, size_t cap, size_t *size_out)
{
    while (sem_wait(&may_resolve) != 0) {
    }
    return resolve(name, type, answer, cap, size_out);
}

static void test_records(void **state)
{
    (void)state;
    struct discovery_world w;
    const char *names[] = {"svc.x", "none"};
    struct dns_discovery_config configs[] = {
        {{names, 2}, "SRV", 0, 30000}, {{names, 2}, "a", 9100, 30000}};
    struct discovery_configs job = {.dns = {configs, 2}};
    const struct discovery_configs *jobs[] = {&job};
    static const char expected[] =
        "__address__=n.x:8080 __meta_dns_name=svc.x __meta_dns_srv_record_port=8080 "
        "__meta_dns_srv_record_target=n.x.\n"
        "__address__=10.0.0.1:9100 __meta_dns_name=svc.x\n"
        "__address__=10.0.0.2:9100 __meta_dns_name=svc.x\n";
    discovery_world_init(&w);
    discovery_free(w.discovery);
    w.options.resolve = resolve;
    assert_int_equal(discovery_new(&w.options, &w.discovery), 0);
    resolve_status = 0;
    discovery_world_set(&w, jobs, 1);
    discovery_world_pass(&w, 0);
    discovery_world_check(&w, &job, expected);
    resolve_status = ERR_IO;
    discovery_world_pass(&w, 30000);
    discovery_world_check(&w, &job, expected);
    assert_int_equal(discovery_world_failing(&w, "dns"), 2);
    discovery_world_release(&w);
}

/* An entry that ends while its lookup is under way leaves it to the thread. */
static void test_thread(void **state)
{
    (void)state;
    struct discovery_world w;
    const char *names[] = {"svc.x"};
    struct dns_discovery_config config = {{names, 1}, "SRV", 0, 30000};
    struct discovery_configs job = {.dns = {&config, 1}};
    const struct discovery_configs *jobs[] = {&job};
    const struct workpool_options pool = {.name = "test-dns", .threads = 1, .queue_max = 1};
    assert_int_equal(sem_init(&may_resolve, 0, 0), 0);
    discovery_world_init(&w);
    discovery_free(w.discovery);
    w.options.resolve = resolve_when_allowed;
    assert_int_equal(workpool_open(&pool, &w.options.pool), 0);
    assert_int_equal(discovery_new(&w.options, &w.discovery), 0);
    resolve_status = 0;
    discovery_world_set(&w, jobs, 1);
    discovery_world_pass(&w, 0);
    discovery_world_pass(&w, 1000);
    discovery_world_check(&w, &job, "");
    discovery_world_set(&w, jobs, 0);
    assert_int_equal(sem_post(&may_resolve), 0);
    workpool_close(w.options.pool);
    assert_int_equal(sem_destroy(&may_resolve), 0);
    discovery_world_release(&w);
}

static void test_checks(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int64_t port;
        bool good;
    } rows[] = {{"SRV", 0, true}, {"srv", 0, true}, {"A", 80, true}, {"A", 0, false},
        {"MX", 25, true}, {"TXT", 80, false}};
    const char *names[] = {"x"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dns_discovery_config config = {{names, 1}, rows[i].type, rows[i].port, 1000};
        struct discovery_configs job = {.dns = {&config, 1}};
        if ((discovery_check(&job, NULL) == 0) != rows[i].good) {
            fail_msg("%s with port %d", rows[i].type, (int)rows[i].port);
        }
    }
}

static void drop_line(void *context, struct str line)
{
    (void)context;
    (void)line;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_checks),
    };
    log_set_sink(drop_line, NULL); /* failures are wanted here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
