/* Groups of processes over a made /proc. Expected numbers are the sums of what the files say. */
#include "fake_root.h"

#include <unistd.h>

/* Of 100 ticks a second, as on every Linux there is; pages are asked of the system. */
struct fake_process {
    int pid;
    const char *command;
    const char *arguments; /* blanks become zero bytes */
    char state;
    unsigned minor, major, user, kernel, threads, start, virtual, resident;
    unsigned read, written, swap_kib, voluntary, nonvoluntary;
    unsigned open_files;
};

static void write_file(struct fake_root *f, int pid, const char *file, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "proc/%d/%s", pid, file);
    fake_root_write(f, path, text);
}

/* The helper writes text up to its zero byte, and a command line has several. */
static void write_arguments(struct fake_root *f, const struct fake_process *p)
{
    char path[256], bytes[256];
    size_t size = strlen(p->arguments) + 1;
    write_file(f, p->pid, "cmdline", "");
    (void)snprintf(path, sizeof(path), "%s/proc/%d/cmdline", f->path, p->pid);
    memcpy(bytes, p->arguments, size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = bytes[i] == ' ' ? '\0' : bytes[i];
    }
    struct vfs_file *file;
    assert_int_equal(vfs_open(vfs_posix(), path, VFS_READWRITE, &file), 0);
    assert_int_equal(vfs_pwrite(vfs_posix(), file, 0, bytes, size > 1 ? size : 0), 0);
    vfs_close(vfs_posix(), file);
}

/* Only what names its group. */
static void add_name(struct fake_root *f, const struct fake_process *p)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
        "%d (%s) %c 1 1 1 0 -1 4194560 %u 0 %u 0 %u %u 0 0 20 0 %u 0 %u %u %u "
        "18446744073709551615\n",
        p->pid, p->command, p->state, p->minor, p->major, p->user, p->kernel, p->threads, p->start,
        p->virtual, p->resident);
    write_file(f, p->pid, "stat", text);
    write_arguments(f, p);
}

static void add_process(struct fake_root *f, const struct fake_process *p)
{
    char text[512];
    add_name(f, p);
    (void)snprintf(
        text, sizeof(text), "rchar: 1\nread_bytes: %u\nwrite_bytes: %u\n", p->read, p->written);
    write_file(f, p->pid, "io", text);
    (void)snprintf(text, sizeof(text),
        "Name:\tx\nVmSwap:\t%u kB\nvoluntary_ctxt_switches:\t%u\nnonvoluntary_ctxt_switches:\t%u\n",
        p->swap_kib, p->voluntary, p->nonvoluntary);
    write_file(f, p->pid, "status", text);
    write_file(f, p->pid, "limits", "Max open files            10      20      files\n");
    for (unsigned i = 0; i < p->open_files; i++) {
        (void)snprintf(text, sizeof(text), "fd/%u", i);
        write_file(f, p->pid, text, "");
    }
}

static void remove_process(struct fake_root *f, int pid)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "proc/%d", pid);
    fake_root_remove(f, path);
}

static bool gave(struct fake_root *f, const char *line)
{
    struct str all = strbuf_str(&f->text);
    return all.len > 0 && memmem(all.ptr, all.len, line, strlen(line)) != NULL;
}

static void expect_line(struct fake_root *f, const char *line)
{
    if (!gave(f, line)) {
        fail_msg("not given: %s\nin: %.*s", line, (int)f->text.size, strbuf_str(&f->text).ptr);
    }
}

#define G "namedprocess_namegroup_"

static const struct fake_process first = {.pid = 10,
    .command = "web",
    .arguments = "/usr/bin/web --port 80",
    .state = 'S',
    .minor = 1000,
    .user = 500,
    .kernel = 100,
    .threads = 4,
    .start = 200,
    .virtual = 1 << 20,
    .resident = 10,
    .read = 4096,
    .swap_kib = 3,
    .voluntary = 50,
    .open_files = 5};
static const struct fake_process second = {.pid = 11,
    .command = "web",
    .arguments = "/usr/bin/web",
    .state = 'D',
    .major = 7,
    .user = 50,
    .threads = 1,
    .start = 100,
    .virtual = 1 << 20,
    .resident = 20,
    .open_files = 8};

static void make_host(struct fake_root *f)
{
    fake_root_init(f, "process_groups");
    fake_root_write(f, "proc/stat",
        "cpu  1 1 1 1\nintr 1 1\nctxt 1\nbtime 1700000000\nprocesses 1\nprocs_running "
        "1\nprocs_blocked 0\n");
    add_process(f, &first);
    add_process(f, &second);
    add_process(
        f, &(struct fake_process){.pid = 2, .command = "kthreadd", .arguments = "", .state = 'S'});
}

static void test_gauges(void **state)
{
    struct fake_root f;
    char line[128];
    (void)state;
    make_host(&f);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "num_procs{groupname=\"web\"} 2\n");
    expect_line(&f, G "num_threads{groupname=\"web\"} 5\n");
    expect_line(&f, G "states{groupname=\"web\",state=\"Sleeping\"} 1\n");
    expect_line(&f, G "states{groupname=\"web\",state=\"Waiting\"} 1\n");
    expect_line(&f, G "states{groupname=\"web\",state=\"Running\"} 0\n");
    expect_line(&f, G "open_filedesc{groupname=\"web\"} 13\n");
    expect_line(&f, G "worst_fd_ratio{groupname=\"web\"} 0.8\n");
    expect_line(&f, G "oldest_start_time_seconds{groupname=\"web\"} 1700000001\n");
    expect_line(&f, G "memory_bytes{groupname=\"web\",memtype=\"swapped\"} 3072\n");
    expect_line(&f, G "memory_bytes{groupname=\"web\",memtype=\"virtual\"} 2097152\n");
    (void)snprintf(line, sizeof(line),
        G "memory_bytes{groupname=\"web\",memtype=\"resident\"} %ld\n", 30 * sysconf(_SC_PAGESIZE));
    expect_line(&f, line);
    assert_false(gave(&f, "kthreadd"));
    assert_false(gave(&f, "proportional"));
    assert_false(gave(&f, "thread_"));
    fake_root_release(&f);
}

/* What was used before the agent came does not count, what is used since does, whoever used it. */
static void test_counters(void **state)
{
    struct fake_root f;
    struct fake_process p = first;
    (void)state;
    make_host(&f);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "cpu_seconds_total{groupname=\"web\",mode=\"user\"} 0\n");
    p.user += 250;
    p.read += 100;
    p.voluntary += 3;
    add_process(&f, &p);
    remove_process(&f, second.pid);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "cpu_seconds_total{groupname=\"web\",mode=\"user\"} 2.5\n");
    expect_line(&f, G "read_bytes_total{groupname=\"web\"} 100\n");
    expect_line(&f, G "context_switches_total{ctxswitchtype=\"voluntary\",groupname=\"web\"} 3\n");
    expect_line(&f, G "num_procs{groupname=\"web\"} 1\n");
    // Another process with the number of the one that went: all that it has used counts.
    struct fake_process fresh = second;
    fresh.start = 5000;
    add_process(&f, &fresh);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "cpu_seconds_total{groupname=\"web\",mode=\"user\"} 3\n");
    expect_line(&f, G "major_page_faults_total{groupname=\"web\"} 7\n");
    remove_process(&f, first.pid);
    remove_process(&f, second.pid);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "num_procs{groupname=\"web\"} 0\n");
    expect_line(&f, G "cpu_seconds_total{groupname=\"web\",mode=\"user\"} 3\n");
    fake_root_release(&f);
}

/* A file that cannot be read costs its numbers, and is counted; when it can be, it counts from then. */
static void test_unreadable_files(void **state)
{
    struct fake_root f;
    struct fake_process p = first;
    (void)state;
    make_host(&f);
    fake_root_remove(&f, "proc/10/io");
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, "namedprocess_scrape_partial_errors 1\n");
    expect_line(&f, G "num_procs{groupname=\"web\"} 2\n");
    add_process(&f, &p);
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "read_bytes_total{groupname=\"web\"} 0\n");
    p.read += 10;
    add_process(&f, &p);
    write_file(&f, 11, "stat", "broken");
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "read_bytes_total{groupname=\"web\"} 10\n");
    expect_line(&f, "namedprocess_scrape_procread_errors 1\n");
    fake_root_release(&f);
}

static void test_smaps(void **state)
{
    struct fake_root f;
    (void)state;
    make_host(&f);
    f.options.settings[COLLECTOR_SETTING_PROCESS_GROUPS_SMAPS] = "true";
    write_file(&f, 10, "smaps_rollup", "1-2 ---p 0 00:00 0 [rollup]\nPss: 5 kB\nSwapPss: 1 kB\n");
    write_file(&f, 11, "smaps_rollup", "1-2 ---p 0 00:00 0 [rollup]\nPss: 6 kB\nSwapPss: 0 kB\n");
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "memory_bytes{groupname=\"web\",memtype=\"proportionalResident\"} 11264\n");
    expect_line(&f, G "memory_bytes{groupname=\"web\",memtype=\"proportionalSwapped\"} 1024\n");
    fake_root_release(&f);
}

static void add_thread(struct fake_root *f, int pid, int tid, const char *name, unsigned user,
    unsigned written, unsigned voluntary, const char *wchan)
{
    char file[64], text[512];
    (void)snprintf(file, sizeof(file), "task/%d/stat", tid);
    (void)snprintf(text, sizeof(text),
        "%d (%s) S 1 1 1 0 -1 4194560 3 0 2 0 %u 40 0 0 20 0 2 0 100 0 0 0\n", tid, name, user);
    write_file(f, pid, file, text);
    (void)snprintf(file, sizeof(file), "task/%d/io", tid);
    (void)snprintf(text, sizeof(text), "read_bytes: 8\nwrite_bytes: %u\n", written);
    write_file(f, pid, file, text);
    (void)snprintf(file, sizeof(file), "task/%d/status", tid);
    (void)snprintf(text, sizeof(text),
        "voluntary_ctxt_switches:\t%u\nnonvoluntary_ctxt_switches:\t1\n", voluntary);
    write_file(f, pid, file, text);
    (void)snprintf(file, sizeof(file), "task/%d/wchan", tid);
    write_file(f, pid, file, wchan);
}

/* As process_exporter's documents name them. What was used before the agent came does not count. */
static void test_threads(void **state)
{
    struct fake_root f;
    (void)state;
    make_host(&f);
    f.options.settings[COLLECTOR_SETTING_PROCESS_GROUPS_THREADS] = "true";
    add_thread(&f, 10, 10, "web", 100, 1000, 5, "futex_wait_queue");
    add_thread(&f, 10, 12, "pool", 100, 1000, 5, "futex_wait_queue");
    add_thread(&f, 10, 13, "pool", 100, 1000, 5, "0");
    add_thread(&f, 11, 11, "web", 100, 1000, 5, "ep_poll"); /* alone: it is the process */
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "thread_count{groupname=\"web\",threadname=\"pool\"} 2\n");
    expect_line(&f, G "thread_count{groupname=\"web\",threadname=\"web\"} 1\n");
    expect_line(&f, G "threads_wchan{groupname=\"web\",wchan=\"futex_wait_queue\"} 2\n");
    expect_line(&f, G "threads_wchan{groupname=\"web\",wchan=\"ep_poll\"} 1\n");
    assert_false(gave(&f, "wchan=\"0\""));
    expect_line(
        &f, G "thread_cpu_seconds_total{groupname=\"web\",mode=\"user\",threadname=\"pool\"} 0\n");
    add_thread(&f, 10, 12, "pool", 350, 1500, 7, "");
    add_thread(&f, 10, 14, "pool", 50, 10, 1, "futex_wait_queue"); /* new: all of it counts */
    fake_root_remove(&f, "proc/10/task/13");
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "thread_count{groupname=\"web\",threadname=\"pool\"} 2\n");
    expect_line(
        &f, G "thread_cpu_seconds_total{groupname=\"web\",mode=\"user\",threadname=\"pool\"} 3\n");
    expect_line(&f,
        G "thread_cpu_seconds_total{groupname=\"web\",mode=\"system\",threadname=\"pool\"} 0.4\n");
    expect_line(&f,
        G "thread_io_bytes_total{groupname=\"web\",iomode=\"write\",threadname=\"pool\"} 510\n");
    expect_line(
        &f, G "thread_io_bytes_total{groupname=\"web\",iomode=\"read\",threadname=\"pool\"} 8\n");
    expect_line(&f, G "thread_major_page_faults_total{groupname=\"web\",threadname=\"pool\"} 2\n");
    expect_line(&f, G "thread_minor_page_faults_total{groupname=\"web\",threadname=\"pool\"} 3\n");
    expect_line(&f, G "thread_context_switches_total{ctxswitchtype=\"voluntary\",groupname="
                      "\"web\",threadname=\"pool\"} 3\n");
    fake_root_remove(&f, "proc/10");
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "thread_count{groupname=\"web\",threadname=\"pool\"} 0\n");
    expect_line(
        &f, G "thread_cpu_seconds_total{groupname=\"web\",mode=\"user\",threadname=\"pool\"} 3\n");
    assert_false(gave(&f, "futex"));
    fake_root_release(&f);
}

/* A new command every pass: groups have a limit, and what is beyond it is counted together. */
static void test_many_groups(void **state)
{
    struct fake_root f;
    char command[32];
    enum { MANY = 2003 };
    (void)state;
    fake_root_init(&f, "process_groups");
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(command, sizeof(command), "c%d", i);
        struct fake_process p = {
            .pid = 100 + i, .command = command, .arguments = "x", .state = 'R'};
        add_name(&f, &p);
    }
    assert_int_equal(fake_root_run(&f), 0);
    expect_line(&f, G "num_procs{groupname=\"__cardinality_overflow__\"} 3\n");
    expect_line(&f, G "num_procs{groupname=\"c1999\"} 1\n");
    assert_false(gave(&f, "groupname=\"c2000\""));
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gauges),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_unreadable_files),
        cmocka_unit_test(test_smaps),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
