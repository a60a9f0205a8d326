/* The set of a rule's alerts, and the step from one evaluation to the next.
 *
 * The set is an array with a hash table of indexes beside it: steps walk the array, results find their
 * alert by the hash that label sets carry. Whatever can fail (memory, equal results) is done before
 * the first change, so that a step is done or not done.
 */
#include "rules/alert_states.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "query/alert.h"

const char *alert_state_name(enum alert_state state)
{
    switch (state) {
    case ALERT_PENDING:
        return "pending";
    case ALERT_FIRING:
        return "firing";
    default:
        return "inactive";
    }
}

/* ---- The table ---- */

struct alert_instance *alert_states_find(const struct alert_states *s, const struct labels *labels)
{
    size_t place = labels_index_find(&s->index, s->items, sizeof(*s->items), labels);
    return place != SIZE_MAX ? &s->items[place] : NULL;
}

/* Puts every alert at its place again. */
static void index_all(struct alert_states *s)
{
    labels_index_fill(&s->index, s->items, sizeof(*s->items), s->count);
}

/* Room for `more` alerts. */
static int reserve(struct alert_states *s, size_t more)
{
    int status = mem_array_grow(
        (void **)&s->items, &s->cap, s->count + more, sizeof(*s->items), ALERT_STATES_MAX);
    return status != 0
               ? status
               : labels_index_reserve(&s->index, s->items, sizeof(*s->items), s->count, s->cap);
}

/* Enters the alert behind the last one, for which there is room. */
static struct alert_instance *append(struct alert_states *s, const struct alert_instance *instance)
{
    s->items[s->count] = *instance;
    labels_index_add(&s->index, s->items, sizeof(*s->items), s->count);
    return &s->items[s->count++];
}

static void forget(struct alert_instance *i)
{
    labels_unref(i->labels);
    labels_unref(i->annotations);
}

void alert_states_release(struct alert_states *s)
{
    for (size_t i = 0; i < s->count; i++) {
        forget(&s->items[i]);
    }
    mem_free(s->items);
    labels_index_release(&s->index);
    *s = (struct alert_states){0};
}

enum alert_state alert_states_highest(const struct alert_states *s)
{
    enum alert_state highest = ALERT_INACTIVE;
    for (size_t i = 0; i < s->count; i++) {
        highest = s->items[i].state > highest ? s->items[i].state : highest;
    }
    return highest;
}

int alert_states_put(struct alert_states *s, const struct alert_instance *instance)
{
    struct alert_instance *old = alert_states_find(s, instance->labels);
    if (old == NULL) {
        int status = reserve(s, 1);
        if (status != 0) {
            return status;
        }
        old = append(s, instance);
    } else {
        forget(old);
    }
    *old = *instance;
    labels_ref(old->labels);
    labels_ref(old->annotations);
    return 0;
}

/* ---- One step ---- */

static void tell(
    const struct alert_step *step, const struct alert_instance *i, enum alert_change change)
{
    if (step->changed != NULL) {
        step->changed(step->context, i, change);
    }
}

static struct alert_instance begun(const struct alert_result *result, int64_t at_ms)
{
    return (struct alert_instance){.labels = labels_ref(result->labels),
        .annotations = labels_ref(result->annotations),
        .state = ALERT_PENDING,
        .value = result->value,
        .active_at_ms = at_ms,
        .fired_at_ms = ALERT_NEVER,
        .resolved_at_ms = ALERT_NEVER,
        .keep_firing_since_ms = ALERT_NEVER,
        .sent_at_ms = ALERT_NEVER,
        .believed_until_ms = ALERT_NEVER,
        .seen = true};
}

static void renew(struct alert_instance *i, const struct alert_result *result)
{
    if (i->annotations != result->annotations) {
        labels_unref(i->annotations);
        i->annotations = labels_ref(result->annotations);
    }
    i->value = result->value;
    i->seen = true;
}

/* Are there two results of equal labels? Found with the table itself: what is new is entered as it comes,
 * and taken out again. */
static int enter_results(struct alert_states *s, const struct alert_step *step, struct err *e)
{
    size_t before = s->count;
    for (size_t r = 0; r < step->result_count; r++) {
        const struct alert_result *result = &step->results[r];
        struct alert_instance *i = alert_states_find(s, result->labels);
        if (i != NULL && i->seen) {
            while (s->count > before) {
                forget(&s->items[--s->count]);
            }
            for (size_t k = 0; k < s->count; k++) {
                s->items[k].seen = false;
            }
            index_all(s);
            return err_set(e, ERR_INVALID, -1,
                "vector contains metrics with the same labelset after applying alert labels");
        }
        if (i != NULL) {
            i->seen = true;
            continue;
        }
        const struct alert_instance new = begun(result, step->at_ms);
        (void)append(s, &new);
    }
    return 0;
}

static void take_results(struct alert_states *s, const struct alert_step *step)
{
    for (size_t r = 0; r < step->result_count; r++) {
        const struct alert_result *result = &step->results[r];
        struct alert_instance *i = alert_states_find(s, result->labels);
        if (i->state == ALERT_INACTIVE) {
            struct alert_instance ended = *i;
            *i = begun(result, step->at_ms);
            forget(&ended);
        } else {
            renew(i, result);
        }
    }
}

/* Without a result. True while it goes on firing all the same. */
static bool miss(struct alert_instance *i, const struct alert_step *step)
{
    if (i->state != ALERT_FIRING) {
        return false;
    }
    if (step->keep_firing_ms > 0) {
        bool first = i->keep_firing_since_ms == ALERT_NEVER;
        if (first) {
            i->keep_firing_since_ms = step->at_ms;
        }
        if (step->at_ms - i->keep_firing_since_ms < step->keep_firing_ms) {
            if (first) {
                tell(step, i, ALERT_KEPT);
            }
            return true;
        }
    }
    i->state = ALERT_INACTIVE;
    i->resolved_at_ms = step->at_ms;
    tell(step, i, ALERT_RESOLVED);
    return false;
}

/* Of an alert that is pending or firing and stays so. */
static void hold(struct alert_instance *i, const struct alert_step *step)
{
    int64_t active_ms = step->at_ms - i->active_at_ms;
    if (i->state == ALERT_PENDING && active_ms >= step->hold_ms) {
        i->state = ALERT_FIRING;
        i->fired_at_ms = step->at_ms;
        tell(step, i, ALERT_FIRED);
    } else if (i->state == ALERT_FIRING && active_ms < step->hold_ms) {
        i->state = ALERT_PENDING;
        i->fired_at_ms = i->sent_at_ms = i->keep_firing_since_ms = ALERT_NEVER;
        tell(step, i, ALERT_HELD_BACK);
    }
}

/* One alert's step. False when it is to be forgotten. */
static bool advance(struct alert_instance *i, const struct alert_step *step, size_t *active)
{
    if (!i->seen) {
        if (i->state == ALERT_PENDING) {
            tell(step, i, ALERT_DROPPED);
            return false;
        }
        if (i->state == ALERT_INACTIVE) {
            bool remembered = step->at_ms - i->resolved_at_ms <= ALERT_REMEMBERED_MS;
            if (!remembered) {
                tell(step, i, ALERT_FORGOTTEN);
            }
            return remembered;
        }
        if (!miss(i, step)) {
            return true;
        }
    } else {
        i->seen = false;
        if (i->keep_firing_since_ms != ALERT_NEVER) {
            i->keep_firing_since_ms = ALERT_NEVER;
            tell(step, i, ALERT_RETURNED);
        }
        if (i->state == ALERT_PENDING && i->active_at_ms == step->at_ms) {
            tell(step, i, ALERT_BEGAN);
        }
    }
    *active += 1;
    hold(i, step);
    return true;
}

static void forget_all(struct alert_states *s, const struct alert_step *step)
{
    for (size_t k = 0; k < s->count; k++) {
        tell(step, &s->items[k], ALERT_FORGOTTEN);
        forget(&s->items[k]);
    }
    s->count = 0;
    index_all(s);
}

int alert_states_step(struct alert_states *s, const struct alert_step *step, struct err *e)
{
    int status = reserve(s, step->result_count > 0 ? step->result_count : 1);
    if (status != 0) {
        return err_set(e, status, -1, "%s", err_text(status));
    }
    status = enter_results(s, step, e);
    if (status != 0) {
        return status;
    }
    take_results(s, step);
    size_t active = 0, kept = 0;
    for (size_t k = 0; k < s->count; k++) {
        if (!advance(&s->items[k], step, &active)) {
            forget(&s->items[k]);
            continue;
        }
        s->items[kept++] = s->items[k];
    }
    if (kept != s->count) {
        s->count = kept;
        index_all(s);
    }
    if (step->limit > 0 && active > step->limit) {
        forget_all(s, step);
        return err_set(
            e, ERR_LIMIT, -1, "exceeded limit of %zu with %zu alerts", step->limit, active);
    }
    return 0;
}

/* ---- Telling ---- */

bool alert_instance_is_due(const struct alert_instance *i, int64_t at_ms)
{
    if (i->state == ALERT_PENDING) {
        return false;
    }
    if (i->sent_at_ms == ALERT_NEVER ||
        (i->resolved_at_ms != ALERT_NEVER && i->resolved_at_ms > i->sent_at_ms)) {
        return true;
    }
    return i->sent_at_ms + ALERT_RESEND_MS < at_ms;
}

void alert_instance_note_sent(struct alert_instance *i, int64_t at_ms, int64_t interval_ms)
{
    int64_t longer = interval_ms > ALERT_RESEND_MS ? interval_ms : ALERT_RESEND_MS;
    i->sent_at_ms = at_ms;
    i->believed_until_ms = at_ms + ALERT_ENDS_AFTER_INTERVALS * longer;
}
