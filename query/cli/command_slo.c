/* sonde slo check, budget, backtest, forecast: objectives of a file, and of a server.
 *
 *   sonde slo check FILE
 *   sonde slo budget [NAME] [--time T]
 *   sonde slo forecast [NAME] [--time T]
 *   sonde slo backtest NAME [--start T] [--end T]
 */
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "cli/api_client.h"
#include "cli/command.h"
#include "query/slo.h"

#define FILE_BYTES_MAX ((size_t)4 << 20)
#define TIMEOUT_MS_DEFAULT ((int64_t)5 * 60 * 1000)

int command_slo_check(const struct command *self, int argc, char **argv)
{
    const struct flag none[] = {{.name = NULL}};
    const char *path;
    int exit_status;
    if (command_parse(self, none, argc, argv, &path, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct err e = ERR_INIT;
    char *text = NULL;
    size_t size = 0;
    struct strbuf report = STRBUF_INIT;
    int status = vfs_read_file(vfs_posix(), path, FILE_BYTES_MAX, &text, &size);
    if (status != 0) {
        (void)err_set(&e, status, -1, "%s: %s", path, err_text(status));
    } else {
        status = slo_check_file(NULL, str_of(path), str_make(text, size), &report, &e);
    }
    mem_free(text);
    if (status != 0) {
        strbuf_release(&report);
        return command_fail(&e);
    }
    return command_print(&report);
}

/* ---- Asking ---- */

enum { SLO_FLAGS_MAX = 6 + CLIENT_IDENTITY_FLAGS_COUNT };

struct slo_flags {
    struct client_identity identity;
    const char *server, *name, *time, *start, *end;
};

static void flags_table(struct slo_flags *f, struct flag table[SLO_FLAGS_MAX])
{
    *f = (struct slo_flags){.server = "http://127.0.0.1:9095"};
    const struct flag rows[] = {
        {"server", FLAG_STRING, &f->server, "URL", "Where the server listens.", 0, 0},
        {"name", FLAG_STRING, &f->name, "NAME", "One objective (default: all).", 0, 0},
        {"time", FLAG_STRING, &f->time, "TIME", "At a past time: RFC 3339 or seconds.", 0, 0},
        {"start", FLAG_STRING, &f->start, "TIME", "From when (default: 30 days back).", 0, 0},
        {"end", FLAG_STRING, &f->end, "TIME", "Until when (default: now).", 0, 0},
        CLIENT_IDENTITY_FLAGS(&f->identity),
        {.name = NULL},
    };
    memcpy(table, rows, sizeof(rows));
}

/* The member `data` of an answer, or NULL with a sentence. */
static json_t *ask(const struct slo_flags *f, const char *path,
    const struct api_client_param *params, size_t count, struct err *e)
{
    struct strbuf body = STRBUF_INIT;
    unsigned status = 0;
    json_error_t error;
    const struct api_client_request request = {.server = f->server,
        .identity = &f->identity,
        .path = path,
        .params = params,
        .param_count = count,
        .timeout_ms = TIMEOUT_MS_DEFAULT,
        .get = true};
    json_t *data = NULL;
    if (api_client_ask(&request, &status, &body, e) == 0) {
        json_t *answer = json_loadb(body.data != NULL ? body.data : "", body.size, 0, &error);
        const char *sentence = json_string_value(json_object_get(answer, "error"));
        data = status == 200 ? json_incref(json_object_get(answer, "data")) : NULL;
        if (data == NULL) {
            (void)err_set(e, ERR_INVALID, -1, "%s answers %u: %s", f->server, status,
                sentence != NULL ? sentence : "not what was expected");
        }
        json_decref(answer);
    }
    strbuf_release(&body);
    return data;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* "2026-01-02 03:04:05", or "-" where there is no time. */
static void add_time(struct strbuf *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    char text[32] = "-";
    struct tm parts;
    time_t seconds = (time_t)json_number_value(value);
    if (json_is_number(value) && gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts); // fits
    }
    strbuf_add_c(out, text);
}

static void add_budget(struct strbuf *out, const json_t *slo)
{
    const char *name;
    const json_t *burn, *tier;
    size_t i;
    double total = number_of(slo, "total");
    strbuf_addf(out, "%s (%s): %.9g over %s\n", text_of(slo, "name"), text_of(slo, "service"),
        number_of(slo, "objective"), text_of(slo, "window"));
    strbuf_addf(out, "  budget left %.5g %%, %.15g of %.15g events bad, coverage %.5g %%\n  burn",
        number_of(slo, "budget_remaining") * 100, total - number_of(slo, "good"), total,
        number_of(slo, "coverage") * 100);
    json_object_foreach((json_t *)(uintptr_t)json_object_get(slo, "burn_rates"), name, burn)
    {
        if (json_is_number(burn)) {
            strbuf_addf(out, " %s %.4g", name, json_number_value(burn));
        } else {
            strbuf_addf(out, " %s -", name);
        }
    }
    strbuf_add_char(out, '\n');
    json_array_foreach(json_object_get(slo, "tiers"), i, tier)
    {
        strbuf_addf(out, "  %-12s %-6s %s", text_of(tier, "name"), text_of(tier, "severity"),
            text_of(tier, "state"));
        if (json_is_number(json_object_get(tier, "active_since"))) {
            strbuf_add_c(out, " since ");
            add_time(out, tier, "active_since");
        }
        strbuf_add_c(out, json_is_true(json_object_get(tier, "no_data")) ? ", no data\n" : "\n");
    }
}

static void add_forecast(struct strbuf *out, const json_t *slo)
{
    strbuf_addf(out, "%-30s budget left %.5g %%, used up at ", text_of(slo, "name"),
        number_of(slo, "budget_remaining") * 100);
    add_time(out, slo, "forecast_exhaustion");
    strbuf_add_char(out, '\n');
}

/* Both show the list of objectives, each in its own way. */
static int show_list(const struct command *self, int argc, char **argv,
    void (*add)(struct strbuf *out, const json_t *slo))
{
    struct slo_flags f;
    struct flag flags[SLO_FLAGS_MAX];
    int exit_status;
    flags_table(&f, flags);
    if (command_parse(self, flags, argc, argv, NULL, 0, &exit_status) != 0) {
        return exit_status;
    }
    struct err e = ERR_INIT;
    const struct api_client_param params[] = {{"name", f.name}, {"time", f.time}};
    json_t *list = ask(&f, "/api/v1/slos", params, 2, &e);
    if (list == NULL) {
        return command_fail(&e);
    }
    struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < json_array_size(list); i++) {
        add(&out, json_array_get(list, i));
    }
    json_decref(list);
    strbuf_add_c(&out, "");
    return command_print(&out);
}

int command_slo_budget(const struct command *self, int argc, char **argv)
{
    return show_list(self, argc, argv, add_budget);
}

int command_slo_forecast(const struct command *self, int argc, char **argv)
{
    return show_list(self, argc, argv, add_forecast);
}

int command_slo_backtest(const struct command *self, int argc, char **argv)
{
    struct slo_flags f;
    struct flag flags[SLO_FLAGS_MAX];
    const char *name;
    int exit_status;
    flags_table(&f, flags);
    if (command_parse(self, flags, argc, argv, &name, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct err e = ERR_INIT;
    struct strbuf path = STRBUF_INIT, out = STRBUF_INIT;
    const struct api_client_param params[] = {{"start", f.start}, {"end", f.end}};
    strbuf_addf(&path, "/api/v1/slos/%s/backtest", name);
    json_t *data = ask(&f, path.data, params, 2, &e), *alert;
    strbuf_release(&path);
    if (data == NULL) {
        return command_fail(&e);
    }
    size_t i;
    json_array_foreach(json_object_get(data, "alerts"), i, alert)
    {
        add_time(&out, alert, "start");
        strbuf_add_c(&out, "  ");
        add_time(&out, alert, "end");
        strbuf_addf(&out, "  %-12s %-6s %.4g %% of the budget\n", text_of(alert, "tier"),
            text_of(alert, "severity"), number_of(alert, "budget_spent") * 100);
    }
    strbuf_addf(
        &out, "%.0f pages, %.0f tickets\n", number_of(data, "pages"), number_of(data, "tickets"));
    json_decref(data);
    return command_print(&out);
}
