/* Which group a process belongs to, by rules in process_exporter's form:
 *
 *   process_names:
 *     - name: "{{.Comm}}"             # of the first rule that matches a process
 *       comm: [bash, sshd]            # the command is one of these, and
 *       exe: [/usr/sbin/nginx, perl]  # the program is one of these: a path, or its last part, and
 *       cmdline: ['--role=(?P<role>\w+)']  # each of these is found in the command line
 *
 * A rule without a condition matches nothing and is refused; without a name it is "{{.ExeBase}}". In a
 * name, .Comm is the command (15 bytes of it), .ExeFull the first argument, .ExeBase its last part, .PID
 * the process number, .Matches.role what a named group of cmdline matched. Without a file every process
 * that has a command line belongs to the group of its command.
 */
#ifndef SONDE_COLLECTORS_PROCESS_NAMES_H
#define SONDE_COLLECTORS_PROCESS_NAMES_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "base/vfs.h"

/* A file of rules, and what may stand in it. */
#define PROCESS_NAMES_FILE_MAX ((size_t)1 << 20)
#define PROCESS_NAMES_RULES_MAX 1000
/* Longest name of a group; longer ones are cut. */
#define PROCESS_GROUP_NAME_MAX 128

struct process_names;

/* One process, as rules see it. Borrowed. */
struct process_identity {
    uint64_t pid;
    struct str command;
    struct str arguments; /* as in /proc/<pid>/cmdline: each ends with a zero byte */
};

/* `path` NULL or empty: the rule that is meant without a file. ERR_INVALID with "file:line:column: …",
 * ERR_NOT_FOUND, ERR_IO, ERR_NOMEM. */
int process_names_open(
    struct vfs *vfs, const char *path, struct process_names **names_out, struct err *e);
void process_names_close(struct process_names *names);

/* Writes the name of the group onto `name_out`, emptied before: 1, 0 when the process is in none,
 * ERR_NOMEM. */
int process_names_match(
    struct process_names *names, const struct process_identity *process, struct strbuf *name_out);

#endif
