/* The agent's configuration, looked at without an agent: whether a file is good, and what its relabel rules do
 * step by step. For tools; nothing is started and nothing is made on disk. Any thread.
 */
#ifndef SONDE_AGENT_AGENT_CHECK_H
#define SONDE_AGENT_AGENT_CHECK_H

#include <stdbool.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "model/labels.h"

/* Whether the file has a setting at its top that only the agent's file has (scrape_configs, remote_write …). A
 * file that cannot be read or parsed has none. */
bool agent_check_is_agent_file(const char *path);

/* Whether an agent would start with the file (NULL: without one) and with these addresses of --server in
 * place of remote_write. The report is for people: what the file asks for, and, with their lines, the settings
 * of Prometheus and vmagent in it that have no effect here. ERR_INVALID and others with a sentence. */
int agent_check_file(const char *path, const char *const *servers, size_t server_count,
    struct strbuf *report, struct err *e);

/* ---- Relabelling, step by step ---- */

struct agent_dry_run;

/* As agent_check_file for errors. */
int agent_dry_run_open(const char *path, struct agent_dry_run **run_out, struct err *e);
/* Accepts NULL. */
void agent_dry_run_close(struct agent_dry_run *run);

struct agent_dry_run_question {
    const char *job; /* NULL: every job of the file */
    /* Labels as they were discovered, __address__ among them; NULL: the job's static targets. What every
     * target of a job begins with (job, __scheme__ …) is added where it is missing. */
    const struct labels *target;
    const struct labels *series; /* goes through metric_relabel_configs as well; NULL: none */
};

/* Adds what each rule does to each target, and how the target is scraped then, or by which rule it is dropped.
 * ERR_NOT_FOUND: there is no such job, or no static target; ERR_NOMEM, ERR_LIMIT; with a sentence. */
int agent_dry_run_show(struct agent_dry_run *run, const struct agent_dry_run_question *question,
    struct strbuf *out, struct err *e);

#endif
