/* Templates may only stand where they cannot lead elsewhere. */
#include "alert/webhook_url.h"

#include <string.h>

bool webhook_text_is_template(struct str text)
{
    return text.len > 0 && memmem(text.ptr, text.len, "{{", 2) != NULL;
}

struct str webhook_url_origin(struct str url)
{
    const char *slashes = url.len > 0 ? memmem(url.ptr, url.len, "://", 3) : NULL;
    size_t end = slashes != NULL ? (size_t)(slashes - url.ptr) + 3 : 0;
    while (end < url.len && strchr("/?#\\", url.ptr[end]) == NULL) {
        end++;
    }
    return str_make(url.ptr, end);
}

int webhook_url_check(struct str url, struct err *e)
{
    if (!str_starts_with(url, STR("http://")) && !str_starts_with(url, STR("https://"))) {
        return err_set(e, ERR_INVALID, -1, "url must begin with http:// or https://");
    }
    struct str origin = webhook_url_origin(url);
    if (webhook_text_is_template(origin)) {
        return err_set(e, ERR_INVALID, -1,
            "url may have templates behind the host alone: alerts must not decide where they are "
            "sent");
    }
    /* What follows the host would become a part of it. */
    if (webhook_text_is_template(url) && origin.len < url.len && url.ptr[origin.len] == '\\') {
        return err_set(e, ERR_INVALID, -1, "url: a backslash follows the host");
    }
    return 0;
}

int webhook_each_text(
    const struct yaml_node *payload, int (*visit)(void *context, const char *text), void *context)
{
    int status = 0;
    if (payload->kind == YAML_SCALAR) {
        return webhook_text_is_template(payload->text) ? visit(context, payload->text.ptr) : 0;
    }
    /* The recursion ends at YAML_DEPTH_MAX. */
    for (size_t i = 0; i < payload->count && status == 0; i++) {
        const struct yaml_entry *entry = &payload->entries[i];
        status = entry->key != NULL && webhook_text_is_template(entry->key->text)
                     ? visit(context, entry->key->text.ptr)
                     : 0;
        status = status == 0 ? webhook_each_text(entry->value, visit, context) : status;
    }
    return status;
}
