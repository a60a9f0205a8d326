/* The identity of a series: an immutable set of labels, sorted by name, hashed, shared by reference
 * count. One allocation holds the header, the pairs and the text.
 *
 * Promise 5: names are sorted bytewise and unique; empty values are absent. Reference counts are
 * atomic, so a set may be held from any thread; everything else is read-only.
 */
#ifndef SONDE_MODEL_LABELS_H
#define SONDE_MODEL_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

/* Hard limits of one set, whatever the configuration says. */
#define LABELS_COUNT_MAX 1024
#define LABELS_BYTES_MAX ((size_t)1 << 20)

#define LABEL_METRIC_NAME "__name__"

struct label {
    struct str name;
    struct str value;
};

struct labels;

/* A new set of `count` pairs in any order; names and values are copied, pairs with empty values
 * left out. ERR_INVALID (named in `e`, which may be NULL) for an empty name or one that comes twice,
 * ERR_LIMIT, ERR_NOMEM. */
int labels_new(
    const struct label *pairs, size_t count, const struct labels **labels_out, struct err *e);
/* The set without labels; never NULL, never freed. */
const struct labels *labels_empty(void);
const struct labels *labels_ref(const struct labels *l);
/* Accepts NULL. */
void labels_unref(const struct labels *l);

size_t labels_count(const struct labels *l);
/* The index-th pair in name order; its slices live as long as the set. */
struct label labels_at(const struct labels *l, size_t index);
/* All pairs, in order. */
const struct label *labels_pairs(const struct labels *l);
/* The value of a name; an empty slice (len 0) when absent. */
struct str labels_get(const struct labels *l, struct str name);
bool labels_has(const struct labels *l, struct str name);
/* Equal sets have equal hashes; the same on every machine. */
uint64_t labels_hash(const struct labels *l);
/* Bytes this set occupies. */
size_t labels_memory(const struct labels *l);

bool labels_eq(const struct labels *a, const struct labels *b);
/* The order of results: pair by pair, name before value; a prefix comes first. */
int labels_cmp(const struct labels *a, const struct labels *b);

/* The pairs whose names are (keep = true) or are not (false) in `names`. */
int labels_restrict(const struct labels *l, const struct str *names, size_t name_count, bool keep,
    const struct labels **labels_out);
/* A hash over just those pairs, without building the set: group keys. */
uint64_t labels_restrict_hash(
    const struct labels *l, const struct str *names, size_t name_count, bool keep);

/* {a="b", c="d"} with __name__ in front of the braces, values quoted as PromQL does; {} when empty.
 * Names outside the classic grammar are quoted. */
void labels_write(const struct labels *l, struct strbuf *out);

/* [a-zA-Z_][a-zA-Z0-9_]*, and with ':' for metric names: the classic grammar. */
bool label_name_is_classic(struct str name);
bool metric_name_is_classic(struct str name);

/* ---- Building ---- */

/* Collects pairs; a later `set` of the same name replaces, an empty value deletes. Errors stick.
 * Names and values are borrowed until finish. */
struct labels_builder {
    struct label *pairs;
    size_t count, cap;
    int error;
    struct label inline_pairs[24];
};

void labels_builder_init(struct labels_builder *b);
/* Starts from a set, which must live until finish. */
void labels_builder_init_from(struct labels_builder *b, const struct labels *base);
void labels_builder_release(struct labels_builder *b);
void labels_builder_reset(struct labels_builder *b);
void labels_builder_set(struct labels_builder *b, struct str name, struct str value);
void labels_builder_delete(struct labels_builder *b, struct str name);
struct str labels_builder_get(const struct labels_builder *b, struct str name);
int labels_builder_finish(const struct labels_builder *b, const struct labels **labels_out);

#endif
