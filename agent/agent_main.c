/* sonde-agent: flags, signals, the loop. */
#include <signal.h>
#include <stdio.h>

#include "agent.h"
#include "agent/agent_check.h"
#include "agent_config.h"
#include "agent_host.h"
#include "base/flags.h"
#include "base/log.h"

#define DATA_DEFAULT "./data/agent"
#define LISTEN_DEFAULT "127.0.0.1:9096"

struct running {
    struct loop *loop;
    struct agent *agent;
};

static void on_stop(void *context)
{
    struct running *r = context;
    loop_stop(r->loop);
}

static void on_reload(void *context)
{
    struct running *r = context;
    struct err e = ERR_INIT;
    (void)agent_reload(r->agent, &e); /* says itself what went wrong */
}

/* Runs until a signal ends it. */
static int run(const struct agent_options *options, struct err *e)
{
    struct running r = {NULL, NULL};
    int status = loop_new(&r.loop);
    if (status != 0) {
        return err_set(e, status, -1, "the event loop cannot start: %s", err_text(status));
    }
    signal(SIGPIPE, SIG_IGN);
    status = agent_start(options, r.loop, &r.agent, e);
    if (status == 0) {
        (void)loop_on_signal(r.loop, SIGINT, on_stop, &r);
        (void)loop_on_signal(r.loop, SIGTERM, on_stop, &r);
        (void)loop_on_signal(r.loop, SIGHUP, on_reload, &r);
        LOG_INFO("agent: started", LOG_S("version", SONDE_VERSION),
            LOG_S("listen", options->listen), LOG_S("data", options->data_path));
        (void)loop_run(r.loop);
        LOG_INFO("agent: stopping");
    }
    agent_stop(r.agent);
    loop_free(r.loop);
    return status;
}

static int check_config(const struct agent_options *options, struct err *e)
{
    struct strbuf report = STRBUF_INIT;
    int status =
        agent_check_file(options->config_path, options->servers, options->server_count, &report, e);
    if (status == 0) {
        fwrite(report.data, 1, report.size, stdout);
    }
    strbuf_release(&report);
    return status;
}

static void print_help(const struct flag *flags)
{
    struct strbuf out = STRBUF_INIT;
    strbuf_add_c(&out, "usage: sonde-agent [flags]\n\nCollects this host's metrics, scrapes "
                       "services, and ships them by remote write.\n\n");
    flags_write_help(flags, &out);
    fwrite(out.data, 1, out.size, stdout);
    strbuf_release(&out);
}

static void print_reference(void)
{
    struct strbuf out = STRBUF_INIT;
    config_write_reference(agent_config_fields(), &out);
    fwrite(out.data, 1, out.size, stdout);
    strbuf_release(&out);
}

static void print_collectors(void)
{
    struct strbuf out = STRBUF_INIT;
    agent_host_write_reference(&out);
    fwrite(out.data, 1, out.size, stdout);
    strbuf_release(&out);
}

int main(int argc, char **argv)
{
    struct agent_options options = {.data_path = DATA_DEFAULT, .listen = LISTEN_DEFAULT};
    struct flag_strings servers = {.count = 0};
    const char *log_level = "info";
    bool help = false, version = false, check = false, reference = false, collectors = false;
    const struct flag flags[] = {
        {"config", FLAG_STRING, &options.config_path, "FILE", "Configuration file (YAML)", 0, 0},
        {"data", FLAG_STRING, &options.data_path, "DIR",
            "Where samples wait on disk (default " DATA_DEFAULT ")", 0, 0},
        {"listen", FLAG_STRING, &options.listen, "ADDRESS:PORT",
            "Where the agent answers (default " LISTEN_DEFAULT ")", 0, 0},
        {"otlp-listen", FLAG_STRING, &options.otlp_listen, "ADDRESS:PORT",
            "Where it takes what others send; '' = nowhere (default " AGENT_OTLP_LISTEN ")", 0, 0},
        {"otlp-grpc-listen", FLAG_STRING, &options.otlp_grpc_listen, "ADDRESS:PORT",
            "Where it takes OTLP over gRPC; '' = nowhere (default " AGENT_OTLP_GRPC_LISTEN ")", 0,
            0},
        {"web.config.file", FLAG_STRING, &options.web_config, "FILE",
            "TLS, passwords and headers of all three, in Prometheus' format", 0, 0},
        {"server", FLAG_STRINGS, &servers, "URL",
            "Where to send; repeatable; replaces remote_write of the file (default " //
            AGENT_SERVER_DEFAULT ")",
            0, 0},
        {"log-level", FLAG_STRING, &log_level, "LEVEL", "debug, info, warn or error", 0, 0},
        {"check-config", FLAG_BOOL, &check, NULL,
            "Read the configuration and say whether it is "
            "good",
            0, 0},
        {"print-reference", FLAG_BOOL, &reference, NULL, "Print all settings, in Markdown", 0, 0},
        {"print-collectors", FLAG_BOOL, &collectors, NULL,
            "Print collectors and their settings, in Markdown", 0, 0},
        {"version", FLAG_BOOL, &version, NULL, "Print the version", 0, 0},
        {"help", FLAG_BOOL, &help, NULL, "Print this", 0, 0},
        {NULL, FLAG_BOOL, NULL, NULL, NULL, 0, 0},
    };
    struct err e = ERR_INIT;
    size_t positional = 0;
    enum log_level level = LOG_LEVEL_INFO;
    int status = flags_parse(flags, argc, argv, NULL, 0, &positional, &e);
    if (status == 0 && log_level_parse(str_of(log_level), &level) != 0) {
        status = err_set(&e, ERR_INVALID, -1,
            "--log-level: \"%s\"; accepted: debug, info, warn, error", log_level);
    }
    log_set_level(level);
    options.servers = servers.items;
    options.server_count = servers.count;
    if (status == 0 && help) {
        print_help(flags);
    } else if (status == 0 && version) {
        puts("sonde-agent " SONDE_VERSION);
    } else if (status == 0 && reference) {
        print_reference();
    } else if (status == 0 && collectors) {
        print_collectors();
    } else if (status == 0) {
        status = check ? check_config(&options, &e) : run(&options, &e);
    }
    if (status != 0) {
        fprintf(stderr, "sonde-agent: %s\n", e.message);
    }
    return status != 0;
}
