/* A writer of Thrift. */
#include "thrift_writer.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* Types: binary, compact. */
enum {
    I32 = 8 << 4 | 5,
    I64 = 10 << 4 | 6,
    DOUBLE = 4 << 4 | 7,
    BOOL_TRUE = 2 << 4 | 1,
    BOOL_FALSE = 2 << 4 | 2
};
enum { TEXT = 11 << 4 | 8, STRUCT = 12 << 4 | 12, LIST = 15 << 4 | 9 };

void thrift_writer_init(struct thrift_writer *w, bool compact)
{
    *w = (struct thrift_writer){.compact = compact};
    strbuf_init(&w->out, STRBUF_LIMIT_DEFAULT);
}

static void big_endian(struct thrift_writer *w, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        strbuf_add_char(&w->out, (char)(value >> (8 * i)));
    }
}

static void head(struct thrift_writer *w, int16_t id, int types)
{
    if (id == 0) {
        return;
    }
    int16_t *last = &w->last[w->depth];
    if (!w->compact) {
        strbuf_add_char(&w->out, (char)(types >> 4));
        big_endian(w, (uint16_t)id, 2);
    } else if (id > *last && id - *last < 16) {
        strbuf_add_char(&w->out, (char)((id - *last) << 4 | (types & 15)));
    } else {
        strbuf_add_char(&w->out, (char)(types & 15));
        strbuf_add_svarint(&w->out, id);
    }
    *last = id;
}

void thrift_put_i32(struct thrift_writer *w, int16_t id, int32_t value)
{
    head(w, id, I32);
    if (w->compact) {
        strbuf_add_svarint(&w->out, value);
    } else {
        big_endian(w, (uint32_t)value, 4);
    }
}

void thrift_put_i64(struct thrift_writer *w, int16_t id, int64_t value)
{
    head(w, id, I64);
    if (w->compact) {
        strbuf_add_svarint(&w->out, value);
    } else {
        big_endian(w, (uint64_t)value, 8);
    }
}

void thrift_put_double(struct thrift_writer *w, int16_t id, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    head(w, id, DOUBLE);
    if (w->compact) {
        strbuf_add_le64(&w->out, bits);
    } else {
        big_endian(w, bits, 8);
    }
}

void thrift_put_bool(struct thrift_writer *w, int16_t id, bool value)
{
    head(w, id, value ? BOOL_TRUE : BOOL_FALSE);
    if (!w->compact) {
        strbuf_add_char(&w->out, value ? 1 : 0);
    }
}

static void text(struct thrift_writer *w, const char *value)
{
    if (w->compact) {
        strbuf_add_uvarint(&w->out, strlen(value));
    } else {
        big_endian(w, strlen(value), 4);
    }
    strbuf_add_c(&w->out, value);
}

void thrift_put_text(struct thrift_writer *w, int16_t id, const char *value)
{
    head(w, id, TEXT);
    text(w, value);
}

void thrift_put_struct(struct thrift_writer *w, int16_t id)
{
    head(w, id, STRUCT);
    assert(w->depth + 1 < THRIFT_WRITER_DEPTH_MAX);
    w->last[++w->depth] = 0;
}

void thrift_end(struct thrift_writer *w)
{
    strbuf_add_char(&w->out, 0);
    w->depth--;
}

void thrift_put_structs(struct thrift_writer *w, int16_t id, size_t count)
{
    head(w, id, LIST);
    if (!w->compact) {
        strbuf_add_char(&w->out, STRUCT >> 4);
        big_endian(w, count, 4);
    } else if (count < 15) {
        strbuf_add_char(&w->out, (char)(count << 4 | (STRUCT & 15)));
    } else {
        strbuf_add_char(&w->out, (char)(15 << 4 | (STRUCT & 15)));
        strbuf_add_uvarint(&w->out, count);
    }
}

void thrift_put_call(struct thrift_writer *w, const char *name)
{
    enum { ONEWAY = 4 };
    if (w->compact) {
        strbuf_add_char(&w->out, (char)0x82);
        strbuf_add_char(&w->out, (char)(ONEWAY << 5 | 1));
        strbuf_add_uvarint(&w->out, 7);
        text(w, name);
    } else {
        big_endian(w, 0x80010000 | ONEWAY, 4);
        text(w, name);
        big_endian(w, 7, 4);
    }
}
