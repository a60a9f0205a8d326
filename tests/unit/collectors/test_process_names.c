/* Rules of process groups: what matches, what the group is called, what is refused. */
#include "collectors/process_names.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/support.h"

struct fixture {
    char path[64];
    struct process_names *names;
    struct err e;
};

static int read_rules(struct fixture *f, const char *text)
{
    *f = (struct fixture){.path = "/tmp/sonde-names-XXXXXX", .e = ERR_INIT};
    int file = mkstemp(f->path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    int status = process_names_open(vfs_posix(), f->path, &f->names, &f->e);
    unlink(f->path);
    return status;
}

/* `arguments` with "|" for the zero byte behind each. */
static void expect_group(
    struct process_names *names, const char *command, const char *arguments, const char *group)
{
    char bytes[256];
    struct strbuf name = STRBUF_INIT;
    size_t size = strlen(arguments);
    memcpy(bytes, arguments, size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = bytes[i] == '|' ? '\0' : bytes[i];
    }
    struct process_identity process = {
        .pid = 77, .command = str_of(command), .arguments = str_make(bytes, size)};
    int matched = process_names_match(names, &process, &name);
    if (matched != (group != NULL) || (group != NULL && !str_eq_c(strbuf_str(&name), group))) {
        fail_msg("%s, %s: matched %d, group %.*s, expected %s", command, arguments, matched,
            (int)name.size, name.size > 0 ? name.data : "", group != NULL ? group : "none");
    }
    strbuf_release(&name);
}

static void test_without_file(void **state)
{
    struct process_names *names;
    struct err e = ERR_INIT;
    (void)state;
    assert_int_equal(process_names_open(vfs_posix(), NULL, &names, &e), 0);
    expect_group(names, "bash", "bash|-l|", "bash");
    expect_group(names, "kworker/0:1", "", NULL);
    process_names_close(names);
}

static void test_rules(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(read_rules(&f, "process_names:\n"
                                    "  - name: 'shell'\n"
                                    "    comm: [bash, sh]\n"
                                    "  - name: 'pg-{{ .Matches.role }}/{{.Matches.none}}'\n"
                                    "    exe: [postgres]\n"
                                    "    cmdline: ['--role=(?P<role>\\w+)', 'fast']\n"
                                    "  - exe: [/usr/sbin/nginx]\n"
                                    "  - name: '{{.Comm}} {{.ExeFull}} {{.ExeBase}} {{.PID}}'\n"
                                    "    cmdline: ['^[^ ]+ --show']\n"),
        0);
    expect_group(f.names, "sh", "/bin/sh|", "shell");
    expect_group(f.names, "postgres", "/usr/lib/postgres|--role=main|--fast|", "pg-main/");
    expect_group(f.names, "postgres", "/usr/lib/postgres|--role=main|", NULL);
    expect_group(f.names, "nginx", "/usr/sbin/nginx|-g|", "nginx");
    expect_group(f.names, "nginx", "/opt/nginx|-g|", NULL);
    expect_group(f.names, "tool", "/opt/tool|--show|", "tool /opt/tool tool 77");
    expect_group(f.names, "tool", "/opt/tool|x|--show|", NULL);
    process_names_close(f.names);
}

static void test_long_names_are_cut(void **state)
{
    struct fixture f;
    char arguments[200], group[PROCESS_GROUP_NAME_MAX + 1];
    (void)state;
    memset(arguments, 'a', sizeof(arguments) - 1);
    arguments[sizeof(arguments) - 1] = '\0';
    memset(group, 'a', PROCESS_GROUP_NAME_MAX);
    group[PROCESS_GROUP_NAME_MAX] = '\0';
    assert_int_equal(read_rules(&f, "process_names: [{name: '{{.ExeFull}}', comm: [x]}]\n"), 0);
    expect_group(f.names, "x", arguments, group);
    process_names_close(f.names);
}

static void test_refused_files(void **state)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"process_names:\n  - name: x\n", "has no condition: give it comm, exe or cmdline"},
        {"process_names:\n  - {name: '{{.Username}}', comm: [x]}\n", "{{.Matches.group}}"},
        {"process_names:\n  - {name: '{{.Comm', comm: [x]}\n", "{{.Matches.group}}"},
        {"process_names:\n  - {cmdline: ['(']}\n", "rule 1: cmdline:"},
        {"process_names:\n  - {com: [x]}\n", ":2:6:"},
        {"", "process_names"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        assert_int_equal(read_rules(&f, rows[i].text), ERR_INVALID);
        if (strstr(f.e.message, rows[i].sentence) == NULL) {
            fail_msg("\"%s\": got \"%s\", expected \"%s\" in it", rows[i].text, f.e.message,
                rows[i].sentence);
        }
    }
    struct process_names *names;
    struct err e = ERR_INIT;
    assert_int_equal(process_names_open(vfs_posix(), "/nonexistent", &names, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.message, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_file),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_refused_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
