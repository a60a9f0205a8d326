/* Lists of target groups, as files and web servers give them:
 *
 *   [ {"targets": ["host:port", …], "labels": {"name": "value", …}}, … ]
 *
 * in JSON or YAML. A key besides these two, a target that is no text and a label name outside the
 * classic grammar make the whole list bad: half of one would silently end targets. */
#ifndef SONDE_DISCOVERY_GROUP_LIST_H
#define SONDE_DISCOVERY_GROUP_LIST_H

#include "base/err.h"
#include "base/str.h"
#include "discovery/target_groups.h"

#define GROUP_LIST_BYTES_MAX ((size_t)32 << 20)

/* Adds all targets of the text to `list`, each with the label `meta` as well, unless its group sets it.
 * `name` is for sentences. 0, ERR_INVALID with a sentence, ERR_NOMEM, ERR_LIMIT; the list may hold a part
 * then. */
int group_list_parse_json(
    struct str text, const char *name, struct label meta, struct target_list *list, struct err *e);
int group_list_parse_yaml(
    struct str text, const char *name, struct label meta, struct target_list *list, struct err *e);

#endif
