/* Records in: checks every byte, keeps definitions and previous cells of one segment, and calls the
 * handler. Private to tsdb/wal; one thread. */
#ifndef SONDE_WAL_WAL_DECODE_H
#define SONDE_WAL_WAL_DECODE_H

#include "base/str.h"
#include "wal/wal.h"

struct wal_decoder;

int wal_decoder_new(const struct wal_handler *handler, struct wal_decoder **decoder_out);
void wal_decoder_free(struct wal_decoder *d);
/* A new segment: forgets definitions and cells. */
void wal_decoder_restart(struct wal_decoder *d);
/* The records of one frame. 0; ERR_CORRUPT at the first record that breaks a rule (those before it
 * were delivered); ERR_NOMEM; or what a callback returned. `statistics` is added to. */
int wal_decode_frame(struct wal_decoder *d, uint64_t lsn, struct str plain,
    struct wal_replay_statistics *statistics);

#endif
