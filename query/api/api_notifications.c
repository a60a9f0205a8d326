/* /api/v1/notifications: what ails the server as a whole and will not go away by itself; and the same as a stream of
 * events, for pages that show it at once.
 *
 * The stream ends after its first events and says when to ask again ("retry", as the HTML standard has it): a stream
 * that stays open would hold a thread for each page that somebody forgot to close. So it tells also of what is
 * over, since a page keeps what it was told.
 */
#include "api/api_private.h"
#include "base/rfc3339.h"

/* When a page asks again. */
enum { RETRY_MS = 5000 };

struct note {
    const char *text;
    int64_t since_ms; /* 0: it never was so */
    bool active;
};

enum { NOTES = 3 };

static void gather(struct api *api, struct note notes[NOTES])
{
    int stage = atomic_load(&api->stage);
    notes[0] = (struct note){"Configuration reload has failed.",
        atomic_load(&api->reload_failed_ms), !atomic_load(&api->reload_succeeded)};
    notes[1] = (struct note){"Sonde is starting and reading its write-ahead log.", api->started_ms,
        stage == API_STARTING};
    notes[2] =
        (struct note){"Sonde is being stopped.", clock_now_ms(api->clock), stage == API_STOPPING};
}

static void write_note(struct json_writer *json, const struct note *note)
{
    json_begin_object(json);
    json_key(json, "text");
    json_cstring(json, note->text);
    json_key(json, "date");
    rfc3339_json(json, note->since_ms);
    json_key(json, "active");
    json_bool(json, note->active);
    json_end(json);
}

void api_notifications(struct api_request *r)
{
    struct note notes[NOTES];
    struct api_answer a;
    gather(r->api, notes);
    api_answer_begin(&a);
    json_begin_array(&a.json);
    for (size_t i = 0; i < NOTES; i++) {
        if (notes[i].active) {
            write_note(&a.json, &notes[i]);
        }
    }
    json_end(&a.json);
    api_answer_send(r, &a, NULL);
}

void api_notifications_live(struct api_request *r)
{
    struct note notes[NOTES];
    struct strbuf text = STRBUF_INIT;
    gather(r->api, notes);
    strbuf_addf(&text, "retry: %d\n\n", RETRY_MS);
    for (size_t i = 0; i < NOTES; i++) {
        if (notes[i].active || (i == 0 && notes[i].since_ms != 0)) {
            struct json_writer json;
            strbuf_add_c(&text, "data: ");
            json_init(&json, &text);
            write_note(&json, &notes[i]);
            strbuf_add_c(&text, "\n\n");
        }
    }
    http_exchange_set_header(r->exchange, "Cache-Control", "no-store");
    api_reply(r, 200, "text/event-stream", &text);
}
