/* sonde: one tool for people. The first words choose a row of the table; --help comes from the rows. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static int command_help(const struct command *self, int argc, char **argv);
static int command_version(const struct command *self, int argc, char **argv);

static const struct command commands[] = {
    {"query", "EXPRESSION [FLAG...]", "Ask a server: one time, or a range with --start.",
        command_query},
    {"check config", "FILE [FLAG...]",
        "Read a configuration file of the server or the agent and say what is wrong.",
        command_check_config},
    {"check relabel", "FILE [FLAG...]",
        "Show what each relabel rule of an agent's file does to targets and series.",
        command_check_relabel},
    {"check alerting", "FILE", "Read an Alertmanager configuration and say what is wrong.",
        command_check_alerting},
    {"alerts deliveries", "[FLAG...]", "Show what became of messages to receivers.",
        command_alerts_deliveries},
    {"alerts replay", "ID [FLAG...]", "Send a message that is over again.", command_alerts_replay},
    {"check web-config", "FILE", "Read a web configuration (TLS, passwords) with what it names.",
        command_check_web_config},
    {"check rules", "FILE...", "Read rule files and say what is wrong, with line and column.",
        command_check_rules},
    {"test rules", "FILE... [FLAG...]",
        "Run tests of rules, written for promtool, and say what differs.", command_test_rules},
    {"rules backfill", "FILE... --start TIME [FLAG...]",
        "Evaluate rules over stored history, or only show when alerts would have fired.",
        command_rules_backfill},
    {"slo check", "FILE", "Read a file of objectives and say what its tiers would do.",
        command_slo_check},
    {"slo budget", "[FLAG...]", "Show budgets, burn rates and tiers of a server's objectives.",
        command_slo_budget},
    {"slo forecast", "[FLAG...]", "Show when budgets are used up.", command_slo_forecast},
    {"slo backtest", "NAME [FLAG...]", "Show every alert an objective would have given.",
        command_slo_backtest},
    {"trace get", "ID [FLAG...]", "Show a trace as a tree of spans.", command_trace_get},
    {"trace search", "QUERY [FLAG...]", "Show the newest traces that match a query in TraceQL.",
        command_trace_search},
    {"trace tail", "QUERY [FLAG...]", "Show new traces that match as they come.",
        command_trace_tail},
    {"backup", "DEST [FLAG...]", "Copy a store to DEST, beside its server or without one.",
        command_backup},
    {"restore", "BACKUP [FLAG...]", "Verify a backup and make a store of it.", command_restore},
    {"tsdb verify", "DIR", "Check every file of a store that is not in use.", command_tsdb_verify},
    {"tsdb dump", "PATH [--samples]",
        "Show what is in a store, a part, a segment of the log or the manifest.",
        command_tsdb_dump},
    {"tsdb stats", "DIR [--top N]", "Show where the bytes of a store are, and its largest metrics.",
        command_tsdb_stats},
    {"tsdb import", "DIR [FLAG...]",
        "Copy a Prometheus' data directory, a snapshot or a block of it into a store.",
        command_tsdb_import},
    {"tsdb export", "DIR [FLAG...]", "Write a store as blocks for Prometheus, Thanos or Mimir.",
        command_tsdb_export},
    {"version", "", "Print the version.", command_version},
    {"help", "[GROUP]", "Print this, or the commands of one group.", command_help},
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

/* ---- What commands share ---- */

int command_fail(const struct err *e)
{
    fprintf(stderr, "sonde: %s\n", e->message[0] != '\0' ? e->message : err_text(e->code));
    return COMMAND_FAILED;
}

int command_print(struct strbuf *text)
{
    int status = strbuf_error(text);
    bool written = status == 0 && fwrite(text->data, 1, text->size, stdout) == text->size &&
                   fflush(stdout) == 0;
    strbuf_release(text);
    if (!written) {
        fprintf(stderr, "sonde: cannot write: %s\n", err_text(status != 0 ? status : ERR_IO));
        return COMMAND_FAILED;
    }
    return 0;
}

static int print_usage(const struct command *self, const struct flag *flags)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "usage: sonde %s %s\n\n%s\n", self->name, self->parameters, self->help);
    if (flags[0].name != NULL) {
        strbuf_add_char(&text, '\n');
        flags_write_help(flags, &text);
    }
    return command_print(&text);
}

/* Between `least` and `most` words. */
static int parse_words(const struct command *self, const struct flag *flags, int argc, char **argv,
    const char **words, size_t least, size_t most, size_t *count_out, int *status_out)
{
    struct err e = ERR_INIT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *status_out = print_usage(self, flags);
            return ERR_CANCELED;
        }
    }
    int status = flags_parse(flags, argc, argv, words, most, count_out, &e);
    if (status == 0 && *count_out < least) {
        status = err_set(&e, ERR_INVALID, -1, "usage: sonde %s %s", self->name, self->parameters);
    }
    if (status != 0) {
        (void)command_fail(&e);
        *status_out = COMMAND_USAGE;
    }
    return status;
}

int command_parse(const struct command *self, const struct flag *flags, int argc, char **argv,
    const char **words, size_t wanted, int *status_out)
{
    size_t count = 0;
    return parse_words(self, flags, argc, argv, words, wanted, wanted, &count, status_out);
}

int command_parse_files(const struct command *self, const struct flag *flags, int argc, char **argv,
    const char **files, size_t cap, size_t *count_out, int *status_out)
{
    return parse_words(self, flags, argc, argv, files, 1, cap, count_out, status_out);
}

/* ---- Choosing ---- */

/* Whether a command's name begins with this word. */
static bool in_group(const struct command *command, const char *word)
{
    struct str rest = str_of(command->name);
    return str_eq_c(str_split(&rest, ' '), word);
}

/* The commands of a group, of all where `group` is NULL; COMMAND_USAGE where there is none. */
static int print_commands(const char *group)
{
    struct strbuf text = STRBUF_INIT;
    size_t count = 0;
    strbuf_add_c(&text, "usage: sonde COMMAND ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (group != NULL && !in_group(&commands[i], group)) {
            continue;
        }
        struct strbuf left = STRBUF_INIT;
        strbuf_addf(&left, "%s %s", commands[i].name, commands[i].parameters);
        strbuf_addf(&text, "  %-46s%s\n", left.data != NULL ? left.data : "", commands[i].help);
        strbuf_release(&left);
        count++;
    }
    if (count == 0) {
        strbuf_release(&text);
        return COMMAND_USAGE;
    }
    strbuf_add_c(&text, "\nsonde COMMAND --help says more.\n");
    return command_print(&text);
}

static int no_such_command(int argc, char **argv)
{
    fprintf(stderr, "sonde: there is no command \"%s%s%s\"; sonde help lists them\n", argv[0],
        argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    return COMMAND_USAGE;
}

static int command_help(const struct command *self, int argc, char **argv)
{
    (void)self;
    int status = print_commands(argc > 1 ? argv[1] : NULL);
    return status == COMMAND_USAGE ? no_such_command(argc - 1, argv + 1) : status;
}

static int command_version(const struct command *self, int argc, char **argv)
{
    (void)self, (void)argc, (void)argv;
    printf("sonde %s\n", SONDE_VERSION);
    return 0;
}

/* How many words of argv are the name of the command, 0 when they are not. */
static int match(const struct command *command, int argc, char **argv)
{
    struct str rest = str_of(command->name);
    int words = 0;
    while (rest.len > 0) {
        struct str word = str_split(&rest, ' ');
        if (words == argc || !str_eq_c(word, argv[words])) {
            return 0;
        }
        words++;
    }
    return words;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)print_commands(NULL);
        return COMMAND_USAGE;
    }
    if (asks_for_help(argv[1])) {
        return print_commands(NULL);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return command_version(NULL, 0, NULL);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        int words = match(&commands[i], argc - 1, argv + 1);
        if (words > 0) {
            return commands[i].run(&commands[i], argc - words, argv + words);
        }
    }
    /* The name of a group alone lists its commands. */
    if (argc == 2 && print_commands(argv[1]) != COMMAND_USAGE) {
        return COMMAND_USAGE;
    }
    if (argc == 3 && asks_for_help(argv[2]) && print_commands(argv[1]) == 0) {
        return 0;
    }
    return no_such_command(argc - 1, argv + 1);
}
