/* The language beyond what promtool shows: functions of notifications, methods, definitions from bases, html,
 * limits, memory that runs short. Expected texts by the documentation of Go and Alertmanager.
 */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "query/template.h"
#include "support/fake_clock.h"

static const struct label pairs[] = {
    {{"severity", 8}, {"page", 4}}, {{"alertname", 9}, {"Down", 4}}, {{"cluster", 7}, {"eu", 2}}};

/* {Status, Labels KV, StartsAt, Tags []string, N} */
static struct template_value data_of(struct arena *arena)
{
    struct template_value *values = arena_calloc(arena, 8, sizeof(*values));
    struct template_field *items = arena_calloc(arena, 5, sizeof(*items));
    struct template_fields *fields = arena_calloc(arena, 1, sizeof(*fields));
    struct template_list *list = arena_calloc(arena, 1, sizeof(*list));
    values[0] = template_string(STR("firing"));
    values[1] = template_pairs(arena, pairs, 3, true);
    values[2] = template_time_ms(INT64_C(1711846800000));
    values[5] = template_string(STR("a"));
    values[6] = template_string(STR("b"));
    *list = (struct template_list){.type = "[]string", .items = &values[5], .count = 2};
    values[3] = template_list_of(list);
    values[4] = template_int(3);
    static const char *const names[] = {"Status", "Labels", "StartsAt", "Tags", "N"};
    for (size_t i = 0; i < 5; i++) {
        items[i] = (struct template_field){str_of(names[i]), &values[i]};
    }
    *fields = (struct template_fields){.type = "template.Alert", .items = items, .count = 5};
    return template_struct(fields);
}

static int run(const char *text, const struct template_options *options,
    const struct template_hooks *hooks, const struct template_limits *limits, struct strbuf *out,
    struct err *e)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct template_value root = data_of(&arena);
    struct template *t = NULL;
    int status = template_parse(STR("t"), str_of(text), options, &t, e);
    if (status == 0) {
        status = template_execute(t, &root, hooks, limits, out, e);
    }
    template_free(t);
    arena_release(&arena);
    return status;
}

static void expect(const char *text, const char *expected, const struct template_options *options)
{
    struct fake_clock clock;
    fake_clock_init(&clock, INT64_C(1711846800000) + 5400000);
    struct template_hooks hooks = {.clock = &clock.clock};
    struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    int status = run(text, options, &hooks, NULL, &out, &e);
    strbuf_add_char(&out, '\0');
    const char *got = status != 0 ? e.message : out.data;
    if (strcmp(got, expected) != 0) {
        fail_msg("%s\n     gives %s\n instead of %s", text, got, expected);
    }
    strbuf_release(&out);
}

static void notifications(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } table[] = {
        {"{{ .Status | toUpper }} {{ \"Ab\" | toLower }}", "FIRING ab"},
        {"{{ title \"hELLO wORLD don't a_b x-y\" }}", "Hello World Don't A_b X-Y"},
        {"[{{ trimSpace \" \\t a b \\n\" }}]", "[a b]"},
        {"{{ .Tags | join \", \" }} {{ join \"/\" (stringSlice \"x\" \"y\") }}", "a, b x/y"},
        {"{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
            "alertname=Down cluster=eu severity=page "},
        {"{{ .Labels.SortedPairs }} | {{ .Labels }}", "alertname=Down, cluster=eu, severity=page | "
                                                      "alertname=Down, cluster=eu, severity=page"},
        {"{{ .Labels.SortedPairs.Values | join \" \" }}", "Down eu page"},
        {"{{ .Labels.Names }} {{ .Labels.Values }}", "[alertname cluster severity] [Down eu page]"},
        {"{{ (.Labels.Remove (stringSlice \"cluster\" \"nope\")).Names | join \",\" }}",
            "alertname,severity"},
        {"{{ with .Labels.Remove (stringSlice \"cluster\") }}{{ .SortedPairs.Names | join \",\" "
         "}}{{ "
         "end }}",
            "alertname,severity"},
        {"{{ .Labels.nope }}|{{ .Labels.severity }}|{{ len .Labels }}", "|page|3"},
        {"{{ .StartsAt }}", "2024-03-31 01:00:00 +0000 UTC"},
        {"{{ date \"Mon, 02 Jan 2006 15:04 MST\" (tz \"Europe/Berlin\" .StartsAt) }}",
            "Sun, 31 Mar 2024 03:00 CEST"},
        {"{{ .StartsAt | tz \"Asia/Kolkata\" | date \"15:04 -07:00\" }}", "06:30 +05:30"},
        {"{{ .StartsAt.Format \"2006-01-02T15:04:05Z07:00\" }} {{ .StartsAt.Unix }} {{ "
         ".StartsAt.UnixMilli }}",
            "2024-03-31T01:00:00Z 1711846800 1711846800000"},
        {"{{ tz \"Mars/Base\" .StartsAt }}",
            "template: t:1:3: executing \"t\" at <tz \"Mars/Base\" .StartsAt>: error calling tz: "
            "unknown "
            "time zone \"Mars/Base\": /usr/share/zoneinfo/Mars/Base: not found"},
        {"{{ since .StartsAt }} {{ since .StartsAt | humanizeDuration }} {{ now.Sub .StartsAt }}",
            "1h30m0s 1h 30m 0s 1h30m0s"},
        {"{{ now.After .StartsAt }} {{ now.Before .StartsAt }} {{ .StartsAt.IsZero }} {{ eq "
         ".StartsAt "
         ".StartsAt }}",
            "true false false true"},
        {"{{ toDate \"2006-01-02\" \"2024-02-29\" }} {{ (toDate \"2006\" \"x\").IsZero }}",
            "2024-02-29 00:00:00 +0000 UTC true"},
        {"{{ (mustToDate \"Jan 2, 2006 3:04pm -0700\" \"Mar 31, 2024 3:05pm +0200\").UTC }}",
            "2024-03-31 13:05:00 +0000 UTC"},
        {"{{ mustToDate \"2006\" \"x\" }}", "template: t:1:3: executing \"t\" at <mustToDate "
                                            "\"2006\" \"x\">: error calling mustToDate: "
                                            "parsing time \"x\" as \"2006\": cannot parse"},
        {"{{ toJson .Labels }}",
            "{\"alertname\":\"Down\",\"cluster\":\"eu\",\"severity\":\"page\"}"},
        {"{{ toJson . }}",
            "{\"status\":\"firing\",\"labels\":{\"alertname\":\"Down\",\"cluster\":\"eu\","
            "\"severity\":"
            "\"page\"},\"startsAt\":\"2024-03-31T01:00:00Z\",\"tags\":[\"a\",\"b\"],\"n\":3}"},
        {"{{ toJson \"<a> & \\\"b\\\"\\n\" }} {{ toJson nil }} {{ toJson 1.5 }}",
            "\"\\u003ca\\u003e \\u0026 \\\"b\\\"\\n\" null 1.5"},
        {"{{ index (toJson .Labels.SortedPairs) 2 }}", "34"},
        {"{{ base64encode \"a?>\" }} {{ base64decode \"YT8-\" }} {{ base64decode \"YQ==\" }}",
            "YT8- a?> a"},
        {"{{ routeLabels \"none\" }}.", "."},
        {"{{ base64decode \"YT8+\" }}",
            "template: t:1:3: executing \"t\" at <base64decode \"YT8+\">: "
            "error calling base64decode: "
            "illegal base64 data"},
        {"{{ base64decode \"YQ\" }}", "template: t:1:3: executing \"t\" at <base64decode \"YQ\">: "
                                      "error calling base64decode: "
                                      "illegal base64 data"},
        {"{{ urlUnescape \"a%20b+c%2F\" }}", "a b c/"},
        {"{{ list 1 \"a\" 2.5 }} {{ append (list 1) 2 3 | len }} {{ append nil 1 }}",
            "[1 a 2.5] 3 [1]"},
        {"{{ with dict \"b\" 1 \"a\" 2 \"b\" 3 }}{{ .a }}{{ .b }} {{ . }}{{ end }}",
            "23 map[a:2 b:3]"},
        {"{{ dict 1 }}", "template: t:1:3: executing \"t\" at <dict 1>: error calling dict: dict "
                         "expects even number "
                         "of arguments"},
        {"{{ range $i, $t := .Tags }}{{ if $i }}, {{ end }}{{ $t }}{{ end }}", "a, b"},
        {"{{ range 3 }}{{ . }}{{ end }} {{ range $i := .N }}{{ $i }}{{ end }}", "012 012"},
        {"{{ with .Labels.nope }}x{{ else with .Status }}{{ . }}{{ else }}z{{ end }}", "firing"},
        {"{{ range $t := .Tags }}{{ range $u := $.Tags }}{{ if eq $u \"b\" }}{{ continue }}{{ end "
         "}}{{ "
         "$t }}{{ $u }} {{ end }}{{ end }}",
            "aa ba "},
        {"{{ .Nope }}",
            "template: t:1:3: executing \"t\" at <.Nope>: can't evaluate field Nope in type "
            "template.Alert"},
        {"{{ humanizeDuration \"3661\" }} {{ match \"^f\" .Status }} {{ reReplaceAll \"i\" \"I\" "
         ".Status "
         "}}",
            "1h 1m 1s true fIrIng"},
        {"{{ printf \"%v|%+v|%s\" .Tags .Tags .Tags }} {{ print .N .Status }}",
            "[a b]|[a b]|[a b] 3firing"},
    };
    struct template_options options = {.functions = TEMPLATE_FUNCTIONS_NOTIFICATIONS};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        expect(table[i].text, table[i].expected, &options);
    }
}

static void rules_only(void **state)
{
    (void)state;
    struct template_options options = {.functions = TEMPLATE_FUNCTIONS_RULES};
    expect("{{ externalURL }}{{ pathPrefix }}{{ now }}", "1.7118522e+09", &options);
    expect("{{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain "
           "\"x.y\" }}",
        "a:80 10.0.0.1:80 x", &options);
    expect("{{ toDuration 90.5 }} {{ toDuration \"0.001\" | humanizeDuration }}", "1m30.5s 1ms",
        &options);
    expect("{{ urlQueryEscape \"a b\" }}", "a+b", &options);
    expect("{{ define \"d\" }}<{{ . }}>{{ end }}{{ tmpl \"d\" 1 }} {{ $x := tmpl \"d\" 2 }}{{ len "
           "$x }}",
        "<1> 3", &options);
    expect("{{ query \"up\" }}",
        "template: t:1:3: executing \"t\" at <query \"up\">: error calling query: queries are not "
        "possible here",
        &options);
    expect("{{ trimSpace \" \" }}", "template: t:1: function \"trimSpace\" not defined", &options);
}

static void definitions_of_bases(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct template *first = NULL, *second = NULL;
    struct template_options options = {.functions = TEMPLATE_FUNCTIONS_NOTIFICATIONS};
    assert_int_equal(template_parse(STR("first"),
                         STR("{{ define \"a\" }}A({{ template \"b\" . }}){{ end }}"
                             "{{ define \"b\" }}B{{ end }}{{ define \"c\" }}C{{ end }}"),
                         &options, &first, &e),
        0);
    options.base = first;
    assert_int_equal(template_parse(STR("second"),
                         STR("{{ define \"b\" }}own{{ end }}{{ define \"c\" }} \n {{ end }}"),
                         &options, &second, &e),
        0);
    options.base = second;
    assert_true(template_defines(second, STR("a")));
    assert_false(template_defines(first, STR("x")));
    expect("{{ template \"a\" . }}{{ template \"c\" . }}", "A(own)C", &options);
    options.base = first;
    expect("{{ template \"a\" . }}", "A(B)", &options);
    /* The place of an error is that of the text it stands in. */
    struct template *broken = NULL;
    assert_int_equal(
        template_parse(STR("file.tmpl"), STR("line one\n{{ define \"x\" }}{{ .Nope }}{{ end }}"),
            &options, &broken, &e),
        0);
    options.base = broken;
    expect("{{ template \"x\" . }}",
        "template: file.tmpl:2:19: executing \"x\" at <.Nope>: can't evaluate field Nope in type "
        "template.Alert",
        &options);
    template_free(broken);
    template_free(second);
    template_free(first);
}

static void html(void **state)
{
    (void)state;
    struct template_options options = {.functions = TEMPLATE_FUNCTIONS_NOTIFICATIONS, .html = true};
    expect("<a href=\"{{ \"x\\\"&y\" }}\">{{ \"<b>\" }}</a> {{ safeHtml \"<i>\" }} {{ .Labels.nope "
           "}}{{ printf \"%v\" nil "
           "}}",
        "<a href=\"x&#34;&amp;y\">&lt;b&gt;</a> <i> &lt;nil&gt;", &options);
}

static void limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct template_limits limits;
        const char *sentence;
    } table[] = {
        {"{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}",
            {.depth_max = 50}, "exceeded maximum template depth (50)"},
        {"{{ define \"r\" }}{{ if true }}{{ if true }}{{ if true }}{{ template \"r\" . }}{{ end "
         "}}{{ end "
         "}}{{ end }}{{ end }}{{ template \"r\" . }}",
            {.depth_max = 100000}, "nested more than 1000 deep"},
        {"{{ range 100 }}{{ range 100 }}{{ end }}{{ end }}", {.steps_max = 5000},
            "executed more than 5000 steps"},
        {"{{ range 100 }}0123456789{{ end }}", {.output_bytes_max = 999},
            "writes more than 999 bytes"},
        {"{{ printf \"%1000d\" 1 }}", {.output_bytes_max = 999}, "writes more than 999 bytes"},
        {"{{ range 100 }}{{ $x := printf \"%1000d\" 1 }}{{ end }}", {.memory_bytes = 50000},
            "values need more than 50000 bytes"},
    };
    struct template_options options = {.functions = TEMPLATE_FUNCTIONS_NOTIFICATIONS};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct strbuf out = STRBUF_INIT;
        struct err e = ERR_INIT;
        int status = run(table[i].text, &options, NULL, &table[i].limits, &out, &e);
        if (status != ERR_LIMIT || strstr(e.message, table[i].sentence) == NULL) {
            fail_msg("%s: %d %s", table[i].text, status, e.message);
        }
        size_t most = table[i].limits.output_bytes_max;
        assert_true(most == 0 || out.size <= most);
        strbuf_release(&out);
    }
    struct strbuf deep = STRBUF_INIT;
    for (size_t i = 0; i < TEMPLATE_NESTING_MAX + 1; i++) {
        strbuf_add_c(&deep, i == 0 ? "{{ " : "(");
    }
    struct err e = ERR_INIT;
    struct template *t = NULL;
    assert_int_equal(template_parse(STR("t"), strbuf_str(&deep), &options, &t, &e), ERR_INVALID);
    strbuf_release(&deep);
}

/* The n-th allocation fails, for every n: an error, no leak, and the same text when memory suffices. */
static void memory_short(void **state)
{
    (void)state;
    static const char text[] =
        "{{ define \"d\" }}{{ range .Labels.SortedPairs }}{{ .Name }}{{ end }}{{ end }}"
        "{{ $x := printf \"%5d|%q\" 3 \"a\" }}{{ template \"d\" . }}{{ toJson . }}"
        "{{ reReplaceAll \"a\" \"b\" $x }}{{ list 1 2 3 4 5 6 7 8 9 10 | len }}";
    struct template_options options = {.functions = TEMPLATE_FUNCTIONS_NOTIFICATIONS};
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct template_value root = data_of(&arena);
        struct template *t = NULL;
        struct strbuf out = STRBUF_INIT;
        struct err e = ERR_INIT;
        mem_fail_nth(n);
        int status = template_parse(STR("t"), str_of(text), &options, &t, &e);
        if (status == 0) {
            status = template_execute(t, &root, NULL, NULL, &out, &e);
        }
        struck = !mem_fail_pending();
        mem_fail_nth(0);
        if (!struck) {
            assert_int_equal(status, 0);
        }
        strbuf_release(&out);
        template_free(t);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notifications),
        cmocka_unit_test(rules_only),
        cmocka_unit_test(definitions_of_bases),
        cmocka_unit_test(html),
        cmocka_unit_test(limits),
        cmocka_unit_test(memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
