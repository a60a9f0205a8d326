/* One destination: its lanes, its settings, its figures. */
#include "ship/sender.h"

#include "base/err.h"
#include "base/mem.h"
#include "ship/sender_private.h"

/* ---- Life ---- */

int sender_new(const struct sender_options *options, struct queue *queue, size_t cursor,
    struct http_client *client, struct clock *clock, struct sender **sender_out)
{
    struct sender *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->queue = queue;
    s->cursor = cursor;
    s->client = client;
    s->clock = clock;
    s->random = options->seed;
    s->protocol = options->protocol;
    /* Samples of a series stay in order; spans have none. */
    s->lane_count = options->protocol == SHIP_OTLP_TRACES ? SENDER_LANES_MAX : 1;
    for (size_t i = 0; i < s->lane_count; i++) {
        sender_lane_init(&s->lanes[i], s);
    }
    struct queue_cursor_statistics found;
    queue_cursor_statistics(queue, cursor, &found);
    s->statistics.found_samples = found.samples;
    int status = sender_settings_new(options, &s->settings);
    if (status != 0) {
        sender_free(s);
        return status;
    }
    *sender_out = s;
    return 0;
}

void sender_free(struct sender *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->lane_count; i++) {
        sender_lane_release(&s->lanes[i]);
    }
    sender_settings_free(s->settings);
    sender_settings_free(s->next);
    mem_free(s);
}

static bool is_sending(const struct sender *s)
{
    bool sending = false;
    for (size_t i = 0; i < s->lane_count; i++) {
        sending = sending || s->lanes[i].state == LANE_SENDING;
    }
    return sending;
}

/* ---- Other settings ---- */

size_t sender_cursor(const struct sender *s)
{
    return s->cursor;
}

const char *sender_name(const struct sender *s)
{
    return s->settings->options.name;
}

enum ship_protocol sender_protocol(const struct sender *s)
{
    const struct sender_settings *settings = s->next != NULL ? s->next : s->settings;
    return settings->options.protocol;
}

/* What is in hand becomes a request once more, as is spoken now. */
static void make_anew(struct sender *s)
{
    for (size_t i = 0; i < s->lane_count; i++) {
        s->lanes[i].is_made = false;
    }
}

/* What another receiver has said does not hold for this one. */
static void meet_receiver(struct sender *s)
{
    s->protocol = s->settings->options.protocol;
    s->proven = false;
    s->unauthorized_since_ms = 0;
    s->statistics.failing = false;
    for (size_t i = 0; i < s->lane_count; i++) {
        s->lanes[i].attempt = 0;
        s->lanes[i].state = LANE_IDLE;
    }
}

/* Goes on by the settings that wait, if there are any. Nothing is on its way. */
static void adopt(struct sender *s)
{
    struct sender_settings *before = s->settings;
    if (s->next == NULL) {
        return;
    }
    s->settings = s->next;
    s->next = NULL;
    make_anew(s);
    if (sender_settings_same_requests(before, s->settings)) { /* what it knows of series is kept */
        struct request_maker *maker = before->maker;
        before->maker = s->settings->maker;
        s->settings->maker = maker;
    }
    if (!sender_settings_same_receiver(before, s->settings)) {
        meet_receiver(s);
    }
    sender_settings_free(before);
}

void sender_change(struct sender *s, struct sender_settings *settings)
{
    sender_settings_free(s->next);
    s->next = settings;
    if (!is_sending(s)) {
        adopt(s);
    }
}

/* ---- Time ---- */

/* The lane that asks a failing receiver whether it is back; the others wait for what it hears. NULL: none has
 * anything to ask with. */
static const struct sender_lane *asking_lane(const struct sender *s)
{
    for (size_t i = 0; i < s->lane_count; i++) {
        if (s->lanes[i].piece.size > 0) {
            return &s->lanes[i];
        }
    }
    return NULL;
}

int64_t sender_step(struct sender *s)
{
    int64_t wake = -1;
    bool more = true; /* records to take */
    if (s->next != NULL) {
        return wake; /* what is on its way is waited for */
    }
    if (s->protocol != s->settings->options.protocol && !is_sending(s) &&
        clock_monotonic_ms(s->clock) >= s->ask_again_ms) {
        s->protocol = s->settings->options.protocol;
        make_anew(s);
    }
    for (size_t i = 0; i < s->lane_count; i++) {
        struct sender_lane *l = &s->lanes[i];
        const struct sender_lane *asking = s->statistics.failing ? asking_lane(s) : NULL;
        if ((asking != NULL && asking != l) || (l->piece.size == 0 && !more)) {
            continue;
        }
        int64_t wanted = sender_lane_step(l);
        wake = wake < 0 || (wanted >= 0 && wanted < wake) ? wanted : wake;
        more = l->piece.size > 0; /* else the queue is empty, or enough is on its way */
    }
    return wake;
}

void sender_goes_on(struct sender *s)
{
    if (!is_sending(s)) {
        adopt(s);
    }
    (void)sender_step(s); /* catching up must not wait for the owner's next turn */
}

/* ---- Figures ---- */

void sender_statistics(const struct sender *s, struct sender_statistics *statistics_out)
{
    struct queue_cursor_statistics queue;
    queue_cursor_statistics(s->queue, s->cursor, &queue);
    *statistics_out = s->statistics;
    statistics_out->waiting_samples = queue.samples;
    for (size_t i = 0; i < s->lane_count; i++) {
        const struct batch_split *split = s->lanes[i].split;
        statistics_out->waiting_samples -= split != NULL ? batch_split_done(split) : 0;
    }
    for (size_t i = 0; i < QUEUE_DROP_COUNT; i++) {
        statistics_out->dropped_samples += queue.dropped_samples[i];
        statistics_out->dropped_by[i] = queue.dropped_samples[i];
    }
    statistics_out->missed_samples = queue.missed_samples;
    statistics_out->in_flight = is_sending(s);
    statistics_out->protocol = s->protocol;
}
