/* Hardware monitoring chips: temperatures, fans, voltages, power.
 *
 * A chip is a directory hwmon<N> with files "<type><number>_<property>": temp1_input, fan2_min,
 * in0_label. Drivers of old put them into the directory of the device instead, so both are walked.
 * hwmon numbers depend on the order in which drivers load; the label `chip` is made from the device a
 * chip belongs to, which is stable: "platform_coretemp_0". Where several chips belong to one device
 * their own name, or the hwmon number, tells them apart.
 *
 * Units of the kernel are thousandths of volts, degrees and amperes, and millionths of watts and
 * joules (Documentation/hwmon/sysfs-interface.rst). Sensors are found by metric_files, and only their
 * numbers are read in each pass.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "collectors/devices.h"
#include "collectors/metric_files.h"
#include "collectors/metric_names.h"
#include "collectors/rows.h"
#include "procfs/field.h"

#define HWMON_DIRECTORY "class/hwmon"
#define CHIP_NAME_MAX 256
#define CHIPS_MAX 256
#define HWMON_TEXT_MAX 128

enum { FILE_NAME, FILE_COUNT };
static const char *const hwmon_files[FILE_COUNT] = {[FILE_NAME] = "name"};

struct hwmon_state {
    struct devices chips;
    struct metric_files files;
    struct collect_filter filter;
    int status;
    char names[CHIPS_MAX][CHIP_NAME_MAX]; /* made from the device of each chip */
};

static int hwmon_open(struct collect *c, void *state, struct err *e)
{
    struct hwmon_state *s = state;
    devices_init(&s->chips, COLLECT_SYS, HWMON_DIRECTORY, hwmon_files, FILE_COUNT);
    return collect_filter_open(
        c, COLLECTOR_SETTING_HWMON_INCLUDE, COLLECTOR_SETTING_HWMON_EXCLUDE, &s->filter, e);
}

/* ---- Names ---- */

/* Lower case, every byte but letters, digits, ':' and '_' replaced by '_', none of these at the ends. */
static struct str clean_name(struct str raw, char *buffer, size_t size)
{
    size_t length = raw.len < size ? raw.len : size;
    for (size_t i = 0; i < length; i++) {
        char byte = raw.ptr[i];
        byte = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == ':' ||
                     byte == '_';
        buffer[i] = plain ? byte : '_';
    }
    struct str name = str_make(buffer, length);
    while (name.len > 0 && name.ptr[0] == '_') {
        name = str_skip(name, 1);
    }
    while (name.len > 0 && name.ptr[name.len - 1] == '_') {
        name.len--;
    }
    return name;
}

/* Takes the last part off a path. */
static struct str take_last_part(struct str *path)
{
    const char *slash = path->len > 0 ? memrchr(path->ptr, '/', path->len) : NULL;
    size_t start = slash != NULL ? (size_t)(slash - path->ptr) + 1 : 0;
    struct str part = str_skip(*path, start);
    path->len = start > 0 ? start - 1 : 0;
    return part;
}

/* "<bus>_<device>" from where the link "device" leads; empty when the chip has none. */
static void name_from_device(const struct collect *c, const char *hwmon, char *name, size_t size)
{
    char below[COLLECT_PATH_MAX], link[COLLECT_PATH_MAX], target[PATH_MAX];
    char device_text[CHIP_NAME_MAX], bus_text[CHIP_NAME_MAX];
    name[0] = '\0';
    (void)snprintf(below, sizeof(below), HWMON_DIRECTORY "/%s/device", hwmon);
    if (collect_path(c, COLLECT_SYS, below, link, sizeof(link)) != 0 ||
        realpath(link, target) == NULL) {
        return;
    }
    struct str path = str_of(target);
    struct str device = clean_name(take_last_part(&path), device_text, sizeof(device_text));
    struct str bus = clean_name(take_last_part(&path), bus_text, sizeof(bus_text));
    if (device.len > 0) {
        (void)snprintf(
            name, size, "%.*s%s%.*s", STR_ARG(bus), bus.len > 0 ? "_" : "", STR_ARG(device));
    }
}

/* The chip's own name, cleaned; empty when it has none. */
static struct str own_name(struct collect *c, struct hwmon_state *s, size_t chip, char *buffer)
{
    struct str text;
    if (devices_read_once(c, &s->chips, chip, FILE_NAME, &text) != 0) {
        return STR("");
    }
    return clean_name(text, buffer, CHIP_NAME_MAX);
}

static void find_base_names(struct collect *c, struct hwmon_state *s)
{
    for (size_t i = 0; i < s->chips.count; i++) {
        name_from_device(c, s->chips.list[i].name, s->names[i], CHIP_NAME_MAX);
        if (s->names[i][0] == '\0') {
            char buffer[CHIP_NAME_MAX];
            struct str name = own_name(c, s, i, buffer);
            name = name.len > 0 ? name : device_name(&s->chips, i);
            (void)snprintf(s->names[i], CHIP_NAME_MAX, "%.*s", STR_ARG(name));
        }
    }
}

/* The label of a chip: its base name, and what tells it from others of the same. */
static void unique_name(
    struct collect *c, struct hwmon_state *s, size_t chip, char *name, size_t size)
{
    char own_text[CHIP_NAME_MAX], other_text[CHIP_NAME_MAX];
    struct str own = own_name(c, s, chip, own_text);
    unsigned same_base = 0, same_name = 0;
    for (size_t i = 0; i < s->chips.count; i++) {
        if (strcmp(s->names[i], s->names[chip]) == 0) {
            same_base++;
            same_name += str_eq(own_name(c, s, i, other_text), own);
        }
    }
    struct str suffix = own.len > 0 && same_name == 1 ? own : device_name(&s->chips, chip);
    if (same_base > 1) {
        (void)snprintf(name, size, "%s_%.*s", s->names[chip], STR_ARG(suffix));
    } else {
        (void)snprintf(name, size, "%s", s->names[chip]);
    }
}

/* ---- Files ---- */

/* "temp1_crit_alarm": type temp, number 1, property crit_alarm. */
struct sensor_file {
    struct str type;
    struct str number;
    struct str property;
};

static bool is_sensor_type(struct str type)
{
    static const char *const types[] = {"vrm", "beep_enable", "update_interval", "in", "cpu", "fan",
        "pwm", "temp", "curr", "power", "energy", "humidity", "intrusion", "freq"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_eq_c(type, types[i])) {
            return true;
        }
    }
    return false;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool split_file_name(const char *name, struct sensor_file *file_out)
{
    struct str text = str_of(name);
    size_t type = 0;
    while (type < text.len && !is_digit(text.ptr[type])) {
        type++;
    }
    size_t number = type;
    while (number < text.len && is_digit(text.ptr[number])) {
        number++;
    }
    file_out->type = str_make(text.ptr, type);
    file_out->number = str_make(text.ptr + type, number - type);
    file_out->property = str_skip(text, number);
    if (file_out->property.len > 0 && !field_take_prefix(&file_out->property, STR("_"))) {
        return false;
    }
    return is_sensor_type(file_out->type);
}

/* How a number is shown: by type and property; the first row that fits counts. An empty pattern fits
 * all; `plain` drops the property from the name. */
static const struct unit_row {
    const char *type;
    const char *property;
    enum metric_type metric_type;
    const char *suffix;
    double factor;
    double divisor;
} unit_rows[] = {
    {"", "fault", METRIC_TYPE_GAUGE, "", 0, 0},
    {"", "alarm", METRIC_TYPE_GAUGE, "", 0, 0},
    {"", "beep", METRIC_TYPE_GAUGE, "_enabled", 0, 0},
    {"in", "", METRIC_TYPE_GAUGE, "_volts", 0.001, 0},
    {"cpu", "", METRIC_TYPE_GAUGE, "_volts", 0.001, 0},
    {"temp", "type", METRIC_TYPE_GAUGE, "", 0, 0},
    {"temp", "", METRIC_TYPE_GAUGE, "_celsius", 0.001, 0},
    {"curr", "", METRIC_TYPE_GAUGE, "_amps", 0.001, 0},
    {"energy", "", METRIC_TYPE_COUNTER, "_joule_total", 0, 1e6},
    {"power", "accuracy", METRIC_TYPE_GAUGE, "", 0, 1e6},
    {"power", "average_interval", METRIC_TYPE_GAUGE, "_seconds", 0.001, 0},
    {"power", "average_interval_min", METRIC_TYPE_GAUGE, "_seconds", 0.001, 0},
    {"power", "average_interval_max", METRIC_TYPE_GAUGE, "_seconds", 0.001, 0},
    {"power", "", METRIC_TYPE_GAUGE, "_watt", 0, 1e6},
    {"humidity", "", METRIC_TYPE_GAUGE, "", 0, 1e6},
    {"fan", "input", METRIC_TYPE_GAUGE, "_rpm", 0, 0},
    {"fan", "min", METRIC_TYPE_GAUGE, "_rpm", 0, 0},
    {"fan", "max", METRIC_TYPE_GAUGE, "_rpm", 0, 0},
    {"fan", "target", METRIC_TYPE_GAUGE, "_rpm", 0, 0},
    {"", "", METRIC_TYPE_GAUGE, "", 0, 0},
};

static const struct unit_row *find_unit(const struct sensor_file *file)
{
    const struct unit_row *row = unit_rows;
    while ((row->type[0] != '\0' && !str_eq_c(file->type, row->type)) ||
           (row->property[0] != '\0' && !str_eq_c(file->property, row->property))) {
        row++; // the last row fits everything
    }
    return row;
}

/* A directory of sensors being walked. */
struct hwmon_walk {
    struct collect *collect;
    struct hwmon_state *state;
    const char *chip;                 /* its label */
    char directory[COLLECT_PATH_MAX]; /* below the root */
};

/* A file of the same sensor; empty when it is not there. */
static struct str sibling_text(struct hwmon_walk *walk, const struct sensor_file *file,
    const char *property, char buffer[HWMON_TEXT_MAX])
{
    char path[COLLECT_PATH_MAX];
    struct str text;
    int length = snprintf(path, sizeof(path), "%s/%.*s%.*s_%s", walk->directory,
        STR_ARG(file->type), STR_ARG(file->number), property);
    if (length < 0 || (size_t)length >= sizeof(path) ||
        collect_read_once(walk->collect, COLLECT_SYS, path, &text) != 0) {
        return STR("");
    }
    text = str_trim(text);
    text.len = text.len < HWMON_TEXT_MAX ? text.len : HWMON_TEXT_MAX;
    struct str clean = collect_label_text(text, buffer, HWMON_TEXT_MAX);
    memmove(buffer, clean.ptr, clean.len);
    return str_make(buffer, clean.len);
}

static void add_label(struct hwmon_walk *walk, const struct sensor_file *file, struct str sensor)
{
    char buffer[HWMON_TEXT_MAX];
    struct metric_file metric = {
        .name = "node_hwmon_sensor_label",
        .type = METRIC_TYPE_GAUGE,
        .help = "What a sensor measures, always 1.",
        .constant = 1,
        .label_count = 3,
        .labels = {{"chip", str_of(walk->chip)},
            {"label", sibling_text(walk, file, "label", buffer)}, {"sensor", sensor}},
    };
    metric_files_add(&walk->state->files, &metric);
}

/* Metric of a type that has one name for itself; NULL for the others. */
static const char *whole_name(struct str type, double *factor_out)
{
    *factor_out = 0;
    if (str_eq(type, STR("beep_enable"))) {
        return "node_hwmon_beep_enabled";
    }
    if (str_eq(type, STR("vrm"))) {
        return "node_hwmon_voltage_regulator_version";
    }
    if (str_eq(type, STR("update_interval"))) {
        *factor_out = 0.001;
        return "node_hwmon_update_interval_seconds";
    }
    return NULL;
}

/* "node_hwmon_temp_crit_alarm_celsius". The input of a sensor is its value and not named, unless the
 * sensor has a file without property as well. */
static void metric_name(struct hwmon_walk *walk, const struct sensor_file *file, const char *suffix,
    char name[METRIC_NAME_MAX])
{
    char property_text[HWMON_TEXT_MAX], bare[COLLECT_PATH_MAX];
    struct str text;
    struct str property = clean_name(file->property, property_text, sizeof(property_text));
    if (str_eq(file->property, STR("input"))) {
        int length = snprintf(bare, sizeof(bare), "%s/%.*s%.*s", walk->directory,
            STR_ARG(file->type), STR_ARG(file->number));
        bool has_bare = length > 0 && (size_t)length < sizeof(bare) &&
                        collect_read_once(walk->collect, COLLECT_SYS, bare, &text) == 0;
        property = has_bare ? property : STR("");
    }
    (void)snprintf(name, METRIC_NAME_MAX, "node_hwmon_%.*s%s%.*s%s", STR_ARG(file->type),
        property.len > 0 ? "_" : "", STR_ARG(property), suffix);
}

static void add_number(struct hwmon_walk *walk, const struct sensor_file *file,
    const char *file_name, struct str sensor)
{
    char name[METRIC_NAME_MAX], path[COLLECT_PATH_MAX], label_text[HWMON_TEXT_MAX],
        clean[HWMON_TEXT_MAX];
    const struct unit_row *unit = find_unit(file);
    double factor;
    const char *whole = whole_name(file->type, &factor);
    bool is_frequency = str_eq(file->type, STR("freq")) && str_eq(file->property, STR("input"));
    struct metric_file metric = {.type = unit->metric_type,
        .help = "A number of a hardware monitoring chip.",
        .factor = whole != NULL ? factor : unit->factor,
        .divisor = whole != NULL ? 0 : unit->divisor,
        .path = path,
        .label_count = 2,
        .labels = {{"chip", str_of(walk->chip)}, {"sensor", sensor}}};
    int length = snprintf(path, sizeof(path), "%s/%s", walk->directory, file_name);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return;
    }
    metric_name(walk, file, unit->suffix, name);
    metric.name = whole != NULL ? whole : name;
    if (is_frequency) {
        // Frequencies go by the label of their sensor, and without one are not given.
        struct str label =
            clean_name(sibling_text(walk, file, "label", label_text), clean, sizeof(clean));
        if (label.len == 0) {
            return;
        }
        metric.name = "node_hwmon_freq_freq_mhz";
        metric.divisor = 1e6;
        metric.labels[1].value = label;
    }
    metric_files_add(&walk->state->files, &metric);
}

static int see_file(void *context, const char *name, bool is_directory)
{
    struct hwmon_walk *walk = context;
    struct sensor_file file;
    char sensor_text[HWMON_TEXT_MAX];
    if (is_directory || !split_file_name(name, &file)) {
        return 0;
    }
    int length = snprintf(sensor_text, sizeof(sensor_text), "%.*s%.*s", STR_ARG(file.type),
        file.number.len > 0 ? (int)file.number.len : 1,
        file.number.len > 0 ? file.number.ptr : "0");
    struct str sensor = str_make(sensor_text, (size_t)length);
    if (length < 0 || (size_t)length >= sizeof(sensor_text)) {
        return 0;
    }
    if (str_eq(file.property, STR("label"))) {
        add_label(walk, &file, sensor);
    } else {
        add_number(walk, &file, name, sensor);
    }
    return 0;
}

/* Sensors of a directory; one that is not there has none. */
static void walk_directory(struct hwmon_walk *walk)
{
    char path[COLLECT_PATH_MAX];
    if (collect_path(walk->collect, COLLECT_SYS, walk->directory, path, sizeof(path)) == 0) {
        (void)vfs_list(walk->collect->vfs, path, see_file, walk);
    }
}

static void walk_chip(struct collect *c, struct hwmon_state *s, size_t chip)
{
    char label[2 * CHIP_NAME_MAX], own_text[CHIP_NAME_MAX];
    unique_name(c, s, chip, label, sizeof(label));
    if (!collect_filter_accepts(&s->filter, str_of(label))) {
        return;
    }
    struct str own = own_name(c, s, chip, own_text);
    if (own.len > 0) {
        metric_files_add(&s->files, &(struct metric_file){.name = "node_hwmon_chip_names",
                                        .type = METRIC_TYPE_GAUGE,
                                        .help = "What a chip calls itself, always 1.",
                                        .constant = 1,
                                        .label_count = 2,
                                        .labels = {{"chip", str_of(label)}, {"chip_name", own}}});
    }
    struct hwmon_walk walk = {.collect = c, .state = s, .chip = label};
    (void)snprintf(
        walk.directory, sizeof(walk.directory), HWMON_DIRECTORY "/%s", s->chips.list[chip].name);
    walk_directory(&walk);
    (void)snprintf(walk.directory, sizeof(walk.directory), HWMON_DIRECTORY "/%s/device",
        s->chips.list[chip].name);
    walk_directory(&walk);
}

static int find_sensors(struct collect *c, struct hwmon_state *s)
{
    int status = devices_refresh(c, &s->chips, NULL, NULL);
    if (status != 0) {
        return status;
    }
    if (s->chips.count > CHIPS_MAX) {
        return ERR_LIMIT;
    }
    find_base_names(c, s);
    for (size_t i = 0; i < s->chips.count; i++) {
        walk_chip(c, s, i);
    }
    return 0;
}

static int hwmon_collect(struct collect *c, void *state)
{
    struct hwmon_state *s = state;
    if (metric_files_due(c, &s->files)) {
        metric_files_begin(c, &s->files);
        s->status = find_sensors(c, s);
        metric_files_end(c, &s->files);
    }
    int status = metric_files_give(c, &s->files);
    return s->status != 0 ? s->status : status;
}

static void hwmon_close(struct collect *c, void *state)
{
    struct hwmon_state *s = state;
    devices_close(c, &s->chips);
    metric_files_release(c, &s->files);
    collect_filter_close(&s->filter);
}

const struct collector hwmon_collector = {
    .name = "hwmon",
    .help = "Hardware monitoring chips (/sys/class/hwmon)",
    .default_enabled = true,
    .state_size = sizeof(struct hwmon_state),
    .open = hwmon_open,
    .collect = hwmon_collect,
    .close = hwmon_close,
};
