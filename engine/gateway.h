/* What the parts of a running gateway ask of it. Thread-safe. */
#ifndef MOONGATE_GATEWAY_H
#define MOONGATE_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct moongate;
struct reload_job;

struct gateway_status {
    unsigned generation;
    bool last_reload_ok;
    bool draining;
    int64_t last_reload_s; /* wall clock; 0: never reloaded */
};

void gateway_status(struct moongate *gateway, struct gateway_status *status);

/* Why the last reload was refused; NULL when it was not. The caller frees it. */
char *gateway_last_error(struct moongate *gateway);

/* The token that opens the admin listener to other machines. False: there is none. */
bool gateway_admin_token(struct moongate *gateway, const char **text, size_t *len);
/* Whether this machine alone reaches the admin listener. */
bool gateway_admin_is_loopback(struct moongate *gateway);

/* When it began to serve, ms: what its usage rows say in the ledger. */
int64_t gateway_boot_ms(struct moongate *gateway);

/* Reload soon, on a thread of the gateway's; `loop` (borrowed until done) is woken when it is
 * done. NULL: no memory, or too many are waiting. */
struct reload_job *gateway_reload_later(struct moongate *gateway, struct loop *loop);
/* Whether it is done; then *refused is why not (the job's; NULL: it went well). */
bool reload_job_done(struct reload_job *job, const char **refused);
/* The asker lost interest or has its answer. */
void reload_job_drop(struct reload_job *job);

#endif
