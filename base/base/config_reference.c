/* The reference of a settings table in Markdown, one row a key:
 *
 *   | Key | Kind | Default | Limits | Meaning |
 *
 * Members of nested tables follow their key, indented; `[]` marks a list of such tables. A table
 * that contains itself (routes within routes) is written once.
 */
#include "base/config.h"

#include "base/strbuf.h"
#include "units.h"

/* Tables within tables; deeper ones are not written out. */
enum { REFERENCE_DEPTH_MAX = 16 };

struct reference {
    struct strbuf *out;
    const struct config_field *path[REFERENCE_DEPTH_MAX]; /* tables being written */
    size_t depth;
};

static void write_limits(const struct config_field *f, struct strbuf *out)
{
    enum units_kind kind = f->kind == CONFIG_DURATION ? UNITS_DURATION
                           : f->kind == CONFIG_BYTES  ? UNITS_BYTES
                                                      : UNITS_NUMBER;
    if (f->min != 0 || f->max != 0) {
        units_write_limits(kind, f->min, f->max, out);
    }
}

/* Text inside a table cell. */
static void write_cell(const char *text, struct strbuf *out)
{
    for (; *text != '\0'; text++) {
        strbuf_add_c(out, *text == '|' ? "\\" : "");
        strbuf_add_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void write_row(const struct config_field *f, size_t depth, struct strbuf *out)
{
    static const char *const kinds[] = {
        [CONFIG_STRING] = "text",
        [CONFIG_BOOL] = "true or false",
        [CONFIG_INTEGER] = "whole number",
        [CONFIG_DOUBLE] = "number",
        [CONFIG_DURATION] = "duration",
        [CONFIG_BYTES] = "size",
        [CONFIG_STRING_LIST] = "list of words",
        [CONFIG_STRING_MAP] = "words to words",
        [CONFIG_OBJECT] = "group",
        [CONFIG_LIST] = "list",
        [CONFIG_NAMED_LIST] = "names to groups",
        [CONFIG_CUSTOM] = "see meaning",
        [CONFIG_IGNORED] = "any",
    };
    strbuf_add_c(out, "| ");
    for (size_t i = 0; i < depth; i++) {
        strbuf_add_c(out, "&emsp;");
    }
    strbuf_addf(out, "`%s`%s | %s | ", f->key, f->kind == CONFIG_LIST ? "[]" : "", kinds[f->kind]);
    if (f->required) {
        strbuf_add_c(out, "required");
    } else if (f->default_text != NULL) {
        strbuf_add_char(out, '`');
        write_cell(f->default_text, out);
        strbuf_add_char(out, '`');
    }
    strbuf_add_c(out, " | ");
    write_limits(f, out);
    strbuf_add_c(out, " | ");
    write_cell(f->help != NULL ? f->help : "", out);
    strbuf_add_c(out, " |\n");
}

static bool is_on_path(const struct reference *r, const struct config_field *fields)
{
    for (size_t i = 0; i < r->depth; i++) {
        if (r->path[i] == fields) {
            return true;
        }
    }
    return false;
}

static void write_table(struct reference *r, const struct config_field *fields)
{
    if (r->depth == REFERENCE_DEPTH_MAX || is_on_path(r, fields)) {
        return;
    }
    r->path[r->depth++] = fields;
    for (const struct config_field *f = fields; f->key != NULL; f++) {
        if (f->kind == CONFIG_REFUSED) {
            continue;
        }
        write_row(f, r->depth - 1, r->out);
        if (f->fields != NULL) {
            write_table(r, f->fields);
        }
    }
    r->depth--;
}

void config_write_reference(const struct config_field *fields, struct strbuf *out)
{
    strbuf_add_c(out, "| Key | Kind | Default | Limits | Meaning |\n|---|---|---|---|---|\n");
    struct reference r = {.out = out};
    write_table(&r, fields);
}
