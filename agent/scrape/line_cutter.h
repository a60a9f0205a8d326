/* A body that comes in pieces, cut into runs of whole lines.
 *
 * A run ends behind a line that is no comment: comments (lines that begin with '#') stay with the line they
 * stand in front of, so that a block of them is never seen in two halves, wherever the pieces end. What a
 * piece leaves over waits for the next one; all else is handed on where it lies, uncopied. Pure: no
 * input or output; one thread.
 */
#ifndef SONDE_SCRAPE_LINE_CUTTER_H
#define SONDE_SCRAPE_LINE_CUTTER_H

#include <stddef.h>

#include "base/str.h"
#include "base/strbuf.h"

/* Of one line: a longer one fails the body. */
#define LINE_CUTTER_LINE_MAX ((size_t)8 << 20)
/* Comments that wait for the line behind them; of more, those that are whole are handed on. */
#define LINE_CUTTER_COMMENTS_MAX ((size_t)64 << 10)

struct line_cutter {
    struct strbuf rest; /* behind the last run: comments, and the beginning of a line */
    size_t given;       /* bytes of it that were handed on with the last piece */
    size_t line;        /* where in it the line begins whose end has not come */
};

void line_cutter_init(struct line_cutter *c);
void line_cutter_release(struct line_cutter *c);
/* A body begins. Keeps no memory of the one before. */
void line_cutter_reset(struct line_cutter *c);
/* The runs that the body has with this piece, in order, either of which may be empty; borrowed from
 * the piece and the cutter until the next call. 0, ERR_LIMIT for a line that is too long, ERR_NOMEM. */
int line_cutter_add(struct line_cutter *c, struct str piece, struct str runs_out[2]);
/* The body has ended: its last run, which may lack the end of its line. Borrowed. */
struct str line_cutter_end(struct line_cutter *c);

#endif
