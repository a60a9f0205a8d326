/* Records as logfmt lines.
 *
 * A line is built on the stack and handed over whole, so lines of several threads never mix. Values
 * are bare where that is unambiguous, else quoted with \" \\ \n \r \t and \xNN; text that is not
 * UTF-8 has its high bytes escaped too, so a log file is always valid UTF-8. A line that would grow
 * beyond LOG_LINE_MAX ends within the value that did not fit, closed and followed by cut=true.
 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fpconv.h"

static const char CUT_MARK[] = " cut=true\n";

/* Room kept free for a closing quote and the mark. */
enum { LINE_CONTENT_MAX = LOG_LINE_MAX - (int)sizeof(CUT_MARK) };

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static _Atomic int lowest_level = LOG_LEVEL_INFO;

/* Set before threads start, as tests do; the pair is not swapped as one. */
static void (*_Atomic sink_function)(void *context, struct str line);
static void *_Atomic sink_context;

struct line {
    size_t size;
    bool cut; /* something did not fit; nothing more is added */
    char text[LOG_LINE_MAX];
};

static void add(struct line *line, const char *bytes, size_t size)
{
    if (line->cut || size > LINE_CONTENT_MAX - line->size) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->size, bytes, size);
    line->size += size;
}

static void add_c(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

static bool is_bare(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
            return false;
        }
    }
    return value.len > 0;
}

static void add_escaped(struct line *line, unsigned char c, bool escape_high)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        add(line, "\\\"", 2);
        return;
    case '\\':
        add(line, "\\\\", 2);
        return;
    case '\n':
        add(line, "\\n", 2);
        return;
    case '\r':
        add(line, "\\r", 2);
        return;
    case '\t':
        add(line, "\\t", 2);
        return;
    default:
        break;
    }
    if (c < ' ' || c == 0x7f || (c >= 0x80 && escape_high)) {
        add(line, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
    } else {
        add(line, (const char *)&c, 1);
    }
}

/* Drops the head of a character whose tail did not fit. */
static void drop_partial_utf8(struct line *line)
{
    size_t tail = 0;
    while (tail < 3 && tail < line->size &&
           ((unsigned char)line->text[line->size - 1 - tail] & 0xc0) == 0x80) {
        tail++;
    }
    unsigned char lead = tail < line->size ? (unsigned char)line->text[line->size - 1 - tail] : 0;
    size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (tail < wanted) {
        line->size -= tail + 1;
    }
}

static void add_quoted(struct line *line, struct str value)
{
    bool escape_high = !str_is_utf8(value);
    add(line, "\"", 1);
    if (line->cut) {
        return;
    }
    for (size_t i = 0; i < value.len && !line->cut; i++) {
        add_escaped(line, (unsigned char)value.ptr[i], escape_high);
    }
    if (line->cut) {
        drop_partial_utf8(line);
        line->text[line->size++] = '"'; /* its byte is kept free by LINE_CONTENT_MAX */
    } else {
        add(line, "\"", 1);
        if (line->cut) {
            line->text[line->size++] = '"';
        }
    }
}

static void add_field(struct line *line, const struct log_field *field)
{
    size_t before = line->size;
    char text[FP_TEXT_MAX];
    add_c(line, " ");
    add_c(line, field->key);
    add_c(line, "=");
    if (line->cut) {
        line->size = before; /* half a key would read as another one */
        return;
    }
    switch (field->kind) {
    case LOG_FIELD_STRING:
        if (is_bare(field->text) && str_is_utf8(field->text) &&
            field->text.len <= LINE_CONTENT_MAX - line->size) {
            add(line, field->text.ptr, field->text.len);
        } else {
            add_quoted(line, field->text);
        }
        return;
    case LOG_FIELD_INTEGER:
        snprintf(text, sizeof(text), "%" PRId64, field->integer);
        break;
    case LOG_FIELD_DOUBLE:
        fp_format(field->number, text);
        break;
    }
    add_c(line, text);
    if (line->cut) {
        line->size = before;
    }
}

/* ts=2026-11-22T01:02:03.456Z */
static void add_time(struct line *line, int64_t now_ms)
{
    int64_t seconds = now_ms / 1000 - (now_ms % 1000 < 0);
    int milliseconds = (int)(now_ms - seconds * 1000);
    time_t whole = (time_t)seconds;
    struct tm parts;
    char text[64];
    if (gmtime_r(&whole, &parts) == NULL) {
        parts = (struct tm){.tm_mday = 1};
    }
    size_t length = strftime(text, sizeof(text), "ts=%Y-%m-%dT%H:%M:%S", &parts);
    add(line, text, length);
    snprintf(text, sizeof(text), ".%03dZ", milliseconds);
    add_c(line, text);
}

static void hand_over(const struct line *line)
{
    void (*sink)(void *context, struct str line) = atomic_load(&sink_function);
    if (sink != NULL) {
        sink(atomic_load(&sink_context), (struct str){line->text, line->size});
        return;
    }
    ssize_t put;
    do {
        put = write(STDERR_FILENO, line->text, line->size);
    } while (put < 0 && errno == EINTR);
}

void log_write(
    enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    if ((int)level < atomic_load_explicit(&lowest_level, memory_order_relaxed)) {
        return;
    }
    struct line line;
    line.size = 0;
    line.cut = false;
    add_time(&line, clock_now_ms(clock_real()));
    add_c(&line, " level=");
    add_c(&line, level_names[level]);
    add_c(&line, " msg=");
    add_quoted(&line, str_of(message));
    for (size_t i = 0; i < count && !line.cut; i++) {
        if (fields[i].key != NULL) {
            add_field(&line, &fields[i]);
        }
    }
    if (line.cut) {
        memcpy(line.text + line.size, CUT_MARK, sizeof(CUT_MARK) - 1);
        line.size += sizeof(CUT_MARK) - 1;
    } else {
        line.text[line.size++] = '\n';
    }
    assert(line.size <= LOG_LINE_MAX);
    hand_over(&line);
}

void log_set_level(enum log_level level)
{
    atomic_store(&lowest_level, (int)level);
}

int log_level_parse(struct str name, enum log_level *level_out)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
        if (str_eq_c(name, level_names[i])) {
            *level_out = (enum log_level)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

void log_set_sink(void (*sink)(void *context, struct str line), void *context)
{
    atomic_store(&sink_context, context);
    atomic_store(&sink_function, sink);
}
