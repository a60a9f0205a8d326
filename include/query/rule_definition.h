/* What a rule file says, once it is read; see query/rules.h for what is made of it. Everything is borrowed
 * from whoever read the file. */
#ifndef SONDE_QUERY_RULE_DEFINITION_H
#define SONDE_QUERY_RULE_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/labels.h"

/* Between two evaluations of a group, when nothing else is said. */
#define RULES_INTERVAL_MS_DEFAULT ((int64_t)60 * 1000)
/* Of one file, and of all that is loaded. */
#define RULE_FILE_BYTES_MAX ((size_t)16 << 20)
#define RULE_FILE_GROUPS_MAX 10000
#define RULES_FILES_MAX 10000
#define RULES_GROUPS_MAX 100000
/* As Prometheus: how old a state may be to go on, and the least that a restored alert waits. */
#define RULES_OUTAGE_MS ((int64_t)60 * 60 * 1000)
#define RULES_GRACE_MS ((int64_t)10 * 60 * 1000)

struct rule_definition {
    bool alerting;
    struct str name; /* record or alert */
    struct str expr; /* in canonical form */
    int64_t for_ms, keep_firing_for_ms;
    const struct label
        *labels; /* the group's with the rule's over them, by name; values may be empty */
    size_t label_count;
    const struct label *annotations; /* by name */
    size_t annotation_count;
    size_t line; /* in its file, from 1 */
};

struct rule_group_definition {
    struct str name, file;
    int64_t interval_ms; /* 0 = the default */
    size_t limit;        /* 0 = none */
    bool has_query_offset;
    int64_t query_offset_ms;
    const struct label *labels;
    size_t label_count;
    const struct rule_definition *rules;
    size_t rule_count;
};

/* How the last evaluation of a rule went; unknown before the first. */
enum rule_health { RULE_UNKNOWN, RULE_OK, RULE_ERROR };

#endif
