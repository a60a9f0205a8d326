/* The entries of one directory of sysfs (network interfaces, CPUs, sensors …), each with the same
 * small files in it: a table of devices by files, kept open between passes.
 *
 *   static const char *const files[] = {"mtu", "speed"};
 *   devices_init(&s->devices, COLLECT_SYS, "class/net", files, 2);
 *   devices_refresh(c, &s->devices, NULL, NULL);
 *   for each device i: devices_read(c, &s->devices, i, 0, &text)
 */
#ifndef SONDE_COLLECTORS_DEVICES_H
#define SONDE_COLLECTORS_DEVICES_H

#include "collectors/collect.h"

/* Entries of one directory that are looked at; more are ERR_LIMIT. */
#define DEVICES_MAX 65536
/* Longest name of an entry. */
#define DEVICE_NAME_MAX 128
#define DEVICES_SELDOM_PASSES 6
/* Files of one device. */
#define DEVICE_FILES_MAX 64

struct device {
    char *name;
    size_t name_length;
    struct kept_file *files; /* one for each name in devices.files */
    bool seen;
};

struct devices {
    enum collect_root root;
    const char *directory;    /* below the root */
    const char *const *files; /* names below the device, static */
    size_t file_count;
    struct device *list; /* in the order of their names */
    size_t count;
    size_t cap;
    uint64_t listing_due;     /* pass of the next listing, where it is not made in each */
    int listing_status;       /* of the last one */
    struct kept_file listing; /* only its retry_at is used */
};

/* `directory` and `files` are borrowed for the table's life. */
void devices_init(struct devices *d, enum collect_root root, const char *directory,
    const char *const *files, size_t file_count);
/* Lists the directory again: new entries join, vanished ones go. `accept` (NULL = all) decides by
 * name. ERR_NOT_FOUND without the directory; other codes leave the table as far as it got. */
int devices_refresh(struct collect *c, struct devices *d,
    bool (*accept)(void *context, struct str name), void *context);
/* The same once in DEVICES_SELDOM_PASSES passes, for what comes and goes with hardware or by hand: a
 * listing costs as much as reading ten files. */
int devices_refresh_seldom(struct collect *c, struct devices *d,
    bool (*accept)(void *context, struct str name), void *context);
void devices_close(struct collect *c, struct devices *d);

static inline struct str device_name(const struct devices *d, size_t index)
{
    return str_make(d->list[index].name, d->list[index].name_length);
}

/* Index of the device of that name, or -1. */
ptrdiff_t devices_find(const struct devices *d, const char *name);

/* The text of a file of a device, as collect_read; blanks and the newline at its ends are cut. */
int devices_read(
    struct collect *c, struct devices *d, size_t index, size_t file, struct str *text_out);
/* The same without keeping the file open: for what is read seldom. */
int devices_read_once(
    struct collect *c, struct devices *d, size_t index, size_t file, struct str *text_out);
/* devices_read as a number; ERR_CORRUPT when it is none. */
int devices_read_number(
    struct collect *c, struct devices *d, size_t index, size_t file, double *value_out);

/* One metric for each device, from one of its files. */
struct device_metric {
    const char *name;
    enum metric_type type;
    size_t file;
    /* Value shown = number read × factor ÷ divisor; 0 stands for 1. */
    double factor;
    double divisor;
    const char *help;
};

/* Gives each metric of `rows` for all devices that have its file; the label `label` is the device's
 * name without its first `skip` bytes. */
void devices_give(struct collect *c, struct devices *d, const char *label, size_t skip,
    const struct device_metric *rows, size_t count);

#endif
