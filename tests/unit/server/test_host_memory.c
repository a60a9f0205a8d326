/* The kernel's files as they are on hosts and in containers of both kinds of cgroups. */
#include "support/support.h"

#include <unistd.h>

#include "base/err.h"
#include "server/host_memory.h"
#include "support/sim_vfs.h"

struct file {
    const char *path, *text;
};

static void put(struct vfs *fs, const struct file *file)
{
    char folder[256];
    const char *slash = strrchr(file->path, '/');
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - file->path), file->path);
    assert_int_equal(vfs_mkdir_all(fs, folder), 0);
    assert_int_equal(vfs_write_file_atomic(fs, file->path, file->text, strlen(file->text)), 0);
}

#define MEMINFO                                                                                    \
    {                                                                                              \
        "/proc/meminfo", "MemTotal:       16000 kB\nMemFree:        9 kB\n"                        \
    }
#define KIB UINT64_C(1024)

static void test_ceiling(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct file files[5];
        uint64_t ceiling;
    } cases[] = {
        {"nothing", {{NULL, NULL}}, 0},
        {"a host", {MEMINFO}, 16000 * KIB},
        {"v2, no limit",
            {MEMINFO, {"/proc/self/cgroup", "0::/a/b\n"},
                {"/sys/fs/cgroup/a/b/memory.max", "max\n"}},
            16000 * KIB},
        {"v2",
            {MEMINFO, {"/proc/self/cgroup", "0::/a/b\n"},
                {"/sys/fs/cgroup/a/b/memory.max", "1048576\n"}},
            1048576},
        {"v2 in a container",
            {MEMINFO, {"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/memory.max", "2097152\n"}},
            2097152},
        {"v1",
            {MEMINFO, {"/proc/self/cgroup", "9:name=systemd:/\n4:memory:/x/y\n0::/\n"},
                {"/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "3145728\n"},
                {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}},
            3145728},
        {"v1, no limit",
            {MEMINFO, {"/proc/self/cgroup", "4:memory:/x\n"},
                {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n"}},
            16000 * KIB},
        {"more than there is", {MEMINFO, {"/sys/fs/cgroup/memory.max", "99999999999\n"}},
            16000 * KIB},
        {"nonsense",
            {{"/proc/meminfo", "MemTotal: lots\n"}, {"/proc/self/cgroup", ":::\n\nx"},
                {"/sys/fs/cgroup/memory.max", "\n"}},
            0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_vfs *sim = sim_vfs_new(1);
        for (size_t k = 0; k < 5 && cases[i].files[k].path != NULL; k++) {
            put(sim_vfs_get(sim), &cases[i].files[k]);
        }
        uint64_t ceiling = host_memory_ceiling(sim_vfs_get(sim));
        if (ceiling != cases[i].ceiling) {
            fail_msg("%s: %llu instead of %llu", cases[i].name, (unsigned long long)ceiling,
                (unsigned long long)cases[i].ceiling);
        }
        sim_vfs_free(sim);
    }
}

static void test_used(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        uint64_t pages;
    } cases[] = {
        {"5000 1200 200 100 0 900 0\n", 0, 1000},
        {"5000 200 200 100 0 900 0\n", 0, 0},
        {"5000 100 200 100 0 900 0\n", ERR_CORRUPT, 0},
        {"5000\n", ERR_CORRUPT, 0},
        {"", ERR_CORRUPT, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_vfs *sim = sim_vfs_new(1);
        struct file file = {"/proc/self/statm", cases[i].text};
        uint64_t used = 0;
        put(sim_vfs_get(sim), &file);
        assert_int_equal(host_memory_used(sim_vfs_get(sim), &used), cases[i].status);
        assert_int_equal(used, cases[i].pages * (uint64_t)sysconf(_SC_PAGESIZE));
        sim_vfs_free(sim);
    }
}

/* This process on this host. */
static void test_here(void **state)
{
    (void)state;
    uint64_t used = 0, ceiling = host_memory_ceiling(vfs_posix());
    assert_int_equal(host_memory_used(vfs_posix(), &used), 0);
    assert_true(used > 0 && used < ceiling);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_used),
        cmocka_unit_test(test_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
