/* A payload is walked as the tree that the configuration file is; depth and size are limited by the reader of
 * YAML, and those of what a template gives by the same reader.
 */
#include "alert/webhook_template.h"

#include "alert/delivery.h"
#include "alert/message_texts.h"
#include "alert/webhook_url.h"
#include "base/http_profile.h"
#include "base/json.h"

/* ---- The URL ---- */

int webhook_url_write(const struct message *m, struct strbuf *out, struct err *e)
{
    const struct alerting_secret *url = &m->integration->webhook->url;
    struct strbuf text;
    strbuf_init(&text, HTTP_SECRET_BYTES_MAX);
    int status = http_secret_read(url->text, url->file, &text);
    if (status != 0 || !webhook_text_is_template(strbuf_str(&text))) {
        http_secret_release(&text);
        return 0; /* the attempt reads it, and says what is wrong with it */
    }
    struct message_texts texts;
    size_t begin = out->size;
    status = webhook_url_check(strbuf_str(&text), e);
    status = status == 0 ? message_texts_begin(&texts, m, e) : status;
    if (status == 0) {
        status = message_texts_write(&texts, text.data, false, out, e);
        message_texts_end(&texts);
    }
    if (status == 0) {
        struct str made = str_skip(strbuf_str(out), begin);
        struct str origin = webhook_url_origin(strbuf_str(&text));
        if (!str_eq(webhook_url_origin(made), origin) || memchr(made.ptr, '\n', made.len) != NULL) {
            status = err_set(e, ERR_INVALID, -1, "the template of the URL gives another host");
        }
    }
    http_secret_release(&text);
    return status;
}

/* ---- The payload ---- */

struct rendering {
    struct message_texts *texts;
    struct json_writer json;
    struct err *e;
};

static bool is_one_of(struct str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(text, words[i])) {
            return true;
        }
    }
    return false;
}

/* Alertmanager reads YAML 1.1. */
static const char *const true_words[] = {
    "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"};
static const char *const false_words[] = {
    "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"};

/* False: it is a mere text. */
static bool write_plain(struct json_writer *w, const struct yaml_node *node)
{
    struct str text = node->text;
    double number;
    if (!node->plain) {
        return false;
    }
    if (yaml_is_null(node)) {
        json_null(w);
    } else if (is_one_of(text, true_words, sizeof(true_words) / sizeof(true_words[0]))) {
        json_bool(w, true);
    } else if (is_one_of(text, false_words, sizeof(false_words) / sizeof(false_words[0]))) {
        json_bool(w, false);
    } else if (strchr("+-.0123456789", text.ptr[0]) != NULL && str_to_double(text, &number) == 0 &&
               number - number == 0) {
        json_double(w, number);
    } else {
        return false;
    }
    return true;
}

/* What a template gave: data, not templates again. */
static void write_data(struct json_writer *w, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR) {
        if (!write_plain(w, node)) {
            json_string(w, node->text);
        }
        return;
    }
    if (node->kind == YAML_SEQUENCE) {
        json_begin_array(w);
    } else {
        json_begin_object(w);
    }
    for (size_t i = 0; i < node->count; i++) {
        if (node->kind == YAML_MAPPING) {
            json_key_str(w, node->entries[i].key->text);
        }
        write_data(w, node->entries[i].value);
    }
    json_end(w);
}

static int write_text(struct rendering *r, struct str text)
{
    struct strbuf made;
    struct yaml_node *root = NULL;
    struct arena arena;
    strbuf_init(&made, DELIVERY_BODY_BYTES_MAX);
    strbuf_add_c(&made, "");
    int status = message_texts_write(r->texts, text.ptr, false, &made, r->e);
    if (status != 0) {
        strbuf_release(&made);
        return status;
    }
    arena_init(&arena, 16 * DELIVERY_BODY_BYTES_MAX);
    if (yaml_parse(&arena, "payload", strbuf_str(&made), &root, NULL) != 0) {
        json_string(&r->json, strbuf_str(&made));
    } else if (root == NULL) {
        json_null(&r->json);
    } else if (root->kind != YAML_SCALAR) {
        write_data(&r->json, root);
    } else if (!write_plain(&r->json, root)) {
        json_string(&r->json, strbuf_str(&made));
    }
    arena_release(&arena);
    strbuf_release(&made);
    return 0;
}

static int write_name(struct rendering *r, const struct yaml_node *key)
{
    struct strbuf made;
    strbuf_init(&made, DELIVERY_BODY_BYTES_MAX);
    strbuf_add_c(&made, "");
    int status = message_texts_write(r->texts, key->text.ptr, false, &made, r->e);
    if (status == 0) {
        json_key_str(&r->json, strbuf_str(&made));
    }
    strbuf_release(&made);
    return status;
}

/* The recursion ends at YAML_DEPTH_MAX. */
static int write_node(struct rendering *r, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR) {
        return write_plain(&r->json, node) ? 0 : write_text(r, node->text);
    }
    if (node->kind == YAML_SEQUENCE) {
        json_begin_array(&r->json);
    } else {
        json_begin_object(&r->json);
    }
    int status = 0;
    for (size_t i = 0; i < node->count && status == 0; i++) {
        status = node->kind == YAML_MAPPING ? write_name(r, node->entries[i].key) : 0;
        status = status == 0 ? write_node(r, node->entries[i].value) : status;
    }
    json_end(&r->json);
    return status;
}

int webhook_own_payload_write(const struct message *m, struct strbuf *out, struct err *e)
{
    struct message_texts texts;
    int status = message_texts_begin(&texts, m, e);
    if (status != 0) {
        return status;
    }
    struct rendering r = {.texts = &texts, .e = e};
    json_init(&r.json, out);
    status = write_node(&r, m->integration->webhook->payload);
    message_texts_end(&texts);
    return status != 0 ? status : strbuf_error(out);
}
