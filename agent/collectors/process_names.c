/* Rules that name groups of processes; the form of the file is in the header.
 *
 * A name is cut into pieces when the file is read: text, and variables. What a named group matched is
 * found by expanding the pattern's own "${group}", of each pattern of the rule: a group that a pattern
 * lacks expands to nothing.
 */
#include "collectors/process_names.h"

#include "base/arena.h"
#include "base/config.h"
#include "base/mem.h"
#include "base/regex.h"
#include "base/yaml.h"

#define ARENA_BYTES_MAX ((size_t)8 << 20)
#define COMMAND_LINE_MAX ((size_t)64 << 10)
#define PIECES_MAX 32
/* Around a pattern that may match anywhere: regex_expand wants the whole text. */
#define PATTERN_BEFORE "(?:.*?)(?-s:"
#define PATTERN_BEHIND ")(?:.*)"

enum piece_kind {
    PIECE_TEXT,
    PIECE_COMMAND,
    PIECE_EXE_BASE,
    PIECE_EXE_FULL,
    PIECE_PID,
    PIECE_MATCH
};

struct piece {
    enum piece_kind kind;
    struct str text; /* of TEXT; of MATCH "${group}" */
};

/* As the file says it. */
struct rule_settings {
    const char *name;
    struct config_strings comm, exe, cmdline;
};

struct rule {
    const struct rule_settings *settings;
    struct piece pieces[PIECES_MAX];
    size_t piece_count;
    struct regex **patterns; /* of settings->cmdline */
    size_t pattern_count;
};

struct process_names {
    struct arena arena;
    struct config_list list; /* of rule_settings */
    struct rule *rules;
    size_t count;
    struct strbuf command_line; /* of the process that is being matched */
};

static const struct config_field rule_fields[] = {
    {.key = "name",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct rule_settings, name),
        .default_text = "{{.ExeBase}}",
        .help = "Name of the group"},
    {.key = "comm",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct rule_settings, comm),
        .help = "The command is one of these"},
    {.key = "exe",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct rule_settings, exe),
        .help = "The program is one of these"},
    {.key = "cmdline",
        .kind = CONFIG_STRING_LIST,
        .offset = offsetof(struct rule_settings, cmdline),
        .help = "Each of these patterns is found in the command line"},
    {.key = NULL},
};

static const struct config_field file_fields[] = {
    {.key = "process_names",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct process_names, list),
        .fields = rule_fields,
        .item_size = sizeof(struct rule_settings),
        .required = true,
        .help = "Rules; the first that matches a process names its group"},
    {.key = NULL},
};

/* The rule without a file. */
static const char *const every_command[] = {".+"};
static const struct rule_settings default_rule = {
    .name = "{{.Comm}}", .cmdline = {(const char **)every_command, 1}};

/* ---- Names ---- */

static int add_piece(struct rule *rule, enum piece_kind kind, struct str text)
{
    if (rule->piece_count == PIECES_MAX) {
        return ERR_LIMIT;
    }
    rule->pieces[rule->piece_count++] = (struct piece){kind, text};
    return 0;
}

/* The inside of "{{ }}". */
static int add_variable(struct process_names *names, struct rule *rule, struct str variable)
{
    static const struct {
        const char *name;
        enum piece_kind kind;
    } variables[] = {{".Comm", PIECE_COMMAND}, {".ExeBase", PIECE_EXE_BASE},
        {".ExeFull", PIECE_EXE_FULL}, {".PID", PIECE_PID}};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        if (str_eq_c(variable, variables[i].name)) {
            return add_piece(rule, variables[i].kind, variable);
        }
    }
    struct str prefix = STR(".Matches.");
    if (!str_starts_with(variable, prefix) || variable.len == prefix.len) {
        return ERR_INVALID;
    }
    struct str group = str_skip(variable, prefix.len);
    char *text = arena_alloc(&names->arena, group.len + sizeof("${}"));
    if (text == NULL) {
        return ERR_NOMEM;
    }
    int length = snprintf(text, group.len + sizeof("${}"), "${%.*s}", (int)group.len, group.ptr);
    return add_piece(rule, PIECE_MATCH, str_make(text, (size_t)length));
}

static int cut_name(struct process_names *names, struct rule *rule)
{
    const char *at = rule->settings->name;
    int status = 0;
    while (status == 0 && *at != '\0') {
        const char *open = strstr(at, "{{");
        const char *close = open != NULL ? strstr(open, "}}") : NULL;
        if (close == NULL) {
            return open == NULL ? add_piece(rule, PIECE_TEXT, str_of(at)) : ERR_INVALID;
        }
        if (open > at) {
            status = add_piece(rule, PIECE_TEXT, str_make(at, (size_t)(open - at)));
        }
        struct str variable = str_trim(str_make(open + 2, (size_t)(close - open - 2)));
        status = status == 0 ? add_variable(names, rule, variable) : status;
        at = close + 2;
    }
    return status;
}

/* ---- Reading the file ---- */

static int compile_patterns(struct process_names *names, struct rule *rule, struct err *e)
{
    const struct config_strings *list = &rule->settings->cmdline;
    struct strbuf whole = STRBUF_INIT;
    int status = 0;
    rule->patterns = arena_calloc(&names->arena, list->count + 1, sizeof(*rule->patterns));
    if (rule->patterns == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    for (size_t i = 0; status == 0 && i < list->count; i++) {
        strbuf_reset(&whole);
        strbuf_addf(&whole, PATTERN_BEFORE "%s" PATTERN_BEHIND, list->items[i]);
        status = strbuf_error(&whole);
        status = status == 0 ? regex_new(strbuf_str(&whole), &rule->patterns[i], e) : status;
        rule->pattern_count += status == 0;
    }
    strbuf_release(&whole);
    return status;
}

static int make_rule(struct process_names *names, const struct rule_settings *settings,
    const char *file, struct err *e)
{
    struct rule *rule = &names->rules[names->count++];
    rule->settings = settings;
    if (settings->comm.count + settings->exe.count + settings->cmdline.count == 0) {
        return err_set(e, ERR_INVALID, -1,
            "%s: rule %zu (name: %s) has no condition: give it comm, exe or cmdline", file,
            names->count, settings->name);
    }
    int status = cut_name(names, rule);
    if (status != 0) {
        return err_set(e, status, -1, "%s: rule %zu: name \"%s\": %s", file, names->count,
            settings->name,
            status == ERR_INVALID ? "the variables there are: {{.Comm}}, {{.ExeBase}}, "
                                    "{{.ExeFull}}, {{.PID}}, {{.Matches.group}}"
                                  : err_text(status));
    }
    struct err why = ERR_INIT;
    status = compile_patterns(names, rule, &why);
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s: rule %zu: cmdline: %s", file, names->count,
                             why.message);
}

static int read_rules(struct vfs *vfs, const char *path, struct process_names *names, struct err *e)
{
    char *text = NULL;
    size_t size = 0;
    struct yaml_node *root = NULL;
    int status = vfs_read_file(vfs, path, PROCESS_NAMES_FILE_MAX, &text, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    status = yaml_parse(&names->arena, path, str_make(text, size), &root, e);
    mem_free(text);
    if (status == 0) {
        status = config_read(&names->arena, path, root, file_fields, names, e);
    }
    if (status == 0 && names->list.count > PROCESS_NAMES_RULES_MAX) {
        status = err_set(e, ERR_LIMIT, -1, "%s: %zu rules, at most %d are read", path,
            names->list.count, PROCESS_NAMES_RULES_MAX);
    }
    return status;
}

static int make_rules(struct process_names *names, const char *file, struct err *e)
{
    const struct rule_settings *settings = names->list.items;
    names->rules = arena_calloc(&names->arena, names->list.count + 1, sizeof(*names->rules));
    if (names->rules == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < names->list.count; i++) {
        status = make_rule(names, &settings[i], file, e);
    }
    return status;
}

int process_names_open(
    struct vfs *vfs, const char *path, struct process_names **names_out, struct err *e)
{
    struct process_names *names = mem_calloc(1, sizeof(*names));
    if (names == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    arena_init(&names->arena, ARENA_BYTES_MAX);
    strbuf_init(&names->command_line, COMMAND_LINE_MAX);
    int status = 0;
    if (path != NULL && path[0] != '\0') {
        status = read_rules(vfs, path, names, e);
    } else {
        names->list = (struct config_list){(void *)&default_rule, 1};
    }
    status = status == 0 ? make_rules(names, path, e) : status;
    if (status != 0) {
        process_names_close(names);
        return status;
    }
    *names_out = names;
    return 0;
}

void process_names_close(struct process_names *names)
{
    if (names == NULL) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        for (size_t k = 0; k < names->rules[i].pattern_count; k++) {
            regex_free(names->rules[i].patterns[k]);
        }
    }
    strbuf_release(&names->command_line);
    arena_release(&names->arena);
    mem_free(names);
}

/* ---- Matching ---- */

static struct str first_argument(const struct process_identity *process)
{
    struct str rest = process->arguments;
    return str_split(&rest, '\0');
}

static struct str last_part(struct str path)
{
    const char *slash = path.len > 0 ? memrchr(path.ptr, '/', path.len) : NULL;
    return slash != NULL ? str_skip(path, (size_t)(slash - path.ptr) + 1) : path;
}

static bool is_one_of(struct str text, const struct config_strings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (str_eq_c(text, list->items[i])) {
            return true;
        }
    }
    return false;
}

static bool program_is_one_of(struct str path, const struct config_strings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        bool whole = strchr(list->items[i], '/') != NULL;
        if (str_eq_c(whole ? path : last_part(path), list->items[i])) {
            return true;
        }
    }
    return false;
}

/* Arguments with blanks between them; what does not fit is left out. */
static void write_command_line(struct strbuf *out, struct str arguments)
{
    strbuf_reset(out);
    while (arguments.len > 0) {
        struct str argument = str_split(&arguments, '\0');
        if (out->size + argument.len + 1 >= COMMAND_LINE_MAX) {
            break;
        }
        if (out->size > 0) {
            strbuf_add_char(out, ' ');
        }
        strbuf_add_str(out, argument);
    }
}

static bool rule_matches(
    const struct rule *rule, const struct process_identity *process, struct str command_line)
{
    const struct rule_settings *s = rule->settings;
    if ((s->comm.count > 0 && !is_one_of(process->command, &s->comm)) ||
        (s->exe.count > 0 && !program_is_one_of(first_argument(process), &s->exe))) {
        return false;
    }
    for (size_t i = 0; i < rule->pattern_count; i++) {
        if (!regex_matches(rule->patterns[i], command_line)) {
            return false;
        }
    }
    return true;
}

static void write_piece(const struct rule *rule, const struct piece *piece,
    const struct process_identity *process, struct str command_line, struct strbuf *out)
{
    switch (piece->kind) {
    case PIECE_TEXT:
        strbuf_add_str(out, piece->text);
        break;
    case PIECE_COMMAND:
        strbuf_add_str(out, process->command);
        break;
    case PIECE_EXE_BASE:
        strbuf_add_str(out, last_part(first_argument(process)));
        break;
    case PIECE_EXE_FULL:
        strbuf_add_str(out, first_argument(process));
        break;
    case PIECE_PID:
        strbuf_add_u64(out, process->pid);
        break;
    case PIECE_MATCH:
        for (size_t i = 0; i < rule->pattern_count; i++) {
            (void)regex_expand(rule->patterns[i], command_line, piece->text, out); // it matched
        }
        break;
    }
}

int process_names_match(
    struct process_names *names, const struct process_identity *process, struct strbuf *name_out)
{
    strbuf_reset(name_out);
    write_command_line(&names->command_line, process->arguments);
    struct str command_line = strbuf_str(&names->command_line);
    for (size_t i = 0; i < names->count; i++) {
        const struct rule *rule = &names->rules[i];
        if (!rule_matches(rule, process, command_line)) {
            continue;
        }
        for (size_t k = 0; k < rule->piece_count; k++) {
            write_piece(rule, &rule->pieces[k], process, command_line, name_out);
        }
        if (strbuf_error(&names->command_line) != 0 || strbuf_error(name_out) != 0) {
            return ERR_NOMEM;
        }
        if (name_out->size > PROCESS_GROUP_NAME_MAX) {
            strbuf_truncate(name_out, PROCESS_GROUP_NAME_MAX);
        }
        return 1;
    }
    return 0;
}
