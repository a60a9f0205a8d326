/* A state machine over bytes. Around values it expects one thing after the other; inside a value it counts
 * brackets and knows strings, and copies runs of bytes. */
#include "discovery/json_cutter.h"

#include <jansson.h>
#include <string.h>

#include "base/err.h"

enum state {
    BEFORE_TOP,
    FIRST_KEY, /* or the object's end */
    KEY,
    IN_KEY,
    COLON,
    FIRST_ELEMENT, /* or the list's end */
    BEFORE_VALUE,
    IN_SCALAR,
    IN_STRING,
    IN_BRACKETS,
    AFTER_VALUE,
    END,
};

static uint8_t first_state(const struct json_cutter *c)
{
    return c->options.sequence ? BEFORE_VALUE : BEFORE_TOP;
}

void json_cutter_init(struct json_cutter *c, const struct json_cutter_options *options)
{
    *c = (struct json_cutter){.options = *options};
    strbuf_init(&c->key, JSON_CUTTER_KEY_MAX);
    strbuf_init(&c->value, options->value_max + 1); /* a terminator's room */
    c->state = first_state(c);
}

void json_cutter_release(struct json_cutter *c)
{
    strbuf_release(&c->key);
    strbuf_release(&c->value);
}

void json_cutter_reset(struct json_cutter *c)
{
    strbuf_reset(&c->key);
    strbuf_reset(&c->value);
    c->error = 0;
    c->level = 0;
    c->quoted = c->escaped = false;
    c->value_depth = 0;
    c->state = first_state(c);
}

static bool is_space(char b)
{
    return b == ' ' || b == '\t' || b == '\n' || b == '\r';
}

static bool ends_scalar(char b)
{
    return is_space(b) || b == ',' || b == ']' || b == '}' || b == '[' || b == '{' || b == '"' ||
           b == ':';
}

/* The key as it is meant: with its escapes undone. */
static int finish_key(struct json_cutter *c)
{
    struct str raw = strbuf_str(&c->key);
    if (strbuf_error(&c->key) != 0) {
        return strbuf_error(&c->key);
    }
    json_t *text = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY, NULL);
    if (!json_is_string(text)) {
        json_decref(text);
        return ERR_INVALID;
    }
    strbuf_reset(&c->key);
    strbuf_add(&c->key, json_string_value(text), json_string_length(text));
    json_decref(text);
    c->state = COLON;
    return strbuf_error(&c->key);
}

static int finish_value(struct json_cutter *c)
{
    static const struct str none = {"", 0};
    int status = strbuf_error(&c->value);
    if (status == 0) {
        status = c->options.take(c->options.context, c->key.size > 0 ? strbuf_str(&c->key) : none,
            strbuf_str(&c->value));
    }
    strbuf_reset(&c->value);
    c->state = c->options.sequence ? BEFORE_VALUE : AFTER_VALUE;
    return status;
}

static void open_level(struct json_cutter *c, char closer)
{
    c->closers[c->level++] = closer;
    c->state = closer == '}' ? FIRST_KEY : FIRST_ELEMENT;
}

static void close_level(struct json_cutter *c)
{
    c->level--;
    c->state = c->level == 0 ? END : AFTER_VALUE;
    if (c->level == 1) {
        strbuf_reset(&c->key); /* the list's */
    }
}

static bool is_list_key(const struct json_cutter *c)
{
    return c->level == 1 && c->closers[0] == '}' && c->options.list_key != NULL &&
           str_eq_c(strbuf_str(&c->key), c->options.list_key);
}

static int begin_value(struct json_cutter *c, char b)
{
    if (b == '[' && is_list_key(c)) {
        open_level(c, ']');
        return 0;
    }
    strbuf_add_char(&c->value, b);
    c->escaped = false;
    c->quoted = b == '"';
    c->value_depth = b == '[' || b == '{';
    c->state = b == '"' ? IN_STRING : c->value_depth > 0 ? IN_BRACKETS : IN_SCALAR;
    return c->state != IN_SCALAR || !ends_scalar(b) ? 0 : ERR_INVALID;
}

static void begin_key(struct json_cutter *c)
{
    strbuf_reset(&c->key);
    strbuf_add_char(&c->key, '"');
    c->escaped = false;
    c->state = IN_KEY;
}

/* One byte that is no part of a value. */
static int step(struct json_cutter *c, char b)
{
    if (is_space(b)) {
        return 0;
    }
    switch (c->state) {
    case BEFORE_TOP:
        if (b == '{' || b == '[') {
            open_level(c, b == '{' ? '}' : ']');
            return 0;
        }
        return ERR_INVALID;
    case FIRST_KEY:
    case KEY:
        if (b == '"') {
            begin_key(c);
            return 0;
        }
        if (b == '}' && c->state == FIRST_KEY) {
            close_level(c);
            return 0;
        }
        return ERR_INVALID;
    case COLON:
        c->state = BEFORE_VALUE;
        return b == ':' ? 0 : ERR_INVALID;
    case FIRST_ELEMENT:
        if (b == ']') {
            close_level(c);
            return 0;
        }
        return begin_value(c, b);
    case BEFORE_VALUE:
        return begin_value(c, b);
    case AFTER_VALUE:
        if (b == c->closers[c->level - 1]) {
            close_level(c);
            return 0;
        }
        c->state = c->closers[c->level - 1] == '}' ? KEY : BEFORE_VALUE;
        return b == ',' ? 0 : ERR_INVALID;
    default:
        return ERR_INVALID; /* something after the end */
    }
}

/* How many bytes from `at` on belong to the string; sets `quoted` to false behind its end. */
static size_t string_run(struct json_cutter *c, struct str bytes, size_t at)
{
    size_t i = at;
    while (i < bytes.len && c->quoted) {
        char b = bytes.ptr[i++];
        c->quoted = c->escaped || b != '"';
        c->escaped = !c->escaped && b == '\\';
    }
    return i - at;
}

/* How many bytes from `at` on belong to a value in brackets; `value_depth` is 0 behind its end. */
static size_t bracket_run(struct json_cutter *c, struct str bytes, size_t at)
{
    size_t i = at;
    while (i < bytes.len && c->value_depth > 0) {
        if (c->quoted) {
            i += string_run(c, bytes, i);
            continue;
        }
        char b = bytes.ptr[i++];
        if (b == '"') {
            c->quoted = true;
            c->escaped = false;
        } else if (b == '[' || b == '{') {
            c->value_depth++;
        } else if (b == ']' || b == '}') {
            c->value_depth--;
        }
    }
    return i - at;
}

static size_t scalar_run(struct str bytes, size_t at)
{
    size_t i = at;
    while (i < bytes.len && !ends_scalar(bytes.ptr[i])) {
        i++;
    }
    return i - at;
}

/* Adds what belongs to the key or value under way, and finishes it at its end. Moves `*at`. */
static int go_on(struct json_cutter *c, struct str bytes, size_t *at)
{
    size_t from = *at, run;
    bool ended;
    struct strbuf *to = c->state == IN_KEY ? &c->key : &c->value;
    switch (c->state) {
    case IN_SCALAR:
        run = scalar_run(bytes, from);
        ended = from + run < bytes.len;
        break;
    case IN_BRACKETS:
        run = bracket_run(c, bytes, from);
        ended = c->value_depth == 0;
        break;
    default: /* IN_KEY, IN_STRING */
        c->quoted = true;
        run = string_run(c, bytes, from);
        ended = !c->quoted;
    }
    *at += run;
    strbuf_add(to, bytes.ptr + from, run);
    if (to == &c->value && c->value.size > c->options.value_max) {
        return ERR_LIMIT;
    }
    if (strbuf_error(to) != 0 || !ended) {
        return strbuf_error(to);
    }
    return to == &c->key ? finish_key(c) : finish_value(c);
}

static bool is_inside(const struct json_cutter *c)
{
    return c->state == IN_KEY || c->state == IN_SCALAR || c->state == IN_STRING ||
           c->state == IN_BRACKETS;
}

int json_cutter_feed(struct json_cutter *c, struct str bytes)
{
    for (size_t at = 0; c->error == 0 && at < bytes.len;) {
        c->error = is_inside(c) ? go_on(c, bytes, &at) : step(c, bytes.ptr[at++]);
    }
    return c->error;
}

int json_cutter_end(struct json_cutter *c)
{
    if (c->error == 0 && c->options.sequence && c->state == IN_SCALAR) {
        c->error = finish_value(c);
    }
    bool whole = c->options.sequence ? c->state == BEFORE_VALUE : c->state == END;
    c->error = c->error != 0 || whole ? c->error : ERR_INVALID;
    return c->error;
}
