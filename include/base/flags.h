/* Command-line flags as a table, for the programs' `main`s: `--name value` and `--name=value`, one
 * dash accepted too; --help is written from the rows.
 */
#ifndef SONDE_BASE_FLAGS_H
#define SONDE_BASE_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

enum flag_kind {
    FLAG_STRING,   /* const char **: borrowed from argv */
    FLAG_BOOL,     /* bool *: --name, --no-name, --name=true|false */
    FLAG_INTEGER,  /* int64_t *, min..max */
    FLAG_DURATION, /* int64_t * milliseconds */
    FLAG_BYTES,    /* int64_t * bytes */
    FLAG_STRINGS,  /* struct flag_strings *: repeatable */
};

#define FLAG_STRINGS_MAX 64

struct flag_strings {
    const char *items[FLAG_STRINGS_MAX];
    size_t count;
};

struct flag {
    const char *name; /* without dashes; NULL ends the table */
    enum flag_kind kind;
    void *value;           /* filled when the flag is given; holds the default before */
    const char *parameter; /* shown in help, e.g. "FILE" */
    const char *help;      /* default included where it helps */
    int64_t min, max;      /* numbers; both 0 = any */
};

/* Parses argv[1..]. Words that are not flags go to `positional` (at most positional_cap), in order;
 * "--" ends the flags. ERR_INVALID with a sentence that names the flag, and the nearest known one
 * for an unknown. */
int flags_parse(const struct flag *flags, int argc, char **argv, const char **positional,
    size_t positional_cap, size_t *positional_count_out, struct err *e);
void flags_write_help(const struct flag *flags, struct strbuf *out);

#endif
