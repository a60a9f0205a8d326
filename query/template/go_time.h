/* Moments in the layouts of Go's package time, where "2006-01-02 15:04:05" is how a layout says year, month,
 * day, hour, minute and second. */
#ifndef SONDE_QUERY_TEMPLATE_GO_TIME_H
#define SONDE_QUERY_TEMPLATE_GO_TIME_H

#include "base/strbuf.h"
#include "query/template.h"

#define GO_TIME_STRING STR("2006-01-02 15:04:05.999999999 -0700 MST")
#define GO_TIME_RFC3339 STR("2006-01-02T15:04:05.999999999Z07:00")

void go_write_time(const struct template_time *t, struct str layout, struct strbuf *out);
/* Reads `text` by a layout; what a layout does not name is that of the year 0, in UTC. ERR_INVALID with a
 * sentence. */
int go_parse_time(
    struct str layout, struct str text, struct template_time *time_out, struct err *e);

#endif
