/* Functions of texts and numbers that rules and notifications share. */
#include <math.h>

#include "base/regex.h"
#include "go_print.h"
#include "template_literal.h"
#include "template_run.h"

/* ---- Case ---- */

/* Blocks of letters whose cases lie a fixed distance apart. */
static const struct {
    uint32_t upper_first, upper_last, distance;
} blocks[] = {
    {'A', 'Z', 32},
    {0xc0, 0xd6, 32},
    {0xd8, 0xde, 32},
    {0x391, 0x3a1, 32},
    {0x3a3, 0x3ab, 32},
    {0x400, 0x40f, 80},
    {0x410, 0x42f, 32},
};
#define BLOCK_COUNT (sizeof(blocks) / sizeof(blocks[0]))

/* Latin Extended-A and Cyrillic extensions: capitals and small letters in turn, the capital even. */
static bool in_turn(uint32_t code)
{
    return (code >= 0x100 && code <= 0x12f) || (code >= 0x132 && code <= 0x137) ||
           (code >= 0x14a && code <= 0x177) || (code >= 0x460 && code <= 0x481) ||
           (code >= 0x48a && code <= 0x4bf);
}

uint32_t template_to_upper(uint32_t code)
{
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        uint32_t upper = code - blocks[i].distance;
        if (code >= blocks[i].distance && upper >= blocks[i].upper_first &&
            upper <= blocks[i].upper_last) {
            return upper;
        }
    }
    return in_turn(code) ? code & ~1u : code;
}

uint32_t template_to_lower(uint32_t code)
{
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        if (code >= blocks[i].upper_first && code <= blocks[i].upper_last) {
            return code + blocks[i].distance;
        }
    }
    return in_turn(code) ? code | 1u : code;
}

static int change_case(struct template_run *run, struct str text, uint32_t (*change)(uint32_t),
    struct template_value *value_out)
{
    struct strbuf out = STRBUF_INIT;
    size_t bytes = 0;
    for (; text.len > 0; text = str_skip(text, bytes)) {
        template_write_character(change(template_character(text, &bytes)), &out);
    }
    return template_keep_buffer(run, &out, value_out);
}

int template_call_upper(TEMPLATE_CALL)
{
    (void)count, (void)e;
    return change_case(run, arguments[0].string, template_to_upper, value_out);
}

int template_call_lower(TEMPLATE_CALL)
{
    (void)count, (void)e;
    return change_case(run, arguments[0].string, template_to_lower, value_out);
}

/* ---- Patterns ---- */

/* match PATTERN TEXT */
int template_call_match(TEMPLATE_CALL)
{
    (void)run, (void)count;
    struct regex *pattern = NULL;
    int status = regex_new_unanchored(arguments[0].string, &pattern, e);
    if (status == 0) {
        *value_out = template_bool(regex_found(pattern, arguments[1].string));
    }
    regex_free(pattern);
    return status;
}

/* reReplaceAll PATTERN REPLACEMENT TEXT */
int template_call_replace(TEMPLATE_CALL)
{
    (void)count;
    struct regex *pattern = NULL;
    int status = regex_new_unanchored(arguments[0].string, &pattern, e);
    if (status != 0) {
        return status;
    }
    struct strbuf out;
    strbuf_init(&out, run->limits.memory_bytes);
    status = regex_replace_all(pattern, arguments[2].string, arguments[1].string, &out);
    regex_free(pattern);
    if (status != 0) {
        strbuf_release(&out);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    return template_keep_buffer(run, &out, value_out);
}

int template_call_safe(TEMPLATE_CALL)
{
    (void)run, (void)count, (void)e;
    *value_out = arguments[0];
    value_out->safe = true;
    return 0;
}

/* ---- Numbers ---- */

int template_float_of(const struct template_value *v, double *number_out, struct err *e)
{
    switch (v->kind) {
    case TEMPLATE_FLOAT:
        *number_out = v->number;
        return 0;
    case TEMPLATE_INT:
        *number_out = (double)v->integer;
        return 0;
    case TEMPLATE_DURATION:
        *number_out = (double)v->duration_ns / 1e9;
        return 0;
    case TEMPLATE_STRING:
        if (str_to_double(v->string, number_out) != 0) {
            return err_set(e, ERR_INVALID, -1,
                "strconv.ParseFloat: parsing \"%.*s\": invalid syntax", STR_ARG(v->string));
        }
        return 0;
    default:
        return err_set(e, ERR_INVALID, -1, "can't convert %s to float", template_type_name(v));
    }
}

/* 1d 2h 3m 4s; below a minute four digits of seconds, below a second with a prefix. */
static void write_duration(double v, struct strbuf *out)
{
    if (!isfinite(v)) {
        go_write_float(v, 'g', 4, out);
        return;
    }
    if (fabs(v) >= 1) {
        strbuf_add_c(out, v < 0 ? "-" : "");
        v = fabs(v);
        /* What does not fit is shown as the longest that does. */
        int64_t whole = v < 0x1p63 ? (int64_t)v : INT64_MAX;
        if (whole >= 86400) {
            strbuf_addf(out, "%lldd ", (long long)(whole / 86400));
        }
        if (whole >= 3600) {
            strbuf_addf(out, "%lldh ", (long long)(whole / 3600 % 24));
        }
        if (whole >= 60) {
            strbuf_addf(out, "%lldm %llds", (long long)(whole / 60 % 60), (long long)(whole % 60));
            return;
        }
        go_write_float(v, 'g', 4, out);
        strbuf_add_char(out, 's');
        return;
    }
    static const char prefixes[] = "munpfazy";
    size_t steps = 0;
    while (v != 0 && fabs(v) < 1 && steps < sizeof(prefixes) - 1) {
        v *= 1000;
        steps++;
    }
    go_write_float(v, 'g', 4, out);
    strbuf_add(out, prefixes + (steps > 0 ? steps - 1 : 0), steps > 0);
    strbuf_add_char(out, 's');
}

int template_call_humanize_duration(TEMPLATE_CALL)
{
    (void)count;
    double number = 0;
    int status = template_float_of(&arguments[0], &number, e);
    if (status != 0) {
        return status;
    }
    struct strbuf out = STRBUF_INIT;
    write_duration(number, &out);
    return template_keep_buffer(run, &out, value_out);
}
