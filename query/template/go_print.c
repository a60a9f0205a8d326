/* Go's package fmt for the kinds templates have.
 *
 *   %[flags][width][.precision][argument index]verb      flags: + - # 0 space
 *
 * Verbs: %v %+v of anything; %t; %d %b %o %x %X %c %q %U of integers; %e %E %f %F %g %G of floats;
 * %s %q %x %X of strings; %T. A verb that does not suit its operand prints as %!verb(type=value).
 */
#include "go_print.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "base/fpconv.h"
#include "go_time.h"
#include "template_literal.h"

/* Composites inside composites. */
#define PRINT_DEPTH_MAX 32
#define PRECISION_MAX 1000

struct verb {
    char letter;
    bool plus, minus, sharp, space, zero;
    bool has_width, has_precision;
    int width, precision;
};

/* ---- Numbers ---- */

void go_write_float(double value, char format, int precision, struct strbuf *out)
{
    char text[FP_PLAIN_TEXT_MAX + PRECISION_MAX];
    char kind = (char)(format | 0x20);
    if (!isfinite(value)) {
        strbuf_add_c(out, isnan(value) ? "NaN" : value < 0 ? "-Inf" : "+Inf");
        return;
    }
    if (precision < 0 && kind == 'g') {
        (void)fp_format_short(value, text);
    } else if (precision < 0 && kind == 'f') {
        (void)fp_format_plain(value, text);
    } else {
        /* Digits on request are the C library's, in its plain locale whatever the program's is. */
        locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
        locale_t before = uselocale(plain);
        if (precision < 0) {
            /* The fewest digits that read back. */
            for (precision = 0; precision < 17; precision++) {
                (void)snprintf(text, sizeof(text), "%.*e", precision, value);
                double again = 0;
                if (str_to_double(str_of(text), &again) == 0 && again == value) {
                    break;
                }
            }
        }
        precision = precision < PRECISION_MAX ? precision : PRECISION_MAX;
        if (kind == 'e') {
            (void)snprintf(text, sizeof(text), "%.*e", precision, value);
        } else if (kind == 'f') {
            (void)snprintf(text, sizeof(text), "%.*f", precision, value);
        } else {
            (void)snprintf(text, sizeof(text), "%.*g", precision, value);
        }
        (void)uselocale(before);
        freelocale(plain);
    }
    for (char *c = text; *c != '\0' && format < 'a'; c++) {
        *c = *c == 'e' ? 'E' : *c;
    }
    strbuf_add_c(out, text);
}

static void write_u64(uint64_t value, unsigned base, bool upper, struct strbuf *out)
{
    char digits[64];
    size_t n = sizeof(digits);
    do {
        unsigned digit = (unsigned)(value % base);
        digits[--n] = (char)(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10);
        value /= base;
    } while (value > 0);
    strbuf_add(out, digits + n, sizeof(digits) - n);
}

void go_write_duration(int64_t nanoseconds, struct strbuf *out)
{
    uint64_t left = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
    strbuf_add_c(out, nanoseconds < 0 ? "-" : "");
    uint64_t unit = left < 1000000 ? 1000 : left < 1000000000 ? 1000000 : 1000000000;
    const char *name = unit == 1000 ? "\xc2\xb5s" : unit == 1000000 ? "ms" : "s";
    if (left == 0) {
        strbuf_add_c(out, "0s");
        return;
    }
    if (left < 1000) {
        strbuf_add_u64(out, left);
        strbuf_add_c(out, "ns");
        return;
    }
    if (unit == 1000000000) {
        uint64_t minutes = left / (60 * unit);
        if (minutes >= 60) {
            strbuf_add_u64(out, minutes / 60);
            strbuf_add_char(out, 'h');
        }
        if (minutes > 0) {
            strbuf_add_u64(out, minutes % 60);
            strbuf_add_char(out, 'm');
        }
        left %= 60 * unit;
    }
    strbuf_add_u64(out, left / unit);
    uint64_t part = left % unit;
    if (part > 0) {
        strbuf_add_char(out, '.');
        for (unit /= 10; part > 0; unit /= 10) {
            strbuf_add_char(out, (char)('0' + part / unit));
            part %= unit;
        }
    }
    strbuf_add_c(out, name);
}

/* ---- Padding ---- */

static size_t characters_of(struct str s)
{
    size_t count = 0, bytes = 0;
    for (; s.len > 0; s = str_skip(s, bytes)) {
        (void)template_character(s, &bytes);
        count++;
    }
    return count;
}

static void fill(struct strbuf *out, char c, size_t count)
{
    for (size_t i = 0; i < count && strbuf_error(out) == 0; i++) {
        strbuf_add_char(out, c);
    }
}

static void pad(const struct verb *v, struct str text, bool number, struct strbuf *out)
{
    size_t length = characters_of(text);
    size_t missing = v->has_width && (size_t)v->width > length ? (size_t)v->width - length : 0;
    bool zeros = v->zero && !v->minus;
    if (missing > 0 && !v->minus && !zeros) {
        fill(out, ' ', missing);
    }
    if (missing > 0 && zeros) {
        bool has_sign = number && text.len > 0 &&
                        (text.ptr[0] == '-' || text.ptr[0] == '+' || text.ptr[0] == ' ');
        strbuf_add(out, text.ptr, has_sign);
        text = str_skip(text, has_sign);
        fill(out, '0', missing);
    }
    strbuf_add_str(out, text);
    if (missing > 0 && v->minus) {
        fill(out, ' ', missing);
    }
}

/* ---- Kinds ---- */

static void print(struct template_run *run, const struct verb *v,
    const struct template_value *value, unsigned depth, struct strbuf *out);

static void bad_verb(struct template_run *run, const struct verb *v,
    const struct template_value *value, struct strbuf *out)
{
    strbuf_addf(out, "%%!%c(", v->letter);
    if (value->kind == TEMPLATE_NIL) {
        strbuf_add_c(out, "<nil>)");
        return;
    }
    strbuf_add_c(out, template_type_name(value));
    strbuf_add_char(out, '=');
    print(run, &(struct verb){.letter = 'v'}, value, 0, out);
    strbuf_add_char(out, ')');
}

static void print_integer(struct template_run *run, const struct verb *v,
    const struct template_value *value, int64_t number, struct strbuf *out)
{
    struct strbuf text = STRBUF_INIT;
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    unsigned base = 0;
    switch (v->letter) {
    case 'v':
    case 'd':
        base = 10;
        break;
    case 'b':
        base = 2;
        break;
    case 'o':
    case 'O':
        base = 8;
        break;
    case 'x':
    case 'X':
        base = 16;
        break;
    case 'c':
        template_write_character(
            number >= 0 && number <= 0x10ffff ? (uint32_t)number : 0xfffd, &text);
        pad(v, strbuf_str(&text), false, out);
        break;
    case 'q':
        strbuf_add_char(&text, '\'');
        template_write_character(
            number >= 0 && number <= 0x10ffff ? (uint32_t)number : 0xfffd, &text);
        strbuf_add_char(&text, '\'');
        pad(v, strbuf_str(&text), false, out);
        break;
    case 'U':
        strbuf_addf(&text, "U+%04llX", (unsigned long long)number);
        pad(v, strbuf_str(&text), false, out);
        break;
    default:
        bad_verb(run, v, value, out);
    }
    if (base != 0) {
        struct strbuf digits = STRBUF_INIT;
        write_u64(magnitude, base, v->letter == 'X', &digits);
        strbuf_add_c(&text, number < 0 ? "-" : v->plus ? "+" : v->space ? " " : "");
        strbuf_add_c(&text, v->letter == 'O' ? "0o" : "");
        if (v->sharp && base != 10) {
            strbuf_add_c(&text, base == 2          ? "0b"
                                : base == 8        ? "0"
                                : v->letter == 'X' ? "0X"
                                                   : "0x");
        }
        if (v->has_precision && (size_t)v->precision > digits.size) {
            fill(&text, '0', (size_t)v->precision - digits.size);
        }
        strbuf_add_str(&text, strbuf_str(&digits));
        struct verb plain = *v;
        plain.zero &= !v->has_precision;
        pad(&plain, strbuf_str(&text), true, out);
        strbuf_release(&digits);
    }
    strbuf_release(&text);
}

static void print_float(struct template_run *run, const struct verb *v,
    const struct template_value *value, struct strbuf *out)
{
    if (strchr("veEfFgG", v->letter) == NULL) {
        bad_verb(run, v, value, out);
        return;
    }
    char format = v->letter == 'v' ? 'g' : v->letter == 'F' ? 'f' : v->letter;
    int precision = v->has_precision ? v->precision : (format | 0x20) == 'g' ? -1 : 6;
    struct strbuf text = STRBUF_INIT;
    if (!signbit(value->number) || isnan(value->number)) {
        bool infinite = isinf(value->number);
        strbuf_add_c(&text, v->plus && !infinite ? "+" : v->space && !v->plus ? " " : "");
    }
    go_write_float(value->number, format, precision, &text);
    struct verb plain = *v;
    plain.zero &= isfinite(value->number);
    pad(&plain, strbuf_str(&text), true, out);
    strbuf_release(&text);
}

static void print_string(struct template_run *run, const struct verb *v,
    const struct template_value *value, struct str s, struct strbuf *out)
{
    struct strbuf text = STRBUF_INIT;
    if (v->has_precision && v->letter != 'x' && v->letter != 'X') {
        size_t kept = 0, bytes = 0;
        for (int i = 0; i < v->precision && kept < s.len; i++) {
            (void)template_character(str_skip(s, kept), &bytes);
            kept += bytes;
        }
        s.len = kept;
    }
    switch (v->letter) {
    case 'v':
    case 's':
        pad(v, s, false, out);
        break;
    case 'q':
        if (v->sharp && memchr(s.ptr != NULL ? s.ptr : "", '`', s.len) == NULL) {
            strbuf_add_char(&text, '`');
            strbuf_add_str(&text, s);
            strbuf_add_char(&text, '`');
        } else {
            template_write_quoted(s, &text);
        }
        pad(v, strbuf_str(&text), false, out);
        break;
    case 'x':
    case 'X':
        for (size_t i = 0; i < s.len && (!v->has_precision || i < (size_t)v->precision); i++) {
            if (v->sharp && (i == 0 || v->space)) {
                strbuf_add_c(&text, v->letter == 'x' ? " 0x" + (i == 0) : " 0X" + (i == 0));
            } else if (v->space && i > 0) {
                strbuf_add_char(&text, ' ');
            }
            strbuf_addf(&text, v->letter == 'x' ? "%02x" : "%02X", (unsigned char)s.ptr[i]);
        }
        pad(v, strbuf_str(&text), false, out);
        break;
    default:
        bad_verb(run, v, value, out);
    }
    strbuf_release(&text);
}

/* What has a method String is printed by it, as fmt does for %v and %s. */
static bool print_by_method(struct template_run *run, const struct verb *v,
    const struct template_value *value, struct strbuf *out)
{
    const struct template_method *m =
        value->kind == TEMPLATE_LIST                                    ? value->list->methods
        : value->kind == TEMPLATE_MAP || value->kind == TEMPLATE_STRUCT ? value->fields->methods
                                                                        : NULL;
    for (; m != NULL && m->name != NULL && strchr("vsq", v->letter) != NULL; m++) {
        struct template_value text;
        if (strcmp(m->name, "String") == 0 && m->call(run, value, NULL, 0, &text, NULL) == 0) {
            print_string(run, v, &text, text.string, out);
            return true;
        }
    }
    return false;
}

static void print_composite(struct template_run *run, const struct verb *v,
    const struct template_value *value, unsigned depth, struct strbuf *out)
{
    if (print_by_method(run, v, value, out)) {
        return;
    }
    bool is_list = value->kind == TEMPLATE_LIST, is_map = value->kind == TEMPLATE_MAP;
    strbuf_add_c(out, is_list ? "[" : is_map ? "map[" : "{");
    size_t count = is_list ? value->list->count : value->fields->count;
    for (size_t i = 0; i < count && strbuf_error(out) == 0; i++) {
        strbuf_add_c(out, i > 0 ? " " : "");
        const struct template_value *item =
            is_list ? &value->list->items[i] : value->fields->items[i].value;
        if (!is_list && (is_map || v->plus)) {
            strbuf_add_str(out, value->fields->items[i].name);
            strbuf_add_char(out, ':');
        }
        if (depth == PRINT_DEPTH_MAX) {
            strbuf_add_c(out, "...");
        } else {
            print(run, v, item, depth + 1, out);
        }
    }
    strbuf_add_c(out, is_list || is_map ? "]" : "}");
}

static void print(struct template_run *run, const struct verb *v,
    const struct template_value *value, unsigned depth, struct strbuf *out)
{
    struct strbuf text = STRBUF_INIT;
    if (v->letter == 'T') {
        print_string(run, &(struct verb){.letter = 's'}, value,
            str_of(value->kind == TEMPLATE_NIL ? "<nil>" : template_type_name(value)), out);
        return;
    }
    switch (value->kind) {
    case TEMPLATE_NIL:
        if (v->letter == 'v') {
            pad(v, STR("<nil>"), false, out);
        } else {
            bad_verb(run, v, value, out);
        }
        break;
    case TEMPLATE_BOOL:
        if (v->letter == 'v' || v->letter == 't') {
            pad(v, str_of(value->boolean ? "true" : "false"), false, out);
        } else {
            bad_verb(run, v, value, out);
        }
        break;
    case TEMPLATE_INT:
        print_integer(run, v, value, value->integer, out);
        break;
    case TEMPLATE_FLOAT:
        print_float(run, v, value, out);
        break;
    case TEMPLATE_STRING:
        print_string(run, v, value, value->string, out);
        break;
    case TEMPLATE_DURATION:
        if (strchr("vsq", v->letter) == NULL) {
            print_integer(run, v, value, value->duration_ns, out);
        } else {
            go_write_duration(value->duration_ns, &text);
            print_string(run, v, value, strbuf_str(&text), out);
        }
        break;
    case TEMPLATE_TIME:
        go_write_time(&value->time, GO_TIME_STRING, &text);
        print_string(run, v, value, strbuf_str(&text), out);
        break;
    case TEMPLATE_LIST:
    case TEMPLATE_MAP:
    case TEMPLATE_STRUCT:
        print_composite(run, v, value, depth, out);
        break;
    }
    strbuf_release(&text);
}

/* ---- Public ---- */

void go_print_value(
    struct template_run *run, const struct template_value *value, struct strbuf *out)
{
    print(run, &(struct verb){.letter = 'v'}, value, 0, out);
}

void go_print(struct template_run *run, const struct template_value *values, size_t count,
    bool line, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        bool strings =
            i > 0 && (values[i].kind == TEMPLATE_STRING || values[i - 1].kind == TEMPLATE_STRING);
        if (i > 0 && (line || !strings)) {
            strbuf_add_char(out, ' ');
        }
        go_print_value(run, &values[i], out);
    }
    strbuf_add_c(out, line ? "\n" : "");
}

/* ---- Formats ---- */

struct formatter {
    struct str rest;
    const struct template_value *values;
    size_t count, next;
    bool reordered, good_index;
};

static char peek(const struct formatter *f)
{
    return f->rest.len > 0 ? f->rest.ptr[0] : '\0';
}

static bool take_integer(struct formatter *f, int *value_out)
{
    bool any = false;
    int value = 0;
    while (peek(f) >= '0' && peek(f) <= '9') {
        value = value <= GO_WIDTH_MAX ? value * 10 + (peek(f) - '0') : value;
        f->rest = str_skip(f->rest, 1);
        any = true;
    }
    *value_out = value <= GO_WIDTH_MAX ? value : 0;
    return any;
}

/* [3]: the operand that comes next. */
static void take_index(struct formatter *f)
{
    if (peek(f) != '[') {
        return;
    }
    int index = 0;
    struct formatter ahead = *f;
    ahead.rest = str_skip(ahead.rest, 1);
    f->reordered = true;
    if (take_integer(&ahead, &index) && peek(&ahead) == ']' && index >= 1 &&
        (size_t)index <= f->count) {
        f->rest = str_skip(ahead.rest, 1);
        f->next = (size_t)index - 1;
        return;
    }
    ptrdiff_t end = str_find(f->rest, ']');
    f->rest = str_skip(f->rest, end < 0 ? 1 : (size_t)end + 1);
    f->good_index = false;
}

/* A number, or * for an operand. */
static bool take_size(struct formatter *f, int *size_out, const char *complaint, struct strbuf *out)
{
    if (peek(f) != '*') {
        return take_integer(f, size_out);
    }
    f->rest = str_skip(f->rest, 1);
    const struct template_value *v = f->next < f->count ? &f->values[f->next++] : NULL;
    if (v == NULL || v->kind != TEMPLATE_INT || v->integer > GO_WIDTH_MAX ||
        v->integer < -GO_WIDTH_MAX) {
        strbuf_add_c(out, complaint);
        return false;
    }
    *size_out = (int)v->integer;
    return true;
}

static struct verb take_verb(struct formatter *f, struct strbuf *out)
{
    struct verb v = {0};
    for (;; f->rest = str_skip(f->rest, 1)) {
        char c = peek(f);
        bool flag = c == '+' || c == '-' || c == '#' || c == ' ' || c == '0';
        if (!flag) {
            break;
        }
        v.plus |= c == '+';
        v.minus |= c == '-';
        v.sharp |= c == '#';
        v.space |= c == ' ';
        v.zero |= c == '0';
    }
    f->good_index = true;
    take_index(f);
    v.has_width = take_size(f, &v.width, "%!(BADWIDTH)", out);
    if (v.width < 0) {
        v.width = -v.width;
        v.minus = true;
    }
    if (peek(f) == '.') {
        f->rest = str_skip(f->rest, 1);
        take_index(f);
        bool star = peek(f) == '*';
        bool taken = take_size(f, &v.precision, "%!(BADPREC)", out);
        v.has_precision = taken || !star;
        if (v.precision < 0) {
            v.has_precision = false;
            strbuf_add_c(out, "%!(BADPREC)");
        }
    }
    take_index(f);
    return v;
}

void go_printf(struct template_run *run, struct str format, const struct template_value *values,
    size_t count, struct strbuf *out)
{
    struct formatter f = {.rest = format, .values = values, .count = count, .good_index = true};
    while (f.rest.len > 0 && strbuf_error(out) == 0) {
        ptrdiff_t percent = str_find(f.rest, '%');
        size_t text = percent < 0 ? f.rest.len : (size_t)percent;
        strbuf_add(out, f.rest.ptr, text);
        f.rest = str_skip(f.rest, text + 1);
        if (percent < 0) {
            break;
        }
        struct verb v = take_verb(&f, out);
        if (f.rest.len == 0) {
            strbuf_add_c(out, "%!(NOVERB)");
            break;
        }
        size_t bytes = 0;
        (void)template_character(f.rest, &bytes);
        struct str letter = str_make(f.rest.ptr, bytes);
        v.letter = bytes == 1 && letter.ptr[0] != '\0' ? letter.ptr[0] : '?';
        f.rest = str_skip(f.rest, bytes);
        if (v.letter == '%') {
            strbuf_add_char(out, '%');
        } else if (!f.good_index) {
            strbuf_addf(out, "%%!%.*s(BADINDEX)", STR_ARG(letter));
        } else if (f.next >= f.count) {
            strbuf_addf(out, "%%!%.*s(MISSING)", STR_ARG(letter));
        } else {
            print(run, &v, &values[f.next++], 0, out);
        }
    }
    if (f.reordered || f.next >= f.count) {
        return;
    }
    strbuf_add_c(out, "%!(EXTRA ");
    for (size_t i = f.next; i < f.count; i++) {
        strbuf_add_c(out, i > f.next ? ", " : "");
        if (values[i].kind == TEMPLATE_NIL) {
            strbuf_add_c(out, "<nil>");
            continue;
        }
        strbuf_addf(out, "%s=", template_type_name(&values[i]));
        go_print_value(run, &values[i], out);
    }
    strbuf_add_char(out, ')');
}
