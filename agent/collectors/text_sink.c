/* Exposition text.
 *
 *   # HELP name text              backslash and newline escaped
 *   # TYPE name counter|gauge|untyped
 *   name{label="value",…} 1.5     backslash, newline and double quote escaped in values
 *
 * Room for a whole line is reserved once, then written without further checks: an exposition of 500
 * series is most of what a pass costs beside its system calls.
 */
#include "collectors/text_sink.h"

#include <assert.h>

#include "base/fpconv.h"

/* Integers below this are exact in a double and take the short way. */
#define EXACT_INTEGER_MAX 9007199254740992.0

static const char *type_word(enum metric_type type)
{
    switch (type) {
    case METRIC_TYPE_COUNTER:
        return "counter";
    case METRIC_TYPE_GAUGE:
        return "gauge";
    default:
        return "untyped";
    }
}

static char *put_bytes(char *p, const char *bytes, size_t size)
{
    memcpy(p, bytes, size);
    return p + size;
}

static bool needs_escape(char c)
{
    return c == '\\' || c == '\n' || c == '"';
}

/* At most two bytes for each one of `value`. */
static char *put_escaped(char *p, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (needs_escape(c)) {
            *p++ = '\\';
            c = c == '\n' ? 'n' : c;
        }
        *p++ = c;
    }
    return p;
}

static char *put_integer(char *p, uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0) {
        *p++ = digits[--count];
    }
    return p;
}

static char *put_value(char *p, double value)
{
    if (value >= 0 && value < EXACT_INTEGER_MAX && value == (double)(uint64_t)value &&
        double_bits(value) != double_bits(-0.0)) {
        return put_integer(p, (uint64_t)value);
    }
    return p + fp_format_short(value, p);
}

/* Unlike in label values a double quote stands for itself in a help text. */
static char *put_help(char *p, const char *help)
{
    for (; *help != '\0'; help++) {
        char c = *help;
        if (c == '\\' || c == '\n') {
            *p++ = '\\';
            c = c == '\n' ? 'n' : c;
        }
        *p++ = c;
    }
    return p;
}

#define HELP_WORD "# HELP "
#define TYPE_WORD "\n# TYPE "

static void put_header(struct text_sink *s)
{
    const char *word = type_word(s->type);
    size_t word_length = strlen(word);
    size_t room = sizeof(HELP_WORD) + sizeof(TYPE_WORD) + 2 * (s->name_length + 1) +
                  2 * strlen(s->help) + word_length + 1;
    char *start = strbuf_reserve(s->out, room);
    if (start == NULL) {
        return;
    }
    char *p = put_bytes(start, HELP_WORD, sizeof(HELP_WORD) - 1);
    p = put_bytes(p, s->name, s->name_length);
    *p++ = ' ';
    p = put_help(p, s->help);
    p = put_bytes(p, TYPE_WORD, sizeof(TYPE_WORD) - 1);
    p = put_bytes(p, s->name, s->name_length);
    *p++ = ' ';
    p = put_bytes(p, word, word_length);
    *p++ = '\n';
    strbuf_commit(s->out, (size_t)(p - start));
}

static void text_family(
    struct metric_sink *self, const char *name, enum metric_type type, const char *help)
{
    struct text_sink *s = (struct text_sink *)self;
    s->name = name;
    s->name_length = strlen(name);
    s->type = type;
    s->help = help;
    s->header_due = true;
}

static size_t line_size_max(
    const struct text_sink *s, const struct label_pair *labels, size_t count)
{
    size_t size = s->name_length + FP_TEXT_MAX + 4; // braces, space, newline
    for (size_t i = 0; i < count; i++) {
        size += strlen(labels[i].name) + 2 * labels[i].value.len + 4; // = " " ,
    }
    return size;
}

static void text_sample(
    struct metric_sink *self, const struct label_pair *labels, size_t count, double value)
{
    struct text_sink *s = (struct text_sink *)self;
    assert(s->name != NULL);
    assert(count <= METRIC_LABELS_MAX);
    if (s->header_due) {
        put_header(s);
        s->header_due = false;
    }
    char *start = strbuf_reserve(s->out, line_size_max(s, labels, count));
    if (start == NULL) {
        return;
    }
    char *p = put_bytes(start, s->name, s->name_length);
    for (size_t i = 0; i < count; i++) {
        assert(i == 0 || strcmp(labels[i - 1].name, labels[i].name) < 0);
        *p++ = i == 0 ? '{' : ',';
        p = put_bytes(p, labels[i].name, strlen(labels[i].name));
        *p++ = '=';
        *p++ = '"';
        p = put_escaped(p, labels[i].value);
        *p++ = '"';
    }
    if (count > 0) {
        *p++ = '}';
    }
    *p++ = ' ';
    p = put_value(p, value);
    *p++ = '\n';
    strbuf_commit(s->out, (size_t)(p - start));
}

void text_sink_init(struct text_sink *s, struct strbuf *out)
{
    *s = (struct text_sink){.sink = {.family = text_family, .sample = text_sample}, .out = out};
}
