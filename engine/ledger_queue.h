/* What the ledger was asked and has not yet answered. Thread-safe; knows neither SQL nor Lua.
 */
#ifndef MOONGATE_LEDGER_QUEUE_H
#define MOONGATE_LEDGER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "lock.h"

struct ledger_job;
struct loop;

/* A question in JSON. Borrowed; copied. */
struct ledger_question {
    const char *verb; /* "keys.create" */
    const char *text;
    size_t len;
};

struct ledger_queue {
    struct lock lock;
    struct ledger_job *first, *last; /* under the lock; each holds one of its counts */
    unsigned count;
    bool closed; /* nobody answers any more */
};

/* A job, held twice: by the asker and by the queue; `loop` (borrowed until done) is woken when
 * it is done. NULL: no memory, closed, or too many wait. */
struct ledger_job *ledger_queue_add(struct ledger_queue *queue,
                                    const struct ledger_question *question, struct loop *loop)
    __attribute__((warn_unused_result));
/* The oldest that somebody still wants; NULL: none. */
struct ledger_job *ledger_queue_take(struct ledger_queue *queue);
bool ledger_queue_is_empty(struct ledger_queue *queue);
/* All that wait, and all that come, are dropped unanswered. */
void ledger_queue_close(struct ledger_queue *queue);

const char *ledger_job_verb(const struct ledger_job *job);
const char *ledger_job_text(const struct ledger_job *job, size_t *len);
/* Tell the asker and drop the queue's hold. text: JSON, now the job's (NULL: no memory); fine:
 * it is a result, else an error. */
void ledger_job_answer(struct ledger_job *job, bool fine, char *text, size_t len);

/* ---- the asker's ---- */

bool ledger_job_done(const struct ledger_job *job);
/* Once it is done: the answer, valid until dropped; NULL: there was no memory for one. */
const char *ledger_job_result(const struct ledger_job *job, bool *fine, size_t *len);
/* It has its answer, or wants none. */
void ledger_job_drop(struct ledger_job *job);

#endif
