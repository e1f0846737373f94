#include "cluster.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster_batch.h"
#include "embedded.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "moment.h"
#include "redis.h"
#include "redis_url.h"

enum {
    TURN_MS = 100,    /* so often what runs low is filled up, asked for or not */
    HEARD_MS = 1000,  /* and Redis hears of us at least, and we of what it has forgotten */
    START_MS = 100,   /* a start waits so long for Redis, which needs 2 where it is near */
    PARTING_MS = 500, /* what was leased is given back in, or not at all */
    TELL_MS = 500,    /* an answer that was on its way is in, or its slot is told again */
    TWINS = 3,        /* a restored Redis may remember who we were once; a twin stays */
};

struct cluster {
    struct cluster_options options;
    struct redis_url url;
    struct loop *loop;   /* owned */
    struct redis *redis; /* owned; the thread's, as all below */
    pthread_t thread;
    atomic_bool stopping;
    atomic_bool wanted;  /* a request waits for a grant */
    atomic_bool settled; /* the first attempt to connect has ended, well or not */
    struct cluster_self self;
    struct cluster_batch batch;
    bool calling, contact;
    bool heard;        /* some answer came */
    int twins;         /* answers that knew somebody else by our name */
    int64_t new_epoch; /* ours, once Redis has been told all since told_ms */
    int64_t told_ms;   /* when telling all began; 0: nothing is to be told again */
    int64_t called_ms;
    struct {
        unsigned up, open, calls[REDIS_LOST + 1], seconds;
    } metric;
};

/* ---- the limits' side ---------------------------------------------------------------------
 */

/* On any worker's thread, inside a lock of the accounts. */
static void on_need(void *argument)
{
    struct cluster *cluster = argument;

    if (!atomic_exchange(&cluster->wanted, true)) loop_wake(cluster->loop);
}

static void set_contact(struct cluster *cluster, bool contact, unsigned nodes)
{
    cluster->contact = contact;
    accounts_lease_contact(cluster->options.accounts, contact, nodes);
    metrics_set(cluster->options.metrics, cluster->options.slot, cluster->metric.up, contact);
    atomic_store(&cluster->settled, true);
}

/* Redis is told everything we hold, and with each report what we knew before. */
static void tell_all(struct cluster *cluster)
{
    cluster->told_ms = loop_now_ms(cluster->loop);
    accounts_lease_tell_all(cluster->options.accounts);
}

/* ---- calls ----------------------------------------------------------------------------------
 */

static bool send_batch(struct cluster *cluster)
{
    struct redis_words words;

    if (!cluster_batch_words(&cluster->batch, &cluster->self, &words)) return false;
    cluster->called_ms = loop_now_ms(cluster->loop);
    cluster->calling = redis_call(cluster->redis, &words);
    return cluster->calling;
}

static void adopt(struct cluster *cluster, int64_t epoch)
{
    if (cluster->self.epoch == epoch) return;
    cluster->self.epoch = epoch;
    node_epoch_keep(cluster->options.data_dir, epoch);
}

/* All has been told when nothing is left that was on its way when telling began. */
static void end_telling(struct cluster *cluster)
{
    int64_t now = loop_now_ms(cluster->loop);

    if (!cluster->told_ms || now - cluster->told_ms < TELL_MS) return;
    cluster->told_ms = 0;
    adopt(cluster, cluster->new_epoch);
}

/* Reports what is to be reported, or after a while that we are here. */
static void turn(struct cluster *cluster)
{
    struct cluster_batch *batch = &cluster->batch;
    int64_t now = loop_now_ms(cluster->loop);
    bool wanted = atomic_exchange(&cluster->wanted, false);

    if (cluster->calling || !redis_is_up(cluster->redis)) return;
    if (!wanted && now - cluster->called_ms < TURN_MS) return;
    batch->count = accounts_lease_wants(cluster->options.accounts, batch->wants, BATCH_SLOTS);
    if (batch->count < BATCH_SLOTS) end_telling(cluster);
    if (batch->count == 0 && now - cluster->called_ms < HEARD_MS) return;
    /* What could not be sent is told again by itself, 200 ms later. */
    (void)!send_batch(cluster);
}

/* ---- Redis's side -------------------------------------------------------------------------
 */

static void on_up(void *owner)
{
    struct cluster *cluster = owner;

    tell_all(cluster);
    cluster->called_ms = loop_now_ms(cluster->loop) - HEARD_MS;
}

static void on_down(void *owner)
{
    struct cluster *cluster = owner;

    cluster->calling = false;
    set_contact(cluster, false, 0);
}

static void tell_twin(struct cluster *cluster)
{
    if (++cluster->twins != TWINS) return;
    log_event(cluster->options.log, LOG_ERROR, "cluster_twin",
              "another gateway shares limits under this one's name, so budgets may be passed: "
              "%s/node was copied; remove it from the copy and start that again",
              cluster->options.data_dir);
    log_flush(cluster->options.log);
}

static void take_news(struct cluster *cluster, const struct cluster_news *news)
{
    if (news->twin && cluster->heard) tell_twin(cluster);
    cluster->heard = true;
    cluster->self.version = news->version;
    if (cluster->self.epoch == 0) adopt(cluster, news->epoch);
    /* It has forgotten, with nobody noticing: a FLUSHALL. */
    if (news->epoch != cluster->self.epoch && news->epoch != cluster->new_epoch) {
        tell_all(cluster);
    }
    cluster->new_epoch = news->epoch;
    set_contact(cluster, true, news->nodes);
}

static void take_answer(struct cluster *cluster, const struct redis_answer *answer)
{
    struct accounts_grant grants[BATCH_SLOTS];
    struct cluster_batch *batch = &cluster->batch;
    struct cluster_news news;

    if (!cluster_batch_read(batch, answer, &news, grants)) return;
    take_news(cluster, &news);
    for (size_t i = 0; i < batch->count; i++) {
        accounts_lease_grant(cluster->options.accounts, &grants[i]);
    }
    if (batch->count == BATCH_SLOTS) atomic_store(&cluster->wanted, true); /* there is more */
}

static void on_answer(void *owner, const struct redis_answer *answer)
{
    struct cluster *cluster = owner;
    struct metrics *metrics = cluster->options.metrics;
    unsigned slot = cluster->options.slot;

    cluster->calling = false;
    metrics_add(metrics, slot, cluster->metric.calls[answer->result], 1);
    metrics_observe(metrics, slot, cluster->metric.seconds, (double)answer->took_us / 1e6);
    if (answer->result == REDIS_ANSWERED) take_answer(cluster, answer);
}

/* ---- the thread ---------------------------------------------------------------------------
 */

/* Who stops for good must not keep what others could use. */
static void give_back(struct cluster *cluster)
{
    int64_t until = loop_now_ms(cluster->loop) + PARTING_MS;

    accounts_lease_release(cluster->options.accounts);
    while (cluster->contact && loop_now_ms(cluster->loop) < until) {
        atomic_store(&cluster->wanted, true);
        redis_turn(cluster->redis);
        turn(cluster);
        if (!cluster->calling) return; /* all is told */
        loop_poll(cluster->loop, PARTING_MS);
    }
}

static void *run(void *argument)
{
    struct cluster *cluster = argument;

    while (!atomic_load(&cluster->stopping)) {
        redis_turn(cluster->redis);
        turn(cluster);
        metrics_set(cluster->options.metrics, cluster->options.slot, cluster->metric.open,
                    redis_is_open(cluster->redis));
        loop_poll(cluster->loop, TURN_MS);
    }
    give_back(cluster);
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------
 */

static void describe_metrics(struct cluster *cluster)
{
    static const double seconds[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05};
    static const char *const results[] = {"ok", "slow", "error", "lost"};
    static const struct {
        const char *name;
        struct metric_about about;
    } families[] = {
        {"moongate_cluster_up",
         {.kind = METRIC_GAUGE, .help = "Whether limits are shared through Redis now."}},
        {"moongate_cluster_breaker_open",
         {.kind = METRIC_GAUGE,
          .help = "Whether Redis was given up, until it answers a trial call."}},
        {"moongate_cluster_calls_total", {.kind = METRIC_COUNTER, .help = "Calls to Redis."}},
        {"moongate_cluster_call_duration_seconds",
         {METRIC_HISTOGRAM, "How long they took.", seconds,
          sizeof(seconds) / sizeof(*seconds)}},
    };
    struct metrics *metrics = cluster->options.metrics;

    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
        metrics_describe(metrics, families[i].name, &families[i].about);
    }
    cluster->metric.up = metrics_series(metrics, families[0].name, METRIC_GAUGE, NULL, 0);
    cluster->metric.open = metrics_series(metrics, families[1].name, METRIC_GAUGE, NULL, 0);
    for (size_t i = 0; i <= REDIS_LOST; i++) {
        struct metric_label label = {"result", results[i]};
        cluster->metric.calls[i] =
            metrics_series(metrics, families[2].name, METRIC_COUNTER, &label, 1);
    }
    cluster->metric.seconds =
        metrics_series(metrics, families[3].name, METRIC_HISTOGRAM, NULL, 0);
}

static const char *script_text(void)
{
    for (size_t i = 0; i < embedded_count; i++) {
        if (strcmp(embedded_files[i].name, "scripts/cluster/grant.lua") == 0) {
            return embedded_files[i].bytes;
        }
    }
    return NULL;
}

static bool fails(char **error, const char *what)
{
    int saved = errno;

    if (!*error && asprintf(error, "MOONGATE_REDIS_URL: %s", what) < 0) *error = NULL;
    errno = saved;
    return false;
}

static bool open_parts(struct cluster *cluster, char **error)
{
    const struct cluster_options *options = &cluster->options;
    const char *why;

    errno = EINVAL;
    if (!redis_url_read(options->url, &cluster->url, &why)) return fails(error, why);
    log_secret(options->log, cluster->url.password, strlen(cluster->url.password));
    if (!node_id(options->data_dir, cluster->self.id, error)) return false;
    cluster->self.epoch = cluster->new_epoch = node_epoch(options->data_dir);
    errno = ENOMEM;
    struct redis_options redis = {
        .loop = cluster->loop = loop_new(),
        .resolver = options->resolver,
        .log = options->log,
        .url = &cluster->url,
        .script = script_text(),
        .on_up = on_up,
        .on_down = on_down,
        .on_answer = on_answer,
        .owner = cluster,
    };
    if (!cluster->loop || !redis.script || !node_random(cluster->self.boot) ||
        !cluster_batch_init(&cluster->batch)) {
        return fails(error, "out of memory");
    }
    cluster->redis = redis_new(&redis);
    return cluster->redis || fails(error, "out of memory");
}

static void free_parts(struct cluster *cluster)
{
    redis_free(cluster->redis);
    cluster_batch_free(&cluster->batch);
    loop_free(cluster->loop);
    free(cluster);
}

static bool start_thread(struct cluster *cluster)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&cluster->thread, NULL, run, cluster) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void wait_for_redis(const struct cluster *cluster)
{
    struct timespec little = {.tv_nsec = 1000000};

    for (int i = 0; i < START_MS && !atomic_load(&cluster->settled); i++) {
        nanosleep(&little, NULL);
    }
}

struct cluster *cluster_start(const struct cluster_options *options, char **error)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));

    if (!cluster) return NULL;
    cluster->options = *options;
    describe_metrics(cluster);
    if (!open_parts(cluster, error)) goto fail;
    accounts_lease_on(options->accounts,
                      &(struct accounts_lease_options){.wake = on_need, .arg = cluster});
    if (!start_thread(cluster)) {
        fails(error, "no thread");
        goto fail;
    }
    wait_for_redis(cluster);
    return cluster;

fail:;
    int saved = errno;
    free_parts(cluster);
    errno = saved;
    return NULL;
}

void cluster_stop(struct cluster *cluster)
{
    if (!cluster) return;
    atomic_store(&cluster->stopping, true);
    loop_wake(cluster->loop);
    pthread_join(cluster->thread, NULL);
    free_parts(cluster);
}
