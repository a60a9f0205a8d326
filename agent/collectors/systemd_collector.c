/* Units of systemd: their states, and what timers, sockets and (when asked for) services count.
 *
 * The manager is asked at the beginning of a pass and has until its end to answer, so other collectors
 * run meanwhile; after that it is waited for SYSTEMD_WAIT_US more. A manager that answers later than
 * that has its metrics in the next pass; what stands here is never older than one pass. Off unless
 * asked for, as in node_exporter: each pass costs process 1 a list of its units.
 */
#include <stdio.h>

#include "base/err.h"
#include "collectors/rows.h"
#include "collectors/systemd_bus.h"

/* What a pass may wait for the manager at its end. */
#define SYSTEMD_WAIT_US 50000
/* A unit's name in labels; systemd allows 255 bytes. */
#define UNIT_NAME_MAX 256

struct systemd_state {
    struct collect_filter filter;
    struct systemd_bus *bus;
};

static bool wants(void *context, struct str name)
{
    return collect_filter_accepts(context, name);
}

static int systemd_open(struct collect *c, void *state, struct err *e)
{
    struct systemd_state *s = state;
    struct systemd_bus_options options = {
        .address = c->settings[COLLECTOR_SETTING_SYSTEMD_ADDRESS],
        .wants = wants,
        .context = &s->filter,
    };
    int status = collect_switch(c, COLLECTOR_SETTING_SYSTEMD_START_TIMES, &options.start_times, e);
    if (status == 0) {
        status = collect_switch(c, COLLECTOR_SETTING_SYSTEMD_RESTARTS, &options.restarts, e);
    }
    if (status == 0) {
        status = collect_switch(c, COLLECTOR_SETTING_SYSTEMD_TASKS, &options.tasks, e);
    }
    if (status == 0) {
        status = collect_filter_open(
            c, COLLECTOR_SETTING_SYSTEMD_INCLUDE, COLLECTOR_SETTING_SYSTEMD_EXCLUDE, &s->filter, e);
    }
    if (status == 0 && systemd_bus_open(&options, &s->bus) != 0) {
        status = err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    return status;
}

static void systemd_begin(struct collect *c, void *state)
{
    struct systemd_state *s = state;
    (void)c;
    systemd_bus_ask(s->bus);
}

/* ---- The manager ---- */

static void give_version(struct collect *c, const struct systemd_view *view)
{
    char buffer[SYSTEMD_TEXT_MAX];
    struct label_pair label = {
        "version", collect_label_text(view->version, buffer, sizeof(buffer))};
    size_t digits = 0;
    double version = 0;
    while (digits < view->version.len && view->version.ptr[digits] >= '0' &&
           view->version.ptr[digits] <= '9') {
        version = version * 10 + (view->version.ptr[digits++] - '0');
    }
    if (digits > 0) {
        metric_family(c->sink, "node_systemd_version", METRIC_TYPE_GAUGE, "Version of systemd.");
        metric_sample(c->sink, &label, 1, version);
    }
}

static void give_manager(struct collect *c, const struct systemd_view *view)
{
    char buffer[SYSTEMD_TEXT_MAX];
    if (view->system_state.len > 0) {
        metric_single(c->sink, "node_systemd_system_running", METRIC_TYPE_GAUGE,
            "Whether the system has started and no unit has failed.",
            str_eq(view->system_state, STR("running")));
    }
    give_version(c, view);
    if (view->version.len > 0) {
        struct str type = view->virtualization.len > 0 ? view->virtualization : STR("none");
        struct label_pair label = {
            "virtualization_type", collect_label_text(type, buffer, sizeof(buffer))};
        metric_family(c->sink, "node_systemd_virtualization_info", METRIC_TYPE_GAUGE,
            "What kind of virtual machine or container this is.");
        metric_sample(c->sink, &label, 1, 1);
    }
}

/* ---- Units ---- */

static const char *const state_names[SYSTEMD_STATES] = {
    [SYSTEMD_ACTIVE] = "active",
    [SYSTEMD_ACTIVATING] = "activating",
    [SYSTEMD_DEACTIVATING] = "deactivating",
    [SYSTEMD_INACTIVE] = "inactive",
    [SYSTEMD_FAILED] = "failed",
};

static void give_states(struct collect *c, const struct systemd_view *view)
{
    char name[UNIT_NAME_MAX], type[SYSTEMD_TEXT_MAX];
    metric_family(
        c->sink, "node_systemd_unit_state", METRIC_TYPE_GAUGE, "Whether a unit is in a state.");
    for (size_t i = 0; i < view->count; i++) {
        const struct systemd_unit *unit = view->units[i];
        struct label_pair labels[] = {
            {"name", collect_label_text(systemd_unit_name(unit), name, sizeof(name))},
            {"state", STR("")},
            {"type", collect_label_text(systemd_unit_type(unit), type, sizeof(type))},
        };
        for (int state = 0; state < SYSTEMD_STATES; state++) {
            labels[1].value = str_of(state_names[state]);
            metric_sample(
                c->sink, labels, 3, systemd_unit_state(unit) == (enum systemd_active_state)state);
        }
    }
    metric_family(c->sink, "node_systemd_units", METRIC_TYPE_GAUGE, "Units by state.");
    for (int state = 0; state < SYSTEMD_STATES; state++) {
        struct label_pair label = {"state", str_of(state_names[state])};
        metric_sample(c->sink, &label, 1, (double)view->states[state]);
    }
}

static const struct {
    const char *metric;
    enum metric_type type;
    const char *help;
} values[SYSTEMD_VALUES] = {
    [SYSTEMD_START_TIME] = {"node_systemd_unit_start_time_seconds", METRIC_TYPE_GAUGE,
        "When a unit became active; 0 while it is not."},
    [SYSTEMD_RESTARTS] = {"node_systemd_service_restart_total", METRIC_TYPE_COUNTER,
        "Restarts of a service by the manager."},
    [SYSTEMD_TASKS_CURRENT] = {"node_systemd_unit_tasks_current", METRIC_TYPE_GAUGE,
        "Tasks of a unit."},
    [SYSTEMD_TASKS_MAX] = {"node_systemd_unit_tasks_max", METRIC_TYPE_GAUGE,
        "Tasks a unit may have."},
    [SYSTEMD_LAST_TRIGGER] = {"node_systemd_timer_last_trigger_seconds", METRIC_TYPE_GAUGE,
        "When a timer triggered last."},
    [SYSTEMD_ACCEPTED] = {"node_systemd_socket_accepted_connections_total", METRIC_TYPE_COUNTER,
        "Connections that a socket unit has accepted."},
    [SYSTEMD_CONNECTIONS] = {"node_systemd_socket_current_connections", METRIC_TYPE_GAUGE,
        "Connections that a socket unit has open."},
    [SYSTEMD_REFUSED] = {"node_systemd_socket_refused_connections_total", METRIC_TYPE_GAUGE,
        "Connections that a socket unit has refused."},
};

static void give_values(struct collect *c, const struct systemd_view *view)
{
    char name[UNIT_NAME_MAX];
    for (int which = 0; which < SYSTEMD_VALUES; which++) {
        metric_family(c->sink, values[which].metric, values[which].type, values[which].help);
        for (size_t i = 0; i < view->count; i++) {
            double value;
            if (systemd_unit_value(view->units[i], (enum systemd_value)which, &value)) {
                struct label_pair label = {"name",
                    collect_label_text(systemd_unit_name(view->units[i]), name, sizeof(name))};
                metric_sample(c->sink, &label, 1, value);
            }
        }
    }
}

static int systemd_collect(struct collect *c, void *state)
{
    struct systemd_state *s = state;
    const struct systemd_view *view;
    int status = systemd_bus_answer(s->bus, SYSTEMD_WAIT_US, &view);
    if (status == 0) {
        give_manager(c, view);
        give_states(c, view);
        give_values(c, view);
    }
    return status;
}

static void systemd_close(struct collect *c, void *state)
{
    struct systemd_state *s = state;
    (void)c;
    systemd_bus_close(s->bus);
    collect_filter_close(&s->filter);
}

const struct collector systemd_collector = {
    .name = "systemd",
    .help = "Units of systemd, asked of its manager over D-Bus",
    .default_enabled = false,
    .state_size = sizeof(struct systemd_state),
    .open = systemd_open,
    .begin = systemd_begin,
    .collect = systemd_collect,
    .close = systemd_close,
};
