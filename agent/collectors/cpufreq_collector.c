/* Frequencies of each CPU and what governs them.
 *
 * A machine with many cores has eight files for each, and asking some drivers for a frequency
 * interrupts the core. Only the frequencies of the moment are read in each pass; limits and governors
 * change by hand and are read once in CPUFREQ_SLOW_PASSES passes.
 */
#include "base/mem.h"
#include "collectors/devices.h"
#include "collectors/rows.h"
#include "procfs/field.h"

#define CPUFREQ_SLOW_PASSES 6
#define CPUS_MAX 65536
#define GOVERNORS_TEXT_MAX 128
#define HERTZ_OF_KILOHERTZ 1000.0

enum cpufreq_number {
    CPU_FREQUENCY_AVERAGE,
    CPU_FREQUENCY,
    CPU_SCALING_FREQUENCY,
    MOMENTARY_NUMBERS, /* those above are read in each pass */
    CPU_FREQUENCY_MAX = MOMENTARY_NUMBERS,
    CPU_FREQUENCY_MIN,
    CPU_SCALING_FREQUENCY_MAX,
    CPU_SCALING_FREQUENCY_MIN,
    CPUFREQ_NUMBERS,
};

enum { FILE_GOVERNOR = CPUFREQ_NUMBERS, FILE_GOVERNORS, FILE_COUNT };

static const char *const cpufreq_files[FILE_COUNT] = {
    [CPU_FREQUENCY_AVERAGE] = "cpufreq/cpuinfo_avg_freq",
    [CPU_FREQUENCY] = "cpufreq/cpuinfo_cur_freq",
    [CPU_SCALING_FREQUENCY] = "cpufreq/scaling_cur_freq",
    [CPU_FREQUENCY_MAX] = "cpufreq/cpuinfo_max_freq",
    [CPU_FREQUENCY_MIN] = "cpufreq/cpuinfo_min_freq",
    [CPU_SCALING_FREQUENCY_MAX] = "cpufreq/scaling_max_freq",
    [CPU_SCALING_FREQUENCY_MIN] = "cpufreq/scaling_min_freq",
    [FILE_GOVERNOR] = "cpufreq/scaling_governor",
    [FILE_GOVERNORS] = "cpufreq/scaling_available_governors",
};

static const struct number_row {
    const char *name;
    const char *help;
} number_rows[CPUFREQ_NUMBERS] = {
    [CPU_FREQUENCY_AVERAGE] = {"node_cpu_frequency_avg_hertz",
        "Average frequency of a CPU as the hardware says."},
    [CPU_FREQUENCY] = {"node_cpu_frequency_hertz", "Frequency of a CPU as the hardware says."},
    [CPU_SCALING_FREQUENCY] = {"node_cpu_scaling_frequency_hertz",
        "Frequency of a CPU as the kernel set it."},
    [CPU_FREQUENCY_MAX] = {"node_cpu_frequency_max_hertz",
        "Highest frequency the hardware can run at."},
    [CPU_FREQUENCY_MIN] = {"node_cpu_frequency_min_hertz",
        "Lowest frequency the hardware can run at."},
    [CPU_SCALING_FREQUENCY_MAX] = {"node_cpu_scaling_frequency_max_hertz",
        "Highest frequency the kernel may set."},
    [CPU_SCALING_FREQUENCY_MIN] = {"node_cpu_scaling_frequency_min_hertz",
        "Lowest frequency the kernel may set."},
};

struct cpufreq_text {
    size_t length;
    char bytes[GOVERNORS_TEXT_MAX];
};

struct cpufreq_row {
    double numbers[CPUFREQ_NUMBERS];
    bool has[CPUFREQ_NUMBERS];
    struct cpufreq_text governor;
    struct cpufreq_text governors;
};

struct cpufreq_state {
    struct devices devices;
    struct cpufreq_row *rows; /* one for each device */
    size_t cap;
    uint64_t slow_due;
    size_t slow_count; /* devices when the slow files were read */
};

static int cpufreq_open(struct collect *c, void *state, struct err *e)
{
    struct cpufreq_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->devices, COLLECT_SYS, "devices/system/cpu", cpufreq_files, FILE_COUNT);
    return 0;
}

/* "cpu" and a digit; the directory holds cpufreq and cpuidle too. */
static bool is_cpu(void *context, struct str name)
{
    (void)context;
    return name.len > 3 && str_starts_with(name, STR("cpu")) && name.ptr[3] >= '0' &&
           name.ptr[3] <= '9';
}

static void set_number(struct cpufreq_row *row, size_t number, int status, struct str text)
{
    row->has[number] = status == 0 && field_number(text, &row->numbers[number]) == 0;
}

static void copy_text(struct cpufreq_text *copy, int status, struct str text)
{
    copy->length = 0;
    if (status == 0 && text.len <= GOVERNORS_TEXT_MAX && str_is_utf8(text)) {
        memcpy(copy->bytes, text.ptr, text.len);
        copy->length = text.len;
    }
}

static void read_slow_files(struct collect *c, struct cpufreq_state *s, size_t index)
{
    struct cpufreq_row *row = &s->rows[index];
    struct str text = STR("");
    for (size_t number = MOMENTARY_NUMBERS; number < CPUFREQ_NUMBERS; number++) {
        set_number(row, number, devices_read_once(c, &s->devices, index, number, &text), text);
    }
    copy_text(&row->governor, devices_read_once(c, &s->devices, index, FILE_GOVERNOR, &text), text);
    copy_text(
        &row->governors, devices_read_once(c, &s->devices, index, FILE_GOVERNORS, &text), text);
}

static int read_rows(struct collect *c, struct cpufreq_state *s)
{
    int status = devices_refresh_seldom(c, &s->devices, is_cpu, NULL);
    if (status == 0) {
        status = mem_array_grow(
            (void **)&s->rows, &s->cap, s->devices.count, sizeof(*s->rows), CPUS_MAX);
    }
    if (status != 0) {
        return status;
    }
    bool slow = c->pass >= s->slow_due || s->slow_count != s->devices.count;
    for (size_t i = 0; i < s->devices.count; i++) {
        struct str text = STR("");
        for (size_t number = 0; number < MOMENTARY_NUMBERS; number++) {
            set_number(&s->rows[i], number, devices_read(c, &s->devices, i, number, &text), text);
        }
        if (slow) {
            read_slow_files(c, s, i);
        }
    }
    if (slow) {
        s->slow_due = c->pass + CPUFREQ_SLOW_PASSES;
        s->slow_count = s->devices.count;
    }
    return 0;
}

static struct str cpu_label(const struct cpufreq_state *s, size_t index)
{
    return str_skip(device_name(&s->devices, index), strlen("cpu"));
}

static void give_governors(struct collect *c, const struct cpufreq_state *s)
{
    metric_family(c->sink, "node_cpu_scaling_governor", METRIC_TYPE_GAUGE,
        "1 for the governor that sets a CPU's frequency, 0 for the others it could have.");
    for (size_t i = 0; i < s->devices.count; i++) {
        const struct cpufreq_row *row = &s->rows[i];
        struct str current = str_make(row->governor.bytes, row->governor.length);
        struct str rest = str_make(row->governors.bytes, row->governors.length);
        struct str governor;
        while (current.len > 0 && field_next(&rest, &governor)) {
            struct label_pair labels[] = {{"cpu", cpu_label(s, i)}, {"governor", governor}};
            metric_sample(c->sink, labels, 2, str_eq(governor, current) ? 1 : 0);
        }
    }
}

static int cpufreq_collect(struct collect *c, void *state)
{
    struct cpufreq_state *s = state;
    int status = read_rows(c, s);
    if (status != 0) {
        return status == ERR_NOT_FOUND ? 0 : status; // virtual machines have none
    }
    for (size_t number = 0; number < CPUFREQ_NUMBERS; number++) {
        metric_family(
            c->sink, number_rows[number].name, METRIC_TYPE_GAUGE, number_rows[number].help);
        for (size_t i = 0; i < s->devices.count; i++) {
            if (s->rows[i].has[number]) {
                struct label_pair label = {"cpu", cpu_label(s, i)};
                metric_sample(c->sink, &label, 1, s->rows[i].numbers[number] * HERTZ_OF_KILOHERTZ);
            }
        }
    }
    give_governors(c, s);
    return 0;
}

static void cpufreq_close(struct collect *c, void *state)
{
    struct cpufreq_state *s = state;
    devices_close(c, &s->devices);
    mem_free(s->rows);
}

const struct collector cpufreq_collector = {
    .name = "cpufreq",
    .help = "Frequencies and governors of each CPU (/sys/devices/system/cpu/cpu*/cpufreq)",
    .default_enabled = true,
    .state_size = sizeof(struct cpufreq_state),
    .open = cpufreq_open,
    .collect = cpufreq_collect,
    .close = cpufreq_close,
};
