/* The inside of the simulated disk, shared by sim_vfs.c (the calls of struct vfs) and sim_disk.c (what
 * lies behind them: names, space, faults, power). Nobody else includes it.
 *
 * The lock is a plain mutex without a rank: a simulated disk must not be stricter about the locks
 * its callers hold than the real one. Functions below want it held, but for sim_enter.
 */
#ifndef SONDE_TESTS_SIM_DISK_H
#define SONDE_TESTS_SIM_DISK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vfs.h"
#include "support/sim_inode.h"
#include "support/sim_vfs.h"

enum { SIM_CALL_KINDS = 17, SIM_NAME_MAX = 255, SIM_CHANGES_MAX = 1 << 16 };

_Static_assert(1 << SIM_CALL_KINDS == SIM_CALL_END, "a counter for each kind of call");

struct vfs_file {
    struct sim_inode *inode; /* NULL once power was cut */
    enum vfs_open_mode mode;
    struct vfs_file *next;
};

/* One side of a change of names. */
struct sim_place {
    struct sim_inode *directory; /* one reference; NULL = this side has no part in it */
    char *name;
};

/* `from` loses its name, `to` now means `inode`: both, or one of them. */
struct sim_change {
    struct sim_place from;
    struct sim_place to;
    struct sim_inode *inode; /* one reference; NULL without `to` */
};

enum sim_strike { SIM_STRIKE_ONCE, SIM_STRIKE_ON, SIM_STRIKE_POWER };

struct sim_fault {
    unsigned calls;
    uint64_t left; /* calls until it strikes */
    int code;
    enum sim_strike strike;
    bool struck;
};

struct sim_vfs {
    struct vfs vfs;
    pthread_mutex_t mutex; /* guards all below */
    uint64_t random;
    struct sim_inode *root;
    struct vfs_file *files;
    struct sim_change *changes; /* unsynced, oldest first */
    size_t change_count;
    size_t change_cap;
    uint64_t capacity;
    uint64_t used;
    struct sim_fault faults[SIM_FAULTS_MAX];
    size_t fault_count;
    bool power_lost;
    uint64_t counts[SIM_CALL_KINDS];
};

/* Between the two the lock is held and allocations are the simulator's. */
struct sim_entered {
    struct sim_vfs *sim;
    bool exempt_before;
};

struct sim_entered sim_enter(struct sim_vfs *sim);
void sim_leave(struct sim_entered e);

/* What a call should do about faults. */
enum sim_verdict {
    SIM_GO,       /* nothing happens */
    SIM_FAIL,     /* return the code; writes and syncs have part of their effect */
    SIM_LAST_ACT, /* power is lost: have the effect, then return the code */
};

/* Counts a call and asks whether a fault strikes it. */
enum sim_verdict sim_begin_call(struct sim_vfs *sim, enum sim_call call, int *code_out);

/* Brings what the inode is charged in line with its size and whether anybody can reach it. */
void sim_charge(struct sim_vfs *sim, struct sim_inode *inode);
/* The largest end, up to `end`, that the inode may have on this disk. */
uint64_t sim_end_that_fits(const struct sim_vfs *sim, const struct sim_inode *inode, uint64_t end);

/* The handle lets go of its file: at close, or when power is cut. */
void sim_detach(struct sim_vfs *sim, struct vfs_file *file);

/* A directory and a name in it, and what it means now. */
struct sim_target {
    struct sim_inode *directory;
    struct str name;         /* a part of the path */
    struct sim_inode *inode; /* NULL: nothing */
};

/* Follows `path`. The root itself has an empty name and no directory. */
int sim_find(struct sim_vfs *sim, const char *path, struct sim_target *target_out);
/* The same for what must be there. */
int sim_find_existing(struct sim_vfs *sim, const char *path, struct sim_target *target_out);

/* Does a change of names for those who look, and remembers that it is not durable: `from_name` is
 * taken out of `from` unless that is NULL, `to_name` in `to` now means `inode` unless that is NULL. */
void sim_change_names(struct sim_vfs *sim, struct sim_inode *from, struct str from_name,
    struct sim_inode *to, struct str to_name, struct sim_inode *inode);
/* Puts on the platter what changed in `directory`, with every earlier change of the directories that
 * these changes touch, so that a rename stays whole. */
void sim_commit_directory(struct sim_vfs *sim, const struct sim_inode *directory);
/* Forgets all changes without a word. */
void sim_forget_changes(struct sim_vfs *sim);

#endif
