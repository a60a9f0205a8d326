/* Command-line flags from a table. See the header for the grammar; errors are sentences that name
 * the flag as it was written and what it would take.
 */
#include "base/flags.h"

#include <assert.h>

#include "nearest.h"
#include "units.h"

/* Column where the help texts begin. */
enum { HELP_COLUMN = 32 };

/* One word of the command line, taken apart. */
struct word {
    struct str name;  /* without dashes */
    struct str value; /* after "=": ptr NULL when there was none */
};

static struct word take_apart(const char *argument)
{
    struct str rest = str_of(argument);
    rest = str_skip(rest, str_starts_with(rest, STR("--")) ? 2 : 1);
    struct word word;
    word.name = str_split(&rest, '=');
    word.value = rest;
    return word;
}

static const struct flag *find(const struct flag *flags, struct str name)
{
    for (const struct flag *f = flags; f->name != NULL; f++) {
        if (str_eq_c(name, f->name)) {
            return f;
        }
    }
    return NULL;
}

/* "--no-name" of a boolean. */
static const struct flag *find_negated(const struct flag *flags, struct str name)
{
    if (!str_starts_with(name, STR("no-"))) {
        return NULL;
    }
    const struct flag *f = find(flags, str_skip(name, 3));
    return f != NULL && f->kind == FLAG_BOOL ? f : NULL;
}

static int unknown_flag(const struct flag *flags, struct str name, struct err *e)
{
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    for (const struct flag *f = flags; f->name != NULL; f++) {
        size_t distance = nearest_distance(name, str_of(f->name));
        if (distance < best) {
            best = distance;
            nearest = f->name;
        }
    }
    if (nearest != NULL && nearest_is_close(name, best)) {
        return err_set(
            e, ERR_INVALID, -1, "unknown flag --%.*s; did you mean --%s?", STR_ARG(name), nearest);
    }
    return err_set(
        e, ERR_INVALID, -1, "unknown flag --%.*s; --help lists the flags", STR_ARG(name));
}

static enum units_kind units_of(const struct flag *f)
{
    return f->kind == FLAG_DURATION ? UNITS_DURATION
           : f->kind == FLAG_BYTES  ? UNITS_BYTES
                                    : UNITS_NUMBER;
}

static bool has_limits(const struct flag *f)
{
    return f->min != 0 || f->max != 0;
}

static int fail_number(const struct flag *f, struct str value, int status, struct err *e)
{
    if (status == ERR_RANGE && has_limits(f)) {
        struct strbuf limits = STRBUF_INIT;
        units_write_limits(units_of(f), f->min, f->max, &limits);
        err_set(e, ERR_INVALID, -1, "flag --%s: %.*s is outside %.*s", f->name, STR_ARG(value),
            STR_ARG(strbuf_str(&limits)));
        strbuf_release(&limits);
        return ERR_INVALID;
    }
    return err_set(e, ERR_INVALID, -1, "flag --%s: \"%.*s\" is not %s%s", f->name, STR_ARG(value),
        units_wanted(units_of(f)), status == ERR_RANGE ? " that can be held" : "");
}

static int set_number(const struct flag *f, struct str value, struct err *e)
{
    int64_t number = 0;
    int status = units_parse(units_of(f), value, &number);
    if (status == 0 && has_limits(f) && (number < f->min || number > f->max)) {
        status = ERR_RANGE;
    }
    if (status != 0) {
        return fail_number(f, value, status, e);
    }
    *(int64_t *)f->value = number;
    return 0;
}

static int set_bool(const struct flag *f, struct str value, struct err *e)
{
    if (str_eq_c(value, "true") || str_eq_c(value, "false")) {
        *(bool *)f->value = value.ptr[0] == 't';
        return 0;
    }
    return err_set(
        e, ERR_INVALID, -1, "flag --%s: \"%.*s\" is not true or false", f->name, STR_ARG(value));
}

/* `value` is the end of an argument, hence zero-terminated. */
static int set_value(const struct flag *f, struct str value, struct err *e)
{
    struct flag_strings *strings = f->value;
    switch (f->kind) {
    case FLAG_STRING:
        *(const char **)f->value = value.ptr;
        return 0;
    case FLAG_STRINGS:
        if (strings->count == FLAG_STRINGS_MAX) {
            return err_set(e, ERR_INVALID, -1, "flag --%s may be given %d times at most", f->name,
                FLAG_STRINGS_MAX);
        }
        strings->items[strings->count++] = value.ptr;
        return 0;
    case FLAG_BOOL:
        return set_bool(f, value, e);
    default:
        return set_number(f, value, e);
    }
}

/* Sets the flag of argv[index]; *used_out says how many arguments it took. */
static int parse_flag(
    const struct flag *flags, int argc, char **argv, int index, int *used_out, struct err *e)
{
    struct word word = take_apart(argv[index]);
    const struct flag *f = find(flags, word.name);
    const struct flag *negated = f == NULL ? find_negated(flags, word.name) : NULL;
    *used_out = 1;
    if (negated != NULL) {
        if (word.value.ptr != NULL) {
            return err_set(e, ERR_INVALID, -1, "flag --%.*s takes no value", STR_ARG(word.name));
        }
        *(bool *)negated->value = false;
        return 0;
    }
    if (f == NULL) {
        return unknown_flag(flags, word.name, e);
    }
    if (word.value.ptr == NULL && f->kind == FLAG_BOOL) {
        *(bool *)f->value = true;
        return 0;
    }
    if (word.value.ptr == NULL) {
        if (index + 1 >= argc) {
            return err_set(e, ERR_INVALID, -1, "flag --%s needs a value: --%s %s", f->name, f->name,
                f->parameter != NULL ? f->parameter : "VALUE");
        }
        word.value = str_of(argv[index + 1]);
        *used_out = 2;
    }
    return set_value(f, word.value, e);
}

int flags_parse(const struct flag *flags, int argc, char **argv, const char **positional,
    size_t positional_cap, size_t *positional_count_out, struct err *e)
{
    size_t count = 0;
    bool flags_ended = false;
    for (int i = 1; i < argc;) {
        const char *argument = argv[i];
        if (!flags_ended && strcmp(argument, "--") == 0) {
            flags_ended = true;
            i++;
        } else if (!flags_ended && argument[0] == '-' && argument[1] != '\0') {
            int used;
            int status = parse_flag(flags, argc, argv, i, &used, e);
            if (status != 0) {
                return status;
            }
            i += used;
        } else {
            if (count == positional_cap) {
                return err_set(e, ERR_INVALID, -1, "unexpected argument \"%s\"", argument);
            }
            positional[count++] = argument;
            i++;
        }
    }
    if (positional_count_out != NULL) {
        *positional_count_out = count;
    }
    return 0;
}

void flags_write_help(const struct flag *flags, struct strbuf *out)
{
    for (const struct flag *f = flags; f->name != NULL; f++) {
        size_t begin = out->size;
        strbuf_addf(out, "  --%s", f->name);
        if (f->parameter != NULL) {
            strbuf_addf(out, " %s", f->parameter);
        }
        size_t width = out->size - begin;
        if (width + 2 > HELP_COLUMN) {
            strbuf_add_char(out, '\n');
            width = 0;
        }
        strbuf_addf(out, "%*s%s\n", (int)(HELP_COLUMN - width), "", f->help);
    }
}
