/* Software RAID: every state, arrays with and without redundancy. */
#include "procfs/mdstat.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_md md;
    int status;
    while ((status = procfs_mdstat_next(&text, &md)) > 0) {
    }
    return status;
}

static const struct str mdstat =
    STR("Personalities : [linear] [raid0] [raid1] [raid6]\n"
        "md3 : active raid6 sda1[8] sdh1[7] sdg1[6](F) sdb1[1](S)\n"
        "      5853468288 blocks super 1.2 level 6, 64k chunk, algorithm 2 [8/7] [UUUUUUU_]\n"
        "      bitmap: 0/1 pages [0KB], 65536KB chunk\n"
        "\n"
        "md8 : active raid1 sdb1[1] sda1[0]\n"
        "      195310144 blocks [2/2] [UU]\n"
        "      [=>...................]  resync =  8.5% (16775552/195310144) finish=17.0min "
        "speed=259783K/sec\n"
        "\n"
        "md9 : active (auto-read-only) raid1 sdc2[1] sdd2[0]\n"
        "      523968 blocks super 1.2 [2/2] [UU]\n"
        "      \tresync=DELAYED\n"
        "\n"
        "md6 : active raid1 sdb2[2] sda2[0]\n"
        "      195310144 blocks [2/1] [U_]\n"
        "      [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min "
        "speed=259783K/sec\n"
        "\n"
        "md5 : active raid1 sdc3[1] sdd3[0]\n"
        "      1000 blocks [2/2] [UU]\n"
        "      [>....]  check =  5.7% (57/1000) finish=106.9min speed=125103K/sec\n"
        "\n"
        "md0 : active raid0 sdi1[1] sdh1[0]\n"
        "      314159265 blocks 64k chunks\n"
        "\n"
        "md7 : inactive sdb3[0](S)\n"
        "      4186624 blocks super 1.0\n"
        "\n"
        "unused devices: <none>\n");

static void every_state(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum procfs_md_state state;
        uint64_t active, required, failed, spare, blocks, synced;
    } rows[] = {
        {"md3", PROCFS_MD_ACTIVE, 7, 8, 1, 1, 5853468288, 5853468288},
        {"md8", PROCFS_MD_RESYNCING, 2, 2, 0, 0, 195310144, 16775552},
        {"md9", PROCFS_MD_RESYNCING, 2, 2, 0, 0, 523968, 0},
        {"md6", PROCFS_MD_RECOVERING, 1, 2, 0, 0, 195310144, 16775552},
        {"md5", PROCFS_MD_CHECKING, 2, 2, 0, 0, 1000, 57},
        {"md0", PROCFS_MD_ACTIVE, 2, 2, 0, 0, 314159265, 314159265},
        {"md7", PROCFS_MD_INACTIVE, 0, 0, 0, 1, 4186624, 4186624},
    };
    struct str rest = mdstat;
    struct procfs_md md;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(procfs_mdstat_next(&rest, &md), 1);
        assert_str(md.name, rows[i].name);
        assert_int_equal(md.state, rows[i].state);
        assert_int_equal(md.disks_active, rows[i].active);
        assert_int_equal(md.disks_required, rows[i].required);
        assert_int_equal(md.disks_failed, rows[i].failed);
        assert_int_equal(md.disks_spare, rows[i].spare);
        assert_int_equal(md.blocks, rows[i].blocks);
        assert_int_equal(md.blocks_synced, rows[i].synced);
    }
    assert_int_equal(procfs_mdstat_next(&rest, &md), 0);
}

static void no_arrays(void **state)
{
    (void)state;
    assert_int_equal(walk(STR("Personalities : \nunused devices: <none>\n")), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "md0 : active raid1 a[0]\n",
        "md0 active raid1 a[0]\n 1 blocks\n",
        "md0 : started raid1 a[0]\n 1 blocks\n",
        "md0 : active raid1 a[0]\n x blocks\n",
        "md0 : active raid1 a[0]\n 1 blocks [2/x] [U_]\n",
        "md0 : active raid1 a[0]\n 1 blocks [2/1\n",
        "md0 : active raid1 a[0]\n 1 blocks [2/1] [U_]\n recovery = 1% (x/1)\n",
        NULL,
    };
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(mdstat, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state),
        cmocka_unit_test(no_arrays),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
