/* Alertmanager's file: what is read, what is filled in, what is refused, and what others may see of it. */
#include "alert/alerting_config.h"

#include "support/support.h"

static struct alerting_config *parse(const char *text)
{
    struct alerting_config *c = NULL;
    struct err e = ERR_INIT;
    if (alerting_config_parse("a.yml", str_of(text), &c, &e) != 0) {
        fail_msg("%s", e.message);
    }
    return c;
}

static const char whole[] =
    "global:\n"
    "  resolve_timeout: 10m\n"
    "  smtp_from: sonde@example.org\n"
    "  smtp_smarthost: mail.example.org:587\n"
    "  smtp_auth_password: hunter2\n"
    "  slack_api_url: https://hooks.slack.com/services/T0/B0/XXX\n"
    "  http_config: {bearer_token_file: /run/token, follow_redirects: false}\n"
    "templates: ['*.tmpl']\n"
    "route:\n"
    "  receiver: hooks\n"
    "  group_by: [cluster, alertname]\n"
    "  group_wait: 10s\n"
    "  routes:\n"
    "  - matchers: ['severity=\"page\"', team=~\"a|b\"]\n"
    "    receiver: pages\n"
    "    group_by: ['...']\n"
    "    repeat_interval: 1h\n"
    "    continue: true\n"
    "    mute_time_intervals: [night]\n"
    "    routes: [{match: {service: db}}]\n"
    "receivers:\n"
    "- name: hooks\n"
    "  webhook_configs:\n"
    "  - url: https://example.org/hook?token=abc\n"
    "    max_alerts: 5\n"
    "    sonde: {signing_secrets: [whsec_AAAA], allow_networks: [10.0.0.0/8]}\n"
    "  - url_file: /run/url\n"
    "    send_resolved: false\n"
    "    http_config: {basic_auth: {username: me, password: secret2}}\n"
    "- name: pages\n"
    "  pagerduty_configs: [{routing_key: secret3}]\n"
    "  slack_configs: [{channel: '#ops'}]\n"
    "  email_configs: [{to: 'a@example.org', headers: {Subject: hi}}]\n"
    "inhibit_rules:\n"
    "- source_matchers: [severity=page]\n"
    "  target_match_re: {severity: 'info|warning'}\n"
    "  equal: [cluster]\n"
    "time_intervals: [{name: night, time_intervals: [{times: [{start_time: '22:00', end_time: "
    "'24:00'}]}]}]\n"
    "sonde: {allow_networks: [127.0.0.1]}\n";

static void test_whole(void **state)
{
    (void)state;
    struct alerting_config *c = parse(whole);
    assert_int_equal(c->global.resolve_timeout_ms, 600000);
    assert_int_equal(c->route_count, 3);
    assert_string_equal(c->route->key, "{}");
    const struct alerting_route *page = c->route->routes.items, *db = page->routes.items;
    assert_string_equal(page->key, "{}/{severity=\"page\",team=~\"a|b\"}");
    assert_string_equal(db->key, "{}/{severity=\"page\",team=~\"a|b\"}/{service=\"db\"}");
    assert_string_equal(db->receiver->name, "pages");
    assert_true(page->group_by_all && db->group_by_all && page->goes_on && !db->goes_on);
    assert_int_equal(page->group_wait.ms, 10000);
    assert_int_equal(page->group_interval.ms, 300000);
    assert_int_equal(c->route->repeat_interval.ms, 4 * 3600000);
    assert_int_equal(db->repeat_interval.ms, 3600000);
    assert_int_equal(db->mute.count, 0);
    assert_string_equal(c->route->group_names[0].ptr, "alertname");
    const struct alerting_receiver *hooks = alerting_config_receiver(c, STR("hooks"));
    const struct alerting_receiver *pages = alerting_config_receiver(c, STR("pages"));
    assert_int_equal(hooks->integration_count, 2);
    assert_int_equal(pages->integration_count, 3);
    const struct alerting_webhook *first = hooks->integrations[0].webhook;
    const struct alerting_webhook *second = hooks->integrations[1].webhook;
    assert_true(first->common.send_resolved && !second->common.send_resolved);
    assert_int_equal(first->alerts_max, 5);
    assert_int_equal(first->allowed.count, 1);
    assert_string_equal(first->common.http->bearer_token_file, "/run/token");
    assert_string_equal(second->common.http->basic_auth.password, "secret2");
    const struct alerting_email *mail = pages->integrations[0].email;
    assert_int_equal(pages->integrations[0].kind, ALERTING_EMAIL);
    assert_string_equal(mail->smarthost, "mail.example.org:587");
    assert_true(mail->require_tls && !mail->common.send_resolved);
    assert_string_equal(
        pages->integrations[1].slack->api_url.text, "https://hooks.slack.com/services/T0/B0/XXX");
    assert_string_equal(
        pages->integrations[2].pagerduty->url, "https://events.pagerduty.com/v2/enqueue");
    assert_non_null(alerting_config_interval(c, STR("night")));
    alerting_config_free(c);
}

static void test_public(void **state)
{
    (void)state;
    struct alerting_config *c = parse(whole);
    struct strbuf text = STRBUF_INIT;
    alerting_config_write_public(c, &text);
    static const char *const hidden[] = {
        "hunter2", "XXX", "token=abc", "secret2", "secret3", "whsec_", "sonde:"};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (strstr(text.data, hidden[i]) != NULL) {
            fail_msg("%s is shown:\n%s", hidden[i], text.data);
        }
    }
    /* It is YAML, and says what the file said. */
    struct arena arena;
    struct yaml_node *root = NULL;
    arena_init(&arena, 0);
    assert_int_equal(yaml_parse(&arena, "p", strbuf_str(&text), &root, NULL), 0);
    const struct yaml_node *receivers = yaml_get(root, "receivers");
    assert_int_equal(receivers->count, 2);
    const struct yaml_node *hook =
        yaml_get(receivers->entries[0].value, "webhook_configs")->entries[0].value;
    assert_true(str_eq_c(yaml_get(hook, "url")->text, "http://<secret>"));
    assert_true(str_eq_c(yaml_get(hook, "max_alerts")->text, "5"));
    arena_release(&arena);
    strbuf_release(&text);
    alerting_config_free(c);
}

/* Each kind of secret of http_config, and what stands in its place: as strict readers want it. */
static void test_public_http(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *shown;
    } cases[] = {
        {"basic_auth: {username: open, password: hush}", "password: <secret>"},
        {"authorization: {credentials: hush}", "credentials: <secret>"},
        {"bearer_token: hush", "bearer_token: <secret>"},
        {"proxy_url: 'http://hush@proxy'", "proxy_url: http://<secret>"},
        {"oauth2: {client_id: i, token_url: 'http://u:hush@t/x', client_secret: hush}",
            "token_url: \"http://<secret>@t/x\""},
        {"oauth2: {client_id: i, token_url: 'http://t', endpoint_params: {p: hush}}",
            "endpoint_params: {\"p\": <secret>}"},
        {"http_headers: {X-A: {values: [open], secrets: [hush1, hush2]}}", "secrets: [<secret>]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf file = STRBUF_INIT, text = STRBUF_INIT;
        strbuf_addf(&file,
            "route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs:\n"
            "  - url: http://x\n    http_config: {%s}\n",
            cases[i].setting);
        struct alerting_config *c = parse(file.data);
        alerting_config_write_public(c, &text);
        if (strstr(text.data, cases[i].shown) == NULL || strstr(text.data, "hush") != NULL) {
            fail_msg("%s: expected %s in\n%s", cases[i].setting, cases[i].shown, text.data);
        }
        alerting_config_free(c);
        c = parse(text.data); /* still a good file */
        alerting_config_free(c);
        strbuf_release(&file);
        strbuf_release(&text);
    }
}

#define ROUTE "route: {receiver: a}\n"
#define RECEIVERS "receivers: [{name: a}]\n"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"", "no routes provided"},
        {RECEIVERS, "no routes provided"},
        {ROUTE, "undefined receiver \"a\""},
        {"route: {}\n" RECEIVERS, "must specify a default receiver"},
        {"route: {receiver: a, matchers: [x=y]}\n" RECEIVERS, "must not have any matchers"},
        {"route: {receiver: a, match: {x: y}}\n" RECEIVERS, "must not have any matchers"},
        {"route: {receiver: a, routes: [{receiver: b}]}\n" RECEIVERS, "undefined receiver \"b\""},
        {"route: {receiver: a, routes: [{matchers: ['x']}]}\n" RECEIVERS,
            "an operator was expected"},
        {"route: {receiver: a, routes: [{match_re: {x: '['}}]}\n" RECEIVERS, "a.yml"},
        {"route: {receiver: a, group_by: [x, x]}\n" RECEIVERS, "comes twice"},
        {"route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://{{ .Status "
         "}}/'}]}]",
            "behind the host alone"},
        {"route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'ftp://x/'}]}]",
            "http:// or https://"},
        {"route: {receiver: a, group_by: [x, '...']}\n" RECEIVERS, "stands alone"},
        {"route: {receiver: a, group_interval: 0s}\n" RECEIVERS, "cannot be zero"},
        {"route: {receiver: a, group_wait: soon}\n" RECEIVERS, "a.yml:1:"},
        {"route: {receiver: a, routes: [{mute_time_intervals: [n]}]}\n" RECEIVERS,
            "undefined time interval \"n\""},
        {"route: {receiver: a, mute_time_intervals: [n]}\n" RECEIVERS
         "time_intervals: [{name: n}]\n",
            "root route must not have mute"},
        {ROUTE "receivers: [{name: a}, {name: a}]\n", "not unique"},
        {ROUTE "receivers: [{name: a}, {}]\n", "has no name"},
        {ROUTE "receivers: [{name: a, webhook_configs: [{}]}]\n", "url or url_file is required"},
        {ROUTE "receivers: [{name: a, webhook_configs: [{url: 'file:///x'}]}]\n",
            "must begin with http"},
        {ROUTE "receivers: [{name: a, webhook_configs: [{url: 'http://x', url_file: y}]}]\n",
            "both url and url_file"},
        {ROUTE "receivers: [{name: a, slack_configs: [{}]}]\n", "api_url"},
        {ROUTE "receivers: [{name: a, pagerduty_configs: [{service_key: x}]}]\n", "version 1"},
        {ROUTE "receivers: [{name: a, email_configs: [{to: x}]}]\n", "smarthost are required"},
        {ROUTE "receivers: [{name: a, telegram_configs: [{chat_id: 1}]}]\n", "is not supported"},
        {ROUTE "receivers: [{name: a, webhook_configs: [{url: 'http://x', http_config: {oauth2: "
               "{client_id: x}}}]}]\n",
            "oauth2 needs client_id and token_url"},
        {ROUTE
            "receivers: [{name: a, webhook_configs: [{url: 'http://x', http_config: {bearer_token: "
            "x, basic_auth: {username: y}}}]}]\n",
            "at most one of"},
        {ROUTE "receivers: [{name: a, webhook_configs: [{url: 'http://x', sonde: {allow_networks: "
               "[home]}}]}]\n",
            "is not a network"},
        {ROUTE RECEIVERS "time_intervals: [{name: n}]\nmute_time_intervals: [{name: n}]\n",
            "not unique"},
        {ROUTE RECEIVERS "rooute: 1\n", "unknown key \"rooute\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct alerting_config *c = NULL;
        struct err e = ERR_INIT;
        int status = alerting_config_parse("a.yml", str_of(rows[i].text), &c, &e);
        if (status != ERR_INVALID || strstr(e.message, rows[i].sentence) == NULL ||
            strstr(e.message, "a.yml") == NULL) {
            fail_msg("row %zu: status %d, \"%s\", wanted \"%s\"", i, status, e.message,
                rows[i].sentence);
        }
    }
}

static void test_silent(void **state)
{
    (void)state;
    struct alerting_config *c = NULL;
    assert_int_equal(alerting_config_silent(&c, NULL), 0);
    assert_int_equal(c->route->receiver->integration_count, 0);
    alerting_config_free(c);
    struct err e = ERR_INIT;
    assert_int_equal(alerting_config_load("/nowhere/a.yml", &c, &e), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_public_http),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
