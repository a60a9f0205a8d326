/* Go's fmt: how values are printed, and its verbs. */
#ifndef SONDE_QUERY_TEMPLATE_GO_PRINT_H
#define SONDE_QUERY_TEMPLATE_GO_PRINT_H

#include "base/strbuf.h"
#include "template_run.h"

/* Width and precision of a verb; larger ones are not honoured. */
#define GO_WIDTH_MAX 100000

/* As %v. */
void go_print_value(
    struct template_run *run, const struct template_value *value, struct strbuf *out);
/* Sprint: spaces between operands neither of which is a string; Sprintln: always, and a new line. */
void go_print(struct template_run *run, const struct template_value *values, size_t count,
    bool line, struct strbuf *out);
/* Sprintf, with its complaints inside the text: %!d(string=x), %!s(MISSING), %!(EXTRA int=1). */
void go_printf(struct template_run *run, struct str format, const struct template_value *values,
    size_t count, struct strbuf *out);

/* A float in one of strconv's formats e, f, g (and E, G); precision -1 is the shortest text that reads
 * back. */
void go_write_float(double value, char format, int precision, struct strbuf *out);
/* time.Duration's String: "1h30m0s", "1.5s", "2ms". */
void go_write_duration(int64_t nanoseconds, struct strbuf *out);

#endif
