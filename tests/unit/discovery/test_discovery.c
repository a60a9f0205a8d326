/* Entries of all jobs: shared, kept over a reload, ended; files and a web server as sources. */
#include "discovery_world.h"

#include <string.h>

#include "base/log.h"
#include "support/support.h"

#define URL_A "http://sd/a"
#define URL_B "http://sd/b"
#define JSON_A "[{\"targets\":[\"a:1\"]}]"
#define LINE_A "__address__=a:1 __meta_url=" URL_A "\n"

static struct discovery_configs http_job(struct http_discovery_config *config, const char *url)
{
    *config = (struct http_discovery_config){.url = url, .refresh_ms = 60000};
    return (struct discovery_configs){.http = {config, 1}};
}

static void test_shared_and_kept(void **state)
{
    (void)state;
    struct discovery_world w;
    struct http_discovery_config one, two, other;
    struct discovery_configs first = http_job(&one, URL_A), second = http_job(&two, URL_A),
                             third = http_job(&other, URL_B);
    const struct discovery_configs *before[] = {&first, &second}, *after[] = {&third, &second};
    discovery_world_init(&w);
    discovery_world_set(&w, before, 2);
    discovery_world_expect(&w, URL_A, JSON_A);
    discovery_world_pass(&w, 0);
    assert_int_equal(sim_http_client_deliver_all(&w.http), 1);
    discovery_world_pass(&w, 0);
    assert_true(discovery_take_changed(w.discovery));
    assert_false(discovery_take_changed(w.discovery));
    discovery_world_check(&w, &first, LINE_A);
    discovery_world_check(&w, &second, LINE_A);

    /* A reload that fails: what it began ends, the rest is as it was. */
    assert_int_equal(discovery_prepare(w.discovery, after, 2, NULL), 0);
    discovery_settle(w.discovery, false);
    discovery_world_pass(&w, 0);
    assert_int_equal(w.http.in_flight, 0);
    discovery_world_check(&w, &first, LINE_A);

    /* One that works: the entry that stays keeps its targets without being asked. */
    discovery_world_set(&w, after, 2);
    discovery_world_check(&w, &second, LINE_A);
    discovery_world_check(&w, &third, "");
    discovery_world_expect(&w, URL_B, "[]");
    discovery_world_pass(&w, 0);
    assert_int_equal(w.http.in_flight, 1);

    /* All end while an answer is awaited. */
    discovery_world_set(&w, after, 0);
    assert_int_equal(w.http.in_flight, 0);
    discovery_world_check(&w, &second, "");
    discovery_world_release(&w);
}

static void test_http_answers(void **state)
{
    (void)state;
    static const struct sim_http_answer bad[] = {
        {.error = ERR_TIMEOUT},
        {.status = 500,
            .answer_body = {"[]", 2},
            .headers = {{"Content-Type", "application/json"}},
            1},
        {.answer_body = {"[]", 2}, .headers = {{"Content-Type", "text/plain"}}, .header_count = 1},
        {.answer_body = {"[", 1},
            .headers = {{"Content-Type", "application/json"}},
            .header_count = 1},
    };
    struct discovery_world w;
    struct http_discovery_config config;
    struct discovery_configs job = http_job(&config, URL_A);
    const struct discovery_configs *jobs[] = {&job};
    discovery_world_init(&w);
    discovery_world_set(&w, jobs, 1);
    discovery_world_expect(&w, URL_A, JSON_A);
    discovery_world_pass(&w, 0);
    assert_true(str_eq_c(
        sim_http_client_last_header(&w.http, "X-Prometheus-Refresh-Interval-Seconds"), "60"));
    (void)sim_http_client_deliver_all(&w.http); /* what comes is checked below */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sim_http_client_expect(&w.http, &bad[i]);
        discovery_world_pass(&w, 59999);
        assert_int_equal(w.http.in_flight, 0);
        discovery_world_pass(&w, 1);
        assert_int_equal(sim_http_client_deliver_all(&w.http), 1);
        discovery_world_check(&w, &job, LINE_A);
        assert_int_equal(discovery_world_failing(&w, "http"), 1);
    }
    discovery_world_expect(&w, URL_A, "[]");
    discovery_world_pass(&w, 60000);
    assert_int_equal(sim_http_client_deliver_all(&w.http), 1);
    discovery_world_check(&w, &job, "");
    assert_int_equal(discovery_world_failing(&w, "http"), 0);
    discovery_world_release(&w);
}

static void put_file(struct discovery_world *w, const char *path, const char *text)
{
    assert_int_equal(vfs_write_file_atomic(w->options.vfs, path, text, strlen(text)), 0);
}

static void test_files(void **state)
{
    (void)state;
    struct discovery_world w;
    const char *patterns[] = {"/sd/*.json", "/sd/more.yml"};
    struct file_discovery_config config = {{patterns, 2}, 1000};
    struct discovery_configs job = {.file = {&config, 1}};
    const struct discovery_configs *jobs[] = {&job};
    discovery_world_init(&w);
    discovery_world_set(&w, jobs, 1);
    discovery_world_pass(&w, 0);
    discovery_world_check(&w, &job, "");
    assert_int_equal(discovery_world_failing(&w, "file"), 0);

    assert_int_equal(vfs_mkdir(w.options.vfs, "/sd"), 0);
    put_file(&w, "/sd/b.json", "[{\"targets\":[\"b:1\"]}]");
    put_file(&w, "/sd/a.json", "[{\"targets\":[\"a:1\"]}]");
    put_file(&w, "/sd/.hidden.json", "[{\"targets\":[\"h:1\"]}]");
    put_file(&w, "/sd/other.yml", "[{\"targets\":[\"o:1\"]}]");
    put_file(&w, "/sd/more.yml", "- targets: [m:1]");
    discovery_world_pass(&w, 1000);
    discovery_world_check(&w, &job,
        "__address__=a:1 __meta_filepath=/sd/a.json\n"
        "__address__=b:1 __meta_filepath=/sd/b.json\n"
        "__address__=m:1 __meta_filepath=/sd/more.yml\n");

    put_file(&w, "/sd/b.json", "[{");
    assert_int_equal(vfs_remove(w.options.vfs, "/sd/a.json"), 0);
    assert_int_equal(vfs_remove(w.options.vfs, "/sd/more.yml"), 0);
    discovery_world_pass(&w, 1000);
    discovery_world_check(&w, &job, "__address__=b:1 __meta_filepath=/sd/b.json\n");
    assert_int_equal(discovery_world_failing(&w, "file"), 1);
    discovery_world_release(&w);
}

static void test_checks(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool good;
    } rows[] = {{"/a/b.json", true}, {"b.yml", true}, {"/a/*.yaml", true}, {"/a/x*y.json", true},
        {"/a/b.txt", false}, {"/*/b.json", false}, {"/a/**.json", false}, {"", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = ERR_INIT;
        const char *path = rows[i].path;
        struct file_discovery_config config = {{&path, 1}, 1000};
        struct discovery_configs job = {.file = {&config, 1}};
        if ((discovery_check(&job, &e) == 0) != rows[i].good) {
            fail_msg("\"%s\" was %s", path, rows[i].good ? e.message : "accepted");
        }
    }
    struct http_discovery_config config;
    struct discovery_configs job = http_job(&config, "ftp://x");
    assert_int_equal(discovery_check(&job, NULL), ERR_INVALID);
}

static void drop_line(void *context, struct str line)
{
    (void)context;
    (void)line;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_and_kept),
        cmocka_unit_test(test_http_answers),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_checks),
    };
    log_set_sink(drop_line, NULL); /* failures are wanted here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
