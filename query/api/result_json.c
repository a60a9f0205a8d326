/* Results as JSON. Points are the bulk of an answer; they go into the buffer by hand, many to a
 * reservation. Everything else is written by the JSON writer.
 */
#include "api/result_json.h"

#include "base/err.h"
#include "base/fpconv.h"

void result_json_labels(struct json_writer *json, const struct labels *labels)
{
    const struct label *pairs = labels_pairs(labels);
    size_t count = labels_count(labels);
    json_begin_object(json);
    for (size_t i = 0; i < count; i++) {
        json_key_str(json, pairs[i].name);
        json_string(json, pairs[i].value);
    }
    json_end(json);
}

/* ---- Points ---- */

/* Longest time: sign, 16 digits of seconds, point, three decimals. */
enum { TIME_TEXT_MAX = 24, POINT_TEXT_MAX = TIME_TEXT_MAX + FP_TEXT_MAX + 8 };
/* Room is asked for so many points. */
enum { POINTS_AT_ONCE = 32 };

/* Seconds with three decimals or none; returns the end. */
static char *put_time(char *p, int64_t time_ms)
{
    uint64_t magnitude = time_ms < 0 ? 0 - (uint64_t)time_ms : (uint64_t)time_ms;
    uint64_t seconds = magnitude / 1000;
    unsigned fraction = (unsigned)(magnitude % 1000);
    if (time_ms < 0) {
        *p++ = '-';
    }
    size_t count = 1;
    for (uint64_t rest = seconds; rest >= 10; rest /= 10) {
        count++;
    }
    for (size_t i = count; i-- > 0; seconds /= 10) {
        p[i] = (char)('0' + seconds % 10);
    }
    p += count;
    if (fraction != 0) {
        *p++ = '.';
        *p++ = (char)('0' + fraction / 100);
        *p++ = (char)('0' + fraction / 10 % 10);
        *p++ = (char)('0' + fraction % 10);
    }
    return p;
}

/* [t,"v"]; returns the end. */
static char *put_point(char *p, int64_t time_ms, double value)
{
    *p++ = '[';
    p = put_time(p, time_ms);
    *p++ = ',';
    *p++ = '"';
    p += fp_format(value, p);
    *p++ = '"';
    *p++ = ']';
    return p;
}

/* An array of points under `key`. */
static void write_points(struct json_writer *json, const struct engine_series *series)
{
    struct strbuf *out = json->out;
    json_key(json, "values");
    json_begin_array(json);
    for (size_t i = 0; i < series->float_count; i += POINTS_AT_ONCE) {
        size_t left = series->float_count - i;
        size_t end = i + (left < POINTS_AT_ONCE ? left : POINTS_AT_ONCE);
        char *begin = strbuf_reserve(out, POINTS_AT_ONCE * POINT_TEXT_MAX);
        char *p = begin;
        if (p == NULL) {
            break; // the error stays in the buffer
        }
        for (size_t k = i; k < end; k++) {
            if (k > 0) {
                *p++ = ',';
            }
            p = put_point(p, series->float_times[k], series->floats[k]);
        }
        strbuf_commit(out, (size_t)(p - begin));
    }
    json_end(json);
}

/* ---- Histograms ---- */

/* Which ends belong to a bucket, in the numbers of Prometheus' API. */
static int boundary_rule(const struct histogram_bucket *bucket)
{
    if (bucket->lower_inclusive) {
        return bucket->upper_inclusive ? 3 : 1;
    }
    return bucket->upper_inclusive ? 0 : 2;
}

void result_json_histogram(struct json_writer *json, const struct histogram *h)
{
    struct histogram_walk walk;
    struct histogram_bucket bucket;
    bool opened = false;
    json_begin_object(json);
    json_key(json, "count");
    json_quoted_double(json, h->count);
    json_key(json, "sum");
    json_quoted_double(json, h->sum);
    histogram_walk_begin(&walk, h);
    while (histogram_walk_next(&walk, &bucket)) {
        if (bucket.count == 0) {
            continue;
        }
        if (!opened) {
            json_key(json, "buckets");
            json_begin_array(json);
            opened = true;
        }
        json_begin_array(json);
        json_integer(json, boundary_rule(&bucket));
        json_quoted_double(json, bucket.lower);
        json_quoted_double(json, bucket.upper);
        json_quoted_double(json, bucket.count);
        json_end(json);
    }
    if (opened) {
        json_end(json);
    }
    json_end(json);
}

static void write_histogram_point(
    struct json_writer *json, int64_t time_ms, const struct histogram *h)
{
    json_begin_array(json);
    json_seconds(json, time_ms);
    result_json_histogram(json, h);
    json_end(json);
}

/* ---- Series ---- */

static void write_vector_element(struct json_writer *json, const struct engine_series *series)
{
    json_begin_object(json);
    json_key(json, "metric");
    result_json_labels(json, series->labels);
    if (series->histogram_count > 0) {
        json_key(json, "histogram");
        write_histogram_point(json, series->histogram_times[0], series->histograms[0]);
    } else if (series->float_count > 0) {
        char point[POINT_TEXT_MAX];
        char *end = put_point(point, series->float_times[0], series->floats[0]);
        json_key(json, "value");
        json_raw(json, str_make(point, (size_t)(end - point)));
    }
    json_end(json);
}

static void write_matrix_element(struct json_writer *json, const struct engine_series *series)
{
    json_begin_object(json);
    json_key(json, "metric");
    result_json_labels(json, series->labels);
    if (series->float_count > 0) {
        write_points(json, series);
    }
    if (series->histogram_count > 0) {
        json_key(json, "histograms");
        json_begin_array(json);
        for (size_t i = 0; i < series->histogram_count; i++) {
            write_histogram_point(json, series->histogram_times[i], series->histograms[i]);
        }
        json_end(json);
    }
    json_end(json);
}

/* Charges what the text has grown by; false, with the buffer's error set, when that is too much. */
static bool charge_text(struct strbuf *out, const struct result_json_options *options)
{
    size_t charged = options->charged != NULL ? *options->charged : 0;
    if (options->memory == NULL || out->cap <= charged) {
        return true;
    }
    if (memory_budget_charge(options->memory, out->cap - charged) != 0) {
        out->error = ERR_BUSY;
        return false;
    }
    *options->charged = out->cap;
    return true;
}

static size_t write_series(struct json_writer *json, const struct engine_result *result,
    const struct result_json_options *options)
{
    size_t count = result->series_count;
    if (options->series_max != 0 && count > options->series_max) {
        count = options->series_max;
    }
    json_begin_array(json);
    for (size_t i = 0; i < count && charge_text(json->out, options); i++) {
        if (result->type == PROMQL_MATRIX) {
            write_matrix_element(json, &result->series[i]);
        } else {
            write_vector_element(json, &result->series[i]);
        }
    }
    json_end(json);
    return count;
}

static void write_scalar(struct json_writer *json, const struct engine_result *result)
{
    json_begin_array(json);
    json_seconds(json, result->time_ms);
    if (result->type == PROMQL_STRING) {
        json_string(json, result->string);
    } else {
        json_quoted_double(json, result->scalar);
    }
    json_end(json);
}

/* ---- Statistics ---- */

static void write_duration(struct json_writer *json, const char *key, int64_t ns)
{
    json_key(json, key);
    json_double(json, (double)ns * 1e-9);
}

static void write_count(struct json_writer *json, const char *key, uint64_t count)
{
    json_key(json, key);
    json_integer(json, (int64_t)count);
}

/* What Prometheus does not have: what the store did for the query. */
static void write_reads(struct json_writer *json, const struct engine_statistics *statistics)
{
    json_key(json, "reads");
    json_begin_object(json);
    write_count(json, "series", statistics->series);
    write_count(json, "memoryBytes", statistics->memory_bytes);
    write_count(json, "blocksDecoded", statistics->reads.blocks);
    write_count(json, "samplesDecoded", statistics->reads.samples);
    write_count(json, "bytesDecoded", statistics->reads.bytes);
    write_count(json, "runsSummarized", statistics->reads.summaries);
    write_count(json, "threads", statistics->threads);
    write_duration(json, "helpedTime", statistics->helped_ns);
    json_end(json);
}

/* Steps of evaluation, each before those it is made of; times hold those below. */
static void write_plan(struct json_writer *json, const struct engine_result *result)
{
    json_key(json, "plan");
    json_begin_array(json);
    for (size_t i = 0; i < result->explain_count; i++) {
        const struct engine_explain *x = &result->explain[i];
        json_begin_object(json);
        write_count(json, "depth", x->depth);
        json_key(json, "expr");
        json_string(json, x->text);
        write_duration(json, "planTime", x->plan_ns);
        write_duration(json, "evalTime", x->evaluate_ns);
        write_duration(json, "helpedTime", x->helped_ns);
        write_count(json, "series", x->series);
        write_count(json, "samples", x->samples);
        json_end(json);
    }
    json_end(json);
}

static void write_statistics(struct json_writer *json, const struct engine_result *result,
    const struct result_json_options *options)
{
    const struct engine_statistics *statistics = &result->statistics;
    json_key(json, "stats");
    json_begin_object(json);
    json_key(json, "timings");
    json_begin_object(json);
    write_duration(json, "evalTotalTime", statistics->prepare_ns + statistics->evaluate_ns);
    write_duration(json, "resultSortTime", 0);
    write_duration(json, "queryPreparationTime", statistics->prepare_ns);
    write_duration(json, "innerEvalTime", statistics->evaluate_ns);
    write_duration(json, "execQueueTime", 0);
    write_duration(json, "execTotalTime", options->execution_ns);
    json_end(json);
    json_key(json, "samples");
    json_begin_object(json);
    write_count(json, "totalQueryableSamples", statistics->samples);
    write_count(json, "peakSamples", statistics->samples_peak);
    json_end(json);
    if (options->with_reads) {
        write_reads(json, statistics);
    }
    if (result->explain != NULL) {
        write_plan(json, result);
    }
    json_end(json);
}

bool result_json_write(struct json_writer *json, const struct engine_result *result,
    const struct result_json_options *options)
{
    size_t written = result->series_count;
    json_begin_object(json);
    json_key(json, "resultType");
    json_cstring(json, promql_type_name(result->type));
    json_key(json, "result");
    if (result->type == PROMQL_VECTOR || result->type == PROMQL_MATRIX) {
        written = write_series(json, result, options);
    } else {
        write_scalar(json, result);
    }
    if (options->with_statistics || result->explain != NULL) {
        write_statistics(json, result, options);
    }
    json_end(json);
    return written < result->series_count;
}
