/* Units of systemd as a manager made for the test tells them. Expected lines follow from the tables
 * given to it and from what node_exporter's collector of this name documents. */
#include "fake_root.h"
#include "fake_systemd.h"

/* A manager on a busy machine may need more than one pass to answer; so many are more than enough. */
#define PASSES_MAX 400

static struct fake_systemd make_manager(void)
{
    return (struct fake_systemd){
        .system_state = "degraded",
        .version = "252.39-1~deb12u2",
        .virtualization = "",
        .unit_count = 6,
        .units =
            {
                {.name = "ssh.service",
                    .load = "loaded",
                    .active = "active",
                    .type = "notify",
                    .active_enter_us = 1700000000500000,
                    .tasks_current = 3,
                    .tasks_max = UINT64_MAX,
                    .restarts = 2},
                {.name = "broken.service",
                    .load = "loaded",
                    .active = "failed",
                    .type = "simple",
                    .tasks_current = UINT64_MAX,
                    .tasks_max = 100},
                {.name = "logrotate.timer",
                    .load = "loaded",
                    .active = "active",
                    .last_trigger_us = 1699999999250000,
                    .active_enter_us = 1000000},
                {.name = "door.socket",
                    .load = "loaded",
                    .active = "activating",
                    .accepted = 7,
                    .connections = 4,
                    .refused = 1},
                {.name = "home.mount", .load = "loaded", .active = "active"},
                {.name = "gone.service", .load = "not-found", .active = "inactive"},
            },
    };
}

static bool gave(struct fake_root *f, const char *text)
{
    struct str all = strbuf_str(&f->text);
    return all.len > 0 && memmem(all.ptr, all.len, text, strlen(text)) != NULL;
}

/* Passes until the manager has told everything that `last` stands for. */
static void run_until(struct fake_root *f, const char *last)
{
    int passes = 0;
    while (fake_root_run(f) != 0 || !gave(f, last)) {
        assert_true(++passes < PASSES_MAX);
    }
}

static void open_root(struct fake_root *f, const char *address)
{
    fake_root_init(f, "systemd");
    f->options.settings[COLLECTOR_SETTING_SYSTEMD_ADDRESS] = address;
}

static const char *const expected =
    "node_systemd_system_running 0\n"
    "node_systemd_version{version=\"252.39-1~deb12u2\"} 252\n"
    "node_systemd_virtualization_info{virtualization_type=\"none\"} 1\n"
    "node_systemd_unit_state{name=\"broken.service\",state=\"active\",type=\"simple\"} 0\n"
    "node_systemd_unit_state{name=\"broken.service\",state=\"activating\",type=\"simple\"} 0\n"
    "node_systemd_unit_state{name=\"broken.service\",state=\"deactivating\",type=\"simple\"} 0\n"
    "node_systemd_unit_state{name=\"broken.service\",state=\"inactive\",type=\"simple\"} 0\n"
    "node_systemd_unit_state{name=\"broken.service\",state=\"failed\",type=\"simple\"} 1\n"
    "node_systemd_unit_state{name=\"door.socket\",state=\"active\",type=\"\"} 0\n"
    "node_systemd_unit_state{name=\"door.socket\",state=\"activating\",type=\"\"} 1\n"
    "node_systemd_unit_state{name=\"door.socket\",state=\"deactivating\",type=\"\"} 0\n"
    "node_systemd_unit_state{name=\"door.socket\",state=\"inactive\",type=\"\"} 0\n"
    "node_systemd_unit_state{name=\"door.socket\",state=\"failed\",type=\"\"} 0\n"
    "node_systemd_unit_state{name=\"logrotate.timer\",state=\"active\",type=\"\"} 1\n"
    "node_systemd_unit_state{name=\"logrotate.timer\",state=\"activating\",type=\"\"} 0\n"
    "node_systemd_unit_state{name=\"logrotate.timer\",state=\"deactivating\",type=\"\"} 0\n"
    "node_systemd_unit_state{name=\"logrotate.timer\",state=\"inactive\",type=\"\"} 0\n"
    "node_systemd_unit_state{name=\"logrotate.timer\",state=\"failed\",type=\"\"} 0\n"
    "node_systemd_unit_state{name=\"ssh.service\",state=\"active\",type=\"notify\"} 1\n"
    "node_systemd_unit_state{name=\"ssh.service\",state=\"activating\",type=\"notify\"} 0\n"
    "node_systemd_unit_state{name=\"ssh.service\",state=\"deactivating\",type=\"notify\"} 0\n"
    "node_systemd_unit_state{name=\"ssh.service\",state=\"inactive\",type=\"notify\"} 0\n"
    "node_systemd_unit_state{name=\"ssh.service\",state=\"failed\",type=\"notify\"} 0\n"
    "node_systemd_units{state=\"active\"} 3\n"
    "node_systemd_units{state=\"activating\"} 1\n"
    "node_systemd_units{state=\"deactivating\"} 0\n"
    "node_systemd_units{state=\"inactive\"} 1\n"
    "node_systemd_units{state=\"failed\"} 1\n";

static const char *const expected_values =
    "node_systemd_timer_last_trigger_seconds{name=\"logrotate.timer\"} 1.69999999925e+09\n"
    "node_systemd_socket_accepted_connections_total{name=\"door.socket\"} 7\n"
    "node_systemd_socket_current_connections{name=\"door.socket\"} 4\n"
    "node_systemd_socket_refused_connections_total{name=\"door.socket\"} 1\n";

static const char *const expected_services =
    "node_systemd_unit_start_time_seconds{name=\"broken.service\"} 0\n"
    "node_systemd_unit_start_time_seconds{name=\"door.socket\"} 0\n"
    "node_systemd_unit_start_time_seconds{name=\"logrotate.timer\"} 1\n"
    "node_systemd_unit_start_time_seconds{name=\"ssh.service\"} 1.7000000005e+09\n"
    "node_systemd_service_restart_total{name=\"broken.service\"} 0\n"
    "node_systemd_service_restart_total{name=\"ssh.service\"} 2\n"
    "node_systemd_unit_tasks_current{name=\"ssh.service\"} 3\n"
    "node_systemd_unit_tasks_max{name=\"broken.service\"} 100\n";

/* Answers come one by one: a pass is compared when it has the last question's. */
static void expect_text(
    struct fake_root *f, const char *first, const char *second, const char *third)
{
    char all[8192];
    (void)snprintf(all, sizeof(all), "%s%s%s", first, second, third);
    for (int passes = 0; !str_eq_c(strbuf_str(&f->text), all) && passes < PASSES_MAX; passes++) {
        (void)fake_root_run(f);
    }
    strbuf_add_char(&f->text, '\0');
    assert_string_equal(strbuf_str(&f->text).ptr, all);
}

static void test_units(void **state)
{
    struct fake_systemd manager = make_manager();
    struct fake_root f;
    (void)state;
    open_root(&f, manager.address);
    fake_systemd_start(&manager, f.path);
    run_until(&f, "refused_connections_total");
    expect_text(&f, expected, expected_values, "");
    fake_root_release(&f);
    fake_systemd_stop(&manager);
}

static void test_what_is_asked_for(void **state)
{
    struct fake_systemd manager = make_manager();
    struct fake_root f;
    (void)state;
    open_root(&f, manager.address);
    f.options.settings[COLLECTOR_SETTING_SYSTEMD_START_TIMES] = "true";
    f.options.settings[COLLECTOR_SETTING_SYSTEMD_RESTARTS] = "true";
    f.options.settings[COLLECTOR_SETTING_SYSTEMD_TASKS] = "true";
    fake_systemd_start(&manager, f.path);
    run_until(&f, "refused_connections_total");
    expect_text(&f, expected, expected_services, expected_values);
    fake_root_release(&f);
    fake_systemd_stop(&manager);
}

/* Units come, go and change their state between passes. */
static void test_changes(void **state)
{
    struct fake_systemd manager = make_manager();
    struct fake_root f;
    (void)state;
    open_root(&f, manager.address);
    f.options.settings[COLLECTOR_SETTING_SYSTEMD_INCLUDE] = "^(ssh|new)\\.service$";
    fake_systemd_start(&manager, f.path);
    run_until(&f, "name=\"ssh.service\",state=\"active\",type=\"notify\"} 1");
    assert_false(gave(&f, "door.socket"));
    fake_systemd_stop(&manager); // the connection ends
    assert_int_not_equal(fake_root_run(&f), 0);
    assert_int_equal(strbuf_str(&f.text).len, 0);
    fake_root_remove(&f, "manager");
    manager.units[0].active = "failed";
    manager.units[1].name = "new.service";
    manager.units[1].active = "active";
    fake_systemd_start(&manager, f.path);
    run_until(&f, "name=\"ssh.service\",state=\"failed\",type=\"notify\"} 1");
    run_until(&f, "name=\"new.service\",state=\"active\",type=\"simple\"} 1");
    fake_root_release(&f);
    fake_systemd_stop(&manager);
}

/* A manager that takes questions and answers none costs its metrics, and is asked once. */
static void test_mute_manager(void **state)
{
    struct fake_systemd manager = make_manager();
    struct fake_root f;
    (void)state;
    manager.mute = true;
    open_root(&f, manager.address);
    fake_systemd_start(&manager, f.path);
    fake_root_expect(&f, ERR_TIMEOUT, "");
    fake_root_expect(&f, ERR_TIMEOUT, "");
    fake_root_release(&f);
    fake_systemd_stop(&manager);
}

static void test_no_manager(void **state)
{
    struct fake_root f;
    (void)state;
    open_root(&f, "unix:path=/nonexistent/manager");
    fake_root_expect(&f, ERR_NOT_FOUND, "");
    fake_root_release(&f);
}

static void test_settings(void **state)
{
    struct fake_root f;
    struct collectors *collectors;
    struct err e = ERR_INIT;
    (void)state;
    open_root(&f, "");
    f.options.settings[COLLECTOR_SETTING_SYSTEMD_TASKS] = "yes";
    assert_int_equal(collectors_open(&f.options, &collectors, &e), ERR_INVALID);
    assert_string_equal(
        e.message, "systemd.enable-task-metrics must be true or false, not \"yes\"");
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_what_is_asked_for),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_mute_manager),
        cmocka_unit_test(test_no_manager),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
