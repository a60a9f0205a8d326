/* The labels and annotations of an alerting rule: templates, parsed once, expanded for each alert. Texts
 * without a template are taken as they are.
 *
 * A text that cannot be expanded becomes "<error expanding template: …>", as in Prometheus; it neither
 * stops the alert nor the rule. A label that expands to nothing is taken off, an annotation is left out.
 *
 * Immutable after it is made.
 */
#ifndef SONDE_QUERY_RULE_TEXTS_H
#define SONDE_QUERY_RULE_TEXTS_H

#include "query/rule_definition.h"
#include "query/template.h"

struct rule_texts;

/* `definition` is borrowed. ERR_INVALID 'label "severity": template: …', ERR_NOMEM. */
int rule_texts_new(
    const struct rule_definition *definition, struct rule_texts **texts_out, struct err *e);
/* Accepts NULL. */
void rule_texts_free(struct rule_texts *t);

/* Does a text of an alert parse? For whoever reads files and can point to it. ERR_INVALID with the template's
 * sentence, ERR_LIMIT, ERR_NOMEM. */
int rule_text_check(struct str alert, struct str text, struct err *e);

/* What the texts of one evaluation are told. */
struct rule_texts_world {
    struct template_hooks hooks;
    const struct labels *external_labels;
    struct str external_url;
};

/* The labels of the alert that a sample stands for (without the metric's name, `alertname` put on) and its
 * annotations: new references. ERR_NOMEM, ERR_LIMIT. */
int rule_texts_expand(const struct rule_texts *t, const struct rule_texts_world *world,
    const struct labels *sample, double value, const struct labels **labels_out,
    const struct labels **annotations_out);

#endif
