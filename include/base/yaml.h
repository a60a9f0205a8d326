/* YAML in: a file read into a tree of nodes that remember line and column, so that every complaint
 * about a configuration can point. The wrapper of libyaml; the one file that includes it is
 * base/base/yaml.c. Anchors and aliases are resolved, with a limit on what they may expand to;
 * duplicate keys of a mapping are an error.
 */
#ifndef SONDE_BASE_YAML_H
#define SONDE_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

#define YAML_DEPTH_MAX 64
#define YAML_NODES_MAX 1000000
#define YAML_FILE_BYTES_MAX ((size_t)64 << 20)

struct yaml_node {
    enum yaml_kind kind;
    size_t line, column;        /* from 1 */
    struct str text;            /* scalar; zero-terminated too */
    bool plain;                 /* scalar without quotes: may mean null, a number, a boolean */
    struct yaml_entry *entries; /* sequence (key NULL) or mapping, in file order */
    size_t count;
};

struct yaml_entry {
    struct yaml_node *key;
    struct yaml_node *value;
};

/* Parses one document. Nodes live in `arena`. An empty document gives *node_out = NULL and 0.
 * ERR_INVALID with "NAME:LINE:COLUMN: what"; `name` is only used in sentences. */
int yaml_parse(struct arena *arena, const char *name, struct str text, struct yaml_node **node_out,
    struct err *e);
/* The value under `key` of a mapping, or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
/* Plain scalar "", "~", "null". */
bool yaml_is_null(const struct yaml_node *node);

#endif
