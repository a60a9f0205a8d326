/* Comments of an exposition (HELP, TYPE, UNIT) that a target has said before, in the same place: their
 * bytes are hashed, not read again.
 *
 * A run of lines that begin with '#' is one block. Its hash is remembered by its number once all of
 * its lines were read without complaint. One thread.
 */
#ifndef SONDE_SCRAPE_KNOWN_COMMENTS_H
#define SONDE_SCRAPE_KNOWN_COMMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/exposition.h"

/* Blocks of one exposition; more are read each time. */
#define KNOWN_COMMENTS_MAX 65536

struct known_comments {
    uint64_t seed; /* secret: no target can guess a hash */
    uint64_t *hashes;
    size_t count, cap;
    uint64_t round;     /* they were read in */
    size_t next;        /* the block that comes next */
    uint64_t reading;   /* hash of the block that is being read */
    size_t reading_end; /* offset behind it; 0 = none is */
};

/* A body begins. In another round than the one before nothing is known. */
void comments_begin(struct known_comments *k, uint64_t round);
/* At a block that was there before: skips it. Else false; the parser's next entries are to be read one
 * by one. */
bool comments_skip(struct known_comments *k, struct exposition_parser *p);
/* All lines of the part that the parser has were read; a block does not go on in the next one. */
void comments_part_ends(struct known_comments *k);
void comments_release(struct known_comments *k);

#endif
