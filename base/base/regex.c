/* Regular expressions: a compiled RE2 program with what is known about it beforehand.
 *
 * Matching tries the cheap knowledge first: the literal set (binary search), the prefix, "matches
 * everything"; only then RE2 runs. The hints come from regex_hints.c.
 */
#include "base/regex.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "regex_hints.h"
#include "regex_shim.h"

/* Memory for hints while they are worked out. */
#define REGEX_HINT_BYTES_MAX ((size_t)4 << 20)

/* How much of a pattern a sentence quotes. */
#define REGEX_QUOTE_MAX 200

struct regex {
    struct regex_program *program;
    struct regex_hints hints;
    struct arena arena; /* literals and prefix */
};

/* Go names groups "(?<name>" as well as "(?P<name>" since 1.22, the RE2 of Debian 12 only the second
 * way: writes the pattern for it. Brackets, escapes and quoted text are stepped over; look-behind,
 * "(?<=" and "(?<!", stays what it is, an error in both. */
static void write_for_re2(struct str pattern, struct strbuf *out)
{
    bool in_class = false, quoted = false;
    for (size_t i = 0; i < pattern.len; i++) {
        struct str rest = str_skip(pattern, i);
        bool escape = rest.ptr[0] == '\\' && rest.len > 1;
        quoted = escape ? rest.ptr[1] == 'Q' || (quoted && rest.ptr[1] != 'E') : quoted;
        strbuf_add_char(out, rest.ptr[0]);
        if (escape) {
            strbuf_add_char(out, rest.ptr[1]);
            i++;
        } else if (quoted) {
            continue;
        } else if (in_class) {
            in_class = rest.ptr[0] != ']';
        } else if (rest.ptr[0] == '[') {
            /* A bracket right at the beginning of a class belongs to it. */
            size_t first = 1 + (rest.len > 1 && rest.ptr[1] == '^');
            first += rest.len > first && rest.ptr[first] == ']';
            strbuf_add(out, rest.ptr + 1, first - 1);
            i += first - 1;
            in_class = true;
        } else if (str_starts_with(rest, STR("(?<")) && rest.len > 3 && rest.ptr[3] != '=' &&
                   rest.ptr[3] != '!') {
            strbuf_add_c(out, "?P");
            i++;
        }
    }
}

static int compile(
    struct str pattern, bool dot_matches_newline, struct regex_program **program_out, struct err *e)
{
    char message[256];
    int quoted = (int)(pattern.len < REGEX_QUOTE_MAX ? pattern.len : REGEX_QUOTE_MAX);
    switch (regex_program_new(pattern.ptr, pattern.len, dot_matches_newline, REGEX_MEMORY_MAX,
        program_out, message, sizeof(message))) {
    case REGEX_SHIM_OK:
        return 0;
    case REGEX_SHIM_INVALID:
        return err_set(e, ERR_INVALID, -1, "invalid regular expression \"%.*s\": %s", quoted,
            pattern.ptr, message);
    case REGEX_SHIM_TOO_LARGE:
        return err_set(e, ERR_LIMIT, -1,
            "regular expression \"%.*s\" needs more than %zu bytes when compiled", quoted,
            pattern.ptr, REGEX_MEMORY_MAX);
    default:
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
}

/* Copies the strings of `from` out of scratch memory. */
static int keep_hints(struct regex *r, const struct regex_literals *from)
{
    struct str *literals = arena_calloc(&r->arena, from->count, sizeof(struct str));
    char *prefix = arena_strndup(&r->arena, from->prefix.ptr, from->prefix.len);
    if (literals == NULL || prefix == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < from->count; i++) {
        char *text = arena_strndup(&r->arena, from->items[i].ptr, from->items[i].len);
        if (text == NULL) {
            return ERR_NOMEM;
        }
        literals[i] = str_make(text, from->items[i].len);
    }
    r->hints.literals = literals;
    r->hints.literal_count = from->count;
    r->hints.prefix = str_make(prefix, from->prefix.len);
    return 0;
}

static int find_hints(struct regex *r, struct str pattern)
{
    struct arena scratch;
    arena_init(&scratch, REGEX_HINT_BYTES_MAX);
    struct regex_literals found;
    int status = regex_hints_parse(&scratch, pattern, REGEX_LITERALS_MAX, &found);
    if (status == 0) {
        status = keep_hints(r, &found);
    }
    arena_release(&scratch);
    r->hints.matches_everything = str_eq_c(pattern, ".*");
    r->hints.matches_any_nonempty = str_eq_c(pattern, ".+");
    r->hints.matches_empty = regex_program_matches(r->program, "", 0);
    return status;
}

static int make(struct str pattern, bool anchored, struct regex **regex_out, struct err *e)
{
    if (pattern.len > REGEX_PATTERN_MAX) {
        return err_set(e, ERR_LIMIT, -1,
            "regular expression of %zu bytes is longer than the %zu accepted", pattern.len,
            REGEX_PATTERN_MAX);
    }
    struct regex *r = mem_calloc(1, sizeof(*r));
    if (r == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    arena_init(&r->arena, 0);
    struct strbuf written;
    strbuf_init(&written, 2 * REGEX_PATTERN_MAX);
    write_for_re2(pattern, &written);
    int status = strbuf_error(&written);
    if (status == 0) {
        status = compile(strbuf_str(&written), anchored, &r->program, e);
    }
    if (status == 0 && anchored) {
        status = find_hints(r, strbuf_str(&written));
    }
    strbuf_release(&written);
    if (status == ERR_NOMEM) {
        err_set(e, status, -1, "%s", err_text(status));
    }
    if (status != 0) {
        regex_free(r);
        return status;
    }
    *regex_out = r;
    return 0;
}

int regex_new(struct str pattern, struct regex **regex_out, struct err *e)
{
    return make(pattern, true, regex_out, e);
}

int regex_new_unanchored(struct str pattern, struct regex **regex_out, struct err *e)
{
    return make(pattern, false, regex_out, e);
}

void regex_free(struct regex *r)
{
    if (r != NULL) {
        regex_program_free(r->program);
        arena_release(&r->arena);
        mem_free(r);
    }
}

static bool literals_contain(const struct regex_hints *hints, struct str text)
{
    size_t low = 0, high = hints->literal_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(hints->literals[middle], text);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

bool regex_matches(const struct regex *r, struct str text)
{
    const struct regex_hints *hints = &r->hints;
    if (text.len == 0) {
        return hints->matches_empty;
    }
    if (hints->matches_everything || hints->matches_any_nonempty) {
        return true;
    }
    if (hints->literal_count > 0) {
        return literals_contain(hints, text);
    }
    return str_starts_with(text, hints->prefix) &&
           regex_program_matches(r->program, text.ptr, text.len);
}

size_t regex_group_count(const struct regex *r)
{
    return regex_program_group_count(r->program);
}

const struct regex_hints *regex_hints(const struct regex *r)
{
    return &r->hints;
}

/* ---- Expansion ---- */

static bool is_name_char(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

/* Reads the reference after a "$": `name`, `1`, `{name}`. False when there is none, which leaves the
 * dollar as it is. */
static bool take_reference(struct str *rest, struct str *name_out)
{
    bool braces = rest->len > 0 && rest->ptr[0] == '{';
    struct str name = str_skip(*rest, braces);
    size_t n = 0;
    while (n < name.len && is_name_char(name.ptr[n])) {
        n++;
    }
    if (n == 0 || (braces && (n >= name.len || name.ptr[n] != '}'))) {
        return false;
    }
    *name_out = str_make(name.ptr, n);
    *rest = str_skip(name, n + braces);
    return true;
}

/* Go's rule: all digits without a leading zero is a number, anything else a name; -1 for none. */
static int group_of(const struct regex *r, struct str name, size_t count)
{
    uint64_t number;
    if (str_to_u64(name, &number) == 0 && (name.len == 1 || name.ptr[0] != '0')) {
        return number < count ? (int)number : -1;
    }
    return regex_program_group_index(r->program, name.ptr, name.len);
}

static void expand(const struct regex *r, struct str replacement, const struct regex_span *spans,
    size_t count, struct strbuf *out)
{
    while (replacement.len > 0) {
        ptrdiff_t dollar = str_find(replacement, '$');
        if (dollar < 0) {
            strbuf_add_str(out, replacement);
            return;
        }
        strbuf_add(out, replacement.ptr, (size_t)dollar);
        replacement = str_skip(replacement, (size_t)dollar + 1);
        struct str name;
        if (replacement.len > 0 && replacement.ptr[0] == '$') {
            strbuf_add_char(out, '$');
            replacement = str_skip(replacement, 1);
        } else if (take_reference(&replacement, &name)) {
            int group = group_of(r, name, count);
            if (group >= 0 && spans[group].ptr != NULL) {
                strbuf_add(out, spans[group].ptr, spans[group].len);
            }
        } else {
            strbuf_add_char(out, '$');
        }
    }
}

/* Room for the spans of all groups: `few` when they fit, else memory for release_spans. */
#define SPANS_FEW 16

static struct regex_span *take_spans(struct regex_span *few, size_t count)
{
    return count <= SPANS_FEW ? few : mem_calloc(count, sizeof(*few));
}

static void release_spans(struct regex_span *spans, const struct regex_span *few)
{
    if (spans != few) {
        mem_free(spans);
    }
}

int regex_expand(const struct regex *r, struct str text, struct str replacement, struct strbuf *out)
{
    struct regex_span few[SPANS_FEW];
    size_t count = regex_group_count(r) + 1;
    struct regex_span *spans = take_spans(few, count);
    if (spans == NULL) {
        return ERR_NOMEM;
    }
    int matched =
        regex_program_groups(r->program, text.ptr != NULL ? text.ptr : "", text.len, spans, count);
    if (matched > 0) {
        expand(r, replacement, spans, count, out);
    }
    release_spans(spans, few);
    return matched < 0 ? ERR_NOMEM : matched;
}

/* ---- Anywhere in a text ---- */

bool regex_found(const struct regex *r, struct str text)
{
    return regex_program_find(r->program, text.ptr != NULL ? text.ptr : "", 0, text.len, NULL, 0) >
           0;
}

/* Bytes of the character at `ptr`, 1 for what is not UTF-8. */
static size_t character_bytes(struct str s)
{
    for (size_t n = 1; n <= 4 && n <= s.len; n++) {
        if (str_is_utf8(str_make(s.ptr, n))) {
            return n;
        }
    }
    return 1;
}

static int replace_all(const struct regex *r, struct str text, struct str replacement,
    struct regex_span *spans, size_t count, struct strbuf *out)
{
    size_t copied = 0, from = 0;
    while (from <= text.len) {
        int matched = regex_program_find(r->program, text.ptr, from, text.len, spans, count);
        if (matched < 0) {
            return ERR_NOMEM;
        }
        if (matched == 0) {
            break;
        }
        size_t begin = (size_t)(spans[0].ptr - text.ptr), end = begin + spans[0].len;
        strbuf_add(out, text.ptr + copied, begin - copied);
        if (end > copied || begin == 0) {
            expand(r, replacement, spans, count, out);
        }
        copied = end;
        size_t next = from < text.len ? from + character_bytes(str_skip(text, from)) : from + 1;
        from = end > next ? end : next;
    }
    strbuf_add_str(out, str_skip(text, copied));
    return 0;
}

int regex_replace_all(
    const struct regex *r, struct str text, struct str replacement, struct strbuf *out)
{
    struct regex_span few[SPANS_FEW];
    size_t count = regex_group_count(r) + 1;
    struct regex_span *spans = take_spans(few, count);
    if (spans == NULL) {
        return ERR_NOMEM;
    }
    text.ptr = text.ptr != NULL ? text.ptr : "";
    int status = replace_all(r, text, replacement, spans, count, out);
    release_spans(spans, few);
    return status;
}
