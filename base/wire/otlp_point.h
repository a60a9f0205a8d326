/* One data point of OTLP out of its parts. Private to base/wire. */
#ifndef SONDE_WIRE_OTLP_POINT_H
#define SONDE_WIRE_OTLP_POINT_H

#include "base/strbuf.h"
#include "model/histogram.h"

/* In the order in which the parts of a point are read. */
enum otlp_role {
    OTLP_ROLE_VALUE,
    OTLP_ROLE_BUCKET,
    OTLP_ROLE_QUANTILE,
    OTLP_ROLE_SUM,
    OTLP_ROLE_COUNT,
    OTLP_ROLE_NATIVE,
};

/* What kind of metric its point makes. */
enum otlp_shape {
    OTLP_SHAPE_GAUGE,
    OTLP_SHAPE_SUM,
    OTLP_SHAPE_HISTOGRAM,
    OTLP_SHAPE_EXPONENTIAL,
    OTLP_SHAPE_SUMMARY,
};

struct otlp_part {
    struct str job, instance, name, help, unit;
    struct str attributes; /* encoded as fields of the point */
    enum otlp_role role;
    enum otlp_shape shape;
    int64_t t_ms;
    double bound; /* le or quantile */
    double value;
    const struct histogram *histogram; /* of a native part */
};

/* Field numbers: of attributes in a point, and of the kind in Metric. */
uint32_t otlp_attributes_field(enum otlp_shape shape);
uint32_t otlp_shape_field(enum otlp_shape shape);
/* What stands beside the points of a metric: temporality, monotonicity. */
void otlp_put_shape_fields(enum otlp_shape shape, struct strbuf *out);
/* The point that these parts make; all but those of plain numbers and native histograms come together.
 * `scratch` is emptied and used. */
void otlp_put_point(
    const struct otlp_part *parts, size_t count, struct strbuf *scratch, struct strbuf *out);

#endif
