/* A block of exemplars: an immutable file, <data>/exemplars/<day>/e-<sequence>, of the exemplars of one
 * day (since 1970, UTC). All numbers little-endian; uvarint and svarint (zigzag) as in base/bytes.h;
 * "sized" is a uvarint length and that many bytes.
 *
 *   0   8  magic "SONDEXMP"
 *   8   4  format version, 1
 *  12   4  checksum32 of the header behind it: bytes 16 to 51
 *  16   4  payload size, > 0
 *  20   4  plain size, > 0, at most EXEMPLAR_BLOCK_PLAIN_MAX
 *  24   8  first time, milliseconds
 *  32   8  last time
 *  40   8  exemplars, > 0
 *  48   4  checksum32 of the payload
 *  52  ..  payload, to the end of the file: a zstd frame of `plain size` bytes, or the plain bytes
 *          themselves when the two sizes are equal
 *
 * Plain bytes
 *   uvarint series, > 0; for each
 *     labels of the series
 *     uvarint exemplars, > 0; for each
 *       svarint time - that of the exemplar before, 0 before the first; never negative after the first
 *       u64 bits of the value
 *       labels of the exemplar
 *   labels: uvarint n, n × (sized name, sized value), names ascend, neither is empty
 *
 * A reader believes nothing of it before both checksums hold, and then still checks every rule above.
 */
#ifndef SONDE_EXEMPLAR_EXEMPLAR_BLOCK_H
#define SONDE_EXEMPLAR_EXEMPLAR_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"
#include "model/labels.h"

#define EXEMPLAR_BLOCK_MAGIC "SONDEXMP"
#define EXEMPLAR_BLOCK_VERSION 1u
#define EXEMPLAR_BLOCK_HEADER_SIZE 52u
#define EXEMPLAR_BLOCK_PLAIN_MAX ((size_t)256 << 20)
#define EXEMPLAR_BLOCK_FILE_MAX (EXEMPLAR_BLOCK_PLAIN_MAX + EXEMPLAR_BLOCK_HEADER_SIZE)

struct exemplar_block_info {
    int64_t min_t, max_t;
    uint64_t exemplars;
    uint32_t payload_size, plain_size;
};

/* ---- Labels ---- */

void exemplar_labels_encode(const struct label *labels, size_t count, struct strbuf *out);
/* Reads labels; slices into `in`. `labels_out` has room for LABELS_COUNT_MAX. 0 or ERR_CORRUPT. */
struct decbuf;
int exemplar_labels_decode(struct decbuf *in, struct label *labels_out, size_t *count_out);

/* ---- Writing ---- */

/* Errors stick; ask exemplar_writer_finish. */
struct exemplar_writer {
    struct strbuf plain; /* without the number of series */
    uint64_t series, exemplars;
    uint64_t left; /* exemplars of the current series */
    int64_t previous_t;
    int64_t min_t, max_t;
};

void exemplar_writer_init(struct exemplar_writer *w);
void exemplar_writer_release(struct exemplar_writer *w);
/* A series and how many exemplars follow, > 0. Labels sorted, unique, not empty. */
void exemplar_writer_series(
    struct exemplar_writer *w, const struct label *labels, size_t count, uint64_t exemplars);
/* In order of time. `labels` as exemplar_labels_encode wrote them. */
void exemplar_writer_add(struct exemplar_writer *w, int64_t t_ms, double value, struct str labels);
/* The whole file, appended to `file`. At least one series was written. 0, ERR_NOMEM, ERR_LIMIT. */
int exemplar_writer_finish(struct exemplar_writer *w, struct strbuf *file);

/* ---- Reading ---- */

/* Called for each series, then for each of its exemplars when the first gave 1 (0: skip them; negative:
 * stop with that). Slices are borrowed for the call. NULL: nobody listens, all is checked. */
struct exemplar_reader {
    void *context;
    int (*series)(void *context, const struct label *labels, size_t count);
    int (*exemplar)(
        void *context, int64_t t_ms, double value, const struct label *labels, size_t count);
};

/* The header alone, checked; `bytes` is what the file begins with. 0, ERR_CORRUPT, ERR_UNSUPPORTED (a
 * newer format). */
int exemplar_block_header(struct str bytes, struct exemplar_block_info *info_out, struct err *e);
/* All of it. Also what `reader` returned. */
int exemplar_block_read(struct str file, const struct exemplar_reader *reader,
    struct exemplar_block_info *info_out, struct err *e);

/* ---- Tools ---- */

/* ERR_CORRUPT with the reason as a line of `report`. */
int exemplar_block_verify(struct vfs *fs, const char *path, struct strbuf *report);
/* The file as text. */
int exemplar_block_dump(
    struct vfs *fs, const char *path, bool with_samples, struct strbuf *out, struct err *e);

#endif
