/* Sends one alert through a notification sink to Alertmanagers elsewhere, and waits for a line on standard
 * input before it ends.
 *
 * usage: send_alerts ALERTNAME ENDS_IN_SECONDS URL...
 */
#include <stdio.h>
#include <stdlib.h>

#include "query/notify.h"

int main(int argc, char **argv)
{
    struct notify_alertmanager list[NOTIFY_ALERTMANAGERS_MAX] = {{0}};
    struct notify_options options = {.external_url = "http://sonde.example", .alertmanagers = list};
    if (argc < 4 || argc > NOTIFY_ALERTMANAGERS_MAX) {
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        list[options.alertmanager_count].profile.follow_redirects = true;
        list[options.alertmanager_count++].url = argv[i];
    }
    struct notify *notify = NULL;
    struct err e = ERR_INIT;
    if (notify_open(&options, &notify, &e) != 0) {
        fprintf(stderr, "%s\n", e.message);
        return 1;
    }
    int64_t now_ms = clock_now_ms(clock_real());
    const struct label labels[] = {{STR("alertname"), str_of(argv[1])}, {STR("host"), STR("x")}};
    const struct label annotations[] = {{STR("summary"), STR("so it is")}};
    struct alert alert = {.annotations = annotations,
        .annotation_count = 1,
        .starts_at_ms = now_ms - 1000,
        .ends_at_ms = now_ms + strtoll(argv[2], NULL, 10) * 1000,
        .generator_url = STR("http://g.example/x")};
    int status = labels_new(labels, 2, &alert.labels, &e);
    if (status == 0) {
        struct alert_sink *sink = notify_sink(notify);
        status = sink->send(sink, &alert, 1);
        labels_unref(alert.labels);
    }
    (void)getchar();
    notify_close(notify);
    return status == 0 ? 0 : 1;
}
