/* Durations against Go's documentation of time.ParseDuration, and by arithmetic. */
#include "support/support.h"

#include "base/err.h"

#include "trace/trace_duration.h"

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        uint64_t ns;
    } cases[] = {
        {"0", 0, 0},
        {"1.2s", 0, 1200000000},
        {"100ms", 0, 100000000},
        {"500us", 0, 500000},
        {"500\xc2\xb5s", 0, 500000},
        {"7ns", 0, 7},
        {"1h15m30.918s", 0, 4530918000000},
        {"+.5s", 0, 500000000},
        {"1.m", 0, 60000000000},
        {"", ERR_INVALID, 0},
        {"+", ERR_INVALID, 0},
        {"100", ERR_INVALID, 0},
        {"-1s", ERR_INVALID, 0},
        {"1d", ERR_INVALID, 0},
        {"1.2.3s", ERR_INVALID, 0},
        {".s", ERR_INVALID, 0},
        {"s", ERR_INVALID, 0},
        {"3000000h", ERR_RANGE, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ns = 0;
        int status = trace_duration_parse(str_of(cases[i].text), &ns);
        if (status != cases[i].status || ns != cases[i].ns) {
            fail_msg("%s: %d, %llu ns, not %d, %llu", cases[i].text, status, (unsigned long long)ns,
                cases[i].status, (unsigned long long)cases[i].ns);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_durations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
