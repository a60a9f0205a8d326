/* What a series of a body is called in the end. */
#include "scrape/target_labels.h"

#include <string.h>

#include "intake/intake.h"

/* exported_exported_… : a body that has more of them than this is refused. */
enum { EXPORTED_PREFIXES_MAX = 8 };

static bool has_label(const struct label *pairs, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(pairs[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Keeps the body's value of a label whose name the target took: as exported_<name>, with as many
 * prefixes as it takes to find a name that neither side has. */
static int keep_exported(const struct target_options *o, struct label pair,
    struct labels_builder *b, struct arena *arena)
{
    static const struct str prefix = {"exported_", 9};
    struct str name = pair.name;
    for (int i = 0; i < EXPORTED_PREFIXES_MAX; i++) {
        char *text = arena_alloc(arena, prefix.len + name.len);
        if (text == NULL) {
            return arena_error(arena);
        }
        memcpy(text, prefix.ptr, prefix.len);
        memcpy(text + prefix.len, name.ptr, name.len);
        name = str_make(text, prefix.len + name.len);
        if (labels_builder_get(b, name).len == 0 && !labels_has(o->labels, name)) {
            labels_builder_set(b, name, pair.value);
            return 0;
        }
    }
    return ERR_LIMIT;
}

/* The labels a series gets: its own and the target's. Where both have a name the target's wins and
 * the body's is kept as exported_<name>; with honor_labels the body's wins, an empty value included,
 * which is how a body asks to go without the label. */
static int final_labels(const struct target_options *o, const struct label *pairs, size_t count,
    struct labels_builder *b, struct arena *arena)
{
    int status = 0;
    labels_builder_init(b);
    for (size_t i = 0; i < count; i++) {
        if (has_label(pairs, i, pairs[i].name)) {
            return ERR_INVALID; /* twice: which one would it be? */
        }
        labels_builder_set(b, pairs[i].name, pairs[i].value);
    }
    for (size_t i = 0; status == 0 && i < labels_count(o->labels); i++) {
        struct label own = labels_at(o->labels, i);
        if (o->honor_labels && has_label(pairs, count, own.name)) {
            continue;
        }
        struct str theirs = labels_builder_get(b, own.name);
        if (theirs.len > 0) {
            status = keep_exported(o, (struct label){own.name, theirs}, b, arena);
        }
        labels_builder_set(b, own.name, own.value);
    }
    return status == 0 ? b->error : status;
}

/* Limits on the labels of one series, as they are after relabelling. */
static int check_label_limits(
    const struct target_options *o, const struct labels_builder *b, size_t line, struct err *e)
{
    if (o->label_limit > 0 && b->count > o->label_limit) {
        return err_set(e, ERR_LIMIT, -1, "line %zu: a series of %zu labels; label_limit is %zu",
            line, b->count, o->label_limit);
    }
    for (size_t i = 0; i < b->count; i++) {
        struct label pair = b->pairs[i];
        if (o->label_name_limit > 0 && pair.name.len > o->label_name_limit) {
            return err_set(e, ERR_LIMIT, -1,
                "line %zu: a label name of %zu bytes; label_name_length_limit is %zu", line,
                pair.name.len, o->label_name_limit);
        }
        if (o->label_value_limit > 0 && pair.value.len > o->label_value_limit) {
            return err_set(e, ERR_LIMIT, -1,
                "line %zu: a value of label %.*s of %zu bytes; label_value_length_limit is %zu",
                line, STR_ARG(pair.name), pair.value.len, o->label_value_limit);
        }
    }
    return 0;
}

int target_labels_encode(const struct target_options *o, struct exposition_parser *p,
    const struct label *pairs, size_t count, struct strbuf *out, struct err *e)
{
    struct labels_builder b;
    int status = final_labels(o, pairs, count, &b, p->arena);
    if (status == 0) {
        status = relabel_apply(o->metric_relabel, &b, p->arena);
    }
    if (status == 1 && labels_builder_get(&b, STR(LABEL_METRIC_NAME)).len == 0) {
        status = err_set(e, ERR_INVALID, -1, "line %zu: the series has no metric name", p->line);
    }
    if (status == 1) {
        int within = check_label_limits(o, &b, p->line, e);
        status = within != 0 ? within : status;
    }
    strbuf_reset(out);
    if (status == 1) {
        int made = intake_encode_labels(o->external, &b, out);
        status = made == 0 ? 1 : made;
    }
    labels_builder_release(&b);
    return status;
}
