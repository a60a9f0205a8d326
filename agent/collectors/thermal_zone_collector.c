/* Temperatures of thermal zones and the state of what cools them. */
#include "collectors/devices.h"
#include "collectors/rows.h"
#include "procfs/field.h"

#define ZONE_PREFIX "thermal_zone"
#define COOLER_PREFIX "cooling_device"
#define TYPE_TEXT_MAX 128

enum { ZONE_TEMP, ZONE_TYPE, ZONE_FILES };
enum { COOLER_CURRENT, COOLER_MAXIMUM, COOLER_TYPE, COOLER_FILES };

static const char *const zone_files[ZONE_FILES] = {[ZONE_TEMP] = "temp", [ZONE_TYPE] = "type"};
static const char *const cooler_files[COOLER_FILES] = {
    [COOLER_CURRENT] = "cur_state", [COOLER_MAXIMUM] = "max_state", [COOLER_TYPE] = "type"};

struct thermal_zone_state {
    struct devices zones;
    struct devices coolers;
};

static int thermal_zone_open(struct collect *c, void *state, struct err *e)
{
    struct thermal_zone_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->zones, COLLECT_SYS, "class/thermal", zone_files, ZONE_FILES);
    devices_init(&s->coolers, COLLECT_SYS, "class/thermal", cooler_files, COOLER_FILES);
    return 0;
}

static bool is_zone(void *context, struct str name)
{
    (void)context;
    return str_starts_with(name, STR(ZONE_PREFIX));
}

static bool is_cooler(void *context, struct str name)
{
    (void)context;
    return str_starts_with(name, STR(COOLER_PREFIX));
}

/* A number of each device with its type beside it. Sensors that do not answer are left out. */
static void give(struct collect *c, struct devices *d, size_t number_file, size_t type_file,
    const char *label, size_t skip, double divisor)
{
    for (size_t i = 0; i < d->count; i++) {
        double value;
        struct str type;
        char type_text[TYPE_TEXT_MAX];
        if (devices_read_number(c, d, i, number_file, &value) != 0 ||
            devices_read(c, d, i, type_file, &type) != 0) {
            continue;
        }
        struct label_pair name = {label, str_skip(device_name(d, i), skip)};
        struct label_pair kind = {"type", collect_label_text(type, type_text, sizeof(type_text))};
        bool name_first = strcmp(label, "type") < 0;
        struct label_pair labels[] = {name_first ? name : kind, name_first ? kind : name};
        metric_sample(c->sink, labels, 2, value / divisor);
    }
}

static int thermal_zone_collect(struct collect *c, void *state)
{
    struct thermal_zone_state *s = state;
    int status = devices_refresh_seldom(c, &s->zones, is_zone, NULL);
    if (status == 0) {
        status = devices_refresh_seldom(c, &s->coolers, is_cooler, NULL);
    }
    metric_family(c->sink, "node_cooling_device_cur_state", METRIC_TYPE_GAUGE,
        "How hard a device cools now.");
    give(c, &s->coolers, COOLER_CURRENT, COOLER_TYPE, "name", strlen(COOLER_PREFIX), 1);
    metric_family(
        c->sink, "node_cooling_device_max_state", METRIC_TYPE_GAUGE, "How hard a device can cool.");
    give(c, &s->coolers, COOLER_MAXIMUM, COOLER_TYPE, "name", strlen(COOLER_PREFIX), 1);
    metric_family(
        c->sink, "node_thermal_zone_temp", METRIC_TYPE_GAUGE, "Temperature of a zone in Celsius.");
    give(c, &s->zones, ZONE_TEMP, ZONE_TYPE, "zone", strlen(ZONE_PREFIX), 1000);
    return status == ERR_NOT_FOUND ? 0 : status; // many machines have none
}

static void thermal_zone_close(struct collect *c, void *state)
{
    struct thermal_zone_state *s = state;
    devices_close(c, &s->zones);
    devices_close(c, &s->coolers);
}

const struct collector thermal_zone_collector = {
    .name = "thermal_zone",
    .help = "Thermal zones and cooling devices (/sys/class/thermal)",
    .default_enabled = true,
    .state_size = sizeof(struct thermal_zone_state),
    .open = thermal_zone_open,
    .collect = thermal_zone_collect,
    .close = thermal_zone_close,
};
