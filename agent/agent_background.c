/* One thread beside the loop, for what waits on a disk. */
#include "agent_background.h"

#include "base/log.h"

static void finish(void *context)
{
    struct agent_background *b = context;
    b->busy = false;
    b->done(b->argument);
}

static void perform(void *context)
{
    struct agent_background *b = context;
    b->work(b->argument);
    if (loop_post(b->loop, finish, b) != 0) {
        LOG_ERROR("agent: the loop takes no more work"); /* it ends, and all that waits with it */
    }
}

static bool run(struct shipper_background *self, void (*work)(void *argument),
    void (*done)(void *argument), void *argument)
{
    struct agent_background *b = (struct agent_background *)self;
    if (b->busy) {
        return false;
    }
    b->work = work;
    b->done = done;
    b->argument = argument;
    b->busy = workpool_submit(b->pool, perform, b) == 0;
    return b->busy;
}

int agent_background_open(struct agent_background *b, struct loop *loop)
{
    const struct workpool_options options = {.name = "agent-disk", .threads = 1, .queue_max = 1};
    *b = (struct agent_background){.interface = {run}, .loop = loop};
    return workpool_open(&options, &b->pool);
}

void agent_background_close(struct agent_background *b)
{
    workpool_close(b->pool);
    b->pool = NULL;
}
