/* Sections become a page: each packed where that pays, with its checksum in the directory in front of them.
 * What the bytes are: span_page_format.h. */
#ifndef SONDE_TSDB_SPAN_PAGE_OUT_H
#define SONDE_TSDB_SPAN_PAGE_OUT_H

#include <stdint.h>

#include "base/strbuf.h"
#include "tsdb/span_page.h"
#include "wire/zstd_codec.h"

struct span_page_out {
    struct strbuf entries; /* of the directory */
    struct strbuf body;    /* the sections, as they are stored */
    struct zstd_codec *codec;
    int level; /* of zstd; 0: nothing is packed */
    uint32_t count;
};

/* To be released even when it fails: ERR_NOMEM. */
int span_page_out_begin(struct span_page_out *p, int level);
/* The next section; an empty one is left out. 0, ERR_NOMEM, ERR_LIMIT. */
int span_page_out_section(struct span_page_out *p, uint32_t section, const struct strbuf *bytes);
/* Puts header, directory and sections behind `out`, which stays what it was when that fails. */
int span_page_out_finish(const struct span_page_out *p, const struct span_page_info *info,
    uint32_t time_unit, struct strbuf *out);
void span_page_out_release(struct span_page_out *p);

#endif
