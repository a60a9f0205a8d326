/* Files and directories of the simulated disk. */
#include "support/sim_inode.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/support.h"

/* What disks and page caches write as one. */
enum { PAGE = 4096 };
/* Beyond so many unsynced writes the oldest are written back, as a kernel does under pressure. */
enum { UNSYNCED_MAX = 1 << 20, ENTRIES_MAX = 1 << 20 };

static void must(bool worked)
{
    if (!worked) {
        fprintf(stderr, "sim_vfs: the test itself ran out of memory or limits\n");
        abort();
    }
}

static void bytes_resize(struct sim_bytes *b, size_t size)
{
    assert(size <= SIM_FILE_MAX);
    must(mem_array_grow((void **)&b->data, &b->cap, size, 1, SIM_FILE_MAX) == 0);
    if (size > b->size) {
        memset(b->data + b->size, 0, size - b->size);
    }
    b->size = size;
}

static void bytes_write(struct sim_bytes *b, uint64_t offset, const void *bytes, size_t size)
{
    if (offset + size > b->size) {
        bytes_resize(b, offset + size);
    }
    if (size > 0) {
        memcpy(b->data + offset, bytes, size);
    }
}

static void bytes_copy(struct sim_bytes *to, const struct sim_bytes *from)
{
    bytes_resize(to, from->size);
    if (from->size > 0) {
        memcpy(to->data, from->data, from->size);
    }
}

struct sim_inode *sim_inode_new(bool is_directory)
{
    struct sim_inode *inode = mem_calloc(1, sizeof(*inode));
    must(inode != NULL);
    inode->references = 1;
    inode->is_directory = is_directory;
    return inode;
}

struct sim_inode *sim_inode_ref(struct sim_inode *inode)
{
    inode->references++;
    return inode;
}

void sim_inode_unref(struct sim_inode *inode)
{
    if (inode == NULL || --inode->references > 0) {
        return;
    }
    for (size_t i = 0; i < inode->write_count; i++) {
        mem_free(inode->writes[i].bytes);
    }
    mem_free(inode->writes);
    mem_free(inode->current.data);
    mem_free(inode->durable.data);
    sim_names_clear(&inode->current_names);
    sim_names_clear(&inode->durable_names);
    mem_free(inode);
}

/* The write reaches the platter. */
static void apply(struct sim_inode *inode, const struct sim_write *write)
{
    if (write->bytes != NULL) {
        bytes_write(&inode->durable, write->offset, write->bytes, write->size);
    } else {
        bytes_resize(&inode->durable, write->offset);
    }
}

static void forget_writes(struct sim_inode *inode, size_t count)
{
    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        mem_free(inode->writes[i].bytes);
    }
    inode->write_count -= count;
    memmove(inode->writes, inode->writes + count, inode->write_count * sizeof(inode->writes[0]));
}

static void add_write(struct sim_inode *inode, struct sim_write write)
{
    if (inode->write_count == UNSYNCED_MAX) {
        for (size_t i = 0; i < UNSYNCED_MAX / 2; i++) {
            apply(inode, &inode->writes[i]);
        }
        forget_writes(inode, UNSYNCED_MAX / 2);
    }
    must(mem_array_grow((void **)&inode->writes, &inode->write_cap, inode->write_count + 1,
             sizeof(inode->writes[0]), UNSYNCED_MAX) == 0);
    inode->writes[inode->write_count++] = write;
}

void sim_inode_write(struct sim_inode *inode, uint64_t offset, const void *bytes, size_t size)
{
    if (size == 0) {
        return;
    }
    bytes_write(&inode->current, offset, bytes, size);
    uint8_t *copy = mem_dup(bytes, size);
    must(copy != NULL);
    add_write(inode, (struct sim_write){.offset = offset, .bytes = copy, .size = size});
}

void sim_inode_truncate(struct sim_inode *inode, uint64_t size)
{
    bytes_resize(&inode->current, size);
    add_write(inode, (struct sim_write){.offset = size});
}

void sim_inode_sync(struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->write_count; i++) {
        apply(inode, &inode->writes[i]);
    }
    forget_writes(inode, inode->write_count);
}

void sim_inode_sync_failed(struct sim_inode *inode, uint64_t *random)
{
    for (size_t i = 0; i < inode->write_count; i++) {
        if (test_random(random) % 2 == 0) {
            apply(inode, &inode->writes[i]);
        }
    }
    forget_writes(inode, inode->write_count);
}

/* What becomes of one page of an unsynced write. */
static void settle_page(struct sim_inode *inode, uint64_t offset, const uint8_t *bytes, size_t size,
    struct sim_fate fate)
{
    if (test_random(fate.random) % 256 < fate.keep) {
        bytes_write(&inode->durable, offset, bytes, size);
        return;
    }
    switch (test_random(fate.random) % 4) {
    case 0: /* torn: only its head was written */
        bytes_write(&inode->durable, offset, bytes, test_random(fate.random) % size);
        break;
    case 1: /* the size was written, the data were not */
        if (offset + size > inode->durable.size) {
            bytes_resize(&inode->durable, offset + size);
        }
        break;
    default: /* dropped */
        break;
    }
}

static void settle_write(
    struct sim_inode *inode, const struct sim_write *write, struct sim_fate fate)
{
    if (write->bytes == NULL) {
        if (test_random(fate.random) % 256 < fate.keep) {
            apply(inode, write);
        }
        return;
    }
    for (size_t done = 0; done < write->size;) {
        uint64_t offset = write->offset + done;
        size_t left = write->size - done;
        size_t size = PAGE - offset % PAGE;
        size = size < left ? size : left;
        settle_page(inode, offset, write->bytes + done, size, fate);
        done += size;
    }
}

void sim_inode_power_cut(struct sim_inode *inode, struct sim_fate fate)
{
    for (size_t i = 0; i < inode->write_count; i++) {
        settle_write(inode, &inode->writes[i], fate);
    }
    forget_writes(inode, inode->write_count);
    bytes_copy(&inode->current, &inode->durable);
    inode->reserved = 0;
}

bool sim_inode_flip_bit(struct sim_inode *inode, uint64_t bit)
{
    if (bit / 8 >= inode->current.size) {
        return false;
    }
    uint8_t mask = (uint8_t)(1u << bit % 8);
    inode->current.data[bit / 8] ^= mask;
    if (bit / 8 < inode->durable.size) {
        inode->durable.data[bit / 8] ^= mask;
    }
    for (size_t i = 0; i < inode->write_count; i++) {
        struct sim_write *write = &inode->writes[i];
        if (write->bytes != NULL && bit / 8 >= write->offset &&
            bit / 8 - write->offset < write->size) {
            write->bytes[bit / 8 - write->offset] ^= mask;
        }
    }
    return true;
}

/* Position of the name, or `count`. */
static size_t names_index(const struct sim_names *names, struct str name)
{
    size_t i = 0;
    while (i < names->count && !str_eq_c(name, names->entries[i].name)) {
        i++;
    }
    return i;
}

struct sim_inode *sim_names_find(const struct sim_names *names, struct str name)
{
    size_t i = names_index(names, name);
    return i < names->count ? names->entries[i].inode : NULL;
}

void sim_names_set(struct sim_names *names, struct str name, struct sim_inode *inode)
{
    sim_inode_ref(inode); /* first: it may be the one that is let go */
    size_t i = names_index(names, name);
    if (i < names->count) {
        sim_inode_unref(names->entries[i].inode);
        names->entries[i].inode = inode;
        return;
    }
    must(mem_array_grow((void **)&names->entries, &names->cap, names->count + 1,
             sizeof(names->entries[0]), ENTRIES_MAX) == 0);
    char *copy = mem_strndup(name.ptr, name.len);
    must(copy != NULL);
    names->entries[names->count++] = (struct sim_entry){copy, inode};
}

void sim_names_remove(struct sim_names *names, struct str name)
{
    size_t i = names_index(names, name);
    if (i == names->count) {
        return;
    }
    struct sim_entry gone = names->entries[i];
    names->count--;
    memmove(
        names->entries + i, names->entries + i + 1, (names->count - i) * sizeof(names->entries[0]));
    mem_free(gone.name);
    sim_inode_unref(gone.inode);
}

void sim_names_clear(struct sim_names *names)
{
    struct sim_names gone = *names;
    *names = (struct sim_names){0};
    for (size_t i = 0; i < gone.count; i++) {
        mem_free(gone.entries[i].name);
        sim_inode_unref(gone.entries[i].inode);
    }
    mem_free(gone.entries);
}
