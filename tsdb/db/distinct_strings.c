/* Quicksort from the left, which stops when enough has been put out.
 *
 * Each stretch of the array is split into less, equal and greater than a pivot. The less are gone on with, the others
 * wait on a stack; strings equal to the pivot are one. What is put out comes in order, so the last one put out
 * tells a string that is there already. Pivots are medians of three; when a bad choice of them has filled the
 * stack, the library's sort takes the stretch over.
 */
#include "db/distinct_strings.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

/* Stretches up to this long are put in order by insertion. */
enum { STRETCH_SMALL = 16 };
/* Stretches that wait: two for each split, so 48 splits deep; halves of anything in memory are fewer. */
enum { WAITING_MAX = 96 };

struct keyed {
    uint64_t key; /* the bytes after the common ones, the first the highest */
    struct str text;
};

struct stretch {
    struct keyed *first, *end;
};

struct sorting {
    struct stretch waiting[WAITING_MAX];
    size_t waiting_count;
    struct str *out;
    size_t kept, enough;
};

/* ---- Keys ---- */

static size_t common_prefix(const struct str *items, size_t count)
{
    size_t common = items[0].len;
    for (size_t i = 1; i < count; i++) {
        size_t at = 0;
        common = items[i].len < common ? items[i].len : common;
        while (at < common && items[i].ptr[at] == items[0].ptr[at]) {
            at++;
        }
        common = at;
    }
    return common;
}

static uint64_t key_of(struct str text, size_t common)
{
    uint8_t bytes[8] = {0};
    size_t left = text.len - common;
    memcpy(bytes, text.ptr + common, left < sizeof(bytes) ? left : sizeof(bytes));
    return __builtin_bswap64(get_le64(bytes));
}

static int compare(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return str_cmp(x->text, y->text);
}

/* ---- Stretches ---- */

static void swap(struct keyed *a, struct keyed *b)
{
    struct keyed t = *a;
    *a = *b;
    *b = t;
}

static struct keyed median(struct stretch p)
{
    struct keyed a = *p.first, b = p.first[(p.end - p.first) / 2], c = p.end[-1];
    if (compare(&a, &b) > 0) {
        swap(&a, &b);
    }
    if (compare(&b, &c) > 0) {
        b = compare(&a, &c) > 0 ? a : c;
    }
    return b;
}

/* Less than the pivot before *equal_out, greater behind it. */
static void split(struct stretch p, struct stretch *equal_out)
{
    struct keyed pivot = median(p), *less = p.first, *greater = p.end;
    for (struct keyed *at = p.first; at < greater;) {
        int order = compare(at, &pivot);
        if (order < 0) {
            swap(at++, less++);
        } else if (order > 0) {
            swap(at, --greater);
        } else {
            at++;
        }
    }
    *equal_out = (struct stretch){less, greater};
}

static void insert_sorted(struct stretch p)
{
    for (struct keyed *i = p.first + 1; i < p.end; i++) {
        struct keyed one = *i;
        struct keyed *at = i;
        for (; at > p.first && compare(&at[-1], &one) > 0; at--) {
            *at = at[-1];
        }
        *at = one;
    }
}

static void put_out(struct sorting *s, struct stretch sorted)
{
    for (struct keyed *i = sorted.first; i < sorted.end && s->kept < s->enough; i++) {
        if (s->kept == 0 || !str_eq(s->out[s->kept - 1], i->text)) {
            s->out[s->kept++] = i->text;
        }
    }
}

static void select_smallest(struct sorting *s, struct stretch all)
{
    s->waiting[s->waiting_count++] = all;
    while (s->waiting_count > 0 && s->kept < s->enough) {
        struct stretch p = s->waiting[--s->waiting_count];
        if (p.end - p.first <= STRETCH_SMALL) {
            insert_sorted(p);
            put_out(s, p);
        } else if (s->waiting_count + 3 > WAITING_MAX) {
            qsort(p.first, (size_t)(p.end - p.first), sizeof(*p.first), compare);
            put_out(s, p);
        } else {
            struct stretch equal;
            split(p, &equal);
            s->waiting[s->waiting_count++] = (struct stretch){equal.end, p.end};
            s->waiting[s->waiting_count++] = (struct stretch){equal.first, equal.first + 1};
            s->waiting[s->waiting_count++] = (struct stretch){p.first, equal.first};
        }
    }
}

int distinct_strings(struct str *items, size_t count, size_t enough, size_t *kept_out)
{
    struct sorting s = {.out = items, .enough = enough};
    if (count == 0) {
        *kept_out = 0;
        return 0;
    }
    struct keyed *keyed = mem_alloc(count * sizeof(*keyed));
    if (keyed == NULL) {
        return ERR_NOMEM;
    }
    size_t common = common_prefix(items, count);
    for (size_t i = 0; i < count; i++) {
        keyed[i] = (struct keyed){key_of(items[i], common), items[i]};
    }
    select_smallest(&s, (struct stretch){keyed, keyed + count});
    mem_free(keyed);
    *kept_out = s.kept;
    return 0;
}
