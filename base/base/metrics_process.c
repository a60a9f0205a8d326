/* process_* of this process, under the names that every client library of the field uses.
 *
 * CPU time is getrusage's, which has microseconds where procfs has ticks. Memory and start time are
 * fields 22 to 24 of /proc/self/stat; the second field, the name in parentheses, may itself hold
 * spaces and parentheses, so counting begins after the last one (proc(5)).
 */
#include "metrics_process.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fpconv.h"
#include "base/mem.h"

/* /proc/stat has a line of some 1000 interrupt counts on large machines. */
enum { PROC_FILE_MAX = 1 << 20 };

/* Fields are counted from 1 in proc(5); the one after the parentheses is the third. */
enum { FIELD_AFTER_NAME = 3, FIELD_START = 22, FIELD_VIRTUAL = 23, FIELD_RESIDENT = 24 };

int process_stat_parse(struct str line, struct process_stat *stat_out)
{
    const char *paren = line.len > 0 ? memrchr(line.ptr, ')', line.len) : NULL;
    if (paren == NULL) {
        return ERR_CORRUPT;
    }
    struct str rest = str_trim(str_skip(line, (size_t)(paren - line.ptr) + 1));
    struct process_stat stat = {0};
    for (int field = FIELD_AFTER_NAME; field <= FIELD_RESIDENT; field++) {
        struct str text = str_split(&rest, ' ');
        uint64_t *value = field == FIELD_START      ? &stat.start_ticks
                          : field == FIELD_VIRTUAL  ? &stat.virtual_bytes
                          : field == FIELD_RESIDENT ? &stat.resident_pages
                                                    : NULL;
        if (value != NULL && str_to_u64(text, value) != 0) {
            return ERR_CORRUPT;
        }
    }
    *stat_out = stat;
    return 0;
}

int process_boot_time_parse(struct str text, uint64_t *seconds_out)
{
    while (text.len > 0) {
        struct str line = str_split(&text, '\n');
        if (str_starts_with(line, STR("btime "))) {
            return str_to_u64(str_skip(line, 6), seconds_out) == 0 ? 0 : ERR_CORRUPT;
        }
    }
    return ERR_CORRUPT;
}

static void write_one(
    struct strbuf *out, const char *name, const char *type, const char *help, double value)
{
    char text[FP_TEXT_MAX];
    fp_format_short(value, text);
    strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, type, name, text);
}

static int read_stat(struct vfs *fs, struct process_stat *stat_out)
{
    char *text = NULL;
    size_t size = 0;
    int status = vfs_read_file(fs, "/proc/self/stat", PROC_FILE_MAX, &text, &size);
    if (status == 0) {
        status = process_stat_parse(str_make(text, size), stat_out);
        mem_free(text);
    }
    return status;
}

static int read_boot_time(struct vfs *fs, uint64_t *seconds_out)
{
    char *text = NULL;
    size_t size = 0;
    int status = vfs_read_file(fs, "/proc/stat", PROC_FILE_MAX, &text, &size);
    if (status == 0) {
        status = process_boot_time_parse(str_make(text, size), seconds_out);
        mem_free(text);
    }
    return status;
}

static void write_stat(struct strbuf *out, struct vfs *fs)
{
    struct process_stat stat;
    uint64_t boot_seconds = 0;
    if (read_stat(fs, &stat) != 0) {
        return;
    }
    write_one(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
        (double)stat.virtual_bytes);
    write_one(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
        (double)stat.resident_pages * (double)sysconf(_SC_PAGESIZE));
    if (read_boot_time(fs, &boot_seconds) == 0) {
        write_one(out, "process_start_time_seconds", "gauge",
            "Start time of the process since the Unix epoch in seconds.",
            (double)boot_seconds + (double)stat.start_ticks / (double)sysconf(_SC_CLK_TCK));
    }
}

/* Without a limit the largest number there is, as client libraries say it. */
static void write_memory_limit(struct strbuf *out)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0) {
        write_one(out, "process_virtual_memory_max_bytes", "gauge",
            "Maximum amount of virtual memory available in bytes.", (double)limit.rlim_cur);
    }
}

static void write_files(struct strbuf *out, struct vfs *fs)
{
    uint64_t count = 0;
    if (vfs_count(fs, "/proc/self/fd", &count) == 0 && count > 0) {
        write_one(out, "process_open_fds", "gauge", "Number of open file descriptors.",
            (double)(count - 1)); /* one of them was the listing itself */
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        write_one(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
            (double)limit.rlim_cur);
    }
}

void metrics_process_write(struct strbuf *out, struct vfs *fs)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        int64_t microseconds = ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                               usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
        write_one(out, "process_cpu_seconds_total", "counter",
            "Total user and system CPU time spent in seconds.", (double)microseconds / 1e6);
    }
    write_stat(out, fs);
    write_memory_limit(out);
    write_files(out, fs);
}
