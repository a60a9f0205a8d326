/* Time of each CPU by mode, and what sysfs says about each: throttling, online, isolated.
 *
 * Counters of the kernel sometimes step back a little (iowait most of all). A counter that falls
 * would read as a restart and turn into a huge rate, so each value is held at its highest. The one
 * exception is hotplug: a CPU that was taken away and brought back begins anew. It shows in idle,
 * which then falls by seconds; from HOTPLUG_IDLE_TICKS on all values of that CPU are believed again.
 */
#include <assert.h>

#include "base/mem.h"
#include "collectors/devices.h"
#include "collectors/rows.h"
#include "procfs/cpulist.h"
#include "procfs/stat.h"

#define TICKS_PER_SECOND 100.0
#define HOTPLUG_IDLE_TICKS 300
#define CPUS_MAX 65536

struct cpu_row {
    struct procfs_cpu cpu;
    struct number_text number;
    struct str label; /* points into `number` of this row; set again when rows move */
    bool seen;
};

enum cpu_file {
    FILE_ONLINE,
    FILE_CORE_THROTTLES,
    FILE_PACKAGE_THROTTLES,
    FILE_CORE,
    FILE_PACKAGE,
    FILE_COUNT
};

static const char *const cpu_files[FILE_COUNT] = {
    [FILE_ONLINE] = "online",
    [FILE_CORE_THROTTLES] = "thermal_throttle/core_throttle_count",
    [FILE_PACKAGE_THROTTLES] = "thermal_throttle/package_throttle_count",
    [FILE_CORE] = "topology/core_id",
    [FILE_PACKAGE] = "topology/physical_package_id",
};

struct throttle_row {
    double package;
    double core;
    double core_count;
    double package_count;
    bool has_core_count;
    bool has_package_count;
};

struct cpu_state {
    struct kept_file stat;
    struct kept_file isolated;
    struct cpu_row *rows; /* ascending by CPU, as the kernel prints them */
    size_t count;
    size_t cap;
    struct devices devices;
    struct throttle_row *throttles;
    size_t throttle_count;
    size_t throttle_cap;
};

static int cpu_open(struct collect *c, void *state, struct err *e)
{
    struct cpu_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->devices, COLLECT_SYS, "devices/system/cpu", cpu_files, FILE_COUNT);
    return 0;
}

static void hold_at_highest(struct procfs_cpu *held, const struct procfs_cpu *now)
{
    uint64_t held_idle = held->ticks[PROCFS_CPU_IDLE];
    uint64_t idle = now->ticks[PROCFS_CPU_IDLE];
    if (held_idle > idle && held_idle - idle >= HOTPLUG_IDLE_TICKS) {
        *held = *now;
        return;
    }
    for (int mode = 0; mode < PROCFS_CPU_MODES; mode++) {
        held->ticks[mode] =
            now->ticks[mode] > held->ticks[mode] ? now->ticks[mode] : held->ticks[mode];
    }
}

static struct cpu_row *find_row(struct cpu_state *s, uint64_t cpu, size_t hint)
{
    if (hint < s->count && s->rows[hint].cpu.cpu == cpu) {
        return &s->rows[hint];
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->rows[i].cpu.cpu == cpu) {
            return &s->rows[i];
        }
    }
    return NULL;
}

/* A row for a CPU not seen before, in its place. */
static int insert_row(struct cpu_state *s, const struct procfs_cpu *cpu)
{
    int status =
        mem_array_grow((void **)&s->rows, &s->cap, s->count + 1, sizeof(*s->rows), CPUS_MAX);
    if (status != 0) {
        return status;
    }
    size_t at = s->count;
    while (at > 0 && s->rows[at - 1].cpu.cpu > cpu->cpu) {
        s->rows[at] = s->rows[at - 1];
        at--;
    }
    s->rows[at] = (struct cpu_row){.cpu = *cpu, .seen = true};
    s->count++;
    return 0;
}

static void drop_unseen_rows(struct cpu_state *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->rows[i].seen) {
            s->rows[kept] = s->rows[i];
            s->rows[kept].label = collect_number_text(s->rows[kept].cpu.cpu, &s->rows[kept].number);
            kept++;
        }
    }
    s->count = kept;
}

static int update_rows(struct collect *c, struct cpu_state *s)
{
    struct str text;
    struct procfs_stat stat;
    int status = collect_read(c, &s->stat, COLLECT_PROC, "stat", &text);
    if (status != 0 || (status = procfs_stat_parse(text, &stat)) != 0) {
        return status;
    }
    for (size_t i = 0; i < s->count; i++) {
        s->rows[i].seen = false;
    }
    struct procfs_cpu cpu;
    for (size_t i = 0; (status = procfs_stat_next_cpu(&stat.cpu_lines, &cpu)) > 0; i++) {
        struct cpu_row *row = find_row(s, cpu.cpu, i);
        if (row != NULL) {
            hold_at_highest(&row->cpu, &cpu);
            row->seen = true;
        } else if ((status = insert_row(s, &cpu)) != 0) {
            break;
        }
    }
    drop_unseen_rows(s);
    return status;
}

static void give_seconds(struct collect *c, const struct cpu_state *s)
{
    static const struct {
        const char *name;
        enum procfs_cpu_mode mode;
    } modes[] = {
        {"idle", PROCFS_CPU_IDLE},
        {"iowait", PROCFS_CPU_IOWAIT},
        {"irq", PROCFS_CPU_IRQ},
        {"nice", PROCFS_CPU_NICE},
        {"softirq", PROCFS_CPU_SOFTIRQ},
        {"steal", PROCFS_CPU_STEAL},
        {"system", PROCFS_CPU_SYSTEM},
        {"user", PROCFS_CPU_USER},
    };
    metric_family(c->sink, "node_cpu_guest_seconds_total", METRIC_TYPE_COUNTER,
        "Time a CPU ran virtual machines, which is also inside user and nice.");
    for (size_t i = 0; i < s->count; i++) {
        const struct cpu_row *row = &s->rows[i];
        struct label_pair labels[] = {{"cpu", row->label}, {"mode", STR("nice")}};
        metric_sample(
            c->sink, labels, 2, (double)row->cpu.ticks[PROCFS_CPU_GUEST_NICE] / TICKS_PER_SECOND);
        labels[1].value = STR("user");
        metric_sample(
            c->sink, labels, 2, (double)row->cpu.ticks[PROCFS_CPU_GUEST] / TICKS_PER_SECOND);
    }
    metric_family(
        c->sink, "node_cpu_seconds_total", METRIC_TYPE_COUNTER, "Time a CPU spent in each mode.");
    for (size_t i = 0; i < s->count; i++) {
        const struct cpu_row *row = &s->rows[i];
        for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
            struct label_pair labels[] = {{"cpu", row->label}, {"mode", str_of(modes[m].name)}};
            metric_sample(
                c->sink, labels, 2, (double)row->cpu.ticks[modes[m].mode] / TICKS_PER_SECOND);
        }
    }
}

/* "cpu" and digits; the directory holds cpufreq, cpuidle and files too. */
static bool is_cpu_directory(void *context, struct str name)
{
    (void)context;
    if (name.len < 4 || !str_starts_with(name, STR("cpu"))) {
        return false;
    }
    for (size_t i = 3; i < name.len; i++) {
        if (name.ptr[i] < '0' || name.ptr[i] > '9') {
            return false;
        }
    }
    return true;
}

static void give_online(struct collect *c, struct cpu_state *s)
{
    metric_family(c->sink, "node_cpu_online", METRIC_TYPE_GAUGE,
        "1 for a CPU that is in use, 0 for one taken offline.");
    for (size_t i = 0; i < s->devices.count; i++) {
        double online;
        // The boot CPU often has no such file because it cannot be taken away.
        int status = devices_read_number(c, &s->devices, i, FILE_ONLINE, &online);
        if (status == 0 || status == ERR_NOT_FOUND) {
            struct label_pair label = {"cpu", str_skip(device_name(&s->devices, i), 3)};
            metric_sample(c->sink, &label, 1, status == 0 ? online : 1);
        }
    }
}

static int give_isolated(struct collect *c, struct cpu_state *s)
{
    struct str text;
    int status = collect_read(c, &s->isolated, COLLECT_SYS, "devices/system/cpu/isolated", &text);
    if (status != 0) {
        return status == ERR_NOT_FOUND ? 0 : status;
    }
    metric_family(c->sink, "node_cpu_isolated", METRIC_TYPE_GAUGE,
        "1 for each CPU kept from the scheduler (isolcpus).");
    struct procfs_cpu_range range;
    while ((status = procfs_cpulist_next(&text, &range)) > 0) {
        for (uint64_t cpu = range.first; cpu <= range.last; cpu++) {
            struct number_text number;
            struct label_pair label = {"cpu", collect_number_text(cpu, &number)};
            metric_sample(c->sink, &label, 1, 1);
        }
    }
    return status;
}

/* Threads of a core and cores of a package report the same counter: the first one stands for all. */
static bool is_first(const struct throttle_row *rows, size_t index, bool of_package)
{
    for (size_t i = 0; i < index; i++) {
        bool has = of_package ? rows[i].has_package_count : rows[i].has_core_count;
        if (has && rows[i].package == rows[index].package &&
            (of_package || rows[i].core == rows[index].core)) {
            return false;
        }
    }
    return true;
}

static int read_throttles(struct collect *c, struct cpu_state *s)
{
    s->throttle_count = 0;
    for (size_t i = 0; i < s->devices.count; i++) {
        struct throttle_row row = {0};
        row.has_core_count =
            devices_read_number(c, &s->devices, i, FILE_CORE_THROTTLES, &row.core_count) == 0;
        row.has_package_count =
            devices_read_number(c, &s->devices, i, FILE_PACKAGE_THROTTLES, &row.package_count) == 0;
        if ((!row.has_core_count && !row.has_package_count) ||
            devices_read_number(c, &s->devices, i, FILE_PACKAGE, &row.package) != 0 ||
            devices_read_number(c, &s->devices, i, FILE_CORE, &row.core) != 0) {
            continue;
        }
        int status = mem_array_grow(
            (void **)&s->throttles, &s->throttle_cap, s->throttle_count + 1, sizeof(row), CPUS_MAX);
        if (status != 0) {
            return status;
        }
        s->throttles[s->throttle_count++] = row;
    }
    return 0;
}

static int give_throttles(struct collect *c, struct cpu_state *s)
{
    int status = read_throttles(c, s);
    metric_family(c->sink, "node_cpu_core_throttles_total", METRIC_TYPE_COUNTER,
        "Times a core was slowed down to cool.");
    for (size_t i = 0; i < s->throttle_count; i++) {
        const struct throttle_row *row = &s->throttles[i];
        struct number_text core, package;
        struct label_pair labels[] = {{"core", collect_number_text((uint64_t)row->core, &core)},
            {"package", collect_number_text((uint64_t)row->package, &package)}};
        if (row->has_core_count && is_first(s->throttles, i, false)) {
            metric_sample(c->sink, labels, 2, row->core_count);
        }
    }
    metric_family(c->sink, "node_cpu_package_throttles_total", METRIC_TYPE_COUNTER,
        "Times a package was slowed down to cool.");
    for (size_t i = 0; i < s->throttle_count; i++) {
        const struct throttle_row *row = &s->throttles[i];
        struct number_text package;
        struct label_pair label = {
            "package", collect_number_text((uint64_t)row->package, &package)};
        if (row->has_package_count && is_first(s->throttles, i, true)) {
            metric_sample(c->sink, &label, 1, row->package_count);
        }
    }
    return status;
}

static int cpu_collect(struct collect *c, void *state)
{
    struct cpu_state *s = state;
    int status = update_rows(c, s);
    give_seconds(c, s);
    if (devices_refresh_seldom(c, &s->devices, is_cpu_directory, NULL) == 0) {
        int throttle_status = give_throttles(c, s);
        give_online(c, s);
        int isolated_status = give_isolated(c, s);
        status = status != 0 ? status : throttle_status != 0 ? throttle_status : isolated_status;
    }
    return status;
}

static void cpu_close(struct collect *c, void *state)
{
    struct cpu_state *s = state;
    kept_file_close(c, &s->stat);
    kept_file_close(c, &s->isolated);
    devices_close(c, &s->devices);
    mem_free(s->rows);
    mem_free(s->throttles);
}

const struct collector cpu_collector = {
    .name = "cpu",
    .help = "Time of each CPU by mode, throttling, online and isolated CPUs",
    .default_enabled = true,
    .state_size = sizeof(struct cpu_state),
    .open = cpu_open,
    .collect = cpu_collect,
    .close = cpu_close,
};
