#include "fake_systemd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "support/support.h"

#define MANAGER "org.freedesktop.systemd1"

static int list_units(sd_bus_message *m, struct fake_systemd *f)
{
    sd_bus_message *reply = NULL;
    char path[64];
    sd_bus_message_new_method_return(m, &reply);
    sd_bus_message_open_container(reply, 'a', "(ssssssouso)");
    for (int i = 0; i < f->unit_count; i++) {
        (void)snprintf(path, sizeof(path), "/org/freedesktop/systemd1/unit/u%d", i);
        sd_bus_message_append(reply, "(ssssssouso)", f->units[i].name, "a unit", f->units[i].load,
            f->units[i].active, "sub", "", path, 0, "", "/");
    }
    sd_bus_message_close_container(reply);
    int sent = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return sent < 0 ? sent : 1;
}

static int reply_text(sd_bus_message *m, const char *text)
{
    int sent = sd_bus_reply_method_return(m, "v", "s", text);
    return sent < 0 ? sent : 1;
}

static int get_of_manager(sd_bus_message *m, struct fake_systemd *f, const char *name)
{
    if (strcmp(name, "SystemState") == 0) {
        return reply_text(m, f->system_state);
    }
    return reply_text(m, strcmp(name, "Version") == 0 ? f->version : f->virtualization);
}

static int get_of_unit(sd_bus_message *m, const struct fake_unit *u, const char *name)
{
    const struct {
        const char *name, *signature;
        uint64_t value;
    } numbers[] = {
        {"LastTriggerUSec", "t", u->last_trigger_us},
        {"ActiveEnterTimestamp", "t", u->active_enter_us},
        {"TasksCurrent", "t", u->tasks_current},
        {"TasksMax", "t", u->tasks_max},
        {"NAccepted", "u", u->accepted},
        {"NConnections", "u", u->connections},
        {"NRefused", "u", u->refused},
        {"NRestarts", "u", u->restarts},
    };
    if (strcmp(name, "Type") == 0 && u->type != NULL) {
        return reply_text(m, u->type);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            int sent = numbers[i].signature[0] == 't'
                           ? sd_bus_reply_method_return(m, "v", "t", numbers[i].value)
                           : sd_bus_reply_method_return(m, "v", "u", (uint32_t)numbers[i].value);
            return sent < 0 ? sent : 1;
        }
    }
    int sent = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_PROPERTY, "no %s", name);
    return sent < 0 ? sent : 1;
}

static int answer(sd_bus_message *m, void *context, sd_bus_error *error)
{
    struct fake_systemd *f = context;
    const char *interface, *name, *path = sd_bus_message_get_path(m);
    unsigned at;
    (void)error;
    if (f->mute) {
        return 1;
    }
    if (sd_bus_message_is_method_call(m, MANAGER ".Manager", "ListUnits") > 0) {
        return list_units(m, f);
    }
    if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "Get") <= 0 ||
        sd_bus_message_read(m, "ss", &interface, &name) < 0) {
        return 0;
    }
    if (sscanf(path, "/org/freedesktop/systemd1/unit/u%u", &at) == 1 &&
        at < (unsigned)f->unit_count) {
        return get_of_unit(m, &f->units[at], name);
    }
    return get_of_manager(m, f, name);
}

/* Answers one connection until it ends or the test does: false then. */
static bool serve(struct fake_systemd *f, int connection)
{
    sd_bus *bus = NULL;
    sd_id128_t id;
    bool go_on = true;
    assert_true(sd_id128_randomize(&id) >= 0);
    assert_true(sd_bus_new(&bus) >= 0);
    assert_true(sd_bus_set_fd(bus, connection, connection) >= 0);
    assert_true(sd_bus_set_server(bus, true, id) >= 0);
    assert_true(sd_bus_set_anonymous(bus, true) >= 0);
    assert_true(sd_bus_add_filter(bus, NULL, answer, f) >= 0);
    assert_true(sd_bus_start(bus) >= 0);
    for (int handled = 1; handled >= 0 && go_on;) {
        handled = sd_bus_process(bus, NULL);
        if (handled == 0) {
            struct pollfd waits[] = {{.fd = connection, .events = (short)sd_bus_get_events(bus)},
                {.fd = f->stop_pipe[0], .events = POLLIN}};
            (void)poll(waits, 2, -1);
            go_on = waits[1].revents == 0;
        }
    }
    sd_bus_close_unref(bus);
    return go_on;
}

static void *run(void *context)
{
    struct fake_systemd *f = context;
    for (bool go_on = true; go_on;) {
        struct pollfd waits[] = {
            {.fd = f->listener, .events = POLLIN}, {.fd = f->stop_pipe[0], .events = POLLIN}};
        (void)poll(waits, 2, -1);
        go_on = waits[1].revents == 0;
        int connection =
            go_on ? accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
        go_on = go_on && (connection < 0 || serve(f, connection));
    }
    return NULL;
}

void fake_systemd_start(struct fake_systemd *f, const char *directory)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int length = snprintf(at.sun_path, sizeof(at.sun_path), "%s/manager", directory);
    assert_in_range(length, 1, sizeof(at.sun_path) - 1);
    (void)snprintf(f->address, sizeof(f->address), "unix:path=%s", at.sun_path);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(f->listener >= 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(f->listener, 4), 0);
    assert_int_equal(pipe(f->stop_pipe), 0);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

void fake_systemd_stop(struct fake_systemd *f)
{
    assert_int_equal(write(f->stop_pipe[1], "x", 1), 1);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    (void)close(f->listener);
    (void)close(f->stop_pipe[0]);
    (void)close(f->stop_pipe[1]);
}
