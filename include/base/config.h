/* Settings as tables: a struct is described by rows of {key, kind, offset, default, limits, help};
 * one loader reads it from YAML, one printer writes its reference for --help and docs.
 *
 * An unknown key is an error that names file, line, column and the keys that would be accepted
 * (the nearest one first). A value outside its limits says what the limits are.
 */
#ifndef SONDE_BASE_CONFIG_H
#define SONDE_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/yaml.h"

enum config_kind {
    CONFIG_STRING,      /* const char *, in the arena; NULL = unset */
    CONFIG_BOOL,        /* bool */
    CONFIG_INTEGER,     /* int64_t, with min and max */
    CONFIG_DOUBLE,      /* double */
    CONFIG_DURATION,    /* int64_t milliseconds: "15s", "1h30m"; min and max in milliseconds */
    CONFIG_BYTES,       /* int64_t bytes: "64MiB", "1GB", "512" */
    CONFIG_STRING_LIST, /* struct config_strings */
    CONFIG_STRING_MAP,  /* struct config_map: labels, headers */
    CONFIG_OBJECT,      /* an embedded struct described by `fields` */
    CONFIG_LIST,        /* struct config_list of structs described by `fields` */
    /* struct config_list, in the file a mapping of free names to objects: the items' first member is the
     * name (const char *), which is no row of `fields` */
    CONFIG_NAMED_LIST,
    CONFIG_CUSTOM, /* `read` does it */
    /* No member. A key of other programs that means nothing here: anything is taken, `help` says why. */
    CONFIG_IGNORED,
    /* No member. A key that is known and cannot be had: an error with `help` as its sentence, which says what
     * to write instead. It is named nowhere else. */
    CONFIG_REFUSED,
};

struct config_strings {
    const char **items;
    size_t count;
};

struct config_pair {
    const char *key;
    const char *value;
};

struct config_map {
    struct config_pair *items;
    size_t count;
};

struct config_list {
    void *items; /* array of `item_size` structs, in the arena */
    size_t count;
};

struct config_reader;

struct config_field {
    const char *key; /* NULL ends a table */
    enum config_kind kind;
    size_t offset;                     /* of the member in the struct */
    const char *default_text;          /* as one would write it in the file; NULL = zero */
    int64_t min, max;                  /* for integer, duration and bytes; both 0 = any */
    const struct config_field *fields; /* for object and lists */
    size_t item_size;                  /* for lists */
    const char *
        joined_by; /* of a string: a list of words is taken, too, joined by this; NULL: it is not */
    bool word_too; /* of a list of words: a word alone is a list of it */
    bool required;
    bool secret;      /* the text, or the values of a list or map, are shown as <secret> */
    const char *help; /* one line for people */
    /* For CUSTOM: reads `node` into `member`; on error fills the reader's err with config_fail. */
    int (*read)(struct config_reader *reader, const struct yaml_node *node, void *member);
};

struct config_reader {
    struct arena *arena;
    const char *file; /* for sentences */
    struct err *err;
};

/* Fills `target` with the defaults of the table. */
int config_defaults(
    struct arena *arena, const struct config_field *fields, void *target, struct err *e);
/* Defaults, then what `root` (may be NULL: empty file) says. */
int config_read(struct arena *arena, const char *file, const struct yaml_node *root,
    const struct config_field *fields, void *target, struct err *e);
/* A copy of a struct of `size` bytes whose strings and lists live in `arena`, and whether two say the
 * same: for what outlives the file it was read from. Not for tables with CUSTOM rows. 0 or the arena's
 * error. */
int config_copy(struct arena *arena, const struct config_field *fields, const void *from,
    size_t size, void *copy_out);
bool config_eq(const struct config_field *fields, const void *a, const void *b);
/* "file:line:column: sentence"; returns ERR_INVALID. */
int config_fail(struct config_reader *reader, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The reference in Markdown: a row for each key with kind, default, limits, help; nested tables
 * indented under their key. */
void config_write_reference(const struct config_field *fields, struct strbuf *out);

/* What others may see of a text of the row: `<secret>` when the row is one and the text is not empty; a
 * URL with `<secret>` in place of its user and password. */
void config_add_public(const struct config_field *field, const char *text, struct strbuf *out);
/* The same of a text without a row. */
void config_add_public_url(struct str text, struct strbuf *out);

/* "64MiB", "1GB", "10k", "512": units of 1000 and 1024; 0, ERR_INVALID or ERR_RANGE. */
int config_parse_bytes(struct str text, int64_t *bytes_out);
/* "15s", "1h30m", "90d", "0" in milliseconds, as Prometheus writes durations; 0, ERR_INVALID or
 * ERR_RANGE. */
int config_parse_duration(struct str text, int64_t *milliseconds_out);

#endif
