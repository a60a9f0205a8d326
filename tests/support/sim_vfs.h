/* A disk in memory behind struct vfs, that fails on demand and forgets what was not synced.
 *
 * What is promised to programs is what POSIX promises, and no more:
 *   - bytes are durable after sync of the file, and not before;
 *   - creations, renames, links, removals and mkdirs are durable after sync_dir of their directory
 *     (both of them for a rename across), and not before; syncing the file does not help its name;
 *   - a rename is atomic: both names change or neither;
 *   - between syncs anything may be written, in any order, or torn.
 * Names are below one root: "a/b" and "/a/b" are the same, ".." is refused.
 *
 * Everything is decided by the seed and the order of calls. Thread-safe: one lock around all.
 */
#ifndef SONDE_TESTS_SIM_VFS_H
#define SONDE_TESTS_SIM_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vfs.h"

struct sim_vfs;

/* The disk is empty and has `SIM_CAPACITY_DEFAULT` bytes. */
struct sim_vfs *sim_vfs_new(uint64_t seed);
/* Files must be closed. Accepts NULL. */
void sim_vfs_free(struct sim_vfs *sim);
/* What the program under test is given; borrowed. */
struct vfs *sim_vfs_get(struct sim_vfs *sim);

/* Kinds of calls, to be or-ed. */
enum sim_call {
    SIM_OPEN = 1 << 0,   /* of a file that is there */
    SIM_CREATE = 1 << 1, /* open that makes the file */
    SIM_READ = 1 << 2,
    SIM_APPEND = 1 << 3,
    SIM_PWRITE = 1 << 4,
    SIM_SYNC = 1 << 5,
    SIM_SIZE = 1 << 6,
    SIM_TRUNCATE = 1 << 7,
    SIM_PREALLOCATE = 1 << 8,
    SIM_LOCK = 1 << 9,
    SIM_RENAME = 1 << 10,
    SIM_LINK = 1 << 11,
    SIM_REMOVE = 1 << 12,
    SIM_MKDIR = 1 << 13,
    SIM_SYNC_DIR = 1 << 14,
    SIM_LIST = 1 << 15,
    SIM_FREE_BYTES = 1 << 16,
    SIM_CALL_END = 1 << 17, /* no call: the end of the list */

    SIM_WRITES = SIM_APPEND | SIM_PWRITE | SIM_TRUNCATE | SIM_PREALLOCATE,
    SIM_SYNCS = SIM_SYNC | SIM_SYNC_DIR,
    SIM_NAMES = SIM_CREATE | SIM_RENAME | SIM_LINK | SIM_REMOVE | SIM_MKDIR,
    SIM_READS = SIM_OPEN | SIM_READ | SIM_SIZE | SIM_LOCK | SIM_LIST | SIM_FREE_BYTES,
    SIM_CHANGES = SIM_WRITES | SIM_SYNCS | SIM_NAMES,
    SIM_ALL = SIM_CHANGES | SIM_READS,
};

/* Faults armed at a time. */
#define SIM_FAULTS_MAX 8

/* The `nth` (1 = the next) call of one of the kinds `calls` fails with `code`, once. A failing
 * append or pwrite leaves none, some or all of its bytes; a failing sync leaves some writes on the
 * platter and forgets the others for good; any other failing call changes nothing. */
void sim_vfs_fail_nth(struct sim_vfs *sim, unsigned calls, uint64_t nth, int code);
/* That call and each later one, until cleared. */
void sim_vfs_fail_from(struct sim_vfs *sim, unsigned calls, uint64_t nth, int code);
/* Power is lost in the middle of the `nth` call: it may or may not have had its effect, and from
 * then on each call fails with ERR_IO until sim_vfs_power_cut brings the power back. */
void sim_vfs_lose_power_at(struct sim_vfs *sim, unsigned calls, uint64_t nth);
/* An armed fault has not struck yet. */
bool sim_vfs_fail_pending(struct sim_vfs *sim);
void sim_vfs_fail_clear(struct sim_vfs *sim);

#define SIM_CAPACITY_DEFAULT ((uint64_t)1 << 40)

/* The disk holds `bytes` of file contents in all; what would not fit is written in part and fails
 * with ERR_NO_SPACE. May be set below what is in use. */
void sim_vfs_set_capacity(struct sim_vfs *sim, uint64_t bytes);
/* Bytes of file contents on the disk. */
uint64_t sim_vfs_used_bytes(struct sim_vfs *sim);

/* The machine loses power and starts again. Unsynced writes are kept, dropped, torn or left as
 * zeros, page by page; unsynced changes of names are kept or undone. One cut in eight keeps all,
 * one in eight nothing, the others a part; the seed decides. Files that were open fail with ERR_IO
 * from then on and can only be closed; locks are gone; armed faults are cleared. */
void sim_vfs_power_cut(struct sim_vfs *sim, uint64_t seed);

/* Turns bit `bit` (0 = lowest of the first byte) of the file. ERR_NOT_FOUND, or ERR_RANGE beyond
 * its end. */
int sim_vfs_flip_bit(struct sim_vfs *sim, const char *path, uint64_t bit);

/* Calls of these kinds since the disk was made. */
uint64_t sim_vfs_call_count(struct sim_vfs *sim, unsigned calls);
/* Writes and changes of names that a power cut could undo now. */
size_t sim_vfs_unsynced_count(struct sim_vfs *sim);

#endif
