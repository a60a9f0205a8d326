/* Texts and lines as tests of this room compare them. */
#ifndef SONDE_TESTS_LOGS_EXPECT_H
#define SONDE_TESTS_LOGS_EXPECT_H

#include <math.h>
#include <string.h>

#include "base/strbuf.h"
#include "support/support.h"

static inline void expect_text(struct str got, const char *expected)
{
    if (!str_eq_c(got, expected)) {
        fail_msg("got \"%.*s\", expected \"%s\"", STR_ARG(got), expected);
    }
}

static inline void expect_near(double got, double expected)
{
    if (fabs(got - expected) > 1e-12) {
        fail_msg("got %.17g, expected %.17g", got, expected);
    }
}

static inline bool has_text(const struct strbuf *text, const char *part)
{
    struct str all = strbuf_str(text);
    return all.len > 0 && memmem(all.ptr, all.len, part, strlen(part)) != NULL;
}

static inline void expect_part(const struct strbuf *text, const char *part)
{
    if (!has_text(text, part)) {
        fail_msg("not there: %s\nin:\n%.*s", part, STR_ARG(strbuf_str(text)));
    }
}

#endif
