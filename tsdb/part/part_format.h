/* The bytes of a part file. All numbers little-endian; uvarint and svarint (zigzag) as in
 * base/bytes.h; "sized" is a uvarint length and that many bytes.
 *
 *   header   16 bytes: "SONDPART", u32 format version, u32 checksum32 of the 12 bytes before
 *   bodies   of the row groups, one behind the other
 *   sections info, dictionary, schemas, groups
 *   table    one entry of 28 bytes a section: u32 kind, u64 offset, u64 stored size, u32 plain size,
 *            u32 checksum32 of the stored bytes
 *   tail     24 bytes: u32 number of sections, u32 checksum32 of the table, u64 offset of the table,
 *            "SONDTAIL"
 *
 * A section is stored as one zstd frame when that is shorter, else as it is (stored size = plain
 * size). A reader refuses unknown versions, and ignores sections of kinds it does not know.
 *
 * Body of a group: pages, one behind the other. A page is u32 checksum32 of what follows, and that.
 *
 *   times page (the first)
 *     uvarint number of streams; for each: uvarint rows (1..4096), uvarint size, row_times bytes;
 *     then for each table of the group: uvarint index of its stream;
 *     then for each stream: svarint first time, uvarint last time - first. Files of before end here
 *     without these.
 *
 *   value pages: whole runs in the order of columns, as many as reach PAGE_BYTES_TARGET
 *     uvarint number of runs; for each: uvarint size; then the runs
 *
 *   run: one column over all tables of the group
 *     u8: bits 0-4 width, bit 5 there are checkpoints, bits 6-7 number of references (0..2, none for
 *       histograms)
 *     references: uvarint (column of the run - column referred to) << 1 | subtract
 *     table lengths bit-packed at that width (row/bitpack.h), checkpoints, blocks
 *     A length of 0 says: the same bytes as the table before. The first is never 0.
 *     Checkpoints: a bit for each table that has one, in whole bytes; a bit for each whose increase is
 *       not last - first, likewise; then for each that has one: f64 first value, f64 last value, f64
 *       increase if it has that bit. Long blocks of changing numbers without gaps have one, so that an
 *       increase over them needs no decoding.
 *     Block of a float column: column_block (row/column_block.h) of the table's rows. A block that
 *       needs a reference is coded against the references' values in the same table: in the order
 *       given, added to or subtracted from zeros, absent rows as stale markers. The columns referred
 *       to may lean on others themselves, PART_REFERENCE_DEPTH_MAX times at most.
 *     Block of a histogram column: u8 how (0 plain, 1 zstd frame, preceded by uvarint plain size),
 *       plain: bitmap of present rows in bytes, a uvarint size for each present cell, the cells
 *
 * Section info
 *     u64 sequence, u32 level, i64 min_t, i64 max_t, u64 samples, u32 targets, u32 shapes,
 *     u64 first precedence, u64 precedence, i64 day, u64 split. The last four are missing from files
 *     of before; what follows them is ignored.
 * Section dictionary
 *     uvarint number of symbols; for each, sorted bytewise: uvarint length shared with the one
 *     before, sized rest
 *     targets: uvarint count; for each: uvarint labels; for each: uvarint name, uvarint value
 *     shapes:  likewise. Ids count up from 0 in label order; equal label sets of two ids are allowed
 *     for targets (tables of one target), not for shapes.
 * Section schemas
 *     uvarint count; for each: uvarint columns; for each, ascending by (shape, kind): uvarint
 *     (shape - shape before) << 1 | kind
 * Section groups
 *     uvarint count; for each, in order of min_t:
 *       svarint min_t - min_t of the group before, uvarint max_t - min_t, uvarint samples,
 *       uvarint schema, uvarint targets; for each: svarint target - the one before,
 *       uvarint offset of the body - end of the body before (the first: - 16),
 *       uvarint size of the times page, uvarint value pages; for each: uvarint first column - that
 *       of the page before, uvarint size
 */
#ifndef SONDE_PART_PART_FORMAT_H
#define SONDE_PART_PART_FORMAT_H

#include <stdint.h>

#define PART_MAGIC "SONDPART"
#define PART_TAIL_MAGIC "SONDTAIL"
#define PART_VERSION 1u
#define PART_HEADER_SIZE 16u
#define PART_TAIL_SIZE 24u
#define PART_SECTION_ENTRY_SIZE 28u
#define PART_SECTIONS_MAX 64u
#define PART_INFO_SIZE 44u

/* A value page is closed when it has reached this; a single run may be longer. Small enough that
 * reading one column reads little else, large enough that its checksum costs nothing. */
#define PART_PAGE_BYTES_TARGET ((size_t)4 << 10)
#define PART_PAGE_BYTES_MAX ((size_t)1 << 30)
#define PART_PAGE_CHECKSUM_SIZE 4u

/* References of a run, and how often columns lean on columns that lean. Longer chains make a store
 * hardly smaller and a query that reads one column decode others. */
#define PART_REFERENCES_MAX 2
#define PART_REFERENCE_DEPTH_MAX 4

/* Blocks of so many rows and more get a checkpoint, when every row has a finite number: 16 or 24 bytes
 * beside a kilobyte. */
#define PART_CHECKPOINT_ROWS_MIN 1024

/* Limits a reader holds against the file's numbers. */
#define PART_SECTION_PLAIN_MAX ((size_t)1 << 30)
#define PART_GROUPS_MAX ((uint32_t)1 << 24)
#define PART_IDS_MAX ((uint32_t)1 << 28)
#define PART_SCHEMAS_MAX ((uint32_t)1 << 24)

enum part_section {
    PART_SECTION_INFO = 1,
    PART_SECTION_DICTIONARY = 2,
    PART_SECTION_SCHEMAS = 3,
    PART_SECTION_GROUPS = 4,
};

#endif
