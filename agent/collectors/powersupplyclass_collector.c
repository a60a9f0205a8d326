/* Batteries and mains: /sys/class/power_supply. The kernel counts in millionths of amperes, volts,
 * watts and their hours, and in tenths of degrees (Documentation/power/power_supply_class.rst). */
#include "collectors/devices.h"
#include "collectors/rows.h"

#define SUPPLY_TEXT_MAX 128
#define MILLIONTHS 1e6
#define TENTHS 10.0

/* file, metric behind node_power_supply_, divisor */
#define SUPPLY_NUMBERS(X)                                                                          \
    X("authentic", "authentic", 1)                                                                 \
    X("calibrate", "calibrate", 1)                                                                 \
    X("capacity", "capacity", 1)                                                                   \
    X("capacity_alert_max", "capacity_alert_max", 1)                                               \
    X("capacity_alert_min", "capacity_alert_min", 1)                                               \
    X("charge_control_limit", "charge_control_limit", MILLIONTHS)                                  \
    X("charge_control_limit_max", "charge_control_limit_max", MILLIONTHS)                          \
    X("charge_counter", "charge_counter", MILLIONTHS)                                              \
    X("charge_empty", "charge_empty", MILLIONTHS)                                                  \
    X("charge_empty_design", "charge_empty_design", MILLIONTHS)                                    \
    X("charge_full", "charge_full", MILLIONTHS)                                                    \
    X("charge_full_design", "charge_full_design", MILLIONTHS)                                      \
    X("charge_now", "charge_ampere", MILLIONTHS)                                                   \
    X("charge_term_current", "charge_term_current", MILLIONTHS)                                    \
    X("constant_charge_current", "constant_charge_current", MILLIONTHS)                            \
    X("constant_charge_current_max", "constant_charge_current_max", MILLIONTHS)                    \
    X("constant_charge_voltage", "constant_charge_voltage", MILLIONTHS)                            \
    X("constant_charge_voltage_max", "constant_charge_voltage_max", MILLIONTHS)                    \
    X("current_boot", "current_boot", MILLIONTHS)                                                  \
    X("current_max", "current_max", MILLIONTHS)                                                    \
    X("current_now", "current_ampere", MILLIONTHS)                                                 \
    X("cycle_count", "cyclecount", 1)                                                              \
    X("energy_empty", "energy_empty", MILLIONTHS)                                                  \
    X("energy_empty_design", "energy_empty_design", MILLIONTHS)                                    \
    X("energy_full", "energy_full", MILLIONTHS)                                                    \
    X("energy_full_design", "energy_full_design", MILLIONTHS)                                      \
    X("energy_now", "energy_watthour", MILLIONTHS)                                                 \
    X("input_current_limit", "input_current_limit", MILLIONTHS)                                    \
    X("online", "online", 1)                                                                       \
    X("power_now", "power_watt", MILLIONTHS)                                                       \
    X("precharge_current", "precharge_current", MILLIONTHS)                                        \
    X("present", "present", 1)                                                                     \
    X("temp", "temp_celsius", TENTHS)                                                              \
    X("temp_alert_max", "temp_alert_max_celsius", TENTHS)                                          \
    X("temp_alert_min", "temp_alert_min_celsius", TENTHS)                                          \
    X("temp_ambient", "temp_ambient_celsius", TENTHS)                                              \
    X("temp_ambient_max", "temp_ambient_max_celsius", TENTHS)                                      \
    X("temp_ambient_min", "temp_ambient_min_celsius", TENTHS)                                      \
    X("temp_max", "temp_max_celsius", TENTHS)                                                      \
    X("temp_min", "temp_min_celsius", TENTHS)                                                      \
    X("time_to_empty_now", "time_to_empty_seconds", 1)                                             \
    X("time_to_full_now", "time_to_full_seconds", 1)                                               \
    X("voltage_boot", "voltage_boot", MILLIONTHS)                                                  \
    X("voltage_max", "voltage_max", MILLIONTHS)                                                    \
    X("voltage_max_design", "voltage_max_design", MILLIONTHS)                                      \
    X("voltage_min", "voltage_min", MILLIONTHS)                                                    \
    X("voltage_min_design", "voltage_min_design", MILLIONTHS)                                      \
    X("voltage_now", "voltage_volt", MILLIONTHS)                                                   \
    X("voltage_ocv", "voltage_ocv", MILLIONTHS)

static const char *const number_files[] = {
#define X(file, metric, divisor) file,
    SUPPLY_NUMBERS(X)
#undef X
};

enum { NUMBER_COUNT = sizeof(number_files) / sizeof(number_files[0]) };

static const struct number_row {
    const char *name;
    double divisor;
} number_rows[NUMBER_COUNT] = {
#define X(file, metric, divisor) {"node_power_supply_" metric, divisor},
    SUPPLY_NUMBERS(X)
#undef X
};

/* Files that become labels of the same name, in order; the name of the supply stands among them. */
static const char *const text_files[] = {"capacity_level", "charge_type", "health", "manufacturer",
    "model_name", NULL, "scope", "serial_number", "status", "technology", "type", "usb_type"};

enum { TEXT_COUNT = sizeof(text_files) / sizeof(text_files[0]) };

struct powersupply_state {
    struct devices numbers;
    struct devices texts;
    struct collect_filter filter;
};

static int powersupply_open(struct collect *c, void *state, struct err *e)
{
    static const char *const info_files[] = {"capacity_level", "charge_type", "health",
        "manufacturer", "model_name", "scope", "serial_number", "status", "technology", "type",
        "usb_type"};
    struct powersupply_state *s = state;
    devices_init(&s->numbers, COLLECT_SYS, "class/power_supply", number_files, NUMBER_COUNT);
    devices_init(&s->texts, COLLECT_SYS, "class/power_supply", info_files, TEXT_COUNT - 1);
    return collect_filter_open_exclude(c, COLLECTOR_SETTING_POWER_EXCLUDE, &s->filter, e);
}

static bool is_wanted(void *context, struct str name)
{
    const struct powersupply_state *s = context;
    return collect_filter_accepts(&s->filter, name);
}

/* Only what a supply knows about itself becomes a label. */
static void give_info(struct collect *c, struct powersupply_state *s, size_t index)
{
    char buffers[TEXT_COUNT][SUPPLY_TEXT_MAX];
    struct label_pair labels[TEXT_COUNT];
    size_t count = 0, file = 0;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (text_files[i] == NULL) {
            labels[count++] = (struct label_pair){"power_supply", device_name(&s->texts, index)};
            continue;
        }
        struct str text;
        if (devices_read(c, &s->texts, index, file++, &text) != 0 || text.len == 0) {
            continue;
        }
        text.len = text.len < SUPPLY_TEXT_MAX ? text.len : SUPPLY_TEXT_MAX;
        struct str clean = collect_label_text(text, buffers[i], SUPPLY_TEXT_MAX);
        memmove(buffers[i], clean.ptr, clean.len);
        labels[count++] = (struct label_pair){text_files[i], str_make(buffers[i], clean.len)};
    }
    metric_sample(c->sink, labels, count, 1);
}

static void give_number(struct collect *c, struct powersupply_state *s, size_t number)
{
    metric_family(c->sink, number_rows[number].name, METRIC_TYPE_GAUGE,
        "A number of /sys/class/power_supply.");
    for (size_t i = 0; i < s->numbers.count; i++) {
        double value;
        if (devices_read_number(c, &s->numbers, i, number, &value) == 0) {
            struct label_pair label = {"power_supply", device_name(&s->numbers, i)};
            metric_sample(c->sink, &label, 1, value / number_rows[number].divisor);
        }
    }
}

static int powersupply_collect(struct collect *c, void *state)
{
    struct powersupply_state *s = state;
    int status = devices_refresh_seldom(c, &s->numbers, is_wanted, s);
    if (status == 0) {
        status = devices_refresh_seldom(c, &s->texts, is_wanted, s);
    }
    if (status != 0) {
        return status;
    }
    for (size_t number = 0; number < NUMBER_COUNT; number++) {
        give_number(c, s, number);
    }
    metric_family(
        c->sink, "node_power_supply_info", METRIC_TYPE_GAUGE, "What a power supply is, always 1.");
    for (size_t i = 0; i < s->texts.count; i++) {
        give_info(c, s, i);
    }
    return 0;
}

static void powersupply_close(struct collect *c, void *state)
{
    struct powersupply_state *s = state;
    devices_close(c, &s->numbers);
    devices_close(c, &s->texts);
    collect_filter_close(&s->filter);
}

const struct collector powersupplyclass_collector = {
    .name = "powersupplyclass",
    .help = "Batteries and mains (/sys/class/power_supply)",
    .default_enabled = true,
    .state_size = sizeof(struct powersupply_state),
    .open = powersupply_open,
    .collect = powersupply_collect,
    .close = powersupply_close,
};
