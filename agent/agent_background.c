/* One thread beside the loop, for what waits on a disk. */
#include "agent_background.h"

#include "base/log.h"

static void finish(void *context)
{
    struct agent_background_job *job = context;
    job->busy = false;
    job->done(job->argument);
}

static void perform(void *context)
{
    struct agent_background_job *job = context;
    job->work(job->argument);
    if (loop_post(job->background->loop, finish, job) != 0) {
        LOG_ERROR("agent: the loop takes no more work"); /* it ends, and all that waits with it */
    }
}

static bool run(struct shipper_background *self, void (*work)(void *argument),
    void (*done)(void *argument), void *argument)
{
    struct agent_background *b = (struct agent_background *)self;
    for (size_t i = 0; i < AGENT_BACKGROUND_JOBS_MAX; i++) {
        struct agent_background_job *job = &b->jobs[i];
        if (!job->busy) {
            *job = (struct agent_background_job){b, false, work, done, argument};
            job->busy = workpool_submit(b->pool, perform, job) == 0;
            return job->busy;
        }
    }
    return false;
}

int agent_background_open(struct agent_background *b, struct loop *loop)
{
    const struct workpool_options options = {
        .name = "agent-disk", .threads = 1, .queue_max = AGENT_BACKGROUND_JOBS_MAX};
    *b = (struct agent_background){.interface = {run}, .loop = loop};
    return workpool_open(&options, &b->pool);
}

void agent_background_close(struct agent_background *b)
{
    workpool_close(b->pool);
    b->pool = NULL;
}
