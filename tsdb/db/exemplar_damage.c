/* Which files of exemplars cannot be read. They stay where they are, as damaged parts do: answers about their
 * days say that something is missing, merges leave them aside, tsdb_verify says what is wrong with them. */
#include "base/log.h"
#include "base/mem.h"
#include "db/db.h"

void db_exemplar_damage_init(struct tsdb *db)
{
    lock_init(&db->exemplar_damage.lock, LOCK_RANK_LEAF);
}

void db_exemplar_damage_release(struct tsdb *db)
{
    mem_free(db->exemplar_damage.sequences);
    lock_release(&db->exemplar_damage.lock);
}

static bool has_locked(const struct exemplar_damage *d, uint64_t sequence)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->sequences[i] == sequence) {
            return true;
        }
    }
    return false;
}

void db_exemplar_damage_note(struct tsdb *db, uint64_t sequence, const char *path, const char *why)
{
    struct exemplar_damage *d = &db->exemplar_damage;
    lock_take(&d->lock);
    bool known = has_locked(d, sequence);
    if (!known && mem_array_grow((void **)&d->sequences, &d->cap, d->count + 1,
                      sizeof(*d->sequences), EXEMPLAR_DAMAGE_MAX) == 0) {
        d->sequences[d->count++] = sequence;
    }
    lock_give(&d->lock);
    if (!known) {
        LOG_ERROR("tsdb: exemplars set aside", LOG_S("path", path), LOG_S("error", why));
    }
}

bool db_exemplar_damage_has(struct tsdb *db, uint64_t sequence)
{
    struct exemplar_damage *d = &db->exemplar_damage;
    lock_take(&d->lock);
    bool has = has_locked(d, sequence);
    lock_give(&d->lock);
    return has;
}

size_t db_exemplar_damage_count(struct tsdb *db)
{
    lock_take(&db->exemplar_damage.lock);
    size_t count = db->exemplar_damage.count;
    lock_give(&db->exemplar_damage.lock);
    return count;
}
