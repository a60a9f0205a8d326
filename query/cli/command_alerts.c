/* sonde alerts deliveries | replay, sonde check alerting: what became of messages, and sending one again.
 *
 *   2026-11-22T08:30:00Z  dead       ops/webhook  msg_…  first notification  3 attempts, 410: …
 */
#include <jansson.h>
#include <stdio.h>

#include "cli/api_client.h"
#include "cli/command.h"
#include "query/notify.h"

#define TIMEOUT_MS 60000

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* The answer as JSON; NULL with a sentence when it is none, or tells of an error. */
static json_t *ask(const struct api_client_request *request, struct err *e)
{
    struct strbuf body = STRBUF_INIT;
    unsigned status = 0;
    json_t *root = NULL;
    if (api_client_ask(request, &status, &body, e) == 0) {
        root = body.size > 0 ? json_loadb(body.data, body.size, 0, NULL) : json_object();
        if (status / 100 != 2) {
            const char *why = root != NULL ? text_of(root, "error") : "";
            err_set(e, ERR_INVALID, -1, "%s answers %u: %s", request->server, status, why);
            json_decref(root);
            root = NULL;
        } else if (root == NULL) {
            err_set(e, ERR_INVALID, -1, "the answer of %s is not JSON", request->server);
        }
    }
    strbuf_release(&body);
    return root;
}

static void print_attempts(struct strbuf *out, const json_t *delivery)
{
    const json_t *attempts = json_object_get(delivery, "attempts");
    size_t kept = json_array_size(attempts);
    long long count = json_integer_value(json_object_get(delivery, "attemptCount"));
    strbuf_addf(out, "%lld attempt%s", count, count == 1 ? "" : "s");
    if (kept > 0) {
        const json_t *last = json_array_get(attempts, kept - 1);
        long long status = json_integer_value(json_object_get(last, "status"));
        const char *error = text_of(last, "error");
        strbuf_addf(out, ", last %lld %s", status, error[0] != '\0' ? error : "");
    }
}

static void print_delivery(struct strbuf *out, const json_t *delivery)
{
    strbuf_addf(out, "%s  %-10s  %s/%s  %s  %s  ", text_of(delivery, "createdAt"),
        text_of(delivery, "state"), text_of(delivery, "receiver"), text_of(delivery, "integration"),
        text_of(delivery, "id"), text_of(delivery, "reason"));
    print_attempts(out, delivery);
    strbuf_add_char(out, '\n');
}

int command_alerts_deliveries(const struct command *self, int argc, char **argv)
{
    const char *server = "http://127.0.0.1:9095", *state = NULL, *receiver = NULL, *limit = NULL;
    struct client_identity identity = {0};
    const struct flag flags[] = {
        {"server", FLAG_STRING, &server, "URL", "Whom to ask (default http://127.0.0.1:9095).", 0,
            0},
        {"state", FLAG_STRING, &state, "STATE", "pending, delivered, superseded or dead.", 0, 0},
        {"receiver", FLAG_STRING, &receiver, "NAME", "Only those to this receiver.", 0, 0},
        {"limit", FLAG_STRING, &limit, "N", "At most so many, the newest first.", 0, 0},
        CLIENT_IDENTITY_FLAGS(&identity),
        {.name = NULL},
    };
    int exit_status;
    if (command_parse(self, flags, argc, argv, NULL, 0, &exit_status) != 0) {
        return exit_status;
    }
    const struct api_client_param params[] = {
        {"state", state}, {"receiver", receiver}, {"limit", limit}};
    struct api_client_request request = {.server = server,
        .identity = &identity,
        .path = "/api/v1/deliveries",
        .params = params,
        .param_count = sizeof(params) / sizeof(params[0]),
        .timeout_ms = TIMEOUT_MS};
    struct err e = ERR_INIT;
    json_t *root = ask(&request, &e);
    if (root == NULL) {
        return command_fail(&e);
    }
    struct strbuf out = STRBUF_INIT;
    strbuf_add_c(&out, "");
    const json_t *list = json_object_get(root, "data");
    for (size_t i = 0; i < json_array_size(list); i++) {
        print_delivery(&out, json_array_get(list, i));
    }
    json_decref(root);
    return command_print(&out);
}

int command_alerts_replay(const struct command *self, int argc, char **argv)
{
    const char *server = "http://127.0.0.1:9095", *id;
    struct client_identity identity = {0};
    const struct flag flags[] = {
        {"server", FLAG_STRING, &server, "URL", "Whom to ask (default http://127.0.0.1:9095).", 0,
            0},
        CLIENT_IDENTITY_FLAGS(&identity),
        {.name = NULL},
    };
    int exit_status;
    if (command_parse(self, flags, argc, argv, &id, 1, &exit_status) != 0) {
        return exit_status;
    }
    const struct api_client_param params[] = {{"id", id}};
    struct api_client_request request = {.server = server,
        .identity = &identity,
        .path = "/api/v1/admin/replay_delivery",
        .params = params,
        .param_count = 1,
        .timeout_ms = TIMEOUT_MS};
    struct err e = ERR_INIT;
    json_t *root = ask(&request, &e);
    if (root == NULL) {
        return command_fail(&e);
    }
    json_decref(root);
    printf("%s is on its way again; sonde alerts deliveries shows what becomes of it.\n", id);
    return 0;
}

int command_check_alerting(const struct command *self, int argc, char **argv)
{
    const struct flag none[] = {{.name = NULL}};
    const char *path;
    int exit_status;
    if (command_parse(self, none, argc, argv, &path, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct strbuf report = STRBUF_INIT;
    struct err e = ERR_INIT;
    if (notify_check(path, &report, &e) != 0) {
        strbuf_release(&report);
        return command_fail(&e);
    }
    return command_print(&report);
}
