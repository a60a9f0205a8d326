/* Listing parts by what their files say; see the header. */
#include "db/manifest_rebuild.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "part/part.h"

struct search {
    struct vfs *fs;
    const char *data;
    uint16_t tier;
    int64_t day;
    struct part_claim *claims;
    size_t count, cap;
};

/* ---- Which count ---- */

static int compare_claims(const void *a, const void *b)
{
    const struct manifest_part *x = &((const struct part_claim *)a)->part;
    const struct manifest_part *y = &((const struct part_claim *)b)->part;
    if (x->tier != y->tier) {
        return x->tier < y->tier ? -1 : 1;
    }
    int64_t x_period = store_tier_period(x->tier, x->day);
    int64_t y_period = store_tier_period(y->tier, y->day);
    if (x_period != y_period) {
        return x_period < y_period ? -1 : 1;
    }
    if (x->precedence != y->precedence) {
        return x->precedence < y->precedence ? -1 : 1;
    }
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static bool is_merged_into(const struct part_claim *claim, const struct part_claim *later)
{
    const struct manifest_part *a = &claim->part, *b = &later->part;
    return claim->readable && later->readable && a->sequence < b->sequence &&
           b->precedence_first <= a->precedence_first && a->precedence <= b->precedence;
}

/* May one have been merged into the other? Parts of a directory are merged with each other. */
static bool are_neighbours(const struct manifest_part *a, const struct manifest_part *b)
{
    return a->tier == b->tier &&
           store_tier_period(a->tier, a->day) == store_tier_period(b->tier, b->day);
}

size_t part_claims_settle(struct part_claim *claims, size_t count)
{
    if (count > 1) {
        qsort(claims, count, sizeof(*claims), compare_claims);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool merged = false;
        /* Whoever holds it has at least its precedence and a higher sequence: it comes after. */
        for (size_t k = i + 1;
             !merged && k < count && are_neighbours(&claims[k].part, &claims[i].part); k++) {
            merged = is_merged_into(&claims[i], &claims[k]);
        }
        if (!merged) {
            claims[kept++] = claims[i];
        }
    }
    return kept;
}

/* ---- Which there are ---- */

static int add_claim(struct search *s, uint64_t sequence)
{
    int status = mem_array_grow(
        (void **)&s->claims, &s->cap, s->count + 1, sizeof(*s->claims), MANIFEST_PARTS_MAX);
    if (status == 0) {
        s->claims[s->count++] =
            (struct part_claim){.part = {.sequence = sequence,
                                    .precedence = sequence,
                                    .precedence_first = sequence,
                                    .tier = s->tier,
                                    .day = s->day,
                                    .retention_ms = MANIFEST_RETENTION_DEFAULT}};
    }
    return status;
}

static int on_file(void *context, const char *name, bool is_directory)
{
    struct str digits = str_of(name);
    uint64_t sequence = 0;
    char expected[32];
    if (is_directory || !str_starts_with(digits, STR("p-"))) {
        return 0;
    }
    digits = str_make(digits.ptr + 2, digits.len - 2);
    if (str_to_u64(digits, &sequence) != 0 || sequence == UINT64_MAX) {
        return 0; // a file that was being written
    }
    (void)snprintf(expected, sizeof(expected), "p-%08llu", (unsigned long long)sequence);
    return str_eq_c(str_of(name), expected) ? add_claim(context, sequence) : 0;
}

static int on_day(void *context, const char *name, bool is_directory)
{
    struct search *s = context;
    char path[DB_PATH_MAX];
    if (!is_directory || store_tier_parse(s->tier, str_of(name), &s->day) != 0) {
        return 0;
    }
    int written = snprintf(path, sizeof(path), "%s/%s/%s", s->data, store_tier_name(s->tier), name);
    return written > 0 && written < DB_PATH_MAX ? vfs_list(s->fs, path, on_file, s) : ERR_LIMIT;
}

static int read_claim(struct search *s, struct part_claim *claim, struct err *e)
{
    char path[DB_PATH_MAX];
    struct part *part = NULL;
    char name[MANIFEST_NAME_MAX];
    manifest_part_name(&claim->part, name);
    int written = snprintf(path, sizeof(path), "%s/%s", s->data, name);
    if (written <= 0 || written >= DB_PATH_MAX) {
        return ERR_LIMIT;
    }
    int status = part_open(s->fs, path, NULL, &part, e);
    if (status == ERR_CORRUPT || status == ERR_UNSUPPORTED || status == ERR_NOT_FOUND) {
        return 0;
    }
    if (status == 0) {
        const struct part_origin *origin = &part_info(part)->origin;
        claim->readable = true;
        claim->part.level = (uint16_t)origin->level;
        claim->part.day = claim->part.tier != STORE_RAW ? origin->day : claim->part.day;
        claim->part.split = origin->split;
        if (origin->precedence > 0) {
            claim->part.precedence_first = origin->precedence_first;
            claim->part.precedence = origin->precedence;
        }
    }
    part_unref(part);
    return status;
}

static int find_claims(struct search *s, struct err *e)
{
    char path[DB_PATH_MAX];
    int status = 0;
    for (s->tier = STORE_RAW; status == 0 && s->tier < STORE_TIERS; s->tier++) {
        int written = snprintf(path, sizeof(path), "%s/%s", s->data, store_tier_name(s->tier));
        status =
            written > 0 && written < DB_PATH_MAX ? vfs_list(s->fs, path, on_day, s) : ERR_LIMIT;
        status = status == ERR_NOT_FOUND ? 0 : status;
    }
    for (size_t i = 0; status == 0 && i < s->count; i++) {
        status = read_claim(s, &s->claims[i], e);
    }
    return status;
}

/* Rules may have taken samples out of any day (manifest.h): nothing says it any more, and looking for
 * buckets where there are samples costs a little time and hides nothing. */
static int mark_days(struct manifest *m)
{
    bool tiers = false;
    int status = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        tiers = tiers || m->parts[i].tier != STORE_RAW;
    }
    for (uint32_t i = 0; tiers && status == 0 && i < m->count; i++) {
        const struct manifest_mark thinned = {STORE_RAW, m->parts[i].day, 1};
        status = m->parts[i].tier == STORE_RAW ? manifest_set_mark(m, &thinned) : 0;
    }
    return status;
}

int manifest_rebuild(struct vfs *fs, const char *data, struct manifest *m_out, struct err *e)
{
    struct search s = {.fs = fs, .data = data};
    struct manifest m;
    manifest_init(&m);
    int status = find_claims(&s, e);
    for (size_t i = 0; status == 0 && i < s.count; i++) {
        uint64_t next = s.claims[i].part.sequence + 1;
        m.next_sequence = next > m.next_sequence ? next : m.next_sequence;
    }
    size_t count = status == 0 ? part_claims_settle(s.claims, s.count) : 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = manifest_add(&m, &s.claims[i].part);
    }
    status = status == 0 ? mark_days(&m) : status;
    mem_free(s.claims);
    if (status != 0) {
        manifest_release(&m);
        return err_set(e, status, -1, "the list of parts cannot be rebuilt from %s/raw: %s", data,
            err_text(status));
    }
    *m_out = m;
    return 0;
}
