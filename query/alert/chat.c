/* Slack's and PagerDuty's forms, filled by templates. */
#include "alert/chat.h"

#include <inttypes.h>

#include "alert/alert_json.h"
#include "alert/message_texts.h"
#include "base/hash.h"
#include "base/json.h"

/* PagerDuty's limits. */
#define SUMMARY_BYTES_MAX 1024

/* A JSON document whose texts are templates; the first error sticks. */
struct filler {
    struct json_writer json;
    struct message_texts texts;
    struct err *err;
    int status;
};

static int filler_begin(
    struct filler *f, const struct message *m, struct strbuf *out, struct err *e)
{
    f->err = e;
    f->status = message_texts_begin(&f->texts, m, e);
    json_init(&f->json, out);
    return f->status;
}

static int filler_end(struct filler *f)
{
    message_texts_end(&f->texts);
    return f->status != 0 ? f->status : strbuf_error(f->json.out);
}

/* Leaves empty texts out unless they are wanted. */
static void fill(struct filler *f, const char *key, const char *text, bool always, size_t max)
{
    struct strbuf value;
    if (f->status != 0 || (text[0] == '\0' && !always)) {
        return;
    }
    strbuf_init(&value, TEMPLATE_OUTPUT_BYTES_MAX_DEFAULT);
    strbuf_add_c(&value, "");
    f->status = message_texts_write(&f->texts, text, false, &value, f->err);
    struct str s = strbuf_str(&value);
    if (s.len > max) {
        s.len = max;
        while (s.len > 0 && !str_is_utf8(s)) {
            s.len--; /* not inside a character */
        }
    }
    if (f->status == 0 && (s.len > 0 || always)) {
        json_key(&f->json, key);
        json_string(&f->json, s);
    }
    strbuf_release(&value);
}

static void fill_fields(struct filler *f, const struct alerting_slack *s)
{
    const struct alerting_slack_field *fields = s->fields.items;
    json_key(&f->json, "fields");
    json_begin_array(&f->json);
    for (size_t i = 0; i < s->fields.count; i++) {
        json_begin_object(&f->json);
        fill(f, "title", fields[i].title, true, SIZE_MAX);
        fill(f, "value", fields[i].value, true, SIZE_MAX);
        json_key(&f->json, "short");
        json_bool(&f->json, fields[i].is_short || s->short_fields);
        json_end(&f->json);
    }
    json_end(&f->json);
}

static void fill_actions(struct filler *f, const struct alerting_slack *s)
{
    const struct alerting_slack_action *actions = s->actions.items;
    json_key(&f->json, "actions");
    json_begin_array(&f->json);
    for (size_t i = 0; i < s->actions.count; i++) {
        json_begin_object(&f->json);
        fill(f, "type", actions[i].type, true, SIZE_MAX);
        fill(f, "text", actions[i].text, true, SIZE_MAX);
        fill(f, "url", actions[i].url, false, SIZE_MAX);
        fill(f, "style", actions[i].style, false, SIZE_MAX);
        fill(f, "name", actions[i].name, false, SIZE_MAX);
        fill(f, "value", actions[i].value, false, SIZE_MAX);
        json_end(&f->json);
    }
    json_end(&f->json);
}

static void fill_attachment(struct filler *f, const struct alerting_slack *s)
{
    json_begin_object(&f->json);
    fill(f, "title", s->title, false, SIZE_MAX);
    fill(f, "title_link", s->title_link, false, SIZE_MAX);
    fill(f, "pretext", s->pretext, false, SIZE_MAX);
    fill(f, "text", s->text, true, SIZE_MAX);
    fill(f, "fallback", s->fallback, true, SIZE_MAX);
    fill(f, "callback_id", s->callback_id, false, SIZE_MAX);
    fill(f, "image_url", s->image_url, false, SIZE_MAX);
    fill(f, "thumb_url", s->thumb_url, false, SIZE_MAX);
    fill(f, "footer", s->footer, false, SIZE_MAX);
    fill(f, "color", s->color, false, SIZE_MAX);
    if (s->fields.count > 0) {
        fill_fields(f, s);
    }
    if (s->actions.count > 0) {
        fill_actions(f, s);
    }
    json_key(&f->json, "mrkdwn_in");
    json_begin_array(&f->json);
    for (size_t i = 0; i < s->mrkdwn_in.count; i++) {
        json_cstring(&f->json, s->mrkdwn_in.items[i]);
    }
    json_end(&f->json);
    json_end(&f->json);
}

int slack_body_write(const struct message *m, struct strbuf *out, struct err *e)
{
    const struct alerting_slack *s = m->integration->slack;
    struct filler f;
    int status = filler_begin(&f, m, out, e);
    if (status != 0) {
        return status;
    }
    json_begin_object(&f.json);
    fill(&f, "channel", s->channel, false, SIZE_MAX);
    fill(&f, "username", s->username, false, SIZE_MAX);
    fill(&f, "icon_emoji", s->icon_emoji, false, SIZE_MAX);
    fill(&f, "icon_url", s->icon_url, false, SIZE_MAX);
    if (s->link_names) {
        json_key(&f.json, "link_names");
        json_bool(&f.json, true);
    }
    json_key(&f.json, "attachments");
    json_begin_array(&f.json);
    fill_attachment(&f, s);
    json_end(&f.json);
    json_end(&f.json);
    return filler_end(&f);
}

/* ---- PagerDuty ---- */

static void fill_details(struct filler *f, const struct alerting_pagerduty *p)
{
    json_key(&f->json, "custom_details");
    json_begin_object(&f->json);
    fill(f, "firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}", true,
        SIZE_MAX);
    fill(f, "resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}", true,
        SIZE_MAX);
    fill(f, "num_firing", "{{ .Alerts.Firing | len }}", true, SIZE_MAX);
    fill(f, "num_resolved", "{{ .Alerts.Resolved | len }}", true, SIZE_MAX);
    for (size_t i = 0; i < p->details.count; i++) {
        fill(f, p->details.items[i].key, p->details.items[i].value, true, SIZE_MAX);
    }
    json_end(&f->json);
}

static void fill_payload(struct filler *f, const struct message *m)
{
    const struct alerting_pagerduty *p = m->integration->pagerduty;
    int64_t starts_ms = m->count > 0 ? m->items[0]->alert.starts_at_ms : m->now_ms;
    json_key(&f->json, "payload");
    json_begin_object(&f->json);
    fill(f, "summary", p->description, true, SUMMARY_BYTES_MAX);
    fill(f, "source", p->source[0] != '\0' ? p->source : p->client, true, SIZE_MAX);
    fill(f, "severity", p->severity, true, SIZE_MAX);
    fill(f, "class", p->class_, false, SIZE_MAX);
    fill(f, "component", p->component, false, SIZE_MAX);
    fill(f, "group", p->group, false, SIZE_MAX);
    alert_json_time(&f->json, "timestamp", starts_ms);
    fill_details(f, p);
    json_end(&f->json);
}

static void fill_links(struct filler *f, const struct alerting_pagerduty *p)
{
    const struct alerting_pagerduty_image *images = p->images.items;
    const struct alerting_pagerduty_link *links = p->links.items;
    json_key(&f->json, "images");
    json_begin_array(&f->json);
    for (size_t i = 0; i < p->images.count; i++) {
        json_begin_object(&f->json);
        fill(f, "src", images[i].src, true, SIZE_MAX);
        fill(f, "alt", images[i].alt, false, SIZE_MAX);
        fill(f, "href", images[i].href, false, SIZE_MAX);
        json_end(&f->json);
    }
    json_end(&f->json);
    json_key(&f->json, "links");
    json_begin_array(&f->json);
    for (size_t i = 0; i < p->links.count; i++) {
        json_begin_object(&f->json);
        fill(f, "href", links[i].href, true, SIZE_MAX);
        fill(f, "text", links[i].text, false, SIZE_MAX);
        json_end(&f->json);
    }
    json_end(&f->json);
}

int pagerduty_body_write(const struct message *m, struct strbuf *out, struct err *e)
{
    const struct alerting_pagerduty *p = m->integration->pagerduty;
    struct filler f;
    size_t begun = out->size;
    int status = filler_begin(&f, m, out, e);
    if (status != 0) {
        return status;
    }
    struct hash128 key = hash128(m->group_key, strlen(m->group_key), 0);
    char dedup_key[33];
    (void)snprintf(dedup_key, sizeof(dedup_key), "%016" PRIx64 "%016" PRIx64, key.high, key.low);
    json_begin_object(&f.json);
    json_key(&f.json, "event_action");
    json_cstring(&f.json, message_fires(m) ? "trigger" : "resolve");
    json_key(&f.json, "dedup_key");
    json_cstring(&f.json, dedup_key);
    fill(&f, "client", p->client, false, SIZE_MAX);
    fill(&f, "client_url", p->client_url, false, SIZE_MAX);
    fill_payload(&f, m);
    fill_links(&f, p);
    json_end(&f.json);
    status = filler_end(&f);
    if (status == 0) {
        /* The opening brace comes back with the key. */
        memmove(out->data + begun, out->data + begun + 1, out->size - begun - 1);
        strbuf_truncate(out, out->size - 1);
    }
    return status;
}

void pagerduty_write_attempt(struct str routing_key, struct str body, struct strbuf *out)
{
    struct json_writer w;
    json_init(&w, out);
    strbuf_add_c(out, "{\"routing_key\":");
    json_string(&w, routing_key);
    strbuf_add_char(out, ',');
    strbuf_add_str(out, body);
}
