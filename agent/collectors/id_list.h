/* Numbers that name the entries of a directory, ascending: the processes of /proc, the threads of a process. */
#ifndef SONDE_AGENT_ID_LIST_H
#define SONDE_AGENT_ID_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/vfs.h"

/* Zeroed to begin with, used again and again, released at the end. */
struct id_list {
    uint64_t *items;
    size_t count, cap;
    size_t max; /* entries beyond so many are not seen */
};

/* In place of what it held. 0; ERR_NOMEM; what vfs_list says, with what was seen until then. */
int id_list_read(struct id_list *list, struct vfs *fs, const char *path, size_t max);
void id_list_release(struct id_list *list);

#endif
