/* Thrift's binary and compact protocols, written as their specifications say: the same calls make either. */
#ifndef SONDE_TESTS_THRIFT_WRITER_H
#define SONDE_TESTS_THRIFT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

enum { THRIFT_WRITER_DEPTH_MAX = 16 };

struct thrift_writer {
    struct strbuf out;
    bool compact;
    int16_t last[THRIFT_WRITER_DEPTH_MAX]; /* id of the last field, of each open struct */
    int depth;
};

void thrift_writer_init(struct thrift_writer *w, bool compact);
/* A field of the struct at hand; id 0: an element of a list, which has no head. */
void thrift_put_i32(struct thrift_writer *w, int16_t id, int32_t value);
void thrift_put_i64(struct thrift_writer *w, int16_t id, int64_t value);
void thrift_put_double(struct thrift_writer *w, int16_t id, double value);
void thrift_put_bool(struct thrift_writer *w, int16_t id, bool value);
void thrift_put_text(struct thrift_writer *w, int16_t id, const char *text);
/* Ends with thrift_end. */
void thrift_put_struct(struct thrift_writer *w, int16_t id);
void thrift_end(struct thrift_writer *w);
/* A list of so many structs follows. */
void thrift_put_structs(struct thrift_writer *w, int16_t id, size_t count);
/* A one-way call. */
void thrift_put_call(struct thrift_writer *w, const char *name);

#endif
