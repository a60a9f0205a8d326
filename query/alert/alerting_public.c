/* The configuration as the status page and amtool see it: the file's tree written anew, in YAML's flow of
 * blocks, with secrets replaced by `<secret>` and our own keys left out, because amtool reads it with
 * Alertmanager's strict parser. Comments are lost with the text, and so are the secrets in them.
 */
#include "alert/alerting_config.h"

#include <strings.h>

/* Keys whose values are nobody's business. */
static const char *const secret_keys[] = {"api_key", "api_secret", "api_url", "auth_password",
    "auth_secret", "bearer_token", "bot_token", "client_secret", "secrets", "endpoint_params",
    "credentials", "key", "opsgenie_api_key", "password", "routing_key", "service_key",
    "signing_secrets", "slack_api_url", "smtp_auth_password", "smtp_auth_secret", "token", "url",
    "user_key", "victorops_api_key", "webhook_url", "wechat_api_secret", "proxy_url", "secret_key"};

static bool is_secret(struct str key)
{
    for (size_t i = 0; i < sizeof(secret_keys) / sizeof(secret_keys[0]); i++) {
        if (str_eq_c(key, secret_keys[i])) {
            return true;
        }
    }
    return false;
}

static void write_scalar(struct strbuf *out, struct str text, bool plain)
{
    if (plain && text.len > 0 && text.len < 64 && memchr(text.ptr, '\n', text.len) == NULL) {
        config_add_public_url(text, out);
        return;
    }
    struct strbuf shown = STRBUF_INIT;
    config_add_public_url(text, &shown);
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < shown.size; i++) {
        unsigned char c = (unsigned char)shown.data[i];
        if (c == '"' || c == '\\') {
            strbuf_addf(out, "\\%c", c);
        } else if (c < ' ' || c == 0x7f) {
            strbuf_addf(out, "\\x%02x", c);
        } else {
            strbuf_add_char(out, (char)c);
        }
    }
    strbuf_add_char(out, '"');
    strbuf_release(&shown);
}

static void write_node(
    struct strbuf *out, const struct yaml_node *node, size_t depth, bool in_links);

static void indent(struct strbuf *out, size_t depth)
{
    for (size_t i = 0; i < depth; i++) {
        strbuf_add_c(out, "  ");
    }
}

/* What stands behind "key:" or "-". A link of a message (`in_links`) has a URL that is no secret. */
static void write_value(
    struct strbuf *out, const struct yaml_node *node, size_t depth, bool in_links)
{
    if (node->kind == YAML_SCALAR) {
        strbuf_add_char(out, ' ');
        write_scalar(out, node->text, node->plain);
        strbuf_add_char(out, '\n');
    } else if (node->count == 0) {
        strbuf_add_c(out, node->kind == YAML_SEQUENCE ? " []\n" : " {}\n");
    } else {
        strbuf_add_char(out, '\n');
        write_node(out, node, depth, in_links);
    }
}

/* Strict readers want what was there: a list, a mapping, a URL. */
static void write_hidden(struct strbuf *out, struct str key, const struct yaml_node *value)
{
    if (value->kind == YAML_SEQUENCE) {
        strbuf_add_c(out, value->count > 0 ? " [<secret>]\n" : " []\n");
    } else if (value->kind == YAML_MAPPING) {
        strbuf_add_c(out, " {");
        for (size_t i = 0; i < value->count; i++) {
            strbuf_add_c(out, i > 0 ? ", " : "");
            write_scalar(out, value->entries[i].key->text, false);
            strbuf_add_c(out, ": <secret>");
        }
        strbuf_add_c(out, "}\n");
    } else {
        strbuf_add_c(out, str_ends_with(key, STR("url")) ? " http://<secret>\n" : " <secret>\n");
    }
}

/* The recursion ends at YAML_DEPTH_MAX. */
static void write_node(
    struct strbuf *out, const struct yaml_node *node, size_t depth, bool in_links)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->entries[i].key, *value = node->entries[i].value;
        if (key != NULL && str_eq_c(key->text, "sonde")) {
            continue;
        }
        indent(out, depth);
        if (key == NULL) {
            strbuf_add_char(out, '-');
            write_value(out, value, depth + 1, in_links);
            continue;
        }
        write_scalar(out, key->text, key->plain);
        strbuf_add_char(out, ':');
        bool links = in_links || str_eq_c(key->text, "actions") || str_eq_c(key->text, "links");
        bool url_of_link = in_links && str_eq_c(key->text, "url");
        if (is_secret(key->text) && !url_of_link && !yaml_is_null(value)) {
            write_hidden(out, key->text, value);
        } else {
            write_value(out, value, depth + 1, links);
        }
    }
}

void alerting_config_write_public(const struct alerting_config *config, struct strbuf *out)
{
    strbuf_add_c(out, "");
    if (config->root != NULL && config->root->kind == YAML_MAPPING) {
        write_node(out, config->root, 0, false);
    }
}
