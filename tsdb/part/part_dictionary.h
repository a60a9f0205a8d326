/* The dictionary section: symbols, targets, shapes. Private to tsdb/part. */
#ifndef SONDE_PART_PART_DICTIONARY_H
#define SONDE_PART_PART_DICTIONARY_H

#include "part/part.h"
#include "part/part_layout.h"

/* Plain bytes of the section. 0, ERR_NOMEM, ERR_LIMIT. */
int part_dictionary_encode(const struct part_plan *plan, struct strbuf *out);
/* Checks every byte and calls back. ERR_CORRUPT, ERR_NOMEM, or what a callback returned. The counts
 * must be those given. */
int part_dictionary_decode(struct str plain, uint32_t target_count, uint32_t shape_count,
    const struct part_dictionary_handler *handler);
#endif
