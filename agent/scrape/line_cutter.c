/* Pieces into runs of whole lines. */
#include "scrape/line_cutter.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"

void line_cutter_init(struct line_cutter *c)
{
    *c = (struct line_cutter){0};
    strbuf_init(&c->rest, 2 * LINE_CUTTER_LINE_MAX); /* the limit of a line is found before */
}

void line_cutter_release(struct line_cutter *c)
{
    strbuf_release(&c->rest);
}

void line_cutter_reset(struct line_cutter *c)
{
    line_cutter_release(c);
    line_cutter_init(c);
}

/* Forgets what was handed on. */
static void drop_given(struct line_cutter *c)
{
    if (c->given > 0) {
        size_t left = c->rest.size - c->given;
        memmove(c->rest.data, c->rest.data + c->given, left);
        strbuf_truncate(&c->rest, left);
        c->line -= c->given;
        c->given = 0;
    }
}

/* Length of a text up to and with the end of its last line that is whole. */
static size_t whole_lines(struct str text)
{
    const char *newline = text.len > 0 ? memrchr(text.ptr, '\n', text.len) : NULL;
    return newline != NULL ? (size_t)(newline - text.ptr) + 1 : 0;
}

/* How much of a text, which begins with a line, makes a run. `whole` is the length of its whole lines. */
static size_t run_length(struct str text, size_t whole)
{
    size_t end = whole;
    while (end > 0 && whole - end <= LINE_CUTTER_COMMENTS_MAX) {
        size_t begin = whole_lines(str_make(text.ptr, end - 1));
        if (text.ptr[begin] != '#') {
            return end;
        }
        end = begin;
    }
    return end == 0 && whole <= LINE_CUTTER_COMMENTS_MAX ? 0 : whole;
}

/* Takes of the piece what belongs to the run that the rest begins: up to the end of the first line that is no
 * comment, or all of it. Returns how much; `c->line` is behind the lines that are whole. */
static size_t extend_rest(struct line_cutter *c, struct str piece, bool *is_run_out)
{
    size_t before = c->rest.size, at = 0;
    bool comment = (c->line < before ? c->rest.data[c->line] : piece.ptr[0]) == '#';
    const char *newline;
    *is_run_out = false;
    while (!*is_run_out && at < piece.len &&
           (newline = memchr(piece.ptr + at, '\n', piece.len - at)) != NULL) {
        at = (size_t)(newline - piece.ptr) + 1;
        c->line = before + at;
        *is_run_out = !comment;
        comment = at < piece.len && piece.ptr[at] == '#';
    }
    size_t taken = *is_run_out ? at : piece.len;
    strbuf_add(&c->rest, piece.ptr, taken);
    return taken;
}

int line_cutter_add(struct line_cutter *c, struct str piece, struct str runs_out[2])
{
    runs_out[0] = runs_out[1] = STR("");
    drop_given(c);
    if (c->rest.size > 0 && piece.len > 0) {
        bool is_run;
        piece = str_skip(piece, extend_rest(c, piece, &is_run));
        c->given = is_run || c->line > LINE_CUTTER_COMMENTS_MAX ? c->line : 0;
    }
    if (piece.len > 0) {
        size_t whole = whole_lines(piece), length = run_length(piece, whole);
        runs_out[1] = str_make(piece.ptr, length);
        c->line = c->rest.size + whole - length;
        strbuf_add(&c->rest, piece.ptr + length, piece.len - length);
    }
    int status = strbuf_error(&c->rest);
    if (status == 0 && c->given > 0) {
        runs_out[0] = str_make(c->rest.data, c->given);
    }
    return status == 0 && c->rest.size - c->line > LINE_CUTTER_LINE_MAX ? ERR_LIMIT : status;
}

struct str line_cutter_end(struct line_cutter *c)
{
    drop_given(c);
    return strbuf_str(&c->rest);
}
