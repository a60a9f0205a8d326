/* Reading OTLP's JSON: protobuf's JSON mapping with OTLP's exceptions (ids in hex, enums as integers,
 * lowerCamelCase only). 64-bit integers come as text or as numbers, doubles as numbers or as "NaN",
 * "Infinity", "-Infinity". Unknown keys are ignored, null stands for an absent member. Private to
 * base/wire.
 */
#ifndef SONDE_WIRE_OTLP_JSON_H
#define SONDE_WIRE_OTLP_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "model/span.h"
#include "wire/otlp_metrics.h"

enum { OTLP_NANOSECONDS = 1000000 /* of a millisecond */ };

/* What is read lives in `arena`. The first failure sticks, and everything read after it is empty. */
struct otlp_json_reader {
    struct arena *arena;
    int status;
    const char *what; /* the key it was found at */
};

/* The tree of a message, at most OTLP_JSON_MAX bytes (json_decref). */
int otlp_json_load(struct str text, json_t **root_out, struct err *e);
/* 0, or what was wrong with it. */
int otlp_json_result(const struct otlp_json_reader *r, struct err *e);
/* Notes a failure; false. */
bool otlp_json_fail(struct otlp_json_reader *r, int status, const char *what);

/* The member, or NULL when it is absent or null. */
const json_t *otlp_json_member(const json_t *object, const char *key);
/* Absent members are empty, 0, false. */
struct str otlp_json_text(struct otlp_json_reader *r, const json_t *object, const char *key);
double otlp_json_double(struct otlp_json_reader *r, const json_t *object, const char *key);
uint64_t otlp_json_unsigned(struct otlp_json_reader *r, const json_t *object, const char *key);
int64_t otlp_json_signed(struct otlp_json_reader *r, const json_t *object, const char *key);
/* Scales, offsets and enums: 32 bits. */
int32_t otlp_json_small(struct otlp_json_reader *r, const json_t *object, const char *key);
/* Nanoseconds, as milliseconds. */
int64_t otlp_json_time(struct otlp_json_reader *r, const json_t *object, const char *key);
/* One value of a list. */
bool otlp_json_number_of(
    struct otlp_json_reader *r, const json_t *value, const char *key, double *number_out);
bool otlp_json_unsigned_of(
    struct otlp_json_reader *r, const json_t *value, const char *key, uint64_t *number_out);
/* Room for the elements of an array; *list_out NULL and nothing when it is absent. */
void *otlp_json_array(struct otlp_json_reader *r, const json_t *object, const char *key,
    size_t size, const json_t **list_out, size_t *count_out);
/* An array of KeyValue. Arrays and maps in them are encoded as protobuf. */
struct attributes otlp_json_attributes(
    struct otlp_json_reader *r, const json_t *object, const char *key);

#endif
