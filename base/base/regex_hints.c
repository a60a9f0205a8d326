/* Literal sets and prefixes of regular expressions.
 *
 * Most patterns of dashboards are lists in disguise: "api|web|db", "node-(1|2|3)", "5..". An index
 * answers a list with look-ups and a prefix with a range, both far cheaper than running the pattern
 * over every value. RE2 does not show its parse tree, so this file reads the simple part of the
 * syntax itself:
 *
 *   alternation = sequence { "|" sequence }
 *   sequence    = { atom [ "?" | "*" | "+" | "{" n "," m "}" ] [ "?" ] }
 *   atom        = rune | "\" punctuation | "." | class | "(" ["?:" | "?P<name>"] alternation ")"
 *
 * Each piece evaluates to a set of strings with one bit. Exact: the piece matches these strings and
 * no others. Otherwise: whatever it matches begins with one of these strings (the set {""} says
 * nothing). Three rules combine them:
 *
 *   sequence     left exact: every left string followed by every right string; exact if right is.
 *                left not exact: left stays, what follows cannot be placed any more.
 *   alternation  the union; exact if both are.
 *   repetition   x? adds ""; x+ is x, not exact; x* and x{n,m} are {""}, not exact.
 *
 * A set that would grow beyond its limit is cut: a sequence keeps its left side, a union keeps the
 * longest common prefix, both not exact. What is not understood for certain (flags, Unicode classes,
 * \Q, octal and hexadecimal escapes) ends the whole analysis without hints: a wrong hint loses data,
 * a missing one only costs time. The caller has compiled the pattern, so its syntax is known good.
 */
#include "regex_hints.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Groups within groups; deeper patterns get no hints. */
#define HINTS_DEPTH_MAX 32
struct literal_set {
    struct str *items;
    size_t count, cap;
    bool exact;
};

struct parser {
    struct str rest;
    struct arena *arena;
    size_t count_max; /* strings of a set */
    size_t depth;
    bool gave_up; /* met something it does not understand, or a limit */
    int status;   /* why memory could not be had: ERR_LIMIT or ERR_NOMEM */
};

static struct literal_set parse_alternation(struct parser *p);

/* ---- Sets ---- */

static void *set_memory(struct parser *p, size_t size)
{
    void *memory = arena_alloc(p->arena, size);
    if (memory == NULL) {
        p->gave_up = true;
        p->status = arena_error(p->arena);
    }
    return memory;
}

static struct literal_set set_new(struct parser *p, size_t cap, bool exact)
{
    struct str *items = set_memory(p, cap * sizeof(*items));
    return (struct literal_set){items, 0, items != NULL ? cap : 0, exact};
}

static struct literal_set set_of_one(struct parser *p, struct str item, bool exact)
{
    struct literal_set set = set_new(p, 1, exact);
    if (set.cap > 0) {
        set.items[set.count++] = item;
    }
    return set;
}

static struct literal_set set_unknown(struct parser *p)
{
    return set_of_one(p, STR(""), false);
}

static struct str common_prefix(const struct str *items, size_t count)
{
    struct str prefix = count > 0 ? items[0] : STR("");
    for (size_t i = 1; i < count; i++) {
        size_t n = 0;
        while (n < prefix.len && n < items[i].len && prefix.ptr[n] == items[i].ptr[n]) {
            n++;
        }
        prefix.len = n;
    }
    return prefix;
}

/* The union of both in `*a`. */
static void set_merge(struct parser *p, struct literal_set *a, struct literal_set b)
{
    if (a->count == 0 || b.count == 0) {
        return; /* memory was short: the analysis has ended */
    }
    size_t count = a->count + b.count;
    a->exact = a->exact && b.exact;
    if (count > p->count_max) {
        struct str prefixes[] = {
            common_prefix(a->items, a->count), common_prefix(b.items, b.count)};
        *a = set_of_one(p, common_prefix(prefixes, 2), false);
        return;
    }
    if (count > a->cap) {
        struct literal_set grown = set_new(p, count * 2, a->exact);
        if (grown.items == NULL) {
            return;
        }
        memcpy(grown.items, a->items, a->count * sizeof(struct str));
        grown.count = a->count;
        *a = grown;
    }
    memcpy(a->items + a->count, b.items, b.count * sizeof(struct str));
    a->count = count;
}

static struct str join(struct parser *p, struct str a, struct str b)
{
    if (a.len == 0 || b.len == 0) {
        return a.len == 0 ? b : a;
    }
    char *text = set_memory(p, a.len + b.len);
    if (text == NULL) {
        return STR("");
    }
    memcpy(text, a.ptr, a.len);
    memcpy(text + a.len, b.ptr, b.len);
    return str_make(text, a.len + b.len);
}

/* Every string of `a` followed by every string of `b`. */
static struct literal_set set_product(struct parser *p, struct literal_set a, struct literal_set b)
{
    if (!a.exact || p->gave_up) {
        return a;
    }
    if (a.count * b.count > p->count_max) {
        a.exact = false;
        return a;
    }
    struct literal_set product = set_new(p, a.count * b.count, b.exact);
    if (product.items == NULL) {
        return a;
    }
    for (size_t i = 0; i < a.count; i++) {
        for (size_t j = 0; j < b.count; j++) {
            product.items[product.count++] = join(p, a.items[i], b.items[j]);
        }
    }
    return product;
}

/* ---- Syntax ---- */

static bool next_is(const struct parser *p, char c)
{
    return p->rest.len > 0 && p->rest.ptr[0] == c;
}

static bool take(struct parser *p, const char *text)
{
    if (!str_starts_with(p->rest, str_of(text))) {
        return false;
    }
    p->rest = str_skip(p->rest, strlen(text));
    return true;
}

static bool is_punctuation(char c)
{
    return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') &&
           !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* One whole character, so that a repetition after it applies to all of its bytes. */
static struct str take_rune(struct parser *p)
{
    size_t n = 1;
    while (n < p->rest.len && ((unsigned char)p->rest.ptr[n] & 0xc0) == 0x80) {
        n++;
    }
    struct str rune = str_make(p->rest.ptr, n);
    p->rest = str_skip(p->rest, n);
    return rune;
}

/* Plain characters up to the next special one. A repetition applies to the last of them alone, which
 * is then left for the next call. */
static struct str take_plain(struct parser *p)
{
    struct parser ahead = *p;
    struct str last = take_rune(&ahead);
    while (ahead.rest.len > 0 && memchr("|()[]{}^$.*+?\\", ahead.rest.ptr[0], 14) == NULL) {
        last = take_rune(&ahead);
    }
    bool repeated = ahead.rest.len > 0 && memchr("*+?{", ahead.rest.ptr[0], 4) != NULL;
    const char *end = repeated && last.ptr != p->rest.ptr ? last.ptr : ahead.rest.ptr;
    struct str plain = str_make(p->rest.ptr, (size_t)(end - p->rest.ptr));
    p->rest = str_skip(p->rest, plain.len);
    return plain;
}

static struct literal_set give_up(struct parser *p)
{
    p->gave_up = true;
    return set_unknown(p);
}

/* After the backslash. Letters that stand for a class or a position match something unknown. */
static struct literal_set parse_escape(struct parser *p)
{
    if (p->rest.len == 0) {
        return give_up(p);
    }
    struct str rune = take_rune(p);
    if (rune.len == 1 && is_punctuation(rune.ptr[0])) {
        return set_of_one(p, rune, true);
    }
    if (rune.len == 1 && memchr("dDwWsSbBAz", rune.ptr[0], 10) != NULL) {
        return set_unknown(p);
    }
    return give_up(p);
}

/* One plain ASCII member of a class, 0 when it is anything else. */
static char take_class_member(struct parser *p)
{
    bool escaped = take(p, "\\");
    struct str rune = p->rest.len > 0 ? take_rune(p) : STR("");
    if (rune.len != 1 || (unsigned char)rune.ptr[0] >= 0x7f || rune.ptr[0] < ' ') {
        return 0;
    }
    return !escaped || is_punctuation(rune.ptr[0]) ? rune.ptr[0] : 0;
}

/* After "[". Every member must be understood, or the end of the class would be a guess. */
static struct literal_set parse_class(struct parser *p)
{
    static const char ascii[] =
        " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
        "abcdefghijklmnopqrstuvwxyz{|}~";
    bool member[128] = {false};
    bool negated = take(p, "^");
    bool first = true;
    bool known = true;
    while (first || !next_is(p, ']')) {
        if (str_starts_with(p->rest, STR("[:"))) {
            return give_up(p);
        }
        if (str_starts_with(p->rest, STR("\\d")) || str_starts_with(p->rest, STR("\\w")) ||
            str_starts_with(p->rest, STR("\\s"))) {
            p->rest = str_skip(p->rest, 2);
            known = false;
            first = false;
            continue;
        }
        char low = take_class_member(p);
        char high = low;
        bool range = next_is(p, '-') && p->rest.len > 1 && p->rest.ptr[1] != ']';
        if (range) {
            p->rest = str_skip(p->rest, 1);
            high = take_class_member(p);
        }
        if (low == 0 || high == 0) {
            return give_up(p);
        }
        for (char c = low; c <= high; c++) {
            member[(unsigned char)c] = true;
        }
        first = false;
    }
    p->rest = str_skip(p->rest, 1);
    if (negated || !known) {
        return set_unknown(p);
    }
    struct literal_set set = set_new(p, sizeof(ascii) - 1, true);
    for (size_t i = 0; i < set.cap; i++) {
        if (member[(unsigned char)ascii[i]]) {
            set.items[set.count++] = str_make(&ascii[i], 1);
        }
    }
    return set.count > 0 ? set : give_up(p);
}

/* After "(". */
static struct literal_set parse_group(struct parser *p)
{
    if (take(p, "?P<")) {
        ptrdiff_t end = str_find(p->rest, '>');
        p->rest = str_skip(p->rest, end < 0 ? p->rest.len : (size_t)end + 1);
    } else if (next_is(p, '?') && !take(p, "?:")) {
        return give_up(p); /* flags */
    }
    if (p->depth >= HINTS_DEPTH_MAX) {
        return give_up(p);
    }
    p->depth++;
    struct literal_set inner = parse_alternation(p);
    p->depth--;
    return take(p, ")") ? inner : give_up(p);
}

/* At the borders of the whole pattern "^" and "$" say what holds anyway; elsewhere they are
 * conditions this file does not follow. */
static struct literal_set parse_border(struct parser *p, bool at_border)
{
    return set_of_one(p, STR(""), at_border && p->depth == 0);
}

static struct literal_set parse_atom(struct parser *p, bool at_start)
{
    if (take(p, "(")) {
        return parse_group(p);
    }
    if (take(p, "[")) {
        return parse_class(p);
    }
    if (take(p, "\\")) {
        return parse_escape(p);
    }
    if (take(p, ".")) {
        return set_unknown(p);
    }
    if (take(p, "^")) {
        return parse_border(p, at_start);
    }
    if (take(p, "$")) {
        return parse_border(p, p->rest.len == 0 || next_is(p, '|'));
    }
    if (next_is(p, '{') || next_is(p, '*') || next_is(p, '+') || next_is(p, '?')) {
        return give_up(p); /* a brace that is no repetition, or a repetition of nothing */
    }
    return set_of_one(p, take_plain(p), true);
}

/* "{2}", "{2,}", "{2,5}": skipped; false when the brace is something else. */
static bool take_counts(struct parser *p)
{
    size_t n = 1;
    while (n < p->rest.len &&
           (p->rest.ptr[n] == ',' || (p->rest.ptr[n] >= '0' && p->rest.ptr[n] <= '9'))) {
        n++;
    }
    if (n == 1 || p->rest.ptr[1] == ',' || n >= p->rest.len || p->rest.ptr[n] != '}') {
        return false;
    }
    p->rest = str_skip(p->rest, n + 1);
    return true;
}

static struct literal_set parse_repetition(struct parser *p, struct literal_set atom)
{
    if (take(p, "*") || (next_is(p, '{') && take_counts(p))) {
        atom = set_unknown(p);
    } else if (take(p, "+")) {
        atom.exact = false;
    } else if (take(p, "?")) {
        set_merge(p, &atom, set_of_one(p, STR(""), true));
    } else {
        return atom;
    }
    (void)take(p, "?"); /* fewest or most first: the same strings match */
    return atom;
}

static struct literal_set parse_sequence(struct parser *p)
{
    struct literal_set set = set_of_one(p, STR(""), true);
    bool at_start = true;
    while (!p->gave_up && p->rest.len > 0 && !next_is(p, '|') && !next_is(p, ')')) {
        struct literal_set atom = parse_atom(p, at_start);
        set = set_product(p, set, parse_repetition(p, atom));
        at_start = false;
    }
    return set;
}

static struct literal_set parse_alternation(struct parser *p)
{
    struct literal_set set = parse_sequence(p);
    while (!p->gave_up && take(p, "|")) {
        set_merge(p, &set, parse_sequence(p));
    }
    return set;
}

static int compare_items(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static size_t sort_unique(struct str *items, size_t count)
{
    qsort(items, count, sizeof(items[0]), compare_items);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !str_eq(items[kept - 1], items[i])) {
            items[kept++] = items[i];
        }
    }
    return kept;
}

int regex_hints_parse(struct arena *scratch, struct str pattern, size_t count_max,
    struct regex_literals *literals_out)
{
    struct parser p = {.rest = pattern, .arena = scratch, .count_max = count_max};
    struct literal_set set = parse_alternation(&p);
    *literals_out = (struct regex_literals){.prefix = STR("")};
    if (p.gave_up || p.rest.len > 0) {
        return p.status == ERR_NOMEM ? ERR_NOMEM : 0;
    }
    assert(set.count > 0);
    literals_out->prefix = common_prefix(set.items, set.count);
    if (set.exact) {
        literals_out->items = set.items;
        literals_out->count = sort_unique(set.items, set.count);
    }
    return 0;
}
