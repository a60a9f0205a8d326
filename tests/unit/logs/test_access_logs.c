/* Jobs over real files on a clock moved by hand: lines are counted once, whatever happens between. */
#include "logs/access_logs.h"

#include <stdlib.h>
#include <unistd.h>

#include "../receive/door_log.h"
#include "expect.h"
#include "support/fake_clock.h"

#define LINE(status) "h - - [t] \"GET /a HTTP/1.1\" " status " 5\n"

struct fixture {
    char folder[32], pattern[64], path[64], marks[64];
    const char *files[1];
    struct access_log_config job;
    struct config_list jobs;
    struct fake_clock clock;
    struct door_log door;
    struct access_logs *logs;
};

static void open_logs(struct fixture *f)
{
    const struct access_logs_options options = {.jobs = &f->jobs,
        .instance = "i",
        .bookmarks_path = f->marks,
        .vfs = vfs_posix(),
        .clock = &f->clock.clock,
        .intake = &f->door.intake};
    struct err e = ERR_INIT;
    assert_int_equal(access_logs_open(&options, &f->logs, &e), 0);
}

static void make(struct fixture *f)
{
    *f = (struct fixture){.folder = "/tmp/sonde-logs-XXXXXX"};
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->pattern, sizeof(f->pattern), "%s/*.log", f->folder);
    (void)snprintf(f->path, sizeof(f->path), "%s/a.log", f->folder);
    (void)snprintf(f->marks, sizeof(f->marks), "%s/marks", f->folder);
    f->files[0] = f->pattern;
    f->job = (struct access_log_config){.job = "web",
        .service = "",
        .files = {f->files, 1},
        .format = "combined",
        .pattern = "",
        .duration_unit = "s",
        .series_max = 100,
        .routes_max = 10,
        .hosts_max = 10,
        .from_beginning = true,
        .interval_ms = 5000,
        .idle_ms = 600000};
    f->jobs = (struct config_list){&f->job, 1};
    fake_clock_init(&f->clock, 1700000000000);
    door_log_init(&f->door);
}

static int remove_entry(void *context, const char *name, bool is_directory)
{
    char path[256];
    (void)is_directory;
    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    return unlink(path) == 0 ? 0 : ERR_IO;
}

static void leave(struct fixture *f)
{
    access_logs_close(f->logs);
    door_log_release(&f->door);
    assert_int_equal(vfs_list(vfs_posix(), f->folder, remove_entry, f->folder), 0);
    assert_int_equal(rmdir(f->folder), 0);
}

static void append(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* Steps until so much time has gone by. */
static void run(struct fixture *f, int64_t ms)
{
    while (ms > 0) {
        int64_t wait = access_logs_step(f->logs);
        assert_true(wait > 0);
        wait = wait < ms ? wait : ms;
        fake_clock_advance_ms(&f->clock, wait);
        ms -= wait;
    }
}

/* The newest value of the only series of requests with that status. */
static void expect_requests(struct fixture *f, const char *status, const char *value)
{
    char line[256];
    (void)snprintf(line, sizeof(line),
        "http_server_requests_total{http_request_method=\"GET\", http_response_status_code=\"%s\", "
        "instance=\"i\", job=\"web\", service_name=\"web\"} %s @",
        status, value);
    expect_part(&f->door.text, line);
}

static void test_counting(void **state)
{
    struct fixture f;
    (void)state;
    make(&f);
    append(f.path, LINE("200") LINE("200") "garbage\n");
    open_logs(&f);
    run(&f, 6000);
    expect_requests(&f, "200", "2");
    expect_part(&f.door.text, "parsed=\"false\", service_name=\"web\"} 1 @");
    append(f.path, LINE("200") LINE("500"));
    char other[128];
    (void)snprintf(other, sizeof(other), "%s/b.log", f.folder);
    append(other, LINE("500")); // a file that appears later
    strbuf_reset(&f.door.text);
    run(&f, 20000);
    expect_requests(&f, "200", "3");
    expect_requests(&f, "500", "2");
    struct strbuf metrics = STRBUF_INIT;
    access_logs_write_metrics(f.logs, &metrics);
    expect_part(&metrics, "agent_log_files 2\n");
    expect_part(&metrics, "agent_log_parsed_lines_total 5\n");
    expect_part(&metrics, "agent_log_unparsed_lines_total 1\n");
    strbuf_release(&metrics);
    leave(&f);
}

/* Counts and places move together: a line whose count was handed in is not read again, one whose count
 * was not, is. */
static void test_killed(void **state)
{
    struct fixture f;
    (void)state;
    make(&f);
    append(f.path, LINE("200"));
    open_logs(&f);
    run(&f, 6000);
    append(f.path, LINE("200") LINE("200"));
    f.door.commit_status = ERR_NO_SPACE; // from here on nothing reaches the queue
    run(&f, 20000);
    access_logs_close(f.logs);
    f.door.commit_status = 0;
    strbuf_reset(&f.door.text);
    open_logs(&f);
    run(&f, 20000);
    expect_requests(&f, "200", "2");
    access_logs_close(f.logs);
    strbuf_reset(&f.door.text);
    open_logs(&f);
    run(&f, 20000);
    assert_false(has_text(&f.door.text, "http_server_requests_total"));
    leave(&f);
}

/* Short of memory the agent reads nothing: the lines wait in the file. */
static void test_pressure(void **state)
{
    struct fixture f;
    (void)state;
    make(&f);
    append(f.path, LINE("200"));
    f.door.pressure = INTAKE_HIGH;
    open_logs(&f);
    run(&f, 20000);
    assert_false(has_text(&f.door.text, "http_server_requests_total"));
    f.door.pressure = INTAKE_EASY;
    run(&f, 20000);
    expect_requests(&f, "200", "1");
    leave(&f);
}

/* A file that went is followed for a while, and then no more. */
static void test_gone_files(void **state)
{
    struct fixture f;
    (void)state;
    make(&f);
    append(f.path, LINE("200"));
    open_logs(&f);
    run(&f, 6000);
    assert_int_equal(unlink(f.path), 0);
    run(&f, 2 * ACCESS_LOG_GONE_MS);
    struct strbuf metrics = STRBUF_INIT;
    access_logs_write_metrics(f.logs, &metrics);
    expect_part(&metrics, "agent_log_files 0\n");
    char bytes[64];
    (void)snprintf(bytes, sizeof(bytes), "agent_log_read_bytes_total %zu\n", strlen(LINE("200")));
    expect_part(&metrics, bytes);
    strbuf_release(&metrics);
    append(f.path, LINE("200"));
    strbuf_reset(&f.door.text);
    run(&f, 20000);
    expect_requests(&f, "200", "2");
    leave(&f);
}

static void test_refused_jobs(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    (void)state;
    make(&f);
    struct access_log_config two[] = {f.job, f.job};
    const struct config_list jobs = {two, 2};
    assert_int_equal(access_logs_check(&f.jobs, &e), 0);
    assert_int_equal(access_logs_check(&jobs, &e), ERR_INVALID);
    assert_string_equal(e.message, "access_logs: two jobs are named web");
    two[1].job = "other";
    two[1].format = "iis";
    assert_int_equal(access_logs_check(&jobs, &e), ERR_INVALID);
    assert_non_null(strstr(e.message, "access_logs: job other: format \"iis\"; accepted: "));
    leave(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_pressure),
        cmocka_unit_test(test_gone_files),
        cmocka_unit_test(test_refused_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
