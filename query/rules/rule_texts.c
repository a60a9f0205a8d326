/* Expanding the texts of alerts. Most rules of most files have plain labels, and annotations are often
 * plain too: what has no template costs nothing but the label set, and annotations without any are made
 * once for all alerts. */
#include "rules/rule_texts.h"

#include <string.h>

#include "base/mem.h"

struct rule_texts {
    const struct rule_definition *definition;
    struct template **labels;               /* one for each; NULL: plain */
    struct template **annotations;          /* likewise */
    const struct labels *plain_annotations; /* NULL: some are templates */
};

static bool is_template(struct str text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] == '{' && text.ptr[i + 1] == '{') {
            return true;
        }
    }
    return false;
}

static int parse_one(
    struct str alert, struct str text, struct template **template_out, struct err *e)
{
    const struct template_options options = {.functions = TEMPLATE_FUNCTIONS_RULES};
    struct strbuf name = STRBUF_INIT, whole = STRBUF_INIT;
    strbuf_addf(&name, "__alert_%.*s", STR_ARG(alert));
    strbuf_add_c(&whole, TEMPLATE_RULE_PREFIX);
    strbuf_add_str(&whole, text);
    int status = strbuf_error(&name) != 0 ? strbuf_error(&name) : strbuf_error(&whole);
    status = status != 0
                 ? err_set(e, status, -1, "%s", err_text(status))
                 : template_parse(strbuf_str(&name), strbuf_str(&whole), &options, template_out, e);
    strbuf_release(&name);
    strbuf_release(&whole);
    return status;
}

int rule_text_check(struct str alert, struct str text, struct err *e)
{
    struct template *template = NULL;
    int status = is_template(text) ? parse_one(alert, text, &template, e) : 0;
    template_free(template);
    return status;
}

static int parse_all(const struct rule_definition *rule, const struct label *texts, size_t count,
    const char *what, struct template ***templates_out, struct err *e)
{
    struct template **templates = mem_calloc(count + 1, sizeof(struct template *));
    if (templates == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    *templates_out = templates;
    for (size_t i = 0; i < count; i++) {
        if (!is_template(texts[i].value)) {
            continue;
        }
        int status = parse_one(rule->name, texts[i].value, &templates[i], e);
        if (status != 0) {
            err_prefix(e, "%s \"%.*s\"", what, STR_ARG(texts[i].name));
            return status;
        }
    }
    return 0;
}

int rule_texts_new(
    const struct rule_definition *definition, struct rule_texts **texts_out, struct err *e)
{
    struct rule_texts *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    const struct rule_definition *d = t->definition = definition;
    int status = parse_all(d, d->labels, d->label_count, "label", &t->labels, e);
    if (status == 0) {
        status =
            parse_all(d, d->annotations, d->annotation_count, "annotation", &t->annotations, e);
    }
    bool plain = status == 0;
    for (size_t i = 0; i < d->annotation_count && plain; i++) {
        plain = t->annotations[i] == NULL;
    }
    if (plain) {
        status = labels_new(d->annotations, d->annotation_count, &t->plain_annotations, e);
    }
    if (status != 0) {
        rule_texts_free(t);
        return status;
    }
    *texts_out = t;
    return 0;
}

static void free_all(struct template **templates, size_t count)
{
    for (size_t i = 0; templates != NULL && i < count; i++) {
        template_free(templates[i]);
    }
    mem_free(templates);
}

void rule_texts_free(struct rule_texts *t)
{
    if (t != NULL) {
        free_all(t->labels, t->definition->label_count);
        free_all(t->annotations, t->definition->annotation_count);
        labels_unref(t->plain_annotations);
        mem_free(t);
    }
}

/* ---- Expanding ---- */

/* One alert under way; memory for its texts. */
struct expansion {
    const struct rule_texts_world *world;
    struct str name; /* of the alert */
    struct arena arena;
    struct template_value data; /* nil until a template asks */
    const struct labels *sample;
    double value;
};

static int expand(
    struct expansion *x, const struct template *template, struct str plain, struct str *text_out)
{
    *text_out = plain;
    if (template == NULL) {
        return 0;
    }
    if (x->data.kind == TEMPLATE_NIL) {
        x->data = template_rule_data(
            &x->arena, x->sample, x->world->external_labels, x->world->external_url, x->value);
    }
    struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    int status = x->data.kind == TEMPLATE_NIL
                     ? ERR_NOMEM
                     : template_execute(template, &x->data, &x->world->hooks, NULL, &out, &e);
    if (status != 0 && status != ERR_NOMEM) {
        strbuf_reset(&out);
        strbuf_addf(&out, "<error expanding template: error executing template __alert_%.*s: %s>",
            STR_ARG(x->name), e.message);
        status = 0;
    }
    status = status != 0 ? status : strbuf_error(&out);
    if (status == 0) {
        char *copy = arena_strndup(&x->arena, out.data != NULL ? out.data : "", out.size);
        *text_out = str_make(copy, out.size);
        status = copy == NULL ? arena_error(&x->arena) : 0;
    }
    strbuf_release(&out);
    return status;
}

static int expand_labels(
    const struct rule_texts *t, struct expansion *x, const struct labels **labels_out)
{
    const struct rule_definition *d = t->definition;
    struct labels_builder b;
    int status = 0;
    labels_builder_init_from(&b, x->sample);
    labels_builder_delete(&b, STR(LABEL_METRIC_NAME));
    for (size_t i = 0; i < d->label_count && status == 0; i++) {
        struct str text;
        status = expand(x, t->labels[i], d->labels[i].value, &text);
        if (status == 0) {
            labels_builder_set(&b, d->labels[i].name, text);
        }
    }
    if (status == 0) {
        labels_builder_set(&b, STR("alertname"), d->name);
        status = labels_builder_finish(&b, labels_out);
    }
    labels_builder_release(&b);
    return status;
}

static int expand_annotations(
    const struct rule_texts *t, struct expansion *x, const struct labels **annotations_out)
{
    const struct rule_definition *d = t->definition;
    if (t->plain_annotations != NULL) {
        *annotations_out = labels_ref(t->plain_annotations);
        return 0;
    }
    struct label *pairs = arena_calloc(&x->arena, d->annotation_count, sizeof(*pairs));
    int status = pairs == NULL ? arena_error(&x->arena) : 0;
    for (size_t i = 0; i < d->annotation_count && status == 0; i++) {
        pairs[i].name = d->annotations[i].name;
        status = expand(x, t->annotations[i], d->annotations[i].value, &pairs[i].value);
    }
    return status != 0 ? status : labels_new(pairs, d->annotation_count, annotations_out, NULL);
}

int rule_texts_expand(const struct rule_texts *t, const struct rule_texts_world *world,
    const struct labels *sample, double value, const struct labels **labels_out,
    const struct labels **annotations_out)
{
    struct expansion x = {
        .world = world, .name = t->definition->name, .sample = sample, .value = value};
    const struct labels *labels = NULL;
    arena_init(&x.arena, TEMPLATE_MEMORY_BYTES_DEFAULT);
    int status = expand_labels(t, &x, &labels);
    if (status == 0) {
        status = expand_annotations(t, &x, annotations_out);
    }
    arena_release(&x.arena);
    if (status != 0) {
        labels_unref(labels);
        return status;
    }
    *labels_out = labels;
    return 0;
}
