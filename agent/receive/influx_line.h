/* One line of InfluxDB's line protocol
 * (https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/):
 *
 *   measurement[,tag=value…] field=value[,field=value…] [time]
 *
 * A backslash takes the meaning of ',', '=', ' ' and of itself. Values of fields are numbers (also 12i, 12u),
 * true or false, or "texts". Pure functions; every slice points into the line, with its backslashes.
 */
#ifndef SONDE_RECEIVE_INFLUX_LINE_H
#define SONDE_RECEIVE_INFLUX_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/strbuf.h"
#include "model/labels.h"

struct influx_line {
    struct str measurement, tags, fields; /* tags and fields are for influx_next_pair */
    bool has_time;
    int64_t time; /* in the unit of the request */
};

/* 0 or ERR_INVALID; all pairs and values are sound then. */
int influx_line_parse(struct str line, struct influx_line *line_out);
/* The next tag or field: 1, 0 at the end, ERR_INVALID. */
int influx_next_pair(struct str *rest, struct label *pair_out);
/* A field's value: 1; 0 for a text, which is no sample; ERR_INVALID. */
int influx_field_value(struct str text, double *value_out);
/* Appends it without its backslashes. */
void influx_unescape(struct str text, struct strbuf *out);

#endif
