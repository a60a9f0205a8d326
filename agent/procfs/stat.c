/* Parser of /proc/stat; the format is in the header. */
#include "procfs/stat.h"

#include "base/err.h"
#include "procfs/field.h"

/* Lines that every kernel since 2.6 prints; a text without one of them was cut. */
enum required_line {
    LINE_INTR = 1,
    LINE_CTXT = 2,
    LINE_BTIME = 4,
    LINE_PROCESSES = 8,
    LINE_RUNNING = 16,
    LINE_BLOCKED = 32,
    LINE_ALL = 63,
};

struct stat_line {
    struct str name;
    enum required_line bit;
    size_t offset; /* of the field in struct procfs_stat */
};

static const struct stat_line stat_lines[] = {
    {STR("intr"), LINE_INTR, offsetof(struct procfs_stat, interrupts)},
    {STR("ctxt"), LINE_CTXT, offsetof(struct procfs_stat, context_switches)},
    {STR("btime"), LINE_BTIME, offsetof(struct procfs_stat, boot_time_s)},
    {STR("processes"), LINE_PROCESSES, offsetof(struct procfs_stat, forks)},
    {STR("procs_running"), LINE_RUNNING, offsetof(struct procfs_stat, processes_running)},
    {STR("procs_blocked"), LINE_BLOCKED, offsetof(struct procfs_stat, processes_blocked)},
};

static int parse_softirqs(struct str line, struct procfs_stat *stat)
{
    int status = field_next_u64(&line, &stat->softirqs_total);
    if (status != 0) {
        return status;
    }
    int count = field_next_u64s(&line, stat->softirqs, PROCFS_SOFTIRQ_VECTORS);
    stat->has_softirqs = count == PROCFS_SOFTIRQ_VECTORS;
    return stat->has_softirqs ? 0 : ERR_CORRUPT;
}

static int parse_named_line(
    struct str name, struct str line, struct procfs_stat *stat, unsigned *seen)
{
    if (str_eq(name, STR("softirq"))) {
        return parse_softirqs(line, stat);
    }
    for (size_t i = 0; i < sizeof(stat_lines) / sizeof(stat_lines[0]); i++) {
        if (str_eq(name, stat_lines[i].name)) {
            *seen |= stat_lines[i].bit;
            return field_next_u64(&line, (uint64_t *)((char *)stat + stat_lines[i].offset));
        }
    }
    return 0;
}

int procfs_stat_parse(struct str text, struct procfs_stat *stat_out)
{
    struct procfs_stat stat = {.cpu_lines = str_make(text.ptr, 0)};
    unsigned seen = 0;
    struct str line;
    int status;
    while ((status = field_next_line(&text, &line)) > 0) {
        const char *line_start = line.ptr;
        struct str name;
        if (!field_next(&line, &name)) {
            return ERR_CORRUPT;
        }
        if (str_starts_with(name, STR("cpu"))) {
            // The CPU lines follow each other; "cpu" alone is their sum and not a CPU.
            if (name.len > 3) {
                stat.cpu_lines.ptr = stat.cpu_lines.len == 0 ? line_start : stat.cpu_lines.ptr;
                stat.cpu_lines.len = (size_t)(text.ptr - stat.cpu_lines.ptr);
            }
            continue;
        }
        status = parse_named_line(name, line, &stat, &seen);
        if (status != 0) {
            return status;
        }
    }
    if (status != 0 || seen != LINE_ALL) {
        return ERR_CORRUPT;
    }
    *stat_out = stat;
    return 0;
}

int procfs_stat_next_cpu(struct str *cpu_lines, struct procfs_cpu *cpu_out)
{
    struct str line;
    int status = field_next_line(cpu_lines, &line);
    if (status <= 0) {
        return status;
    }
    struct str name;
    struct procfs_cpu cpu = {0};
    if (!field_next(&line, &name) || !field_take_prefix(&name, STR("cpu")) ||
        field_u64(name, &cpu.cpu) != 0) {
        return ERR_CORRUPT;
    }
    if (field_next_u64s(&line, cpu.ticks, PROCFS_CPU_MODES) < PROCFS_CPU_MODES_MIN) {
        return ERR_CORRUPT;
    }
    *cpu_out = cpu;
    return 1;
}
