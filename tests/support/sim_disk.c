/* What lies behind the calls of the simulated disk: faults, space, names, power.
 *
 * A change of names is done at once for those who look, and joins one list of unsynced changes, in
 * order. A synced directory takes its changes off the list; a power cut goes through what is left and
 * keeps or undoes each one.
 */
#include "support/sim_disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "support/support.h"

struct sim_entered sim_enter(struct sim_vfs *sim)
{
    pthread_mutex_lock(&sim->mutex);
    return (struct sim_entered){sim, mem_fail_exempt(true)};
}

void sim_leave(struct sim_entered e)
{
    mem_fail_exempt(e.exempt_before);
    pthread_mutex_unlock(&e.sim->mutex);
}

/* ---- faults ---- */

/* Counts a call and asks whether a fault strikes it. */
enum sim_verdict sim_begin_call(struct sim_vfs *sim, enum sim_call call, int *code_out)
{
    sim->counts[__builtin_ctz(call)]++;
    *code_out = ERR_IO;
    if (sim->power_lost) {
        return SIM_FAIL;
    }
    enum sim_verdict verdict = SIM_GO;
    for (size_t i = 0; i < sim->fault_count; i++) {
        struct sim_fault *fault = &sim->faults[i];
        if ((fault->calls & call) == 0 || (fault->struck && fault->strike != SIM_STRIKE_ON)) {
            continue;
        }
        fault->left -= fault->left > 0;
        if (fault->left > 0 || verdict != SIM_GO) {
            continue;
        }
        fault->struck = true;
        *code_out = fault->code;
        verdict = SIM_FAIL;
        if (fault->strike == SIM_STRIKE_POWER) {
            sim->power_lost = true;
            verdict = test_random(&sim->random) % 2 == 0 ? SIM_FAIL : SIM_LAST_ACT;
        }
    }
    return verdict;
}

static void arm(struct sim_vfs *sim, struct sim_fault fault)
{
    assert(fault.left > 0);
    struct sim_entered e = sim_enter(sim);
    assert(sim->fault_count < SIM_FAULTS_MAX);
    sim->faults[sim->fault_count++] = fault;
    sim_leave(e);
}

void sim_vfs_fail_nth(struct sim_vfs *sim, unsigned calls, uint64_t nth, int code)
{
    arm(sim,
        (struct sim_fault){.calls = calls, .left = nth, .code = code, .strike = SIM_STRIKE_ONCE});
}

void sim_vfs_fail_from(struct sim_vfs *sim, unsigned calls, uint64_t nth, int code)
{
    arm(sim,
        (struct sim_fault){.calls = calls, .left = nth, .code = code, .strike = SIM_STRIKE_ON});
}

void sim_vfs_lose_power_at(struct sim_vfs *sim, unsigned calls, uint64_t nth)
{
    arm(sim, (struct sim_fault){
                 .calls = calls, .left = nth, .code = ERR_IO, .strike = SIM_STRIKE_POWER});
}

bool sim_vfs_fail_pending(struct sim_vfs *sim)
{
    struct sim_entered e = sim_enter(sim);
    bool pending = false;
    for (size_t i = 0; i < sim->fault_count; i++) {
        pending = pending || !sim->faults[i].struck;
    }
    sim_leave(e);
    return pending;
}

void sim_vfs_fail_clear(struct sim_vfs *sim)
{
    struct sim_entered e = sim_enter(sim);
    sim->fault_count = 0;
    sim_leave(e);
}

/* ---- space ---- */

/* Brings what the inode is charged in line with its size and whether anybody can reach it. */
void sim_charge(struct sim_vfs *sim, struct sim_inode *inode)
{
    uint64_t wanted = 0;
    if (inode->links > 0 || inode->handles > 0) {
        wanted = inode->current.size > inode->reserved ? inode->current.size : inode->reserved;
    }
    sim->used += wanted - inode->charged;
    inode->charged = wanted;
}

/* The largest end, up to `end`, that the inode may have on this disk. */
uint64_t sim_end_that_fits(const struct sim_vfs *sim, const struct sim_inode *inode, uint64_t end)
{
    uint64_t free_bytes = sim->capacity > sim->used ? sim->capacity - sim->used : 0;
    uint64_t fits = inode->charged + free_bytes;
    fits = fits < SIM_FILE_MAX ? fits : SIM_FILE_MAX;
    return end < fits ? end : fits;
}

/* The handle lets go of its file: at close, or when power is cut. */
void sim_detach(struct sim_vfs *sim, struct vfs_file *file)
{
    struct sim_inode *inode = file->inode;
    if (inode == NULL) {
        return;
    }
    file->inode = NULL;
    if (inode->locked_by == file) {
        inode->locked_by = NULL;
    }
    inode->handles--;
    sim_charge(sim, inode);
    sim_inode_unref(inode);
}

/* ---- names ---- */

/* Cuts the next component off; false at the end. */
static bool next_component(struct str *rest, struct str *component)
{
    while (rest->len > 0) {
        *component = str_split(rest, '/');
        if (component->len > 0 && !str_eq_c(*component, ".")) {
            return true;
        }
    }
    return false;
}

/* Follows `path`. The root itself has an empty name and no directory. */
int sim_find(struct sim_vfs *sim, const char *path, struct sim_target *target_out)
{
    struct sim_target target = {.inode = sim->root};
    struct str rest = str_of(path);
    struct str component;
    if (rest.len == 0) {
        return ERR_NOT_FOUND;
    }
    while (next_component(&rest, &component)) {
        if (target.inode == NULL) {
            return ERR_NOT_FOUND;
        }
        if (!target.inode->is_directory || component.len > SIM_NAME_MAX ||
            str_eq_c(component, "..")) {
            return ERR_INVALID;
        }
        target.directory = target.inode;
        target.name = component;
        target.inode = sim_names_find(&target.directory->current_names, component);
    }
    *target_out = target;
    return 0;
}

/* As find, for what must be there. */
int sim_find_existing(struct sim_vfs *sim, const char *path, struct sim_target *target_out)
{
    struct sim_target target = {0};
    int status = sim_find(sim, path, &target);
    if (status == 0 && target.inode == NULL) {
        status = ERR_NOT_FOUND;
    }
    if (status == 0) {
        *target_out = target;
    }
    return status;
}

static void current_remove(struct sim_vfs *sim, struct sim_inode *directory, struct str name)
{
    struct sim_inode *inode = sim_names_find(&directory->current_names, name);
    if (inode != NULL) {
        inode->links--;
        sim_charge(sim, inode);
        sim_names_remove(&directory->current_names, name);
    }
}

static void current_set(
    struct sim_vfs *sim, struct sim_inode *directory, struct str name, struct sim_inode *inode)
{
    inode->links++; /* first: it may have this name already */
    current_remove(sim, directory, name);
    sim_names_set(&directory->current_names, name, inode);
    sim_charge(sim, inode);
}

static struct sim_place place_of(struct sim_inode *directory, struct str name)
{
    if (directory == NULL) {
        return (struct sim_place){NULL, NULL};
    }
    char *copy = mem_strndup(name.ptr, name.len);
    if (copy == NULL) {
        abort();
    }
    return (struct sim_place){sim_inode_ref(directory), copy};
}

static void place_release(struct sim_place *place)
{
    sim_inode_unref(place->directory);
    mem_free(place->name);
}

static void change_release(struct sim_change *change)
{
    place_release(&change->from);
    place_release(&change->to);
    sim_inode_unref(change->inode);
}

static void change_commit(const struct sim_change *change)
{
    if (change->from.directory != NULL) {
        sim_names_remove(&change->from.directory->durable_names, str_of(change->from.name));
    }
    if (change->to.directory != NULL) {
        sim_names_set(&change->to.directory->durable_names, str_of(change->to.name), change->inode);
    }
}

/* Commits and forgets the `count` oldest changes. */
static void commit_oldest(struct sim_vfs *sim, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        change_commit(&sim->changes[i]);
        change_release(&sim->changes[i]);
    }
    sim->change_count -= count;
    memmove(sim->changes, sim->changes + count, sim->change_count * sizeof(sim->changes[0]));
}

/* Does a change of names for those who look, and remembers that it is not durable. */
void sim_change_names(struct sim_vfs *sim, struct sim_inode *from, struct str from_name,
    struct sim_inode *to, struct str to_name, struct sim_inode *inode)
{
    if (sim->change_count == SIM_CHANGES_MAX) {
        commit_oldest(sim, SIM_CHANGES_MAX / 2); /* as a journal that runs full */
    }
    if (mem_array_grow((void **)&sim->changes, &sim->change_cap, sim->change_count + 1,
            sizeof(sim->changes[0]), SIM_CHANGES_MAX) != 0) {
        abort();
    }
    sim->changes[sim->change_count++] = (struct sim_change){
        .from = place_of(from, from_name),
        .to = place_of(to, to_name),
        .inode = inode != NULL ? sim_inode_ref(inode) : NULL,
    };
    if (to != NULL) {
        current_set(sim, to, to_name, inode);
    }
    if (from != NULL) {
        current_remove(sim, from, from_name);
    }
}

static bool touches(const struct sim_change *change, const struct sim_inode *directory)
{
    return change->from.directory == directory || change->to.directory == directory;
}

/* Whether the directory of either side of `change` is touched by a chosen change after it. */
static bool is_needed(const struct sim_vfs *sim, const bool *chosen, size_t index)
{
    const struct sim_change *change = &sim->changes[index];
    for (size_t later = index + 1; later < sim->change_count; later++) {
        if (chosen[later] && ((change->from.directory != NULL &&
                                  touches(&sim->changes[later], change->from.directory)) ||
                                 (change->to.directory != NULL &&
                                     touches(&sim->changes[later], change->to.directory)))) {
            return true;
        }
    }
    return false;
}

void sim_commit_directory(struct sim_vfs *sim, const struct sim_inode *directory)
{
    if (sim->change_count == 0) {
        return;
    }
    bool *chosen = mem_calloc(sim->change_count, sizeof(*chosen));
    if (chosen == NULL) {
        abort();
    }
    for (size_t i = sim->change_count; i > 0; i--) {
        chosen[i - 1] = touches(&sim->changes[i - 1], directory) || is_needed(sim, chosen, i - 1);
    }
    size_t kept = 0;
    for (size_t i = 0; i < sim->change_count; i++) {
        if (chosen[i]) {
            change_commit(&sim->changes[i]);
            change_release(&sim->changes[i]);
        } else {
            sim->changes[kept++] = sim->changes[i];
        }
    }
    sim->change_count = kept;
    mem_free(chosen);
}

void sim_forget_changes(struct sim_vfs *sim)
{
    for (size_t i = 0; i < sim->change_count; i++) {
        change_release(&sim->changes[i]);
    }
    sim->change_count = 0;
}

/* ---- the disk as a whole ---- */

void sim_vfs_set_capacity(struct sim_vfs *sim, uint64_t bytes)
{
    struct sim_entered e = sim_enter(sim);
    sim->capacity = bytes;
    sim_leave(e);
}

uint64_t sim_vfs_used_bytes(struct sim_vfs *sim)
{
    struct sim_entered e = sim_enter(sim);
    uint64_t used = sim->used;
    sim_leave(e);
    return used;
}

/* Takes all current names away, below `directory` too, so that nothing is linked or charged. */
static void forget_current(struct sim_vfs *sim, struct sim_inode *directory)
{
    while (directory->current_names.count > 0) {
        const struct sim_entry *entry =
            &directory->current_names.entries[directory->current_names.count - 1];
        if (entry->inode->is_directory) {
            forget_current(sim, entry->inode);
        }
        current_remove(sim, directory, str_of(entry->name));
    }
}

/* What is on the platter is what is seen from now on. */
static void restore(struct sim_vfs *sim, struct sim_inode *directory, struct sim_fate fate)
{
    for (size_t i = 0; i < directory->durable_names.count; i++) {
        const struct sim_entry *entry = &directory->durable_names.entries[i];
        if (entry->inode->is_directory) {
            restore(sim, entry->inode, fate);
        } else if (entry->inode->links == 0) {
            sim_inode_power_cut(entry->inode, fate);
        }
        current_set(sim, directory, str_of(entry->name), entry->inode);
    }
}

/* Keeps or undoes each unsynced change. A directory that moved below another one stays where it was
 * once anything before was undone: it could end up below itself. */
static void settle_changes(struct sim_vfs *sim, struct sim_fate fate)
{
    bool any_undone = false;
    for (size_t i = 0; i < sim->change_count; i++) {
        const struct sim_change *change = &sim->changes[i];
        bool moves_directory = change->inode != NULL && change->inode->is_directory &&
                               change->from.directory != NULL &&
                               change->from.directory != change->to.directory;
        if (test_random(fate.random) % 256 < fate.keep && !(moves_directory && any_undone)) {
            change_commit(change);
        } else {
            any_undone = true;
        }
    }
}

void sim_vfs_power_cut(struct sim_vfs *sim, uint64_t seed)
{
    struct sim_entered e = sim_enter(sim);
    uint64_t random = seed;
    struct sim_fate fate = {&random, 0};
    switch (test_random(&random) % 8) {
    case 0:
        fate.keep = 0;
        break;
    case 1:
        fate.keep = 256;
        break;
    default:
        fate.keep = 32 + (unsigned)(test_random(&random) % 192);
        break;
    }
    settle_changes(sim, fate);
    forget_current(sim, sim->root);
    for (struct vfs_file *file = sim->files; file != NULL; file = file->next) {
        sim_detach(sim, file);
    }
    restore(sim, sim->root, fate);
    sim_forget_changes(sim);
    sim->fault_count = 0;
    sim->power_lost = false;
    sim_leave(e);
}

int sim_vfs_flip_bit(struct sim_vfs *sim, const char *path, uint64_t bit)
{
    struct sim_entered e = sim_enter(sim);
    struct sim_target target = {0};
    int status = sim_find_existing(sim, path, &target);
    if (status == 0 && !sim_inode_flip_bit(target.inode, bit)) {
        status = ERR_RANGE;
    }
    sim_leave(e);
    return status;
}

uint64_t sim_vfs_call_count(struct sim_vfs *sim, unsigned calls)
{
    struct sim_entered e = sim_enter(sim);
    uint64_t count = 0;
    for (unsigned kind = 0; kind < SIM_CALL_KINDS; kind++) {
        count += (calls >> kind & 1) != 0 ? sim->counts[kind] : 0;
    }
    sim_leave(e);
    return count;
}

/* Unsynced writes of the files below. */
static size_t count_writes(const struct sim_inode *inode)
{
    size_t count = inode->write_count;
    for (size_t i = 0; i < inode->current_names.count; i++) {
        count += count_writes(inode->current_names.entries[i].inode);
    }
    return count;
}

size_t sim_vfs_unsynced_count(struct sim_vfs *sim)
{
    struct sim_entered e = sim_enter(sim);
    size_t count = sim->change_count + count_writes(sim->root);
    sim_leave(e);
    return count;
}
