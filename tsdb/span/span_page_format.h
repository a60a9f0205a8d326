/* The bytes of a page of spans. Numbers are little-endian; "v" is a varint (base/bytes.h), "z" one of
 * the zigzag form.
 *
 *   page       = header directory section*
 *   header  0  8  "SPANPAGE"
 *           8  4  version, 1
 *          12  4  rows, 1 … SPAN_PAGE_ROWS_MAX
 *          16  4  traces, 1 … rows
 *          20  4  sections, at most SPAN_PAGE_SECTIONS_MAX
 *          24  8  least start of a span, ns
 *          32  8  greatest start
 *          40  8  greatest duration
 *          48  4  unit of all times in ns: 1, 1000 or 1000000, which divides them all
 *          52  4  size of the page in bytes
 *          56  4  0
 *          60  4  checksum32 of bytes 0 … 59 and the directory
 *   directory  one entry for each section, in their order
 *           0  4  what it is: enum span_section, or SPAN_SECTION_VALUES + index of a column
 *           4  4  bytes stored
 *           8  4  bytes when decompressed; equal to those stored: not compressed
 *          12  4  checksum32 of the bytes stored
 *   section    its bytes, zstd or plain, one behind the other without gaps
 *
 * Sections, each at most once; those marked * are left out when they would say nothing:
 *
 *   RESOURCES, SCOPES   v count, then each: v size, the encoded message; v size, its schema URL
 *   TRACES              ids, 16 bytes each, most significant byte first, in the order of their rows; then
 *                       for each: v spans, z first start minus that of the trace before, in units
 *   SPAN_IDS            8 bytes each, most significant first
 *   PARENTS             v each: 0 no parent · 1 the next of PARENT_IDS · else 2 + zigzag(row - row of the
 *                       parent), a row with that span id
 *   PARENT_IDS *        8 bytes each
 *   STARTS              v each: start minus the start of its trace's first span, in units
 *   DURATIONS           z each: end minus start, in units
 *   KINDS               1 byte each: kind | status << 4
 *   NAMES               a text column
 *   OF_RESOURCE, OF_SCOPE   v each: index
 *   SHAPES *            v count, then each: v attributes, then v column for each
 *   OF_SHAPE *          v each: the shape of the span's attributes, those with columns, in their order
 *   COLUMNS *           v count, then each: v size, key; 1 byte kind
 *   VALUES + i *        the values of column i, in order of rows:
 *                         bool 1 byte · int z · double 8 bytes · others a text column; empty: nothing
 *   MORE *              a sparse section: attributes without a column, encoded KeyValues behind one
 *                       another, each v size, bytes
 *   EVENTS, LINKS *     sparse sections: v size, encoded message, for each
 *   MESSAGES, STATES *  sparse sections: the status message; the trace state
 *   COUNTS *            sparse: v flags, v dropped attributes, v events, v links
 *
 *   sparse section      v count, then each: v row minus the row before (the first: row), v size, bytes
 *   text column         v n · n > 0: a dictionary of n texts, each v size, bytes; then v code for each value
 *                       n = 0: each value v size, bytes
 *
 * Attributes come out in the order they went in, those without a column behind the others: their order
 * has no meaning in OpenTelemetry's model.
 *
 * A span's start may lie before that of the first of its trace only in other pages: inside a page spans
 * of a trace are sorted. What a reader has to check besides lengths: every index is below its count, a
 * parent's row below rows, the spans of all traces add up to rows, ids of traces differ and are not
 * zero.
 */
#ifndef SONDE_TSDB_SPAN_PAGE_FORMAT_H
#define SONDE_TSDB_SPAN_PAGE_FORMAT_H

#include "tsdb/span_page.h"

#define SPAN_PAGE_MAGIC "SPANPAGE"

enum {
    SPAN_PAGE_VERSION = 1,
    SPAN_PAGE_HEADER_SIZE = 64,
    SPAN_PAGE_ENTRY_SIZE = 16,
};

enum span_section {
    SPAN_SECTION_RESOURCES,
    SPAN_SECTION_SCOPES,
    SPAN_SECTION_TRACES,
    SPAN_SECTION_SPAN_IDS,
    SPAN_SECTION_PARENTS,
    SPAN_SECTION_PARENT_IDS,
    SPAN_SECTION_STARTS,
    SPAN_SECTION_DURATIONS,
    SPAN_SECTION_KINDS,
    SPAN_SECTION_NAMES,
    SPAN_SECTION_OF_RESOURCE,
    SPAN_SECTION_OF_SCOPE,
    SPAN_SECTION_SHAPES,
    SPAN_SECTION_OF_SHAPE,
    SPAN_SECTION_COLUMNS,
    SPAN_SECTION_MORE,
    SPAN_SECTION_EVENTS,
    SPAN_SECTION_LINKS,
    SPAN_SECTION_MESSAGES,
    SPAN_SECTION_STATES,
    SPAN_SECTION_COUNTS,
    SPAN_SECTION_VALUES, /* the first column's; must be last */
};

#define SPAN_PAGE_SECTIONS_MAX (SPAN_SECTION_VALUES + SPAN_PAGE_COLUMNS_MAX)
/* Of one section when decompressed; more is refused before anything is allocated. */
#define SPAN_SECTION_BYTES_MAX ((size_t)64 << 20)

#endif
