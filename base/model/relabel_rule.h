/* One rule of relabelling as it is compiled, and the actions there are. Private to base/model. */
#ifndef SONDE_MODEL_RELABEL_RULE_H
#define SONDE_MODEL_RELABEL_RULE_H

#include "base/regex.h"
#include "model/relabel.h"
#include "model/series_selector.h"

struct rule;

/* What a rule does: 1 keep, 0 drop, negative error. `value` is the joined source. */
typedef int (*relabel_action)(
    const struct rule *rule, struct str value, struct labels_builder *b, struct arena *arena);

/* Settings that an action uses; any other must be left alone. */
enum uses {
    USES_TARGET = 1 << 0, /* and needs */
    USES_REGEX = 1 << 1,
    USES_REPLACEMENT = 1 << 2,
    USES_MODULUS = 1 << 3, /* and needs */
    USES_SOURCE = 1 << 4,  /* source_labels and separator */
    USES_MATCH = 1 << 5,   /* and needs, and labels */
    USES_PARTS = 1 << 6,   /* the pattern may match anywhere, and more than once */
    KEEPS = 1 << 7,        /* what its `if` is not for, it drops */
};

struct action {
    const char *name;
    relabel_action apply;
    unsigned uses;
};

/* A label that a rule sets: its value is expanded. */
struct rule_label {
    struct str name, value;
};

struct rule {
    const struct action *action;
    struct series_selector *when; /* one must match; none: always */
    size_t when_count;
    struct rule_label *labels;
    size_t label_count;
    struct str *sources;
    size_t source_count;
    struct str separator, target, replacement;
    struct regex *regex;
    uint64_t modulus;
};

/* NULL: there is none of that name, in small letters or large. */
const struct action *relabel_action_find(const char *name);
/* The names of all, for sentences. */
void relabel_action_write_names(struct strbuf *out);

#endif
