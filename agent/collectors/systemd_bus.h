/* What systemd's manager says of its units, over D-Bus, without waiting for it longer than asked.
 *
 * A pass asks once (systemd_bus_ask) and takes what has come by the time it looks (systemd_bus_answer):
 * the list of units first, then of each wanted unit the few properties that are metrics. A manager that
 * hangs is not asked again before it has answered or its connection has ended. Interfaces and
 * properties: org.freedesktop.systemd1(5).
 *
 * Everything belongs to the thread that calls.
 */
#ifndef SONDE_COLLECTORS_SYSTEMD_BUS_H
#define SONDE_COLLECTORS_SYSTEMD_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Units that are kept; what a list has beyond is left out. */
#define SYSTEMD_UNITS_MAX 8192
#define SYSTEMD_TEXT_MAX 64

enum systemd_active_state {
    SYSTEMD_ACTIVE,
    SYSTEMD_ACTIVATING,
    SYSTEMD_DEACTIVATING,
    SYSTEMD_INACTIVE,
    SYSTEMD_FAILED,
    SYSTEMD_STATES, /* also: one this list does not know */
};

/* Numbers of a unit. Which are asked depends on its kind and on the options. */
enum systemd_value {
    SYSTEMD_START_TIME, /* seconds since 1970, 0 while it is not active */
    SYSTEMD_RESTARTS,
    SYSTEMD_TASKS_CURRENT,
    SYSTEMD_TASKS_MAX,
    SYSTEMD_LAST_TRIGGER, /* seconds since 1970 */
    SYSTEMD_ACCEPTED,
    SYSTEMD_CONNECTIONS,
    SYSTEMD_REFUSED,
    SYSTEMD_VALUES,
};

struct systemd_unit;

struct str systemd_unit_name(const struct systemd_unit *unit);
enum systemd_active_state systemd_unit_state(const struct systemd_unit *unit);
/* A service's Type, "" of other kinds and while it is not known. */
struct str systemd_unit_type(const struct systemd_unit *unit);
/* False when the unit has no such number, or has not told it yet. */
bool systemd_unit_value(
    const struct systemd_unit *unit, enum systemd_value which, double *value_out);

struct systemd_view {
    /* Loaded units that are wanted, in order of their names. */
    struct systemd_unit *const *units;
    size_t count;
    /* All units by state, wanted or not. */
    uint64_t states[SYSTEMD_STATES];
    /* Of the manager; empty while not known. */
    struct str system_state, version, virtualization;
};

struct systemd_bus_options {
    /* D-Bus address of the manager's own socket; empty = the usual one where this process may use it,
     * else the system's bus, at DBUS_SYSTEM_BUS_ADDRESS or the usual place. Borrowed. */
    const char *address;
    bool start_times, restarts, tasks;
    /* Which units are wanted. Called from the other functions here. */
    bool (*wants)(void *context, struct str name);
    void *context;
};

struct systemd_bus;

int systemd_bus_open(const struct systemd_bus_options *options, struct systemd_bus **bus_out);
void systemd_bus_close(struct systemd_bus *bus);

/* Connects where there is no connection, and asks. Does not wait. */
void systemd_bus_ask(struct systemd_bus *bus);
/* Waits at most `wait_us` for what was asked. The view lives until the next call. ERR_NOT_FOUND where
 * there is no manager to talk to, ERR_TIMEOUT when it has not sent its list yet, ERR_IO when the
 * connection broke (the next ask makes another), ERR_NOMEM. */
int systemd_bus_answer(
    struct systemd_bus *bus, uint64_t wait_us, const struct systemd_view **view_out);

#endif
