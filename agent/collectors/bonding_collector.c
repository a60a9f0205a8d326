/* Bonded interfaces: how many members each has, and how many of them have a link. */
#include <stdio.h>

#include "collectors/rows.h"
#include "procfs/field.h"

#define BONDS_MAX 64
#define MEMBERS_MAX 64
#define BOND_NAME_MAX 64

struct bond_row {
    char name[BOND_NAME_MAX];
    unsigned members;
    unsigned active;
};

struct bonding_state {
    struct kept_file masters;
    struct bond_row rows[BONDS_MAX];
    size_t count;
};

/* Whether a member has a link. The directory of a member was called slave_ before 3.9 or so. */
static int member_is_up(struct collect *c, const char *bond, struct str member, bool *up_out)
{
    static const char *const prefixes[] = {"lower_", "slave_"};
    int status = ERR_NOT_FOUND;
    for (size_t i = 0; i < 2 && status == ERR_NOT_FOUND; i++) {
        char path[COLLECT_PATH_MAX];
        struct str text;
        (void)snprintf(path, sizeof(path), "class/net/%s/%s%.*s/bonding_slave/mii_status", bond,
            prefixes[i], STR_ARG(member));
        status = collect_read_once(c, COLLECT_SYS, path, &text);
        if (status == 0) {
            *up_out = str_eq(str_trim(text), STR("up"));
        }
    }
    return status;
}

static int read_bond(struct collect *c, struct bond_row *row)
{
    char path[COLLECT_PATH_MAX], names[MEMBERS_MAX * BOND_NAME_MAX];
    struct str text;
    (void)snprintf(path, sizeof(path), "class/net/%s/bonding/slaves", row->name);
    int status = collect_read_once(c, COLLECT_SYS, path, &text);
    if (status != 0) {
        return status;
    }
    text = str_trim(text);
    if (text.len > sizeof(names)) {
        return ERR_LIMIT;
    }
    memcpy(names, text.ptr, text.len); // the next read overwrites the text
    struct str rest = str_make(names, text.len);
    struct str member;
    while (status == 0 && field_next(&rest, &member)) {
        bool up = false;
        status = member_is_up(c, row->name, member, &up);
        row->members++;
        row->active += up;
    }
    return status;
}

static int read_bonds(struct collect *c, struct bonding_state *s)
{
    struct str text, name;
    s->count = 0;
    int status = collect_read(c, &s->masters, COLLECT_SYS, "class/net/bonding_masters", &text);
    if (status != 0) {
        return status;
    }
    text = str_trim(text);
    while (field_next(&text, &name)) {
        if (s->count == BONDS_MAX || name.len >= BOND_NAME_MAX) {
            return ERR_LIMIT;
        }
        struct bond_row *row = &s->rows[s->count++];
        *row = (struct bond_row){.members = 0};
        memcpy(row->name, name.ptr, name.len);
    }
    for (size_t i = 0; i < s->count; i++) {
        int bond_status = read_bond(c, &s->rows[i]);
        status = status != 0 ? status : bond_status;
    }
    return status;
}

static int bonding_collect(struct collect *c, void *state)
{
    struct bonding_state *s = state;
    int status = read_bonds(c, s);
    metric_family(
        c->sink, "node_bonding_active", METRIC_TYPE_GAUGE, "Members of a bond that have a link.");
    for (size_t i = 0; i < s->count; i++) {
        struct label_pair label = {"master", str_of(s->rows[i].name)};
        metric_sample(c->sink, &label, 1, s->rows[i].active);
    }
    metric_family(c->sink, "node_bonding_slaves", METRIC_TYPE_GAUGE, "Members of a bond.");
    for (size_t i = 0; i < s->count; i++) {
        struct label_pair label = {"master", str_of(s->rows[i].name)};
        metric_sample(c->sink, &label, 1, s->rows[i].members);
    }
    return status;
}

static void bonding_close(struct collect *c, void *state)
{
    struct bonding_state *s = state;
    kept_file_close(c, &s->masters);
}

const struct collector bonding_collector = {
    .name = "bonding",
    .help = "Members of bonded interfaces (/sys/class/net/bonding_masters)",
    .default_enabled = true,
    .state_size = sizeof(struct bonding_state),
    .collect = bonding_collect,
    .close = bonding_close,
};
