/* The C face of RE2, a screenful: compile, match, match with groups, names of groups. regex.c is its
 * only user; base/base/regex_shim.cc is the only file that includes RE2.
 */
#ifndef SONDE_BASE_REGEX_SHIM_H
#define SONDE_BASE_REGEX_SHIM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct regex_program;

struct regex_span {
    const char *ptr; /* NULL: the group took no part in the match */
    size_t len;
};

enum regex_shim_status {
    REGEX_SHIM_OK,
    REGEX_SHIM_INVALID,
    REGEX_SHIM_TOO_LARGE,
    REGEX_SHIM_NO_MEMORY,
};

/* On INVALID and TOO_LARGE `message` holds RE2's sentence, cut to its size. */
enum regex_shim_status regex_program_new(const char *pattern, size_t size, bool dot_matches_newline,
    size_t memory_max, struct regex_program **program_out, char *message, size_t message_size);
void regex_program_free(struct regex_program *program);
bool regex_program_matches(const struct regex_program *program, const char *text, size_t size);
/* 1 and `count` spans (0 = the whole match), 0 when it does not match, -1 when memory is short. */
int regex_program_groups(const struct regex_program *program, const char *text, size_t size,
    struct regex_span *spans, size_t count);
/* The same of the first match anywhere in text[from, size). */
int regex_program_find(const struct regex_program *program, const char *text, size_t from,
    size_t size, struct regex_span *spans, size_t count);
size_t regex_program_group_count(const struct regex_program *program);
/* The number of a named group, or -1. */
int regex_program_group_index(const struct regex_program *program, const char *name, size_t size);

#ifdef __cplusplus
}
#endif
#endif
