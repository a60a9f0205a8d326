/* Questions to systemd's manager: sent all at once, answered as they come.
 *
 * sd-bus gives each question a slot; the slot's callback files the answer where it belongs. Freeing a
 * slot withdraws the question, so a unit that goes takes its open questions along. Properties that
 * cannot change while a unit stays loaded (a service's Type) are asked once.
 *
 * The library is loaded when a bus is opened: it brings six others, 0.6 MB of every agent's resident
 * memory, and most agents leave this collector off.
 */
#include "collectors/systemd_bus.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define MANAGER "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define PRIVATE_SOCKET "/run/systemd/private"
#define PRIVATE_ADDRESS "unix:path=" PRIVATE_SOCKET
#define SYSTEM_BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"
#define UNIT_TYPE_MAX 24
#define MICROSECONDS 1000000

enum { FEATURE_ALWAYS, FEATURE_START_TIMES, FEATURE_RESTARTS, FEATURE_TASKS };

/* A number that a kind of unit has. `kind` is how the name ends, "" for all. */
static const struct property {
    const char *kind;
    const char *interface;
    const char *name;
    char signature; /* t or u */
    double divisor;
    int feature;
} properties[SYSTEMD_VALUES] = {
    [SYSTEMD_START_TIME] = {"", MANAGER ".Unit", "ActiveEnterTimestamp", 't', MICROSECONDS,
        FEATURE_START_TIMES},
    [SYSTEMD_RESTARTS] = {".service", MANAGER ".Service", "NRestarts", 'u', 1, FEATURE_RESTARTS},
    [SYSTEMD_TASKS_CURRENT] = {".service", MANAGER ".Service", "TasksCurrent", 't', 1,
        FEATURE_TASKS},
    [SYSTEMD_TASKS_MAX] = {".service", MANAGER ".Service", "TasksMax", 't', 1, FEATURE_TASKS},
    [SYSTEMD_LAST_TRIGGER] = {".timer", MANAGER ".Timer", "LastTriggerUSec", 't', MICROSECONDS,
        FEATURE_ALWAYS},
    [SYSTEMD_ACCEPTED] = {".socket", MANAGER ".Socket", "NAccepted", 'u', 1, FEATURE_ALWAYS},
    [SYSTEMD_CONNECTIONS] = {".socket", MANAGER ".Socket", "NConnections", 'u', 1, FEATURE_ALWAYS},
    [SYSTEMD_REFUSED] = {".socket", MANAGER ".Socket", "NRefused", 'u', 1, FEATURE_ALWAYS},
};

static const char *const manager_texts[] = {"SystemState", "Version", "Virtualization"};
enum { MANAGER_TEXTS = sizeof(manager_texts) / sizeof(manager_texts[0]) };

#define LIBRARY "libsystemd.so.0"
/* The functions of the library that are used here, without their sd_bus_. */
#define LIBRARY_FUNCTIONS(X)                                                                       \
    X(call_method_async)                                                                           \
    X(close_unref)                                                                                 \
    X(message_enter_container)                                                                     \
    X(message_is_method_error)                                                                     \
    X(message_read)                                                                                \
    X(new)                                                                                         \
    X(process)                                                                                     \
    X(set_address)                                                                                 \
    X(set_bus_client)                                                                              \
    X(slot_unref)                                                                                  \
    X(start)                                                                                       \
    X(wait)

struct sd_library {
    void *handle;
#define X(name) __typeof__(&sd_bus_##name) name;
    LIBRARY_FUNCTIONS(X)
#undef X
};

/* One number of one unit, and the question for it that is under way. */
struct number {
    struct systemd_bus *bus;
    enum systemd_value which;
    bool known;
    double value;
    sd_bus_slot *slot;
};

/* A text, likewise. */
struct text {
    struct systemd_bus *bus;
    char value[SYSTEMD_TEXT_MAX];
    bool known;
    sd_bus_slot *slot;
};

struct systemd_unit {
    char *name;
    char *path; /* of its D-Bus object */
    enum systemd_active_state state;
    bool seen;
    struct text type; /* of a service */
    size_t number_count;
    struct number numbers[]; /* those its kind has */
};

struct systemd_bus {
    struct systemd_bus_options options;
    struct sd_library sd;
    sd_bus *bus;            /* NULL = not connected */
    sd_bus_slot *list_slot; /* the list is asked for */
    bool listed;            /* it has come since it was asked for last */
    size_t waiting;         /* questions under way, the list's too */
    int status;             /* what made the connection end, or ERR_NOMEM */
    struct systemd_unit **units;
    size_t count, cap;
    struct text manager[MANAGER_TEXTS];
    struct systemd_view view;
};

/* ---- Units ---- */

struct str systemd_unit_name(const struct systemd_unit *unit)
{
    return str_of(unit->name);
}

enum systemd_active_state systemd_unit_state(const struct systemd_unit *unit)
{
    return unit->state;
}

struct str systemd_unit_type(const struct systemd_unit *unit)
{
    return str_of(unit->type.value);
}

bool systemd_unit_value(
    const struct systemd_unit *unit, enum systemd_value which, double *value_out)
{
    for (size_t i = 0; i < unit->number_count; i++) {
        if (unit->numbers[i].which == which && unit->numbers[i].known) {
            *value_out = unit->numbers[i].value;
            return true;
        }
    }
    return false;
}

static void withdraw(struct systemd_bus *bus, sd_bus_slot **slot)
{
    if (*slot != NULL) {
        *slot = bus->sd.slot_unref(*slot);
        bus->waiting--;
    }
}

static void unit_free(struct systemd_bus *bus, struct systemd_unit *unit)
{
    if (unit == NULL) {
        return;
    }
    withdraw(bus, &unit->type.slot);
    for (size_t i = 0; i < unit->number_count; i++) {
        withdraw(bus, &unit->numbers[i].slot);
    }
    mem_free(unit->name);
    mem_free(unit->path);
    mem_free(unit);
}

static bool is_asked(const struct systemd_bus *bus, const struct property *p, struct str name)
{
    switch (p->feature) {
    case FEATURE_START_TIMES:
        return bus->options.start_times;
    case FEATURE_RESTARTS:
        return bus->options.restarts && str_ends_with(name, str_of(p->kind));
    case FEATURE_TASKS:
        return bus->options.tasks && str_ends_with(name, str_of(p->kind));
    default:
        return str_ends_with(name, str_of(p->kind));
    }
}

static struct systemd_unit *unit_new(struct systemd_bus *bus, const char *name, const char *path)
{
    enum systemd_value which[SYSTEMD_VALUES];
    size_t count = 0;
    for (int i = 0; i < SYSTEMD_VALUES; i++) {
        if (is_asked(bus, &properties[i], str_of(name))) {
            which[count++] = (enum systemd_value)i;
        }
    }
    struct systemd_unit *unit = mem_calloc(1, sizeof(*unit) + count * sizeof(unit->numbers[0]));
    if (unit == NULL) {
        return NULL;
    }
    for (; unit->number_count < count; unit->number_count++) {
        unit->numbers[unit->number_count] =
            (struct number){.bus = bus, .which = which[unit->number_count]};
    }
    unit->type.bus = bus;
    unit->name = mem_strdup(name);
    unit->path = mem_strdup(path);
    if (unit->name == NULL || unit->path == NULL) {
        unit_free(bus, unit);
        return NULL;
    }
    return unit;
}

static int compare_units(const void *a, const void *b)
{
    return strcmp(
        (*(struct systemd_unit *const *)a)->name, (*(struct systemd_unit *const *)b)->name);
}

static int compare_name(const void *name, const void *unit)
{
    return strcmp(name, (*(struct systemd_unit *const *)unit)->name);
}

/* ---- Questions for properties ---- */

static int ask_property(struct systemd_bus *bus, sd_bus_slot **slot, const char *path,
    const char *interface, const char *name, sd_bus_message_handler_t answer, void *context)
{
    int asked = bus->sd.call_method_async(
        bus->bus, slot, MANAGER, path, PROPERTIES, "Get", answer, context, "ss", interface, name);
    if (asked >= 0) {
        bus->waiting++;
    }
    return asked;
}

/* The variant of an answer to Get, entered, when it holds a value of this signature. */
static bool enter_variant(struct systemd_bus *bus, sd_bus_message *m, const char *signature)
{
    return bus->sd.message_is_method_error(m, NULL) == 0 &&
           bus->sd.message_enter_container(m, 'v', signature) > 0;
}

static int take_text(sd_bus_message *m, void *context, sd_bus_error *error)
{
    struct text *text = context;
    struct systemd_bus *bus = text->bus;
    const char *value;
    (void)error; /* ours to fill, and there is nothing to say */
    withdraw(bus, &text->slot);
    if (enter_variant(bus, m, "s") && bus->sd.message_read(m, "s", &value) > 0) {
        size_t length = strnlen(value, sizeof(text->value) - 1);
        memcpy(text->value, value, length);
        text->value[length] = '\0';
        text->known = true;
    }
    return 1;
}

static int take_number(sd_bus_message *m, void *context, sd_bus_error *error)
{
    struct number *number = context;
    struct systemd_bus *bus = number->bus;
    const struct property *p = &properties[number->which];
    uint64_t wide = 0;
    uint32_t narrow = 0;
    (void)error; /* as above */
    withdraw(bus, &number->slot);
    number->known = false;
    if (p->signature == 't' && enter_variant(bus, m, "t")) {
        number->known = bus->sd.message_read(m, "t", &wide) > 0;
    } else if (p->signature == 'u' && enter_variant(bus, m, "u")) {
        number->known = bus->sd.message_read(m, "u", &narrow) > 0;
        wide = narrow;
    }
    if (wide == UINT64_MAX) {
        number->known = false; // how the manager says "none"
    }
    number->value = (double)wide / p->divisor;
    return 1;
}

static void ask_details(struct systemd_bus *bus, struct systemd_unit *unit)
{
    struct text *type = &unit->type;
    if (!type->known && type->slot == NULL && str_ends_with(str_of(unit->name), STR(".service"))) {
        (void)ask_property(
            bus, &type->slot, unit->path, MANAGER ".Service", "Type", take_text, type);
    }
    for (size_t i = 0; i < unit->number_count; i++) {
        struct number *number = &unit->numbers[i];
        if (number->which == SYSTEMD_START_TIME && unit->state != SYSTEMD_ACTIVE) {
            number->known = true;
            number->value = 0;
            withdraw(bus, &number->slot);
        } else if (number->slot == NULL) {
            const struct property *p = &properties[number->which];
            (void)ask_property(
                bus, &number->slot, unit->path, p->interface, p->name, take_number, number);
        }
    }
}

/* ---- The list ---- */

static enum systemd_active_state state_of(const char *name)
{
    static const char *const names[SYSTEMD_STATES] = {
        "active", "activating", "deactivating", "inactive", "failed"};
    for (int i = 0; i < SYSTEMD_STATES; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum systemd_active_state)i;
        }
    }
    return SYSTEMD_STATES;
}

/* Files one unit of the list among the `known` first ones, or behind them. */
static int see_unit(
    struct systemd_bus *bus, size_t known, const char *name, const char *path, const char *active)
{
    struct systemd_unit **place =
        known > 0 ? bsearch(name, bus->units, known, sizeof(struct systemd_unit *), compare_name)
                  : NULL;
    struct systemd_unit *unit = place != NULL ? *place : NULL;
    if (unit == NULL && bus->count < SYSTEMD_UNITS_MAX) {
        int status = mem_array_grow((void **)&bus->units, &bus->cap, bus->count + 1,
            sizeof(struct systemd_unit *), SYSTEMD_UNITS_MAX);
        unit = status == 0 ? unit_new(bus, name, path) : NULL;
        if (unit == NULL) {
            return ERR_NOMEM;
        }
        bus->units[bus->count++] = unit;
    }
    if (unit != NULL) {
        unit->state = state_of(active);
        unit->seen = true;
    }
    return 0;
}

static void forget_gone(struct systemd_bus *bus)
{
    size_t kept = 0;
    for (size_t i = 0; i < bus->count; i++) {
        if (bus->units[i]->seen) {
            bus->units[i]->seen = false;
            bus->units[kept++] = bus->units[i];
        } else {
            unit_free(bus, bus->units[i]);
        }
    }
    bus->count = kept;
    if (kept > 1) {
        qsort(bus->units, kept, sizeof(struct systemd_unit *), compare_units);
    }
}

/* Reads a(ssssssouso): name, description, load state, active state, sub state, followed, object … */
static int read_list(struct systemd_bus *bus, sd_bus_message *m)
{
    const char *name, *description, *load, *active, *sub, *followed, *path, *job, *job_path;
    uint32_t job_id;
    size_t known = bus->count;
    int more = bus->sd.message_enter_container(m, 'a', "(ssssssouso)");
    memset(bus->view.states, 0, sizeof(bus->view.states));
    while (more > 0) {
        more = bus->sd.message_read(m, "(ssssssouso)", &name, &description, &load, &active, &sub,
            &followed, &path, &job_id, &job, &job_path);
        if (more <= 0) {
            break;
        }
        enum systemd_active_state state = state_of(active);
        if (state < SYSTEMD_STATES) {
            bus->view.states[state]++;
        }
        if (strcmp(load, "loaded") == 0 && bus->options.wants(bus->options.context, str_of(name)) &&
            see_unit(bus, known, name, path, active) != 0) {
            return ERR_NOMEM;
        }
    }
    return more < 0 ? ERR_IO : 0;
}

static int take_list(sd_bus_message *m, void *context, sd_bus_error *error)
{
    struct systemd_bus *bus = context;
    (void)error; /* as above */
    withdraw(bus, &bus->list_slot);
    bus->status = bus->sd.message_is_method_error(m, NULL) > 0 ? ERR_IO : read_list(bus, m);
    forget_gone(bus);
    if (bus->status == 0) {
        bus->listed = true;
        for (size_t i = 0; i < bus->count; i++) {
            ask_details(bus, bus->units[i]);
        }
    }
    return 1;
}

/* ---- Library and connection ---- */

/* Leaves the table empty where the library is not installed: then there is no manager to talk to. */
static void load_library(struct sd_library *sd)
{
    sd->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    bool whole = sd->handle != NULL;
#define X(name)                                                                                    \
    if (whole) {                                                                                   \
        *(void **)&sd->name = dlsym(sd->handle, "sd_bus_" #name);                                  \
        whole = sd->name != NULL;                                                                  \
    }
    LIBRARY_FUNCTIONS(X)
#undef X
    if (!whole && sd->handle != NULL) {
        (void)dlclose(sd->handle); // only read from
        sd->handle = NULL;
    }
}

static void disconnect(struct systemd_bus *bus)
{
    for (size_t i = 0; i < bus->count; i++) {
        unit_free(bus, bus->units[i]);
    }
    bus->count = 0;
    for (int i = 0; i < MANAGER_TEXTS; i++) {
        withdraw(bus, &bus->manager[i].slot);
    }
    withdraw(bus, &bus->list_slot);
    bus->bus = bus->bus != NULL ? bus->sd.close_unref(bus->bus) : NULL;
}

/* The manager's own socket when it was named or this process may use it, else the system's bus, where
 * the environment says it is or where it usually is. */
static int connect_manager(struct systemd_bus *bus)
{
    const char *address = bus->options.address;
    bool is_bus = address[0] == '\0' && access(PRIVATE_SOCKET, R_OK | W_OK) != 0;
    if (is_bus) {
        address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
        address = address != NULL ? address : SYSTEM_BUS_ADDRESS;
    } else if (address[0] == '\0') {
        address = PRIVATE_ADDRESS;
    }
    int made = bus->sd.new(&bus->bus);
    made = made >= 0 ? bus->sd.set_address(bus->bus, address) : made;
    made = made >= 0 ? bus->sd.set_bus_client(bus->bus, is_bus) : made;
    made = made >= 0 ? bus->sd.start(bus->bus) : made;
    if (made < 0) {
        disconnect(bus);
        return ERR_NOT_FOUND;
    }
    return 0;
}

int systemd_bus_open(const struct systemd_bus_options *options, struct systemd_bus **bus_out)
{
    struct systemd_bus *bus = mem_calloc(1, sizeof(*bus));
    if (bus == NULL) {
        return ERR_NOMEM;
    }
    bus->options = *options;
    load_library(&bus->sd);
    for (int i = 0; i < MANAGER_TEXTS; i++) {
        bus->manager[i].bus = bus;
    }
    *bus_out = bus;
    return 0;
}

void systemd_bus_close(struct systemd_bus *bus)
{
    if (bus != NULL) {
        disconnect(bus);
        if (bus->sd.handle != NULL) {
            (void)dlclose(bus->sd.handle); // only read from
        }
        mem_free(bus->units);
        mem_free(bus);
    }
}

void systemd_bus_ask(struct systemd_bus *bus)
{
    bus->status = 0;
    if (bus->bus == NULL) {
        bus->status = bus->sd.handle != NULL ? connect_manager(bus) : ERR_NOT_FOUND;
    }
    if (bus->status != 0 || bus->list_slot != NULL) {
        return;
    }
    bus->listed = false;
    if (bus->sd.call_method_async(bus->bus, &bus->list_slot, MANAGER, MANAGER_PATH,
            MANAGER ".Manager", "ListUnits", take_list, bus, "") < 0) {
        disconnect(bus);
        bus->status = ERR_IO;
        return;
    }
    bus->waiting++;
    for (int i = 0; i < MANAGER_TEXTS; i++) {
        struct text *text = &bus->manager[i];
        if (text->slot == NULL) {
            (void)ask_property(bus, &text->slot, MANAGER_PATH, MANAGER ".Manager", manager_texts[i],
                take_text, text);
        }
    }
}

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * MICROSECONDS + (uint64_t)now.tv_nsec / 1000;
}

/* Handles messages until nothing is waited for, or the time is up. */
static int process(struct systemd_bus *bus, uint64_t wait_us)
{
    uint64_t end = now_us() + wait_us;
    int handled = 1;
    while (handled >= 0 && bus->waiting > 0) {
        handled = bus->sd.process(bus->bus, NULL);
        if (handled == 0) {
            uint64_t now = now_us();
            if (now >= end) {
                break;
            }
            handled = bus->sd.wait(bus->bus, end - now);
        }
    }
    return handled;
}

int systemd_bus_answer(
    struct systemd_bus *bus, uint64_t wait_us, const struct systemd_view **view_out)
{
    if (bus->bus == NULL) {
        return bus->status != 0 ? bus->status : ERR_NOT_FOUND;
    }
    if (process(bus, wait_us) < 0) {
        disconnect(bus);
        return ERR_IO;
    }
    if (bus->status != 0 || !bus->listed) {
        return bus->status != 0 ? bus->status : ERR_TIMEOUT;
    }
    bus->view.units = bus->units;
    bus->view.count = bus->count;
    bus->view.system_state = str_of(bus->manager[0].value);
    bus->view.version = str_of(bus->manager[1].value);
    bus->view.virtualization = str_of(bus->manager[2].value);
    *view_out = &bus->view;
    return 0;
}
