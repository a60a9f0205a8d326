/* Rule files as Prometheus has them: text -> groups -> text.
 *
 *   groups:
 *     - name: text, unique in the file
 *       interval: duration       limit: count      query_offset: duration
 *       labels: {name: value}
 *       rules:
 *         - record: metric name         - alert: text
 *           expr: PromQL                  expr: PromQL
 *           labels: {name: value}         for: duration      keep_firing_for: duration
 *                                         labels, annotations: {name: template}
 *
 * Anything else is an error with line and column. Expressions and templates are parsed; a rule keeps its
 * expression in canonical form.
 */
#ifndef SONDE_QUERY_RULE_FILE_H
#define SONDE_QUERY_RULE_FILE_H

#include "base/err.h"
#include "base/strbuf.h"
#include "query/promql.h"
#include "query/rule_definition.h"

/* Shared and immutable: whoever evaluates a group holds the file it came from. */
struct rule_file;

/* Parses `text`; `name` becomes the groups' `file`. ERR_INVALID "NAME:LINE:COLUMN: group …" for the
 * first problem; with `problems` (may be NULL) reading goes on, and each problem is a line there. */
int rule_file_parse(const char *name, struct str text, struct promql_features features,
    struct strbuf *problems, struct rule_file **file_out, struct err *e);
/* Reads the file at `path` from the disk, for tools. ERR_IO, ERR_NOT_FOUND … too. */
int rule_file_read(const char *path, struct promql_features features, struct strbuf *problems,
    struct rule_file **file_out, struct err *e);
/* The same for one group alone, as the API is given it. */
int rule_file_parse_group(const char *name, struct str text, struct promql_features features,
    struct rule_file **file_out, struct err *e);
/* Accepts NULL. */
void rule_file_unref(struct rule_file *file);
struct rule_file *rule_file_ref(struct rule_file *file);

const struct rule_group_definition *rule_file_groups(
    const struct rule_file *file, size_t *count_out);

/* Equal in all that matters for evaluation. */
bool rule_group_eq(const struct rule_group_definition *a, const struct rule_group_definition *b);

/* The group as YAML, as an item of a list: first line "- name: …", each line after `indent` spaces. */
void rule_group_write(const struct rule_group_definition *group, size_t indent, struct strbuf *out);
/* The group as a document of its own. */
void rule_group_write_alone(const struct rule_group_definition *group, struct strbuf *out);

#endif
