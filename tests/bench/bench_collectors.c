/* What a pass over the host costs, whole and collector by collector, and how that compares with
 * node_exporter's CPU time for one scrape on the same machine.
 *
 *   bench_collectors [passes]
 *
 * CPU time is that of the whole process (side threads included), user and system; a sink that does
 * nothing shows what the exposition text adds. node_exporter is measured over NODE_EXPORTER_SCRAPES
 * requests through its own HTTP server, which is how it is used.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "collectors/collector.h"
#include "collectors/text_sink.h"

#define PASSES_DEFAULT 2000
#define WARM_UP_PASSES 10
#define NODE_EXPORTER_SCRAPES 50
#define NODE_EXPORTER_PORT 19137
#define START_ATTEMPTS 200

/* Counts samples and throws them away. */
struct null_sink {
    struct metric_sink sink;
    size_t samples;
};

static void null_family(
    struct metric_sink *self, const char *name, enum metric_type type, const char *help)
{
    (void)self;
    (void)name;
    (void)type;
    (void)help;
}

static void null_sample(
    struct metric_sink *self, const struct label_pair *labels, size_t count, double value)
{
    (void)labels;
    (void)count;
    (void)value;
    ((struct null_sink *)self)->samples++;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static struct collectors *open_collectors(const char *const *switches, size_t count)
{
    struct collectors_options options = {.switches = switches, .switch_count = count};
    struct collectors *collectors;
    struct err e = ERR_INIT;
    if (collectors_open(&options, &collectors, &e) != 0) {
        fprintf(stderr, "%s\n", e.message);
        _exit(1);
    }
    return collectors;
}

/* Microseconds of CPU a pass. */
static double measure(struct collectors *collectors, struct metric_sink *sink, struct strbuf *text,
    uint64_t passes, uint64_t *allocations_out)
{
    for (int i = 0; i < WARM_UP_PASSES; i++) {
        strbuf_reset(text);
        collectors_run(collectors, sink);
    }
    uint64_t allocations = mem_allocation_count();
    double before = cpu_seconds();
    for (uint64_t i = 0; i < passes; i++) {
        strbuf_reset(text);
        collectors_run(collectors, sink);
    }
    double each = (cpu_seconds() - before) / (double)passes;
    *allocations_out = (mem_allocation_count() - allocations) / passes;
    return each * 1e6;
}

static void measure_one_by_one(uint64_t passes)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    for (size_t i = 0; i < count; i++) {
        const char *switches[] = {"no-all", table[i]->name};
        struct collectors *one = open_collectors(switches, 2);
        struct null_sink sink = {.sink = {.family = null_family, .sample = null_sample}};
        struct strbuf text = STRBUF_INIT;
        uint64_t allocations;
        double each = measure(one, &sink.sink, &text, passes, &allocations);
        uint64_t samples = sink.samples / (passes + WARM_UP_PASSES);
        printf("  %-20s %8.1f us  %5llu samples  %3llu allocations%s\n", table[i]->name, each,
            (unsigned long long)samples, (unsigned long long)allocations,
            table[i]->default_enabled ? "" : "  (off by default)");
        collectors_close(one);
        strbuf_release(&text);
    }
}

/* One GET /metrics; the number of bytes of the answer, or -1. */
static long scrape(void)
{
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(NODE_EXPORTER_PORT)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long total = -1;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        write(fd, request, sizeof(request) - 1) == (ssize_t)sizeof(request) - 1) {
        char buffer[65536];
        ssize_t got;
        total = 0;
        while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
            total += got;
        }
    }
    close(fd);
    return total;
}

static pid_t start_node_exporter(void)
{
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        char listen[64];
        (void)snprintf(
            listen, sizeof(listen), "--web.listen-address=127.0.0.1:%d", NODE_EXPORTER_PORT);
        execlp("prometheus-node-exporter", "prometheus-node-exporter", listen, (char *)NULL);
        _exit(127);
    }
    return child;
}

static double process_ticks(pid_t process)
{
    char path[64], text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    unsigned long user = 0, system_time = 0;
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL ||
        sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
            &system_time) != 2) {
        return 0;
    }
    return (double)(user + system_time);
}

/* Microseconds of CPU node_exporter takes for a scrape; 0 when it is not installed. */
static double measure_node_exporter(void)
{
    pid_t child = start_node_exporter();
    long size = -1;
    for (int i = 0; i < START_ATTEMPTS && size <= 0; i++) {
        struct timespec pause = {0, 20000000};
        nanosleep(&pause, NULL);
        size = waitpid(child, NULL, WNOHANG) == 0 ? scrape() : 0;
        if (size == 0) {
            return 0;
        }
    }
    double before = process_ticks(child);
    for (int i = 0; i < NODE_EXPORTER_SCRAPES; i++) {
        size = scrape();
    }
    double ticks = process_ticks(child) - before;
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    printf("node_exporter: %ld bytes a scrape\n", size);
    return ticks / (double)sysconf(_SC_CLK_TCK) / NODE_EXPORTER_SCRAPES * 1e6;
}

int main(int argc, char **argv)
{
    uint64_t passes = PASSES_DEFAULT;
    if (argc > 1 && (str_to_u64(str_of(argv[1]), &passes) != 0 || passes == 0)) {
        fprintf(stderr, "bench_collectors [passes]\n");
        return 2;
    }
    struct collectors *all = open_collectors(NULL, 0);
    struct strbuf text = STRBUF_INIT;
    struct null_sink null = {.sink = {.family = null_family, .sample = null_sample}};
    struct text_sink exposition;
    text_sink_init(&exposition, &text);
    uint64_t allocations;
    double bare = measure(all, &null.sink, &text, passes, &allocations);
    double whole = measure(all, &exposition.sink, &text, passes, &allocations);
    size_t samples = null.samples / (passes + WARM_UP_PASSES);
    printf("host set: %zu samples, %zu bytes of text\n", samples, text.size);
    printf(
        "  collect              %8.1f us a pass, %.2f us a sample\n", bare, bare / (double)samples);
    printf("  collect and print    %8.1f us a pass, %llu allocations\n", whole,
        (unsigned long long)allocations);
    printf("  every 10 s           %8.6f core (budget 0.0001)\n", whole / 10e6);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("  largest resident     %8ld KiB, %.2f s user, %.2f s system\n", usage.ru_maxrss,
        seconds_of(usage.ru_utime), seconds_of(usage.ru_stime));
    collectors_close(all);
    strbuf_release(&text);
    measure_one_by_one(passes);
    double theirs = measure_node_exporter();
    if (theirs > 0) {
        printf("node_exporter: %.1f us a scrape, %.1f times ours\n", theirs, theirs / whole);
    } else {
        printf("node_exporter is not installed; nothing compared\n");
    }
    return 0;
}
