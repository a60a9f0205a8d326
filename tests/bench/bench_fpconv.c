/* Doubles to text, as answers of queries are full of them: nanoseconds a number, beside printf with the
 * 17 digits that always read back.
 *
 *   bench_fpconv
 */
#include <stdio.h>
#include <time.h>

#include "base/bytes.h"
#include "base/fpconv.h"
#include "support/support.h"

#define NUMBERS 4096
#define ROUNDS 200

static double values[NUMBERS];

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t by_fp_format(double value, char *text)
{
    return fp_format(value, text);
}

static size_t by_printf(double value, char *text)
{
    return (size_t)snprintf(text, FP_TEXT_MAX, "%.17g", value);
}

static double measure(size_t (*format)(double value, char *text))
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        char text[FP_TEXT_MAX];
        static volatile size_t written;
        double begin = now_ns();
        for (size_t i = 0; i < NUMBERS; i++) {
            written = format(values[i], text);
        }
        (void)written;
        double took = (now_ns() - begin) / NUMBERS;
        best = took < best ? took : best;
    }
    return best;
}

static void report(const char *what)
{
    double ours = measure(by_fp_format), printed = measure(by_printf);
    printf("%-24s %6.1f ns, printf %6.1f ns, ratio %.2f\n", what, ours, printed, ours / printed);
}

int main(void)
{
    uint64_t random = 1;
    for (size_t i = 0; i < NUMBERS; i++) {
        values[i] = (double)(test_random(&random) >> 24);
    }
    report("counters");
    for (size_t i = 0; i < NUMBERS; i++) {
        values[i] = (double)(test_random(&random) % 100000) / 100;
    }
    report("gauges, two decimals");
    for (size_t i = 0; i < NUMBERS; i++) {
        values[i] = (double)(test_random(&random) % 100000) / 7;
    }
    report("rates");
    return 0;
}
