#include "reload_queue.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "loop.h"

enum { MAX_JOBS = 64 };

struct reload_job {
    atomic_uint holders;
    atomic_bool done;
    char *refused;           /* owned; set before done */
    struct loop *loop;       /* borrowed; woken when done */
    struct reload_job *next; /* in the queue, or among those taken */
};

void reload_queue_init(struct reload_queue *queue)
{
    *queue = (struct reload_queue){0};
}

struct reload_job *reload_queue_add(struct reload_queue *queue, struct loop *loop)
{
    struct reload_job *job = calloc(1, sizeof(*job));

    if (!job) return NULL;
    atomic_init(&job->holders, 2);
    atomic_init(&job->done, false);
    job->loop = loop;
    lock_take(&queue->lock);
    bool room = queue->count < MAX_JOBS;
    if (room) {
        job->next = queue->jobs;
        queue->jobs = job;
        queue->count++;
    }
    lock_drop(&queue->lock);
    if (room) return job;
    free(job);
    return NULL;
}

struct reload_job *reload_queue_take(struct reload_queue *queue)
{
    lock_take(&queue->lock);
    struct reload_job *jobs = queue->jobs;
    queue->jobs = NULL;
    queue->count = 0;
    lock_drop(&queue->lock);
    return jobs;
}

struct reload_job *reload_job_finish(struct reload_job *job, const char *refused)
{
    struct reload_job *next = job->next;

    job->refused = refused ? strdup(refused) : NULL;
    atomic_store(&job->done, true);
    loop_wake(job->loop);
    reload_job_drop(job);
    return next;
}

bool reload_job_done(struct reload_job *job, const char **refused)
{
    if (!atomic_load(&job->done)) return false;
    *refused = job->refused;
    return true;
}

void reload_job_drop(struct reload_job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) != 1) return;
    free(job->refused);
    free(job);
}
