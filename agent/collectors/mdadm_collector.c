/* Software RAID: state, members and progress of each array. */
#include "base/mem.h"
#include "collectors/devices.h"
#include "collectors/rows.h"
#include "procfs/mdstat.h"

#define ARRAYS_MAX 4096
#define ARRAY_NAME_MAX 64

enum { FILE_DEGRADED, FILE_RAID_DISKS, FILE_COUNT };
static const char *const md_files[FILE_COUNT] = {
    [FILE_DEGRADED] = "md/degraded", [FILE_RAID_DISKS] = "md/raid_disks"};

struct array_row {
    char name[ARRAY_NAME_MAX];
    struct procfs_md md; /* its slice of the name is not used after the read */
};

struct mdadm_state {
    struct kept_file mdstat;
    struct devices devices;
    struct array_row *rows;
    size_t count, cap;
};

static int mdadm_open(struct collect *c, void *state, struct err *e)
{
    struct mdadm_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->devices, COLLECT_SYS, "block", md_files, FILE_COUNT);
    return 0;
}

static bool is_array(void *context, struct str name)
{
    (void)context;
    return str_starts_with(name, STR("md"));
}

static int read_rows(struct collect *c, struct mdadm_state *s)
{
    struct str text;
    struct procfs_md md;
    s->count = 0;
    int status = collect_read(c, &s->mdstat, COLLECT_PROC, "mdstat", &text);
    while (status == 0 && (status = procfs_mdstat_next(&text, &md)) > 0) {
        if (md.name.len >= ARRAY_NAME_MAX) {
            return ERR_LIMIT;
        }
        status =
            mem_array_grow((void **)&s->rows, &s->cap, s->count + 1, sizeof(*s->rows), ARRAYS_MAX);
        if (status == 0) {
            struct array_row *row = &s->rows[s->count++];
            *row = (struct array_row){.md = md};
            memcpy(row->name, md.name.ptr, md.name.len);
        }
    }
    return status;
}

static void give_disks(struct collect *c, const struct mdadm_state *s)
{
    metric_family(c->sink, "node_md_disks", METRIC_TYPE_GAUGE, "Members of an array by state.");
    for (size_t i = 0; i < s->count; i++) {
        const struct array_row *row = &s->rows[i];
        const struct {
            const char *state;
            uint64_t disks;
        } states[] = {{"active", row->md.disks_active}, {"failed", row->md.disks_failed},
            {"spare", row->md.disks_spare}};
        for (size_t k = 0; k < sizeof(states) / sizeof(states[0]); k++) {
            struct label_pair labels[] = {
                {"device", str_of(row->name)}, {"state", str_of(states[k].state)}};
            metric_sample(c->sink, labels, 2, (double)states[k].disks);
        }
    }
}

static void give_states(struct collect *c, const struct mdadm_state *s)
{
    static const struct {
        const char *name;
        enum procfs_md_state state;
    } states[] = {
        {"active", PROCFS_MD_ACTIVE},
        {"check", PROCFS_MD_CHECKING},
        {"inactive", PROCFS_MD_INACTIVE},
        {"recovering", PROCFS_MD_RECOVERING},
        {"resync", PROCFS_MD_RESYNCING},
    };
    metric_family(c->sink, "node_md_state", METRIC_TYPE_GAUGE, "1 for the state an array is in.");
    for (size_t i = 0; i < s->count; i++) {
        for (size_t k = 0; k < sizeof(states) / sizeof(states[0]); k++) {
            struct label_pair labels[] = {
                {"device", str_of(s->rows[i].name)}, {"state", str_of(states[k].name)}};
            metric_sample(c->sink, labels, 2, s->rows[i].md.state == states[k].state);
        }
    }
}

static void give_number(struct collect *c, const struct mdadm_state *s, const char *name,
    const char *help, size_t offset)
{
    metric_family(c->sink, name, METRIC_TYPE_GAUGE, help);
    for (size_t i = 0; i < s->count; i++) {
        struct label_pair label = {"device", str_of(s->rows[i].name)};
        uint64_t value;
        memcpy(&value, (const char *)&s->rows[i].md + offset, sizeof(value));
        metric_sample(c->sink, &label, 1, (double)value);
    }
}

/* Levels without redundancy have no such file and cannot be degraded. */
static void give_degraded(struct collect *c, struct mdadm_state *s)
{
    metric_family(c->sink, "node_md_degraded", METRIC_TYPE_GAUGE, "Members an array lacks.");
    for (size_t i = 0; i < s->devices.count; i++) {
        double degraded = 0, disks;
        if (devices_read_number(c, &s->devices, i, FILE_RAID_DISKS, &disks) == 0) {
            (void)devices_read_number(c, &s->devices, i, FILE_DEGRADED, &degraded);
            struct label_pair label = {"device", device_name(&s->devices, i)};
            metric_sample(c->sink, &label, 1, degraded);
        }
    }
}

static int mdadm_collect(struct collect *c, void *state)
{
    static const struct device_metric raid_disks = {"node_md_raid_disks", METRIC_TYPE_GAUGE,
        FILE_RAID_DISKS, 0, 0, "Members an array should have."};
    struct mdadm_state *s = state;
    int status = read_rows(c, s);
    give_number(
        c, s, "node_md_blocks", "Size of an array in KiB.", offsetof(struct procfs_md, blocks));
    give_number(c, s, "node_md_blocks_synced", "Part of an array that is synchronised, in KiB.",
        offsetof(struct procfs_md, blocks_synced));
    give_disks(c, s);
    give_number(c, s, "node_md_disks_required", "Members an array wants.",
        offsetof(struct procfs_md, disks_required));
    give_states(c, s);
    if (status == 0 && s->count > 0 &&
        devices_refresh_seldom(c, &s->devices, is_array, NULL) == 0) {
        give_degraded(c, s);
        devices_give(c, &s->devices, "device", 0, &raid_disks, 1);
    }
    return status;
}

static void mdadm_close(struct collect *c, void *state)
{
    struct mdadm_state *s = state;
    kept_file_close(c, &s->mdstat);
    devices_close(c, &s->devices);
    mem_free(s->rows);
}

const struct collector mdadm_collector = {
    .name = "mdadm",
    .help = "Software RAID (/proc/mdstat, /sys/block/md*)",
    .default_enabled = true,
    .state_size = sizeof(struct mdadm_state),
    .open = mdadm_open,
    .collect = mdadm_collect,
    .close = mdadm_close,
};
