/* What is said to requests that are not served, in the words of who asks.
 *
 * Scripts say it once a generation, as rows (scripts/pipeline/overload.lua); from then on
 * refusing costs no Lua. One a worker. */
#ifndef MOONGATE_REFUSAL_H
#define MOONGATE_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

struct refusals;
struct request;

/* For whom: the first row that fits. Strings are copied. */
struct refusal_row {
    const char *path;   /* a whole path, or its beginning where it ends in `*`; NULL: any */
    const char *method; /* NULL: any */
    const char *header; /* a header that must be there; NULL: none */
    int status;         /* 0: such requests are never refused */
    const char *body;
};

struct refusals *refusals_new(void) __attribute__((warn_unused_result));
void refusals_free(struct refusals *refusals);

/* Forget all rows, then add them in order. False: no memory. */
void refusals_clear(struct refusals *refusals);
bool refusals_add(struct refusals *refusals, const struct refusal_row *row)
    __attribute__((warn_unused_result));

/* May it be refused? */
bool refusals_spare(const struct refusals *refusals, const struct request *request);
/* Answer in its words, and forget it as request_release() does. `leave`: it should come back on
 * another connection. */
void refusals_refuse(struct refusals *refusals, struct request *request, bool leave);

#endif
