/* Btrfs filesystems: space by kind of block group and profile, commits, sizes of devices. */
#include <stdio.h>

#include "collectors/devices.h"
#include "collectors/metric_files.h"
#include "collectors/rows.h"
#include "procfs/field.h"

#define BTRFS_DIRECTORY "fs/btrfs"
#define BTRFS_TEXT_MAX 256
#define SECTOR_BYTES 512
#define MILLISECONDS 1000.0

enum { FILE_COMMITS, FILE_LABEL, FILE_COUNT };
static const char *const btrfs_files[FILE_COUNT] = {
    [FILE_COMMITS] = "commit_stats", [FILE_LABEL] = "label"};

struct btrfs_state {
    struct devices filesystems; /* named by their UUID */
    struct metric_files files;
};

static int btrfs_open(struct collect *c, void *state, struct err *e)
{
    struct btrfs_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->filesystems, COLLECT_SYS, BTRFS_DIRECTORY, btrfs_files, FILE_COUNT);
    return 0;
}

/* A UUID; the directory of features lies beside them. */
static bool is_filesystem(void *context, struct str name)
{
    (void)context;
    return name.len == 36 && name.ptr[8] == '-';
}

/* What is being walked: a filesystem and, below it, one kind of block groups. */
struct btrfs_walk {
    struct collect *collect;
    struct metric_files *files;
    struct str uuid;
    const char *kind;
    uint64_t devices;
};

static void add_file(struct btrfs_walk *walk, const char *name, const char *help, const char *file,
    const struct label_pair *labels, size_t count)
{
    char path[COLLECT_PATH_MAX];
    struct metric_file metric = {
        .name = name, .type = METRIC_TYPE_GAUGE, .help = help, .path = path};
    int length =
        snprintf(path, sizeof(path), BTRFS_DIRECTORY "/%.*s/%s", STR_ARG(walk->uuid), file);
    if (length > 0 && (size_t)length < sizeof(path)) {
        metric.label_count = count;
        memcpy(metric.labels, labels, count * sizeof(*labels));
        metric_files_add(walk->files, &metric);
    }
}

static void list(struct btrfs_walk *walk, const char *directory, vfs_list_callback each)
{
    char below[COLLECT_PATH_MAX], path[COLLECT_PATH_MAX];
    int length =
        snprintf(below, sizeof(below), BTRFS_DIRECTORY "/%.*s/%s", STR_ARG(walk->uuid), directory);
    if (length > 0 && (size_t)length < sizeof(below) &&
        collect_path(walk->collect, COLLECT_SYS, below, path, sizeof(path)) == 0) {
        (void)vfs_list(walk->collect->vfs, path, each, walk); // unmounted meanwhile: nothing
    }
}

static int see_device(void *context, const char *name, bool is_directory)
{
    struct btrfs_walk *walk = context;
    char path[COLLECT_PATH_MAX];
    (void)is_directory;
    (void)snprintf(
        path, sizeof(path), BTRFS_DIRECTORY "/%.*s/devices/%s/size", STR_ARG(walk->uuid), name);
    metric_files_add(walk->files, &(struct metric_file){
                                      .name = "node_btrfs_device_size_bytes",
                                      .type = METRIC_TYPE_GAUGE,
                                      .help = "Size of a device of the filesystem.",
                                      .factor = SECTOR_BYTES,
                                      .path = path,
                                      .label_count = 2,
                                      .labels = {{"device", str_of(name)}, {"uuid", walk->uuid}},
                                  });
    walk->devices++;
    return 0;
}

/* Bytes on disks for each byte stored, by profile; 0 for names that are no profile. */
static double allocation_ratio(const char *profile, uint64_t devices)
{
    static const struct {
        const char *name;
        double ratio;
        unsigned parity; /* devices a stripe gives to parity */
    } profiles[] = {{"single", 1, 0}, {"raid0", 1, 0}, {"dup", 2, 0}, {"raid1", 2, 0},
        {"raid10", 2, 0}, {"raid1c3", 3, 0}, {"raid1c4", 4, 0}, {"raid5", 0, 1}, {"raid6", 0, 2}};
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        if (strcmp(profile, profiles[i].name) == 0) {
            bool enough = devices > profiles[i].parity;
            return profiles[i].parity == 0 ? profiles[i].ratio
                   : enough ? (double)devices / (double)(devices - profiles[i].parity)
                            : 0;
        }
    }
    return 0;
}

/* Each profile in use has a directory beside the files of its kind. */
static int see_profile(void *context, const char *name, bool is_directory)
{
    struct btrfs_walk *walk = context;
    double ratio = allocation_ratio(name, walk->devices);
    char file[BTRFS_TEXT_MAX];
    if (!is_directory || ratio == 0) {
        return 0;
    }
    struct label_pair labels[] = {
        {"block_group_type", str_of(walk->kind)}, {"mode", str_of(name)}, {"uuid", walk->uuid}};
    (void)snprintf(file, sizeof(file), "allocation/%s/%s/total_bytes", walk->kind, name);
    add_file(walk, "node_btrfs_size_bytes", "Space given to block groups.", file, labels, 3);
    (void)snprintf(file, sizeof(file), "allocation/%s/%s/used_bytes", walk->kind, name);
    add_file(walk, "node_btrfs_used_bytes", "Used space of block groups.", file, labels, 3);
    struct metric_file constant = {.name = "node_btrfs_allocation_ratio",
        .type = METRIC_TYPE_GAUGE,
        .help = "Bytes on disks for each byte stored.",
        .constant = ratio,
        .label_count = 3};
    memcpy(constant.labels, labels, sizeof(labels));
    metric_files_add(walk->files, &constant);
    return 0;
}

static void add_label(struct btrfs_walk *walk, struct btrfs_state *s, size_t index)
{
    char buffer[BTRFS_TEXT_MAX];
    struct str text;
    if (devices_read_once(walk->collect, &s->filesystems, index, FILE_LABEL, &text) != 0) {
        text = STR("");
    }
    metric_files_add(
        walk->files, &(struct metric_file){
                         .name = "node_btrfs_info",
                         .type = METRIC_TYPE_GAUGE,
                         .help = "Label of a filesystem, always 1.",
                         .constant = 1,
                         .label_count = 2,
                         .labels = {{"label", collect_label_text(text, buffer, sizeof(buffer))},
                             {"uuid", walk->uuid}},
                     });
}

static void walk_filesystem(struct collect *c, struct btrfs_state *s, size_t index)
{
    static const char *const kinds[] = {"data", "metadata", "system"};
    struct btrfs_walk walk = {
        .collect = c, .files = &s->files, .uuid = device_name(&s->filesystems, index)};
    struct label_pair uuid = {"uuid", walk.uuid};
    add_label(&walk, s, index);
    add_file(&walk, "node_btrfs_global_rsv_size_bytes", "Space kept in reserve.",
        "allocation/global_rsv_size", &uuid, 1);
    list(&walk, "devices", see_device);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char path[BTRFS_TEXT_MAX];
        struct label_pair labels[] = {{"block_group_type", str_of(kinds[i])}, {"uuid", walk.uuid}};
        walk.kind = kinds[i];
        (void)snprintf(path, sizeof(path), "allocation/%s/bytes_reserved", kinds[i]);
        add_file(&walk, "node_btrfs_reserved_bytes", "Space reserved for a kind of data.", path,
            labels, 2);
        (void)snprintf(path, sizeof(path), "allocation/%s", kinds[i]);
        list(&walk, path, see_profile);
    }
}

/* "commits 258051", "last_commit_ms 1000" …; 0 where the kernel does not count (before 6.0). */
static double commit_number(
    struct collect *c, struct btrfs_state *s, size_t index, const char *name)
{
    struct str text;
    if (devices_read(c, &s->filesystems, index, FILE_COMMITS, &text) != 0) {
        return 0;
    }
    while (text.len > 0) {
        struct str line = str_split(&text, '\n'), word;
        double value;
        if (field_next(&line, &word) && str_eq_c(word, name) && field_next(&line, &word) &&
            field_number(word, &value) == 0) {
            return value;
        }
    }
    return 0;
}

static void give_commits(struct collect *c, struct btrfs_state *s)
{
    static const struct {
        const char *name;
        enum metric_type type;
        const char *word;
        double divisor;
        const char *help;
    } rows[] = {
        {"node_btrfs_commit_seconds_total", METRIC_TYPE_COUNTER, "total_commit_ms", MILLISECONDS,
            "Time of all commits."},
        {"node_btrfs_commits_total", METRIC_TYPE_COUNTER, "commits", 1, "Commits."},
        {"node_btrfs_last_commit_seconds", METRIC_TYPE_GAUGE, "last_commit_ms", MILLISECONDS,
            "Time of the last commit."},
        {"node_btrfs_max_commit_seconds", METRIC_TYPE_GAUGE, "max_commit_ms", MILLISECONDS,
            "Time of the slowest commit."},
    };
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        metric_family(c->sink, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < s->filesystems.count; i++) {
            struct label_pair label = {"uuid", device_name(&s->filesystems, i)};
            metric_sample(
                c->sink, &label, 1, commit_number(c, s, i, rows[r].word) / rows[r].divisor);
        }
    }
}

static int btrfs_collect(struct collect *c, void *state)
{
    struct btrfs_state *s = state;
    int status = devices_refresh_seldom(c, &s->filesystems, is_filesystem, NULL);
    if (status != 0) {
        return status == ERR_NOT_FOUND ? 0 : status; // no btrfs is mounted
    }
    if (metric_files_due(c, &s->files)) {
        metric_files_begin(c, &s->files);
        for (size_t i = 0; i < s->filesystems.count; i++) {
            walk_filesystem(c, s, i);
        }
        metric_files_end(c, &s->files);
    }
    give_commits(c, s);
    return metric_files_give(c, &s->files);
}

static void btrfs_close(struct collect *c, void *state)
{
    struct btrfs_state *s = state;
    devices_close(c, &s->filesystems);
    metric_files_release(c, &s->files);
}

const struct collector btrfs_collector = {
    .name = "btrfs",
    .help = "Btrfs filesystems (/sys/fs/btrfs)",
    .default_enabled = true,
    .state_size = sizeof(struct btrfs_state),
    .open = btrfs_open,
    .collect = btrfs_collect,
    .close = btrfs_close,
};
