/* The thread that waits for disks, so that nobody else does: it syncs the journals' files, by
 * the clock (safe), or when a worker has written what tasks wait for (strict): all that was
 * written meanwhile shares one sync. */
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

#include "journal.h"
#include "ledger.h"
#include "log.h"
#include "metrics.h"
#include "moment.h"
#include "moongate_parts.h"
#include "worker.h"

enum {
    SYNC_MS = 50, /* HOUSE.md 0.4: what a power cut may take */
    LOOK_MS = 500,
};

static int64_t now_ms(void)
{
    return moment_monotonic_us() / 1000;
}

void moongate_want_sync(struct moongate *gateway)
{
    uint64_t one = 1;
    ssize_t written = write(gateway->sync_fd, &one, sizeof(one));

    (void)written; /* full: it is awake anyway */
}

/* A disk that refuses is said once, until it takes lines again. */
static void note(struct moongate *gateway, bool fine)
{
    if (fine == !gateway->sync_fails) return;
    gateway->sync_fails = !fine;
    if (fine) {
        log_event(gateway->log, LOG_WARN, "journal", "the disk takes the journal again");
    } else {
        log_event(
            gateway->log, LOG_ERROR, "journal",
            "the disk refuses to keep the journal: a power cut would take what was written "
            "since");
    }
}

static void sync_all(struct moongate *gateway)
{
    int64_t began_ms = now_ms();
    bool fine = true;

    for (unsigned i = 0; i < gateway->worker_count; i++) {
        struct journal *journal = worker_journal(gateway->workers[i]);
        uint64_t before = journal_synced(journal);
        uint64_t refused = journal_unkept(journal);
        fine = journal_sync(journal) && fine;
        if (gateway->options.durability == MOONGATE_STRICT &&
            (journal_synced(journal) != before || journal_unkept(journal) != refused)) {
            worker_wake(gateway->workers[i]);
        }
    }
    note(gateway, fine);
    if (fine) atomic_store(&gateway->synced_ms, began_ms);
}

/* A cleaner of old files, a log's rotation: somebody took a file that is written. */
static void look_all(struct moongate *gateway)
{
    for (unsigned i = 0; i < gateway->worker_count; i++) {
        if (journal_look(worker_journal(gateway->workers[i]))) continue;
        log_event(
            gateway->log, LOG_ERROR, "journal",
            "the journal of worker %u was removed or replaced while it was written: it was "
            "made anew, with its lines; leave %s/journal alone",
            i, gateway->options.data_dir);
    }
}

void *moongate_sync_run(void *argument)
{
    struct moongate *gateway = argument;
    struct pollfd fd = {.fd = gateway->sync_fd, .events = POLLIN};
    int64_t looked_ms = 0;
    uint64_t count;

    while (!atomic_load(&gateway->closing)) {
        if (poll(&fd, 1, SYNC_MS) > 0) {
            ssize_t got = read(gateway->sync_fd, &count, sizeof(count));
            (void)got; /* the wake-up itself is all there is to know */
        }
        if (now_ms() - looked_ms >= LOOK_MS) {
            looked_ms = now_ms();
            look_all(gateway);
        }
        if (gateway->options.durability != MOONGATE_FAST) sync_all(gateway);
    }
    return NULL;
}

/* The age of the oldest line that is not yet on disk and in the ledger; by the keeper, who
 * waits for neither. */
void moongate_tell_lag(struct moongate *gateway)
{
    int64_t now = now_ms(), since = ledger_carried_ms(gateway->ledger);

    if (gateway->options.durability != MOONGATE_FAST &&
        atomic_load(&gateway->synced_ms) < since)
        since = atomic_load(&gateway->synced_ms);
    for (unsigned i = 0; i < gateway->worker_count; i++) {
        int64_t stuck = journal_stuck_ms(worker_journal(gateway->workers[i]));
        if (stuck && stuck < since) since = stuck;
    }
    metrics_set(gateway->metrics, gateway->worker_count, gateway->lag_gauge,
                (double)(now - since) / 1000);
}
