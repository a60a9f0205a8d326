/* Blocks of comments by hash. */
#include "scrape/known_comments.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

void comments_begin(struct known_comments *k, uint64_t round)
{
    k->count = k->round == round ? k->count : 0;
    k->round = round;
    k->next = 0;
    k->reading_end = 0;
}

void comments_release(struct known_comments *k)
{
    mem_free(k->hashes);
    *k = (struct known_comments){.seed = k->seed};
}

/* Where the block at the parser's place ends, and how many lines it has. The end marker of OpenMetrics
 * belongs to no block, nor does a line without an end. */
static size_t find_end(const struct exposition_parser *p, size_t *lines_out)
{
    static const char marker[] = "# EOF";
    size_t at = p->position, lines = 0;
    while (at < p->body.len && p->body.ptr[at] == '#') {
        const char *line = p->body.ptr + at;
        size_t left = p->body.len - at;
        const char *end = memchr(line, '\n', left);
        bool last = left >= sizeof(marker) - 1 && memcmp(line, marker, sizeof(marker) - 1) == 0;
        if (end == NULL || last) {
            break;
        }
        at += (size_t)(end - line) + 1;
        lines++;
    }
    *lines_out = lines;
    return at;
}

/* The block that was being read has been, to its end. */
static void remember(struct known_comments *k)
{
    if (mem_array_grow((void **)&k->hashes, &k->cap, k->next + 1, sizeof(*k->hashes),
            KNOWN_COMMENTS_MAX) == 0) {
        k->hashes[k->next] = k->reading;
        k->count = k->next + 1 > k->count ? k->next + 1 : k->count;
    }
    k->next++;
    k->reading_end = 0;
}

void comments_part_ends(struct known_comments *k)
{
    if (k->reading_end != 0) {
        remember(k);
    }
}

bool comments_skip(struct known_comments *k, struct exposition_parser *p)
{
    if (k->reading_end != 0) {
        if (p->position < k->reading_end) {
            return false;
        }
        remember(k);
    }
    size_t lines, end = find_end(p, &lines);
    if (lines == 0 || p->saw_eof_marker) {
        return false;
    }
    uint64_t hash = hash64(p->body.ptr + p->position, end - p->position, k->seed);
    if (k->next < k->count && k->hashes[k->next] == hash) {
        k->next++;
        p->position = end;
        p->line += lines;
        return true;
    }
    k->reading = hash;
    k->reading_end = end;
    return false;
}
