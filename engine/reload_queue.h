/* Reloads that were asked for and are not yet done. Thread-safe; knows no scripts. */
#ifndef MOONGATE_RELOAD_QUEUE_H
#define MOONGATE_RELOAD_QUEUE_H

#include <stdatomic.h>

#include "lock.h"

struct loop;
struct reload_job;

struct reload_queue {
    struct lock lock;
    struct reload_job *jobs; /* under the lock; each holds one of its counts */
    unsigned count;
};

void reload_queue_init(struct reload_queue *queue);
/* A job, held twice: by the asker and by the queue. NULL: no memory, or too many wait. */
struct reload_job *reload_queue_add(struct reload_queue *queue, struct loop *loop);
/* All that wait; answer each with reload_job_finish(). */
struct reload_job *reload_queue_take(struct reload_queue *queue);
/* Tell the asker and drop the queue's hold; refused (borrowed, copied): why not, or NULL.
 * Returns the next one taken. */
struct reload_job *reload_job_finish(struct reload_job *job, const char *refused);

#endif
