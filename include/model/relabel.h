/* Relabelling: Prometheus' rules that rewrite a label set or drop what carries it. Targets before a
 * scrape, series after it, series before they are sent, alerts before they are routed.
 *
 * A compiled list is immutable, shared by reference count, from any thread. A rule sees what the rules before
 * it left. Labels and their values are any UTF-8.
 */
#ifndef SONDE_MODEL_RELABEL_H
#define SONDE_MODEL_RELABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "model/labels.h"

/* Rules of one list. */
#define RELABEL_RULES_MAX 1000

/* One rule as a configuration file has it, vmagent's additions included; read with relabel_fields. */
struct relabel_rule {
    const char *action;         /* as in Prometheus: replace, keep, drop, … */
    struct config_strings when; /* `if`: selectors, one of which must match; none: it is for all */
    struct config_strings source_labels;
    const char *separator;
    const char *regex;
    int64_t modulus;
    const char *target_label;
    const char *replacement;
    /* Of the action graphite. */
    const char *match; /* a template of names; NULL or empty: none */
    struct config_map labels;
};

/* The table of a rule, for a CONFIG_LIST with `item_size` sizeof(struct relabel_rule). */
extern const struct config_field relabel_fields[];

struct relabel;

/* Compiles a list; strings are copied. ERR_INVALID names the rule (from 1) and what is wrong with it;
 * ERR_LIMIT, ERR_NOMEM. */
int relabel_new(
    const struct relabel_rule *rules, size_t count, struct relabel **relabel_out, struct err *e);
struct relabel *relabel_ref(struct relabel *r);
/* Both accept NULL. The list goes with its last reference. */
void relabel_unref(struct relabel *r);
/* Same rules in the same order; NULL is the empty list. */
bool relabel_eq(const struct relabel *a, const struct relabel *b);
/* Accepts NULL: 0. */
size_t relabel_count(const struct relabel *r);

/* Rewrites `b` by all rules, or by one (for a dry run). New names and values are in `arena`, which
 * must live until the builder is finished. Returns 1 to keep, 0 when a rule dropped it (`b` is then
 * as that rule found it), ERR_NOMEM or ERR_LIMIT. `r` NULL keeps. */
int relabel_apply(const struct relabel *r, struct labels_builder *b, struct arena *arena);
int relabel_apply_one(
    const struct relabel *r, size_t index, struct labels_builder *b, struct arena *arena);

#endif
