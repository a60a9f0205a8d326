/* The manager: objectives in force, their evaluation when it is due, and what is kept.
 *
 * One thread evaluates one objective after the other; an evaluation reads ten minutes of counts and sums, a few
 * milliseconds. Evaluations that were missed, while the program was down for instance, are made up for from
 * stored samples, each at its own time, so that an alert's history does not depend on when the program ran.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "slo_manager.h"

#define LOOK_AGAIN_MS 1000

/* ---- The journal ---- */

static void write_key(struct strbuf *key, char kind, struct str name, struct str more)
{
    strbuf_reset(key);
    strbuf_add_char(key, kind);
    strbuf_add_str(key, name);
    if (more.ptr != NULL) {
        strbuf_add_char(key, '\0');
        strbuf_add_str(key, more);
    }
}

bool slo_version_find(const struct slo_manager *m, struct str name, struct slo_version *version_out)
{
    struct strbuf key = STRBUF_INIT;
    struct str value;
    write_key(&key, 'v', name, (struct str){0});
    bool found = slo_journal_get(m->journal, strbuf_str(&key), &value) && value.len == 20;
    if (found) {
        const uint8_t *p = (const uint8_t *)value.ptr;
        *version_out =
            (struct slo_version){get_le32(p), get_le64(p + 4), (int64_t)get_le64(p + 12)};
    }
    strbuf_release(&key);
    return found;
}

static void note_version(struct slo_manager *m, const struct slo_definition *d, int64_t now_ms)
{
    struct slo_version version = {0};
    if (slo_version_find(m, d->name, &version) && version.hash == d->hash) {
        return;
    }
    struct strbuf key = STRBUF_INIT, value = STRBUF_INIT;
    write_key(&key, 'v', d->name, (struct str){0});
    strbuf_add_le32(&value, version.number + 1);
    strbuf_add_le64(&value, d->hash);
    strbuf_add_le64(&value, (uint64_t)now_ms);
    slo_journal_put(m->journal, strbuf_str(&key), strbuf_str(&value));
    strbuf_release(&key);
    strbuf_release(&value);
}

/* The states of all tiers as they are now, and when that was. */
static void note_states(struct slo_manager *m, const struct slo_run *run)
{
    const struct slo_definition *d = run->definition;
    struct strbuf key = STRBUF_INIT, value = STRBUF_INIT;
    for (size_t i = 0; i < d->parameters.tier_count; i++) {
        write_key(&key, 's', d->name, str_of(d->parameters.tiers[i].name));
        strbuf_reset(&value);
        if (run->states[i].count > 0) {
            alert_instance_encode(&run->states[i].items[0], &value);
            slo_journal_put(m->journal, strbuf_str(&key), strbuf_str(&value));
        } else {
            slo_journal_delete(m->journal, strbuf_str(&key));
        }
    }
    write_key(&key, 't', d->name, (struct str){0});
    strbuf_reset(&value);
    strbuf_add_le64(&value, (uint64_t)run->last.at_ms);
    slo_journal_put(m->journal, strbuf_str(&key), strbuf_str(&value));
    strbuf_release(&key);
    strbuf_release(&value);
}

/* When the objective was evaluated last, with the states of that time; INT64_MIN: never. */
static int64_t restore_states(struct slo_manager *m, struct slo_run *run)
{
    const struct slo_definition *d = run->definition;
    struct strbuf key = STRBUF_INIT;
    struct str value;
    int64_t at_ms = INT64_MIN;
    for (size_t i = 0; i < d->parameters.tier_count; i++) {
        write_key(&key, 's', d->name, str_of(d->parameters.tiers[i].name));
        struct err e = ERR_INIT;
        if (slo_journal_get(m->journal, strbuf_str(&key), &value) &&
            alert_states_restore(&run->states[i], value, &e) != 0) {
            LOG_WARN("the state of an objective's tier cannot be read", LOG_STR("slo", d->name),
                LOG_S("tier", d->parameters.tiers[i].name), LOG_S("error", e.message));
        }
    }
    write_key(&key, 't', d->name, (struct str){0});
    if (slo_journal_get(m->journal, strbuf_str(&key), &value) && value.len == 8) {
        at_ms = (int64_t)get_le64((const uint8_t *)value.ptr);
    }
    strbuf_release(&key);
    return at_ms;
}

/* ---- Exclusions in force ---- */

struct decoding {
    struct slo_manager *manager;
    struct slo_exclusions *to;
    int status;
};

static void free_zone(void *zone)
{
    zone_free(zone);
}

static void decode_one(void *context, struct str key, struct str value)
{
    struct decoding *d = context;
    struct slo_exclusion *x = &d->to->items[d->to->count];
    (void)key;
    if (d->status != 0 || d->to->count == SLO_EXCLUSIONS_MAX) {
        return;
    }
    int status = slo_exclusion_decode(&d->to->arena, value, x);
    if (status == ERR_CORRUPT) {
        LOG_WARN("an exclusion of an objective cannot be read");
        return;
    }
    struct zone *zone = NULL;
    if (status == 0 && x->zone_name.len > 0) {
        status = zone_open(d->manager->fs, x->zone_name, &zone, NULL);
        if (status == 0 && arena_on_release(&d->to->arena, free_zone, zone) != 0) {
            zone_free(zone);
            zone = NULL;
            status = ERR_NOMEM;
        }
    }
    x->zone = zone;
    d->status = status;
    d->to->count += status == 0;
}

int slo_exclusions_open(struct slo_manager *m, struct slo_exclusions *out)
{
    *out = (struct slo_exclusions){0};
    arena_init(&out->arena, 0);
    out->items = arena_calloc(&out->arena, SLO_EXCLUSIONS_MAX, sizeof(*out->items));
    struct decoding d = {m, out, out->items != NULL ? 0 : ERR_NOMEM};
    slo_journal_each(m->journal, STR("x"), decode_one, &d);
    if (d.status != 0) {
        slo_exclusions_release(out);
    }
    return d.status;
}

void slo_exclusions_release(struct slo_exclusions *x)
{
    arena_release(&x->arena);
    *x = (struct slo_exclusions){0};
}

int slo_manager_exclude(struct slo_manager *m, struct err *e)
{
    struct slo_exclusions now;
    int status = slo_exclusions_open(m, &now);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    slo_exclusions_release(&m->exclusions);
    m->exclusions = now;
    for (size_t i = 0; i < m->run_count; i++) {
        slo_run_exclude(&m->runs[i], now.items, now.count);
        if (m->runs[i].evaluated) {
            slo_run_look(&m->runs[i], m->runs[i].last.at_ms, &m->runs[i].last);
        }
    }
    return 0;
}

/* ---- Loading ---- */

static struct slo_run *find_run(struct slo_manager *m, const struct slo_definition *d)
{
    for (size_t i = 0; i < m->run_count; i++) {
        struct slo_run *run = &m->runs[i];
        if (run->definition != NULL && str_eq(run->definition->name, d->name) &&
            run->definition->hash == d->hash) {
            return run;
        }
    }
    return NULL;
}

static int open_run(
    struct slo_manager *m, struct slo_run *run, const struct slo_definition *d, int64_t now_ms)
{
    int64_t earliest = now_ms - SLO_DELAY_MS - SLO_CATCH_UP_MS;
    int status = slo_run_open(run, d, earliest);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < m->run_count && status == 0; i++) {
        if (str_eq(m->runs[i].definition->name, d->name)) {
            status = slo_run_adopt(run, &m->runs[i], now_ms);
        }
    }
    if (status != 0) {
        slo_run_release(run);
        return status;
    }
    int64_t at_ms = restore_states(m, run);
    run->last.at_ms = at_ms > earliest ? slo_run_floor(run, at_ms) : INT64_MIN;
    return 0;
}

/* Runs of the new set: those whose definition is the same go on. Under the lock. */
static int put_in_force(struct slo_manager *m, struct slo_set *set, struct err *e)
{
    int64_t now_ms = clock_now_ms(m->clock);
    struct slo_run *runs = mem_calloc(set->definitions + 1, sizeof(*runs));
    size_t count = 0;
    int status = runs != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < set->count && status == 0; i++) {
        for (size_t j = 0; j < set->files[i].count && status == 0; j++) {
            const struct slo_definition *d = &set->files[i].definitions[j];
            if (find_run(m, d) == NULL) {
                status = open_run(m, &runs[count], d, now_ms);
            }
            count += status == 0;
        }
    }
    if (status != 0) {
        for (size_t i = 0; i < count; i++) {
            slo_run_release(&runs[i]);
        }
        mem_free(runs);
        return err_set(e, status, -1, "%s", err_text(status));
    }
    count = 0;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < set->files[i].count; j++) {
            const struct slo_definition *d = &set->files[i].definitions[j];
            struct slo_run *old = find_run(m, d);
            if (old != NULL) {
                runs[count] = *old;
                runs[count].definition = d;
                *old = (struct slo_run){0};
            }
            note_version(m, d, now_ms);
            count++;
        }
    }
    for (size_t i = 0; i < m->run_count; i++) {
        slo_run_release(&m->runs[i]);
    }
    mem_free(m->runs);
    slo_set_unref(m->set);
    m->runs = runs;
    m->run_count = count;
    m->set = set;
    return 0;
}

int slo_use(struct slo_manager *m, struct slo_set *set, struct err *e)
{
    lock_take(&m->lock);
    int status = put_in_force(m, set, e);
    if (status == 0) {
        struct err not_kept = ERR_INIT;
        if (slo_journal_commit(m->journal, &not_kept) != 0) {
            LOG_WARN("versions of objectives were not kept", LOG_S("error", not_kept.message));
        }
        lock_condition_signal(&m->changed);
    }
    lock_give(&m->lock);
    if (status != 0) {
        slo_set_unref(set);
    }
    return status;
}

int slo_load(struct slo_manager *m, const char *const *patterns, size_t count, struct err *e)
{
    struct slo_set *set;
    int status = slo_read(m, patterns, count, &set, e);
    return status == 0 ? slo_use(m, set, e) : status;
}

/* ---- Evaluation ---- */

/* Everything that is due of one objective, up to `until_ms`; how many evaluations. */
static size_t evaluate(struct slo_manager *m, struct slo_run *run, int64_t until_ms)
{
    struct err e = ERR_INIT;
    int64_t step = run->definition->parameters.step_ms, at = run->last.at_ms;
    int64_t oldest = until_ms - SLO_CATCH_UP_MS;
    at = at == INT64_MIN ? until_ms : at + step < oldest ? slo_run_floor(run, oldest) : at + step;
    int status =
        slo_run_fill(run, &m->store, until_ms, m->exclusions.items, m->exclusions.count, &e);
    size_t count = 0;
    for (; at <= until_ms && status == 0; at += step) {
        status = slo_run_step(run, at, NULL, NULL);
        count += status == 0;
    }
    if (status != 0) {
        m->failures++;
        LOG_WARN("an objective could not be evaluated", LOG_STR("slo", run->definition->name),
            LOG_S("error", e.message[0] != '\0' ? e.message : err_text(status)));
        run->try_again_ms = until_ms + SLO_DELAY_MS + step;
        return count;
    }
    m->evaluations += count;
    note_states(m, run);
    status = slo_journal_commit(m->journal, &e);
    if (status == 0) {
        slo_tell(m, run);
    }
    if (status == 0 && m->writes != NULL) {
        status = slo_write_series(m, run, &e);
    }
    if (status != 0) {
        m->failures++;
        LOG_WARN("what an objective said was not kept", LOG_STR("slo", run->definition->name),
            LOG_S("error", e.message));
    }
    return count;
}

size_t slo_run_due(struct slo_manager *m, int64_t now_ms)
{
    size_t count = 0;
    for (size_t i = 0;; i++) {
        lock_take(&m->lock);
        bool more = i < m->run_count && !atomic_load(&m->closing);
        if (more) {
            struct slo_run *run = &m->runs[i];
            int64_t until = slo_run_floor(run, now_ms - SLO_DELAY_MS);
            if (run->last.at_ms < until && now_ms >= run->try_again_ms) {
                count += evaluate(m, run, until);
            }
        }
        lock_give(&m->lock);
        if (!more) {
            return count;
        }
    }
}

static void *lane(void *context)
{
    struct slo_manager *m = context;
    while (!atomic_load(&m->closing)) {
        (void)slo_run_due(m, clock_now_ms(m->clock)); // how many does not matter here
        lock_take(&m->lock);
        if (!atomic_load(&m->closing)) {
            (void)lock_condition_wait_ms(&m->changed, &m->lock, LOOK_AGAIN_MS); // either way: look
        }
        lock_give(&m->lock);
    }
    return NULL;
}

/* ---- Life ---- */

int slo_open(const struct slo_options *options, struct slo_manager **manager_out, struct err *e)
{
    struct slo_manager *m = mem_calloc(1, sizeof(*m));
    if (m == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    lock_init(&m->lock, LOCK_RANK_OBJECTIVES);
    lock_condition_init(&m->changed);
    m->fs = options->fs != NULL ? options->fs : vfs_posix();
    m->clock = options->clock != NULL ? options->clock : clock_real();
    m->writes = options->writes;
    m->sink = options->sink;
    m->external_labels =
        labels_ref(options->external_labels != NULL ? options->external_labels : labels_empty());
    m->external_url = mem_strdup(options->external_url != NULL ? options->external_url : "");
    m->set = mem_calloc(1, sizeof(*m->set));
    struct engine_options engine = options->engine;
    engine.features.extended_range_selectors = true;
    int status =
        m->external_url != NULL && m->set != NULL ? engine_new(&engine, &m->engine) : ERR_NOMEM;
    if (m->set != NULL) {
        atomic_init(&m->set->references, 1);
    }
    m->store = (struct slo_store){m->engine, options->reads, &m->closing};
    struct strbuf path = STRBUF_INIT;
    if (status == 0 && options->data_path != NULL) {
        strbuf_addf(&path, "%s/slo.journal", options->data_path);
        status = strbuf_error(&path);
    }
    if (status != 0) {
        (void)err_set(e, status, -1, "%s", err_text(status));
    } else {
        status = slo_journal_open(m->fs, path.data, &m->journal, e);
    }
    strbuf_release(&path);
    if (status == 0) {
        status = slo_manager_exclude(m, e);
    }
    if (status != 0) {
        slo_close(m);
        return status;
    }
    *manager_out = m;
    return 0;
}

int slo_start(struct slo_manager *m, struct err *e)
{
    if (pthread_create(&m->thread, NULL, lane, m) != 0) {
        return err_set(e, ERR_LIMIT, -1, "cannot start the objectives' thread");
    }
    m->started = true;
    return 0;
}

void slo_close(struct slo_manager *m)
{
    if (m == NULL) {
        return;
    }
    atomic_store(&m->closing, true);
    lock_take(&m->lock);
    lock_condition_signal(&m->changed);
    lock_give(&m->lock);
    if (m->started) {
        (void)pthread_join(m->thread, NULL); // it exists
    }
    for (size_t i = 0; i < m->run_count; i++) {
        slo_run_release(&m->runs[i]);
    }
    mem_free(m->runs);
    slo_exclusions_release(&m->exclusions);
    slo_set_unref(m->set);
    slo_journal_close(m->journal);
    engine_free(m->engine);
    labels_unref(m->external_labels);
    mem_free(m->external_url);
    lock_condition_release(&m->changed);
    lock_release(&m->lock);
    mem_free(m);
}

void slo_write_metrics(struct slo_manager *m, struct strbuf *out)
{
    lock_take(&m->lock);
    uint64_t evaluations = m->evaluations, failures = m->failures;
    size_t objectives = m->run_count;
    lock_give(&m->lock);
    strbuf_addf(out,
        "# HELP sonde_slo_objectives Objectives in force.\n# TYPE sonde_slo_objectives gauge\n"
        "sonde_slo_objectives %zu\n"
        "# HELP sonde_slo_evaluations_total Evaluations of objectives.\n"
        "# TYPE sonde_slo_evaluations_total counter\nsonde_slo_evaluations_total %llu\n"
        "# HELP sonde_slo_failures_total Evaluations that failed or were not kept.\n"
        "# TYPE sonde_slo_failures_total counter\nsonde_slo_failures_total %llu\n",
        objectives, (unsigned long long)evaluations, (unsigned long long)failures);
}

size_t slo_count(struct slo_manager *m)
{
    lock_take(&m->lock);
    size_t count = m->run_count;
    lock_give(&m->lock);
    return count;
}
