/* The smallest strings of a list, each once: beside sorting everything with the library. */
#include "db/distinct_strings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "support/support.h"

enum { STRINGS_MAX = 5000, TEXT_MAX = 24 };

struct list {
    char texts[STRINGS_MAX][TEXT_MAX];
    struct str items[STRINGS_MAX], expected[STRINGS_MAX];
    size_t count, distinct;
};

static int compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void expect(struct list *l)
{
    memcpy(l->expected, l->items, l->count * sizeof(l->items[0]));
    qsort(l->expected, l->count, sizeof(l->items[0]), compare);
    l->distinct = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (i == 0 || !str_eq(l->expected[l->distinct - 1], l->expected[i])) {
            l->expected[l->distinct++] = l->expected[i];
        }
    }
}

static void check(struct list *l, size_t enough, const char *what)
{
    size_t kept = SIZE_MAX, wanted = l->distinct < enough ? l->distinct : enough;
    assert_int_equal(distinct_strings(l->items, l->count, enough, &kept), 0);
    if (kept != wanted) {
        fail_msg("%s, enough %zu: %zu strings, not %zu", what, enough, kept, wanted);
    }
    for (size_t i = 0; i < kept; i++) {
        if (!str_eq(l->items[i], l->expected[i])) {
            fail_msg("%s, enough %zu: at %zu '%.*s', not '%.*s'", what, enough, i,
                STR_ARG(l->items[i]), STR_ARG(l->expected[i]));
        }
    }
}

/* Texts of several kinds: those that begin alike, doubles, bytes of zero, in order and against it. */
static void make(struct list *l, const char *kind, size_t count, uint64_t *seed)
{
    l->count = count;
    for (size_t i = 0; i < count; i++) {
        char *text = l->texts[i];
        size_t len = 0;
        if (strcmp(kind, "alike") == 0) {
            len = (size_t)snprintf(
                text, TEXT_MAX, "host-%05u", (unsigned)(test_random(seed) % 90000));
        } else if (strcmp(kind, "doubles") == 0) {
            len = (size_t)snprintf(text, TEXT_MAX, "%u", (unsigned)(test_random(seed) % 7));
        } else if (strcmp(kind, "bytes") == 0) {
            len = test_random(seed) % 12;
            for (size_t k = 0; k < len; k++) {
                text[k] = (char)(test_random(seed) % 3 == 0 ? 0 : test_random(seed) % 2 + 254);
            }
        } else if (strcmp(kind, "ascending") == 0) {
            len = (size_t)snprintf(text, TEXT_MAX, "the-same-beginning-%04zu", i);
        } else {
            len = (size_t)snprintf(text, TEXT_MAX, "%06zu", count - i);
        }
        l->items[i] = str_make(text, len);
    }
    expect(l);
}

static void test_like_sorting_everything(void **state)
{
    (void)state;
    static const char *const kinds[] = {"alike", "doubles", "bytes", "ascending", "descending"};
    static const size_t counts[] = {0, 1, 2, 16, 17, 18, 100, 1000, STRINGS_MAX};
    static const size_t enough[] = {1, 2, 5, 17, 1001, SIZE_MAX};
    struct list *l = mem_alloc(sizeof(*l));
    assert_non_null(l);
    uint64_t seed = test_seed();
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            for (size_t e = 0; e < sizeof(enough) / sizeof(enough[0]); e++) {
                make(l, kinds[k], counts[c], &seed);
                check(l, enough[e], kinds[k]);
            }
        }
    }
    mem_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_sorting_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
