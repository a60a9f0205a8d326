/* One file or directory of the simulated disk: what its readers see, and what the platter has.
 * Private to sim_vfs, which holds the lock. Memory of the simulated disk is not the program's:
 * the caller exempts it from failing (mem_fail_exempt), and running out of it aborts the test.
 *
 * A file has `current` bytes (the page cache), `durable` bytes (the platter) and the list of writes
 * that lie between them, in order. A directory has names twice in the same way; what lies between
 * is kept by sim_vfs, because a rename may touch two directories.
 */
#ifndef SONDE_TESTS_SIM_INODE_H
#define SONDE_TESTS_SIM_INODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Largest file. */
#define SIM_FILE_MAX ((uint64_t)1 << 30)

struct sim_bytes {
    uint8_t *data;
    size_t size;
    size_t cap;
};

/* An unsynced write at `offset`, or (bytes NULL) a truncation to `offset`. */
struct sim_write {
    uint64_t offset;
    uint8_t *bytes;
    size_t size;
};

struct sim_entry {
    char *name;
    struct sim_inode *inode; /* one reference */
};

struct sim_names {
    struct sim_entry *entries;
    size_t count;
    size_t cap;
};

struct sim_inode {
    size_t references; /* names (current and durable), unsynced changes, handles */
    size_t links;      /* current names */
    size_t handles;
    bool is_directory;
    const void *locked_by; /* the handle */
    uint64_t reserved;     /* preallocated size */
    uint64_t charged;      /* bytes it takes from the disk's capacity now */

    struct sim_bytes current;
    struct sim_bytes durable;
    struct sim_write *writes;
    size_t write_count;
    size_t write_cap;

    struct sim_names current_names;
    struct sim_names durable_names;
};

/* How likely an unsynced write survives a power cut: out of 256. */
struct sim_fate {
    uint64_t *random;
    unsigned keep;
};

/* One reference, no names. */
struct sim_inode *sim_inode_new(bool is_directory);
struct sim_inode *sim_inode_ref(struct sim_inode *inode);
/* Accepts NULL. The last one frees, and a directory lets go of what its names hold. */
void sim_inode_unref(struct sim_inode *inode);

/* Current bytes change, and the write joins the unsynced ones. offset + size <= SIM_FILE_MAX. */
void sim_inode_write(struct sim_inode *inode, uint64_t offset, const void *bytes, size_t size);
void sim_inode_truncate(struct sim_inode *inode, uint64_t size);
/* All unsynced writes reach the platter. */
void sim_inode_sync(struct sim_inode *inode);
/* A sync that failed, as on Linux: some pages reached the platter, the others are forgotten but
 * stay readable, and no later sync writes them. */
void sim_inode_sync_failed(struct sim_inode *inode, uint64_t *random);
/* Power is cut: each page of each unsynced write is kept, torn, left as a hole of zeros or dropped,
 * independently of the others. What the platter then has is what readers see. */
void sim_inode_power_cut(struct sim_inode *inode, struct sim_fate fate);
/* Turns one bit, as a failing medium does. False beyond the end. */
bool sim_inode_flip_bit(struct sim_inode *inode, uint64_t bit);

/* NULL when there is no such name; borrowed. */
struct sim_inode *sim_names_find(const struct sim_names *names, struct str name);
/* The name now means `inode`, of which it takes a reference; what it meant before is let go. */
void sim_names_set(struct sim_names *names, struct str name, struct sim_inode *inode);
/* Does nothing when there is no such name. */
void sim_names_remove(struct sim_names *names, struct str name);
void sim_names_clear(struct sim_names *names);

#endif
