/* Counters of each block device, and what udev knows about it.
 *
 * The properties of a disk (model, serial, filesystem on it) change when somebody changes the
 * hardware, yet reading them costs three system calls a disk where all counters together cost two.
 * They are read when a disk appears and then once in DISK_INFO_PASSES passes.
 */
#include <stdio.h>

#include "base/mem.h"
#include "collectors/rows.h"
#include "procfs/diskstats.h"
#include "procfs/field.h"
#include "procfs/udev_data.h"

#define DISKS_MAX 65536
#define DISK_NAME_MAX 64
#define DISK_INFO_PASSES 6
#define PROPERTY_MAX 256

enum property {
    PROPERTY_ATA,
    PROPERTY_ATA_ROTATION_RATE,
    PROPERTY_ATA_WRITE_CACHE,
    PROPERTY_ATA_WRITE_CACHE_ENABLED,
    PROPERTY_DM_LV_LAYER,
    PROPERTY_DM_LV_NAME,
    PROPERTY_DM_NAME,
    PROPERTY_DM_UUID,
    PROPERTY_DM_VG_NAME,
    PROPERTY_FS_TYPE,
    PROPERTY_FS_USAGE,
    PROPERTY_FS_UUID,
    PROPERTY_FS_VERSION,
    PROPERTY_MODEL,
    PROPERTY_PATH,
    PROPERTY_REVISION,
    PROPERTY_SCSI_SERIAL,
    PROPERTY_SERIAL,
    PROPERTY_SERIAL_SHORT,
    PROPERTY_WWN,
    PROPERTIES,
};

static const char *const property_names[PROPERTIES] = {
    [PROPERTY_ATA] = "ID_ATA",
    [PROPERTY_ATA_ROTATION_RATE] = "ID_ATA_ROTATION_RATE_RPM",
    [PROPERTY_ATA_WRITE_CACHE] = "ID_ATA_WRITE_CACHE",
    [PROPERTY_ATA_WRITE_CACHE_ENABLED] = "ID_ATA_WRITE_CACHE_ENABLED",
    [PROPERTY_DM_LV_LAYER] = "DM_LV_LAYER",
    [PROPERTY_DM_LV_NAME] = "DM_LV_NAME",
    [PROPERTY_DM_NAME] = "DM_NAME",
    [PROPERTY_DM_UUID] = "DM_UUID",
    [PROPERTY_DM_VG_NAME] = "DM_VG_NAME",
    [PROPERTY_FS_TYPE] = "ID_FS_TYPE",
    [PROPERTY_FS_USAGE] = "ID_FS_USAGE",
    [PROPERTY_FS_UUID] = "ID_FS_UUID",
    [PROPERTY_FS_VERSION] = "ID_FS_VERSION",
    [PROPERTY_MODEL] = "ID_MODEL",
    [PROPERTY_PATH] = "ID_PATH",
    [PROPERTY_REVISION] = "ID_REVISION",
    [PROPERTY_SCSI_SERIAL] = "SCSI_IDENT_SERIAL",
    [PROPERTY_SERIAL] = "ID_SERIAL",
    [PROPERTY_SERIAL_SHORT] = "ID_SERIAL_SHORT",
    [PROPERTY_WWN] = "ID_WWN",
};

struct disk_row {
    char name[DISK_NAME_MAX];
    struct procfs_disk disk;      /* its slice of the name is not used after the pass */
    char *properties[PROPERTIES]; /* NULL = not known */
    bool rotational;
    uint64_t info_due; /* pass in which to read the properties */
};

struct diskstats_state {
    struct kept_file file;
    struct collect_filter filter;
    struct disk_row *rows; /* in the kernel's order */
    size_t count, cap;
};

static int diskstats_open(struct collect *c, void *state, struct err *e)
{
    struct diskstats_state *s = state;
    return collect_filter_open(
        c, COLLECTOR_SETTING_DISK_INCLUDE, COLLECTOR_SETTING_DISK_EXCLUDE, &s->filter, e);
}

static void forget_properties(struct disk_row *row)
{
    for (int i = 0; i < PROPERTIES; i++) {
        mem_free(row->properties[i]);
        row->properties[i] = NULL;
    }
}

/* Puts the device into the index-th row, which keeps its properties if it was this device before. */
static int set_row(struct diskstats_state *s, size_t index, const struct procfs_disk *disk)
{
    if (disk->name.len >= DISK_NAME_MAX) {
        return ERR_LIMIT;
    }
    if (index == s->count) {
        int status =
            mem_array_grow((void **)&s->rows, &s->cap, index + 1, sizeof(*s->rows), DISKS_MAX);
        if (status != 0) {
            return status;
        }
        s->rows[s->count++] = (struct disk_row){0};
    }
    struct disk_row *row = &s->rows[index];
    if (!str_eq_c(disk->name, row->name) || row->disk.major != disk->major ||
        row->disk.minor != disk->minor) {
        forget_properties(row);
        memcpy(row->name, disk->name.ptr, disk->name.len);
        row->name[disk->name.len] = '\0';
        row->info_due = 0;
    }
    row->disk = *disk;
    return 0;
}

static int read_rows(struct collect *c, struct diskstats_state *s)
{
    struct str text;
    size_t count = 0;
    int status = collect_read(c, &s->file, COLLECT_PROC, "diskstats", &text);
    if (status == 0) {
        struct procfs_disk disk;
        while ((status = procfs_diskstats_next(&text, &disk)) > 0) {
            if (!collect_filter_accepts(&s->filter, disk.name)) {
                continue;
            }
            status = set_row(s, count, &disk);
            if (status != 0) {
                break;
            }
            count++;
        }
    }
    for (size_t i = count; i < s->count; i++) {
        forget_properties(&s->rows[i]);
    }
    s->count = count;
    return status;
}

static void keep_property(struct disk_row *row, const struct procfs_udev_property *property)
{
    for (int i = 0; i < PROPERTIES; i++) {
        if (str_eq_c(property->name, property_names[i])) {
            char buffer[PROPERTY_MAX];
            struct str clean = collect_label_text(property->value, buffer, sizeof(buffer));
            mem_free(row->properties[i]);
            row->properties[i] = mem_strndup(clean.ptr, clean.len);
        }
    }
}

/* Whether the disk has platters; devices without a queue count as having none. */
static bool read_rotational(struct collect *c, const char *name)
{
    char directory[DISK_NAME_MAX];
    size_t i = 0;
    for (; name[i] != '\0'; i++) {
        directory[i] = name[i] == '/' ? '!' : name[i]; // sysfs' way to write cciss/c0d0
    }
    directory[i] = '\0';
    char path[COLLECT_PATH_MAX];
    (void)snprintf(path, sizeof(path), "block/%s/queue/rotational", directory);
    struct str text;
    return collect_read_once(c, COLLECT_SYS, path, &text) == 0 && str_eq(str_trim(text), STR("1"));
}

static void read_info(struct collect *c, struct disk_row *row)
{
    char path[COLLECT_PATH_MAX];
    (void)snprintf(path, sizeof(path), "b%llu:%llu", (unsigned long long)row->disk.major,
        (unsigned long long)row->disk.minor);
    forget_properties(row);
    struct str text;
    if (collect_read_once(c, COLLECT_UDEV, path, &text) == 0) {
        struct procfs_udev_property property;
        while (procfs_udev_next(&text, &property) > 0) {
            keep_property(row, &property);
        }
    }
    row->rotational = read_rotational(c, row->name);
    row->info_due = c->pass + DISK_INFO_PASSES;
}

static struct str property(const struct disk_row *row, enum property which)
{
    return row->properties[which] != NULL ? str_of(row->properties[which]) : STR("");
}

/* The serial printed on the disk, where the kernel or udev knows it. */
static struct str serial(const struct disk_row *row)
{
    static const enum property best_first[] = {
        PROPERTY_SCSI_SERIAL, PROPERTY_SERIAL_SHORT, PROPERTY_SERIAL};
    for (size_t i = 0; i < sizeof(best_first) / sizeof(best_first[0]); i++) {
        struct str value = property(row, best_first[i]);
        if (value.len > 0) {
            return value;
        }
    }
    return STR("");
}

static const struct counter_row {
    const char *name;
    enum metric_type type;
    double factor;
    const char *help;
} counter_rows[PROCFS_DISK_FIELDS] = {
    [PROCFS_DISK_READS] = {"node_disk_reads_completed_total", METRIC_TYPE_COUNTER, 1,
        "Reads completed."},
    [PROCFS_DISK_READS_MERGED] = {"node_disk_reads_merged_total", METRIC_TYPE_COUNTER, 1,
        "Reads merged with a neighbour."},
    [PROCFS_DISK_READ_SECTORS] = {"node_disk_read_bytes_total", METRIC_TYPE_COUNTER,
        PROCFS_SECTOR_BYTES, "Bytes read."},
    [PROCFS_DISK_READ_MS] = {"node_disk_read_time_seconds_total", METRIC_TYPE_COUNTER, 0.001,
        "Time of all reads together."},
    [PROCFS_DISK_WRITES] = {"node_disk_writes_completed_total", METRIC_TYPE_COUNTER, 1,
        "Writes completed."},
    [PROCFS_DISK_WRITES_MERGED] = {"node_disk_writes_merged_total", METRIC_TYPE_COUNTER, 1,
        "Writes merged with a neighbour."},
    [PROCFS_DISK_WRITE_SECTORS] = {"node_disk_written_bytes_total", METRIC_TYPE_COUNTER,
        PROCFS_SECTOR_BYTES, "Bytes written."},
    [PROCFS_DISK_WRITE_MS] = {"node_disk_write_time_seconds_total", METRIC_TYPE_COUNTER, 0.001,
        "Time of all writes together."},
    [PROCFS_DISK_IO_NOW] = {"node_disk_io_now", METRIC_TYPE_GAUGE, 1, "Requests in flight."},
    [PROCFS_DISK_IO_MS] = {"node_disk_io_time_seconds_total", METRIC_TYPE_COUNTER, 0.001,
        "Time with a request in flight."},
    [PROCFS_DISK_IO_WEIGHTED_MS] = {"node_disk_io_time_weighted_seconds_total", METRIC_TYPE_COUNTER,
        0.001, "Time with a request in flight, times the requests."},
    [PROCFS_DISK_DISCARDS] = {"node_disk_discards_completed_total", METRIC_TYPE_COUNTER, 1,
        "Discards completed."},
    [PROCFS_DISK_DISCARDS_MERGED] = {"node_disk_discards_merged_total", METRIC_TYPE_COUNTER, 1,
        "Discards merged with a neighbour."},
    [PROCFS_DISK_DISCARD_SECTORS] = {"node_disk_discarded_sectors_total", METRIC_TYPE_COUNTER, 1,
        "Sectors of 512 bytes discarded."},
    [PROCFS_DISK_DISCARD_MS] = {"node_disk_discard_time_seconds_total", METRIC_TYPE_COUNTER, 0.001,
        "Time of all discards together."},
    [PROCFS_DISK_FLUSHES] = {"node_disk_flush_requests_total", METRIC_TYPE_COUNTER, 1,
        "Flushes completed."},
    [PROCFS_DISK_FLUSH_MS] = {"node_disk_flush_requests_time_seconds_total", METRIC_TYPE_COUNTER,
        0.001, "Time of all flushes together."},
};

static void give_counters(struct collect *c, const struct diskstats_state *s)
{
    for (int field = 0; field < PROCFS_DISK_FIELDS; field++) {
        const struct counter_row *counter = &counter_rows[field];
        metric_family(c->sink, counter->name, counter->type, counter->help);
        for (size_t i = 0; i < s->count; i++) {
            const struct disk_row *row = &s->rows[i];
            if (field < row->disk.count) {
                struct label_pair label = {"device", str_of(row->name)};
                double value = (double)row->disk.fields[field];
                // A division is exact where the factor 0.001 would not be.
                value = counter->factor == 0.001 ? value / 1000 : value * counter->factor;
                metric_sample(c->sink, &label, 1, value);
            }
        }
    }
}

static void give_disk_info(struct collect *c, const struct diskstats_state *s)
{
    metric_family(
        c->sink, "node_disk_info", METRIC_TYPE_GAUGE, "What udev knows about a disk, always 1.");
    for (size_t i = 0; i < s->count; i++) {
        const struct disk_row *row = &s->rows[i];
        struct number_text major, minor;
        struct label_pair labels[] = {
            {"device", str_of(row->name)},
            {"major", collect_number_text(row->disk.major, &major)},
            {"minor", collect_number_text(row->disk.minor, &minor)},
            {"model", property(row, PROPERTY_MODEL)},
            {"path", property(row, PROPERTY_PATH)},
            {"revision", property(row, PROPERTY_REVISION)},
            {"rotational", row->rotational ? STR("1") : STR("0")},
            {"serial", serial(row)},
            {"wwn", property(row, PROPERTY_WWN)},
        };
        metric_sample(c->sink, labels, sizeof(labels) / sizeof(labels[0]), 1);
    }
}

static void give_content_info(struct collect *c, const struct diskstats_state *s)
{
    metric_family(c->sink, "node_disk_device_mapper_info", METRIC_TYPE_GAUGE,
        "What the device mapper calls a disk, always 1.");
    for (size_t i = 0; i < s->count; i++) {
        const struct disk_row *row = &s->rows[i];
        struct label_pair labels[] = {
            {"device", str_of(row->name)},
            {"lv_layer", property(row, PROPERTY_DM_LV_LAYER)},
            {"lv_name", property(row, PROPERTY_DM_LV_NAME)},
            {"name", property(row, PROPERTY_DM_NAME)},
            {"uuid", property(row, PROPERTY_DM_UUID)},
            {"vg_name", property(row, PROPERTY_DM_VG_NAME)},
        };
        if (labels[3].value.len > 0) {
            metric_sample(c->sink, labels, sizeof(labels) / sizeof(labels[0]), 1);
        }
    }
    metric_family(c->sink, "node_disk_filesystem_info", METRIC_TYPE_GAUGE,
        "The filesystem on a disk, always 1.");
    for (size_t i = 0; i < s->count; i++) {
        const struct disk_row *row = &s->rows[i];
        struct label_pair labels[] = {
            {"device", str_of(row->name)},
            {"type", property(row, PROPERTY_FS_TYPE)},
            {"usage", property(row, PROPERTY_FS_USAGE)},
            {"uuid", property(row, PROPERTY_FS_UUID)},
            {"version", property(row, PROPERTY_FS_VERSION)},
        };
        if (labels[1].value.len > 0) {
            metric_sample(c->sink, labels, sizeof(labels) / sizeof(labels[0]), 1);
        }
    }
}

static void give_ata(struct collect *c, const struct diskstats_state *s)
{
    static const struct {
        const char *name;
        enum property property;
        const char *help;
    } ata[] = {
        {"node_disk_ata_rotation_rate_rpm", PROPERTY_ATA_ROTATION_RATE,
            "Rotations a minute of an ATA disk, 0 for one without platters."},
        {"node_disk_ata_write_cache", PROPERTY_ATA_WRITE_CACHE,
            "1 when an ATA disk has a write cache."},
        {"node_disk_ata_write_cache_enabled", PROPERTY_ATA_WRITE_CACHE_ENABLED,
            "1 when the write cache of an ATA disk is on."},
    };
    for (size_t a = 0; a < sizeof(ata) / sizeof(ata[0]); a++) {
        metric_family(c->sink, ata[a].name, METRIC_TYPE_GAUGE, ata[a].help);
        for (size_t i = 0; i < s->count; i++) {
            const struct disk_row *row = &s->rows[i];
            double value;
            if (property(row, PROPERTY_ATA).len > 0 &&
                field_number(property(row, ata[a].property), &value) == 0) {
                struct label_pair label = {"device", str_of(row->name)};
                metric_sample(c->sink, &label, 1, value);
            }
        }
    }
}

static int diskstats_collect(struct collect *c, void *state)
{
    struct diskstats_state *s = state;
    int status = read_rows(c, s);
    for (size_t i = 0; i < s->count; i++) {
        if (c->pass >= s->rows[i].info_due) {
            read_info(c, &s->rows[i]);
        }
    }
    give_ata(c, s);
    give_counters(c, s);
    give_content_info(c, s);
    give_disk_info(c, s);
    return status;
}

static void diskstats_close(struct collect *c, void *state)
{
    struct diskstats_state *s = state;
    kept_file_close(c, &s->file);
    for (size_t i = 0; i < s->count; i++) {
        forget_properties(&s->rows[i]);
    }
    mem_free(s->rows);
    collect_filter_close(&s->filter);
}

const struct collector diskstats_collector = {
    .name = "diskstats",
    .help = "Counters and properties of block devices (/proc/diskstats, udev)",
    .default_enabled = true,
    .state_size = sizeof(struct diskstats_state),
    .open = diskstats_open,
    .collect = diskstats_collect,
    .close = diskstats_close,
};
