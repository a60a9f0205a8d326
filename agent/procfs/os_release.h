/* os-release(5): NAME=value lines in shell syntax. A value may stand bare, in double quotes (with
 * backslash escapes of " $ ` \) or in single quotes (as is); empty lines and lines that begin with #
 * are comments. Unlike kernel tables the file is written by people: the last line may lack its
 * newline.
 */
#ifndef SONDE_PROCFS_OS_RELEASE_H
#define SONDE_PROCFS_OS_RELEASE_H

#include "base/str.h"

/* The value of `key`, unquoted into `buffer` of `size` bytes. 0; ERR_NOT_FOUND when no line sets it;
 * ERR_CORRUPT for an open quote or a value that does not fit. The last assignment wins, as in a
 * shell. */
int procfs_os_release_get(
    struct str text, struct str key, char *buffer, size_t size, struct str *value_out);

#endif
