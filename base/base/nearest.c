/* Edit distance (optimal string alignment: Levenshtein plus swaps of neighbours), three rows of the
 * table at a time. */
#include "nearest.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t nearest_distance(struct str a, struct str b)
{
    if (a.len > NEAREST_WORD_MAX || b.len > NEAREST_WORD_MAX) {
        return SIZE_MAX;
    }
    size_t rows[3][NEAREST_WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            row[j] = smaller(change, smaller(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1]) {
                row[j] = smaller(row[j], before[j - 2] + 1);
            }
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.len];
}

bool nearest_is_close(struct str word, size_t distance)
{
    return distance <= 1 + word.len / 4;
}
