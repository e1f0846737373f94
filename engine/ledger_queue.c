#include "ledger_queue.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

enum { MAX_JOBS = 256 };

struct ledger_job {
    atomic_uint holders;
    atomic_bool done;
    char *verb, *text; /* owned */
    size_t len;
    char *answer; /* owned; set before done */
    size_t answer_len;
    bool fine;
    struct loop *loop;       /* borrowed; woken when done */
    struct ledger_job *next; /* in the queue */
};

static void job_free(struct ledger_job *job)
{
    free(job->verb);
    free(job->text);
    free(job->answer);
    free(job);
}

static struct ledger_job *job_new(const struct ledger_question *question, struct loop *loop)
{
    struct ledger_job *job = calloc(1, sizeof(*job));

    if (!job) return NULL;
    atomic_init(&job->holders, 2);
    atomic_init(&job->done, false);
    job->loop = loop;
    job->verb = strdup(question->verb);
    job->text = malloc(question->len + 1);
    if (!job->verb || !job->text) {
        job_free(job);
        return NULL;
    }
    memcpy(job->text, question->text, question->len);
    job->text[question->len] = '\0';
    job->len = question->len;
    return job;
}

struct ledger_job *ledger_queue_add(struct ledger_queue *queue,
                                    const struct ledger_question *question, struct loop *loop)
{
    struct ledger_job *job = job_new(question, loop);

    if (!job) return NULL;
    lock_take(&queue->lock);
    bool room = queue->count < MAX_JOBS && !queue->closed;
    if (room) {
        if (queue->last) {
            queue->last->next = job;
        } else {
            queue->first = job;
        }
        queue->last = job;
        queue->count++;
    }
    lock_drop(&queue->lock);
    if (room) return job;
    job_free(job);
    return NULL;
}

static struct ledger_job *take(struct ledger_queue *queue)
{
    lock_take(&queue->lock);
    struct ledger_job *job = queue->first;
    if (job) {
        queue->first = job->next;
        if (!queue->first) queue->last = NULL;
        queue->count--;
    }
    lock_drop(&queue->lock);
    return job;
}

struct ledger_job *ledger_queue_take(struct ledger_queue *queue)
{
    struct ledger_job *job = take(queue);

    while (job && atomic_load(&job->holders) == 1) { /* its asker has gone */
        ledger_job_drop(job);
        job = take(queue);
    }
    return job;
}

bool ledger_queue_is_empty(struct ledger_queue *queue)
{
    lock_take(&queue->lock);
    bool empty = queue->first == NULL;
    lock_drop(&queue->lock);
    return empty;
}

void ledger_queue_close(struct ledger_queue *queue)
{
    lock_take(&queue->lock);
    queue->closed = true;
    lock_drop(&queue->lock);
    for (struct ledger_job *job = take(queue); job; job = take(queue)) {
        ledger_job_answer(job, false, NULL, 0);
    }
}

const char *ledger_job_verb(const struct ledger_job *job)
{
    return job->verb;
}

const char *ledger_job_text(const struct ledger_job *job, size_t *len)
{
    *len = job->len;
    return job->text;
}

/* Loops are freed after the ledger has stopped, so waking one whose asker has gone is harmless.
 */
void ledger_job_answer(struct ledger_job *job, bool fine, char *text, size_t len)
{
    job->fine = fine;
    job->answer = text;
    job->answer_len = len;
    atomic_store(&job->done, true);
    loop_wake(job->loop);
    ledger_job_drop(job);
}

bool ledger_job_done(const struct ledger_job *job)
{
    return atomic_load(&job->done);
}

const char *ledger_job_result(const struct ledger_job *job, bool *fine, size_t *len)
{
    *fine = job->fine;
    *len = job->answer_len;
    return job->answer;
}

void ledger_job_drop(struct ledger_job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) != 1) return;
    job_free(job);
}
