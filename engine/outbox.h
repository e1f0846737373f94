/* Usage of several gateways in one place: rows of the ledger → PostgreSQL, at least once, and
 * by their keys there exactly once. What cannot be sent stays in SQLite, and waits.
 *
 * A thread of its own with a reading connection to the ledger; tells the ledger's thread how
 * far it has come, and what comes after that is kept from retention. */
#ifndef MOONGATE_OUTBOX_H
#define MOONGATE_OUTBOX_H

#include <stdint.h>

struct ledger;
struct log;
struct metrics;
struct outbox;
struct resolver;

/* All borrowed; outlive the outbox, but for `node`. */
struct outbox_options {
    const char *url;  /* postgres://… */
    const char *node; /* what this gateway is called in the rows */
    const char *data_dir;
    struct ledger *ledger; /* has been opened; outlives the outbox */
    /* Tell it that rows up to these have been sent; it keeps what comes after. */
    void (*exported)(struct ledger *ledger, const char *sink, int64_t request_seq,
                     int64_t attempt_seq);
    struct resolver *resolver;
    struct metrics *metrics;
    unsigned slot; /* of the metrics */
    struct log *log;
};

/* Neither waits for the server nor needs it. NULL with *error (free() it): the address is
 * wrong, the library is missing. */
struct outbox *outbox_start(const struct outbox_options *options, char **error)
    __attribute__((warn_unused_result));
/* What has not been sent is sent after the next start. */
void outbox_stop(struct outbox *outbox);

#endif
