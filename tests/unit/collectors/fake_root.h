/* A host made of files: a temporary directory with proc, sys, root and udev in it, and passes of
 * collectors over it whose samples are compared as text. */
#ifndef SONDE_TESTS_FAKE_ROOT_H
#define SONDE_TESTS_FAKE_ROOT_H

#include "base/strbuf.h"
#include "collectors/collector.h"
#include "support/support.h"

struct fake_root {
    char path[128];
    char proc[160];
    char sys[160];
    char root[160];
    char udev[160];
    struct collectors_options options; /* may be changed before fake_root_open */
    const char *switches[2];
    struct collectors *collectors;
    struct strbuf text; /* samples of the last pass */
    struct clock clock; /* stands still; moved by hand */
    int64_t now_ms;
};

/* Makes the empty directory; `collector` is the one that will run. */
void fake_root_init(struct fake_root *f, const char *collector);
void fake_root_release(struct fake_root *f);

/* Writes a file, "proc/loadavg", and the directories above it. */
void fake_root_write(struct fake_root *f, const char *path, const char *text);
void fake_root_remove(struct fake_root *f, const char *path);
/* A symbolic link at `path` to `target`. */
void fake_root_link(struct fake_root *f, const char *path, const char *target);

/* One pass. Returns the collector's status; `text` then holds its samples without comments and without
 * the metrics about the pass. */
int fake_root_run(struct fake_root *f);

/* One pass that must end with `status` and give exactly these lines, in this order. */
void fake_root_expect(struct fake_root *f, int status, const char *samples);

#endif
