/* The truncation check that every parser of kernel text passes: the fixture is cut behind each byte,
 * each piece lies alone in its own allocation (so a sanitizer sees the first byte read past it), and
 * a piece that ends inside a line must be ERR_CORRUPT. */
#ifndef SONDE_TESTS_CUTS_H
#define SONDE_TESTS_CUTS_H

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "support/support.h"

/* `walk` reads all of a text and returns 0 or the first error. */
static inline void assert_cuts_are_corrupt(struct str text, int (*walk)(struct str text))
{
    assert_int_equal(walk(text), 0);
    for (size_t length = 1; length < text.len; length++) {
        char *piece = mem_dup(text.ptr, length);
        assert_non_null(piece);
        int status = walk(str_make(piece, length));
        if (piece[length - 1] != '\n') {
            if (status != ERR_CORRUPT) {
                print_error(
                    "cut behind byte %zu of \"%.40s…\": status %d\n", length, text.ptr, status);
            }
            assert_int_equal(status, ERR_CORRUPT);
        } else {
            assert_true(status == 0 || status == ERR_CORRUPT);
        }
        mem_free(piece);
    }
}

/* Each text of a NULL-terminated list must be ERR_CORRUPT. */
static inline void assert_all_corrupt(const char *const *texts, int (*walk)(struct str text))
{
    for (size_t i = 0; texts[i] != NULL; i++) {
        int status = walk(str_of(texts[i]));
        if (status != ERR_CORRUPT) {
            print_error("row %zu \"%s\": status %d, expected ERR_CORRUPT\n", i, texts[i], status);
        }
        assert_int_equal(status, ERR_CORRUPT);
    }
}

static inline void assert_str(struct str actual, const char *expected)
{
    if (!str_eq_c(actual, expected)) {
        print_error("got \"%.*s\", expected \"%s\"\n", STR_ARG(actual), expected);
    }
    assert_true(str_eq_c(actual, expected));
}

#endif
