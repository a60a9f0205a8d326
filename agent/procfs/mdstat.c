/* Parser of /proc/mdstat; the format is in the header. */
#include "procfs/mdstat.h"

#include <stdbool.h>

#include "base/err.h"
#include "procfs/field.h"

struct members {
    uint64_t all;
    uint64_t failed;
    uint64_t spare;
};

/* "sdb1[1](F)": the flags stand behind the slot number. */
static void count_member(struct str field, struct members *members)
{
    members->all++;
    if (str_ends_with(field, STR("(F)"))) {
        members->failed++;
    } else if (str_ends_with(field, STR("(S)"))) {
        members->spare++;
    }
}

/* "md0 : active (auto-read-only) raid1 sdb1[1] …" without the name. */
static int parse_title(struct str line, struct procfs_md *md, struct members *members)
{
    struct str field;
    if (!field_next(&line, &field) || !str_eq(field, STR(":")) || !field_next(&line, &field)) {
        return ERR_CORRUPT;
    }
    if (!str_eq(field, STR("active")) && !str_eq(field, STR("inactive"))) {
        return ERR_CORRUPT;
    }
    md->state = str_eq(field, STR("active")) ? PROCFS_MD_ACTIVE : PROCFS_MD_INACTIVE;
    while (field_next(&line, &field)) {
        if (str_find(field, '[') > 0) {
            count_member(field, members);
        }
    }
    return 0;
}

/* "248896 blocks super 1.2 [2/1] [U_]" */
static int parse_size(struct str line, struct procfs_md *md, const struct members *members)
{
    if (field_next_u64(&line, &md->blocks) != 0) {
        return ERR_CORRUPT;
    }
    md->blocks_synced = md->blocks;
    md->disks_failed = members->failed;
    md->disks_spare = members->spare;
    if (md->state == PROCFS_MD_INACTIVE) {
        return 0; // how many disks it wants is not known before it runs
    }
    md->disks_required = members->all - members->spare;
    md->disks_active = md->disks_required - members->failed;
    struct str field;
    while (field_next(&line, &field)) {
        if (!field_take_prefix(&field, STR("[")) || str_find(field, '/') < 0) {
            continue;
        }
        struct str wanted = str_split(&field, '/');
        if (!str_ends_with(field, STR("]")) || field_u64(wanted, &md->disks_required) != 0 ||
            field_u64(str_make(field.ptr, field.len - 1), &md->disks_active) != 0) {
            return ERR_CORRUPT;
        }
    }
    return 0;
}

static bool action_state(struct str word, enum procfs_md_state *state_out)
{
    if (str_starts_with(word, STR("recovery")) || str_starts_with(word, STR("reshape"))) {
        *state_out = PROCFS_MD_RECOVERING;
        return true;
    }
    if (str_starts_with(word, STR("resync"))) {
        *state_out = PROCFS_MD_RESYNCING;
        return true;
    }
    if (str_starts_with(word, STR("check"))) {
        *state_out = PROCFS_MD_CHECKING;
        return true;
    }
    return false;
}

/* "[=>...]  recovery = 12.6% (37043392/292945152) finish=…" or "resync=DELAYED"; other lines (bitmap)
 * say nothing here. */
static int parse_action(struct str line, struct procfs_md *md)
{
    struct str field;
    bool acting = false;
    while (field_next(&line, &field)) {
        acting = acting || action_state(field, &md->state);
        if (!acting || !field_take_prefix(&field, STR("("))) {
            continue;
        }
        return field_u64(str_split(&field, '/'), &md->blocks_synced);
    }
    if (acting) {
        md->blocks_synced = 0; // delayed or pending: nothing of this round is done
    }
    return 0;
}

/* The indented lines behind the title, up to an empty line. */
static int parse_body(struct str *rest, struct procfs_md *md, const struct members *members)
{
    struct str line;
    int status = field_next_line(rest, &line);
    if (status != 1) {
        return ERR_CORRUPT;
    }
    status = parse_size(line, md, members);
    while (status == 0 && rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t')) {
        status = field_next_line(rest, &line) == 1 ? parse_action(line, md) : ERR_CORRUPT;
    }
    return status;
}

int procfs_mdstat_next(struct str *rest, struct procfs_md *md_out)
{
    struct str line;
    int status;
    while ((status = field_next_line(rest, &line)) > 0) {
        struct procfs_md md = {0};
        struct members members = {0};
        if (line.len == 0 || !field_next(&line, &md.name) || !str_starts_with(md.name, STR("md"))) {
            continue;
        }
        status = parse_title(line, &md, &members);
        if (status == 0) {
            status = parse_body(rest, &md, &members);
        }
        if (status != 0) {
            return status;
        }
        *md_out = md;
        return 1;
    }
    return status;
}
