/* Names and units, as Prometheus' otlptranslator makes them.
 *
 * With underscores: the name is cut into tokens at everything that is neither letter, digit nor ':'; the
 * unit, spelled out, follows unless it is among them already ("s" -> seconds, "By/s" -> bytes per
 * second, "{packets}" says nothing); counters end in total, gauges of unit "1" in ratio; a first digit
 * gets an underscore in front. Without suffixes only characters are replaced. As UTF-8 the name stays,
 * and suffixes, where wanted, are put behind it.
 */
#include <assert.h>

#include "wire/otlp_names.h"

static const struct {
    const char *name;
    enum otlp_naming naming;
} namings[] = {
    {"UnderscoreEscapingWithSuffixes", OTLP_UNDERSCORES_WITH_SUFFIXES},
    {"UnderscoreEscapingWithoutSuffixes", OTLP_UNDERSCORES_WITHOUT_SUFFIXES},
    {"NoUTF8EscapingWithSuffixes", OTLP_UTF8_WITH_SUFFIXES},
    {"NoTranslation", OTLP_UTF8},
};
enum { NAMING_COUNT = sizeof(namings) / sizeof(namings[0]) };

struct spelling {
    struct str unit, word;
};

static const struct spelling units[] = {
    {STR("d"), STR("days")},
    {STR("h"), STR("hours")},
    {STR("min"), STR("minutes")},
    {STR("s"), STR("seconds")},
    {STR("ms"), STR("milliseconds")},
    {STR("us"), STR("microseconds")},
    {STR("ns"), STR("nanoseconds")},
    {STR("By"), STR("bytes")},
    {STR("KiBy"), STR("kibibytes")},
    {STR("MiBy"), STR("mebibytes")},
    {STR("GiBy"), STR("gibibytes")},
    {STR("TiBy"), STR("tibibytes")},
    {STR("KBy"), STR("kilobytes")},
    {STR("MBy"), STR("megabytes")},
    {STR("GBy"), STR("gigabytes")},
    {STR("TBy"), STR("terabytes")},
    {STR("m"), STR("meters")},
    {STR("V"), STR("volts")},
    {STR("A"), STR("amperes")},
    {STR("J"), STR("joules")},
    {STR("W"), STR("watts")},
    {STR("g"), STR("grams")},
    {STR("Cel"), STR("celsius")},
    {STR("Hz"), STR("hertz")},
    {STR("1"), STR("")},
    {STR("%"), STR("percent")},
};

static const struct spelling per_units[] = {
    {STR("s"), STR("second")},
    {STR("m"), STR("minute")},
    {STR("h"), STR("hour")},
    {STR("d"), STR("day")},
    {STR("w"), STR("week")},
    {STR("mo"), STR("month")},
    {STR("y"), STR("year")},
};

/* Names longer than this are refused by the limits of labels anyway. */
enum { NAME_BYTES_MAX = 4096, TOKENS_MAX = NAME_BYTES_MAX / 2 + 8 };

bool otlp_naming_parse(struct str name, enum otlp_naming *naming_out)
{
    for (size_t i = 0; i < NAMING_COUNT; i++) {
        if (str_eq_c(name, namings[i].name)) {
            *naming_out = namings[i].naming;
            return true;
        }
    }
    return false;
}

const char *otlp_naming_name(enum otlp_naming naming)
{
    size_t i = 0;
    while (i + 1 < NAMING_COUNT && namings[i].naming != naming) {
        i++;
    }
    return namings[i].name;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- Units ---- */

static struct str spell(struct str unit, const struct spelling *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(unit, list[i].unit)) {
            return list[i].word;
        }
    }
    return unit;
}

/* A unit as a word of a name: what it cannot hold becomes one underscore, none in front or behind. In
 * the arena. */
static int clean_word(struct str word, struct arena *arena, struct str *word_out)
{
    char *copy = arena_alloc(arena, word.len + 1);
    if (copy == NULL) {
        return arena_error(arena);
    }
    size_t size = 0;
    for (size_t i = 0; i < word.len; i++) {
        char c = is_alphanumeric(word.ptr[i]) ? word.ptr[i] : '_';
        if (c != '_' || (size > 0 && copy[size - 1] != '_')) {
            copy[size++] = c;
        }
    }
    while (size > 0 && copy[size - 1] == '_') {
        size--;
    }
    *word_out = str_make(copy, size);
    return 0;
}

/* "By/s" -> "bytes", "second"; empty where the unit says nothing, or is an annotation in braces. */
static int unit_words(
    struct str unit, struct arena *arena, struct str *main_out, struct str *per_out)
{
    struct str rest = unit;
    struct str first = str_trim(str_split(&rest, '/')), second = str_trim(rest);
    bool annotated = str_find(first, '{') >= 0 || str_find(first, '}') >= 0;
    first = annotated ? STR("") : spell(first, units, sizeof(units) / sizeof(units[0]));
    annotated = str_find(second, '{') >= 0 || str_find(second, '}') >= 0;
    second =
        annotated ? STR("") : spell(second, per_units, sizeof(per_units) / sizeof(per_units[0]));
    int status = clean_word(first, arena, main_out);
    return status == 0 ? clean_word(second, arena, per_out) : status;
}

static bool is_counter(const struct otlp_metric *metric)
{
    return metric->kind == OTLP_SUM && metric->monotonic;
}

static bool is_ratio(const struct otlp_metric *metric)
{
    bool gauge = metric->kind == OTLP_GAUGE || (metric->kind == OTLP_SUM && !metric->monotonic);
    return gauge && str_eq_c(metric->unit, "1");
}

/* ---- Names ---- */

struct tokens {
    struct str items[TOKENS_MAX];
    size_t count;
};

static bool has_token(const struct tokens *t, struct str word)
{
    for (size_t i = 0; i < t->count; i++) {
        if (str_eq(t->items[i], word)) {
            return true;
        }
    }
    return false;
}

/* At the end, and nowhere else. */
static void move_to_end(struct tokens *t, struct str word)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (!str_eq(t->items[i], word)) {
            t->items[kept++] = t->items[i];
        }
    }
    t->items[kept] = word;
    t->count = kept + 1;
}

/* Cuts at what is no part of a token; underscores are one only where `underscores`. */
static void cut(struct str name, bool underscores, struct tokens *t)
{
    size_t from = 0;
    for (size_t i = 0; i <= name.len; i++) {
        char c = i < name.len ? name.ptr[i] : '\0';
        if (i < name.len && (is_alphanumeric(c) || c == ':' || (underscores && c == '_'))) {
            continue;
        }
        if (i > from) {
            t->items[t->count++] = str_make(name.ptr + from, i - from);
        }
        from = i + 1;
    }
}

static int join(const struct tokens *t, struct arena *arena, struct str *name_out)
{
    size_t size = 1;
    for (size_t i = 0; i < t->count; i++) {
        size += t->items[i].len + 1;
    }
    char *name = arena_alloc(arena, size);
    if (name == NULL) {
        return arena_error(arena);
    }
    size = 0;
    if (t->count > 0 && is_digit(t->items[0].ptr[0])) {
        name[size++] = '_';
    }
    for (size_t i = 0; i < t->count; i++) {
        if (i > 0) {
            name[size++] = '_';
        }
        memcpy(name + size, t->items[i].ptr, t->items[i].len);
        size += t->items[i].len;
    }
    *name_out = str_make(name, size);
    return size > 0 ? 0 : ERR_INVALID;
}

static int escaped_name(
    const struct otlp_metric *metric, bool suffixes, struct arena *arena, struct str *name_out)
{
    struct tokens t;
    struct str unit, per;
    t.count = 0;
    cut(metric->name, !suffixes, &t);
    if (!suffixes) {
        return join(&t, arena, name_out);
    }
    int status = unit_words(metric->unit, arena, &unit, &per);
    if (status != 0) {
        return status;
    }
    if (unit.len > 0 && !has_token(&t, unit)) {
        t.items[t.count++] = unit;
    }
    if (per.len > 0 && !has_token(&t, per)) {
        t.items[t.count++] = STR("per");
        t.items[t.count++] = per;
    }
    if (is_counter(metric)) {
        move_to_end(&t, STR("total"));
    }
    if (is_ratio(metric)) {
        move_to_end(&t, STR("ratio"));
    }
    return join(&t, arena, name_out);
}

/* Puts "_word" behind a name that does not end so. */
static void add_suffix(struct strbuf *name, struct str word)
{
    struct str end = str_make(name->data + name->size - word.len, word.len);
    bool there =
        name->size > word.len && str_eq(end, word) && name->data[name->size - word.len - 1] == '_';
    if (word.len > 0 && !there) {
        strbuf_add_char(name, '_');
        strbuf_add_str(name, word);
    }
}

static int suffixed_name(
    const struct otlp_metric *metric, struct arena *arena, struct str *name_out)
{
    struct str unit, per;
    struct strbuf name = STRBUF_INIT;
    int status = unit_words(metric->unit, arena, &unit, &per);
    if (status != 0) {
        return status;
    }
    strbuf_add_str(&name, metric->name);
    add_suffix(&name, unit);
    if (per.len > 0 && strbuf_error(&name) == 0) {
        struct strbuf both = STRBUF_INIT;
        strbuf_add_c(&both, "per_");
        strbuf_add_str(&both, per);
        add_suffix(&name, strbuf_str(&both));
        strbuf_release(&both);
    }
    if (is_counter(metric) && strbuf_error(&name) == 0) {
        add_suffix(&name, STR("total"));
    }
    if (is_ratio(metric) && strbuf_error(&name) == 0) {
        add_suffix(&name, STR("ratio"));
    }
    status = strbuf_error(&name);
    char *copy = status == 0 ? arena_strndup(arena, name.data, name.size) : NULL;
    if (status == 0 && copy == NULL) {
        status = arena_error(arena);
    }
    *name_out = str_make(copy, name.size);
    strbuf_release(&name);
    return status;
}

int otlp_metric_name(const struct otlp_metric *metric, enum otlp_naming naming, struct arena *arena,
    struct str *name_out)
{
    if (metric->name.len == 0 || metric->name.len > NAME_BYTES_MAX) {
        return ERR_INVALID;
    }
    switch (naming) {
    case OTLP_UNDERSCORES_WITH_SUFFIXES:
    case OTLP_UNDERSCORES_WITHOUT_SUFFIXES:
        return escaped_name(metric, naming == OTLP_UNDERSCORES_WITH_SUFFIXES, arena, name_out);
    case OTLP_UTF8_WITH_SUFFIXES:
        return suffixed_name(metric, arena, name_out);
    default:
        *name_out = metric->name;
        return 0;
    }
}

/* "http.status" -> "http_status", "2xx" -> "key_2xx", "_a" -> "key_a"; bytes of UTF-8 give one underscore
 * a character. */
int otlp_label_name(
    struct str attribute, enum otlp_naming naming, struct arena *arena, struct str *name_out)
{
    static const struct str in_front = STR("key_");
    if (attribute.len == 0) {
        return ERR_INVALID;
    }
    if (naming == OTLP_UTF8 || naming == OTLP_UTF8_WITH_SUFFIXES ||
        (label_name_is_classic(attribute) && attribute.ptr[0] != '_')) {
        *name_out = attribute;
        return 0;
    }
    char *name = arena_alloc(arena, in_front.len + attribute.len);
    if (name == NULL) {
        return arena_error(arena);
    }
    size_t size = 0;
    bool reserved = str_starts_with(attribute, STR("__"));
    if (is_digit(attribute.ptr[0])) {
        memcpy(name, in_front.ptr, in_front.len);
        size = in_front.len;
    } else if (!is_alphanumeric(attribute.ptr[0]) && !reserved) {
        memcpy(name, in_front.ptr, in_front.len - 1); /* the underscore comes with the name */
        size = in_front.len - 1;
    }
    for (size_t i = 0; i < attribute.len; i++) {
        char c = attribute.ptr[i];
        if (((uint8_t)c & 0xc0) == 0x80) {
            continue; /* the rest of a character that has its underscore */
        }
        name[size++] = is_alphanumeric(c) || c == '_' ? c : '_';
    }
    *name_out = str_make(name, size);
    return 0;
}
