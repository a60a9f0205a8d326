/* What a pass lends to its collectors: the sink, the roots, and files that stay open.
 *
 * Kernel files are opened once and read again at offset 0 in each pass: the kernel makes their text
 * anew at each read, and path walk, open and close cost more than most reads. Two traps are handled
 * here. Below /proc/sys the kernel allocates and clears a buffer as large as the read asks for, so
 * those are read in small pieces. And an open file of a device that went away and came back fails
 * for ever, so a failed read opens the file again: at once the first time, then seldom.
 */
#ifndef SONDE_COLLECTORS_COLLECT_H
#define SONDE_COLLECTORS_COLLECT_H

#include "base/regex.h"
#include "base/strbuf.h"
#include "collectors/collector.h"

/* Files that one set of collectors keeps open; what is read beyond is opened for each read. */
#define COLLECT_FILES_MAX 256
/* Longest text of one file; /proc/interrupts of the largest machines is below a tenth. */
#define COLLECT_TEXT_MAX ((size_t)16 << 20)
/* A file that was not there, or that answers with an error, is opened again after so many passes. */
#define COLLECT_RETRY_PASSES 32
/* Longest path below a root. */
#define COLLECT_PATH_MAX 1024

enum collect_root { COLLECT_PROC, COLLECT_SYS, COLLECT_ROOT, COLLECT_UDEV, COLLECT_ROOTS };

struct collect {
    struct metric_sink *sink;
    struct vfs *vfs;
    struct clock *clock;
    const char *roots[COLLECT_ROOTS];
    const char *settings[COLLECTOR_SETTING_COUNT];
    bool use_netlink;
    uint64_t pass; /* counts from 1 */
    unsigned kept_files;
    char *text; /* of the file read last */
    size_t text_cap;
};

/* A file between passes. Zeroed = never looked for. */
struct kept_file {
    struct vfs_file *file;
    uint64_t retry_at; /* pass in which to open again what is missing or fails; 0 = all is well */
};

/* Reads the whole file; the text lives until the next read through `c`. ERR_NOT_FOUND, ERR_LIMIT,
 * ERR_NOMEM, or what reading gave (ERR_IO for a device that answers with an error). */
int collect_read(struct collect *c, struct kept_file *f, enum collect_root root, const char *path,
    struct str *text_out);
/* The half of it that needs no path: reads the file if it is open, and says ERR_CLOSED when it must
 * be opened. `small` for files of sysfs and /proc/sys. */
int collect_read_again(struct collect *c, struct kept_file *f, bool small, struct str *text_out);
void kept_file_close(struct collect *c, struct kept_file *f);

/* The same for a file that is replaced by renaming, or read rarely: opened and closed here. */
int collect_read_once(
    struct collect *c, enum collect_root root, const char *path, struct str *text_out);

/* A file that holds one number (surrounding blanks ignored); ERR_CORRUPT when it does not. */
int collect_read_number(struct collect *c, struct kept_file *f, enum collect_root root,
    const char *path, double *value_out);

/* "<root>/<path>" into `buffer`; ERR_LIMIT when it does not fit. */
int collect_path(
    const struct collect *c, enum collect_root root, const char *path, char *buffer, size_t size);

/* A setting that is "true" or "false"; anything else is ERR_INVALID with a sentence. */
int collect_switch(
    const struct collect *c, enum collector_setting setting, bool *value_out, struct err *e);

/* ---- Include and exclude patterns ---- */

struct collect_filter {
    struct regex *include; /* NULL = everything */
    struct regex *exclude; /* NULL = nothing */
};

/* Compiles a pair of settings. An include that is set replaces an exclude left at its default; both
 * set by the user are ERR_INVALID. Patterns find a match anywhere, as in node_exporter: anchors are
 * theirs. */
int collect_filter_open(const struct collect *c, enum collector_setting include,
    enum collector_setting exclude, struct collect_filter *filter_out, struct err *e);
/* One pattern as a filter that accepts what matches. */
int collect_filter_open_include(const struct collect *c, enum collector_setting include,
    struct collect_filter *filter_out, struct err *e);
/* One pattern as a filter that refuses what matches. */
int collect_filter_open_exclude(const struct collect *c, enum collector_setting exclude,
    struct collect_filter *filter_out, struct err *e);
bool collect_filter_accepts(const struct collect_filter *filter, struct str text);
void collect_filter_close(struct collect_filter *filter);

/* ---- Text for labels ---- */

/* Writes `raw` to `buffer`, each run of bytes that are no valid UTF-8 replaced by one U+FFFD (as Go and
 * so node_exporter do), cut at `size`; returns the slice of the buffer, or `raw` itself when nothing
 * had to change. */
struct str collect_label_text(struct str raw, char *buffer, size_t size);

/* Decimal digits of a number, for labels such as cpu. */
struct number_text {
    char digits[20];
};
struct str collect_number_text(uint64_t value, struct number_text *text);

#endif
