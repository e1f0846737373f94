/* A swarm of clients: one thread, epoll, and a look at every byte of every answer.
 *
 *     swarm PORT FILE[,FILE…] NAME=VALUE…
 *
 * Each FILE is a request as it is sent; "canary-0000000000000000" in it becomes another number
 * with each request, and every answer must hold that, event by event, in order, and nobody
 * else's. Of several files one is drawn (seed=). What it does:
 *
 *     rate=N      open loop: so many a second (Poisson), whether answers come or not; latency
 *                 counts from when one was due. At most most=N connections (1000)
 *     loop=N      closed loop: N connections, each asks again as soon as it was answered
 *     streams=N   asks N times (ramp=N a second) and then only reads, to the end; begins once
 *                 all were answered, or with unheard=1 once all have asked
 *
 *     seconds_ms=N   for so long (1000); then what is open may end for linger_ms=N (5000)
 *     leave=K share=P  P % of the clients reset their connection after K canaries (0: as soon
 *                 as content came), or, where P is below 100, after 0 to K
 *     slow=N      reads N bytes a second · fresh=1: a connection for each request
 *     addresses=N from so many local addresses · series=1: answers by tenths of a second
 *
 * Prints "begin" once it has begun (streams: once all had content, or ended) and at the end one
 * line of JSON. Streams are then reset all at once, at "end_us" of the kernel's monotonic
 * clock. SIGTERM ends it sooner; so does the end of the last of its streams' connections. */
#include "swarm.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum {
    BATCH = 512,
    QUEUE = 1 << 20,
    AGAIN_US = 20000,
    SLOW_US = 20000,
    PATIENCE_US = 60000000
};

struct swarm swarm = {.most = 1000,
                      .leave = -1,
                      .share = 100,
                      .addresses = 1,
                      .ramp = 2000,
                      .seconds_ms = 1000,
                      .linger_ms = 5000,
                      .seed = 1};

static volatile sig_atomic_t told; /* that it is enough */

/* Requests that are due while all connections are taken. */
static struct {
    int64_t due_us[QUEUE];
    size_t first, count;
} queue;

int64_t clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* xorshift64* */
uint64_t roll(void)
{
    static uint64_t state;

    if (!state) state = swarm.seed * 0x9e3779b97f4a7c15U + 1;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 0x2545f4914f6cdd1dU) >> 11;
}

/* ---- what is asked for ------------------------------------------------------------------- */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void read_template(const char *path)
{
    struct template *t = &swarm.templates[swarm.template_count];
    FILE *file = fopen(path, "rb");

    if (!file || swarm.template_count == TEMPLATES) fail(path);
    (void)fseek(file, 0, SEEK_END);
    t->len = (size_t)ftell(file);
    rewind(file);
    t->bytes = malloc(t->len);
    if (!t->bytes || fread(t->bytes, 1, t->len, file) != t->len) fail(path);
    (void)fclose(file);
    const char *at = memmem(t->bytes, t->len, "canary-0000000000000000", 23);
    t->id_at = at ? (size_t)(at - t->bytes) + ID_AT : 0;
    swarm.template_count++;
}

static void read_option(const char *word)
{
    static const struct {
        const char *name;
        long *value;
    } options[] = {
        {"rate", &swarm.rate},
        {"most", &swarm.most},
        {"loop", &swarm.loop},
        {"streams", &swarm.streams},
        {"leave", &swarm.leave},
        {"share", &swarm.share},
        {"slow", &swarm.slow},
        {"addresses", &swarm.addresses},
        {"ramp", &swarm.ramp},
        {"series", &swarm.series},
        {"fresh", &swarm.fresh},
        {"unheard", &swarm.unheard},
        {"seconds_ms", &swarm.seconds_ms},
        {"linger_ms", &swarm.linger_ms},
    };
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : 0;

    if (len == 4 && strncmp(word, "seed", 4) == 0) {
        swarm.seed = strtoull(equals + 1, NULL, 10);
        return;
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        if (strlen(options[i].name) != len || strncmp(word, options[i].name, len) != 0)
            continue;
        *options[i].value = strtol(equals + 1, NULL, 10);
        return;
    }
    (void)fprintf(stderr, "swarm: what is %s?\n", word);
    exit(2);
}

/* ---- who asks when ----------------------------------------------------------------------- */

void conn_is_free(struct conn *c)
{
    bool failed = c->state == CLOSED && !c->heard;

    if (swarm.end_us || swarm.streams) return;
    if (swarm.loop && !failed) {
        conn_ask(c, swarm.now_us);
        return;
    }
    if (swarm.loop) {
        c->next = swarm.again;
        swarm.again = c;
        return;
    }
    c->next = swarm.idle;
    swarm.idle = c;
}

void conn_heard(struct conn *c)
{
    (void)c;
    swarm.heard++;
}

static void ask_queued(void)
{
    while (queue.count && swarm.idle) {
        struct conn *c = swarm.idle;
        swarm.idle = c->next;
        int64_t due_us = queue.due_us[queue.first];
        queue.first = (queue.first + 1) % QUEUE;
        queue.count--;
        conn_ask(c, due_us);
    }
}

static void arrive(int64_t due_us)
{
    if (queue.count == QUEUE) {
        swarm.counts.unanswered++;
        return;
    }
    queue.due_us[(queue.first + queue.count++) % QUEUE] = due_us;
}

static double gap_us(long rate)
{
    double share = ((double)(roll() % 1000000) + 1) / 1000001;

    return -log(share) * 1e6 / (double)rate;
}

/* Everything that came due. */
static void arrivals(double *next_us, long *left)
{
    long rate = swarm.streams ? swarm.ramp : swarm.rate;

    while (rate && *left && *next_us <= (double)swarm.now_us) {
        arrive((int64_t)*next_us);
        *next_us += swarm.streams ? 1e6 / (double)rate : gap_us(rate);
        if (*left > 0) --*left;
    }
    ask_queued();
}

static void try_again(void)
{
    static int64_t last_us;
    struct conn *list = swarm.again;

    if (swarm.now_us - last_us < AGAIN_US) return;
    last_us = swarm.now_us;
    swarm.again = NULL;
    while (list) {
        struct conn *c = list;
        list = c->next;
        conn_ask(c, swarm.now_us);
    }
}

static void read_slowly(void)
{
    static int64_t last_us;
    double share = (double)(swarm.now_us - last_us) / 1e6 * (double)swarm.slow;

    if (!swarm.slow || swarm.now_us - last_us < SLOW_US) return;
    for (long i = 0; last_us && i < swarm.conn_count; i++) {
        struct conn *c = &swarm.conns[i];
        if (c->state != BUSY) continue;
        c->credit += share;
        if (c->credit >= 1) conn_event(c, EPOLLIN);
    }
    last_us = swarm.now_us;
}

static void turn(void)
{
    struct epoll_event events[BATCH];
    int n = epoll_wait(swarm.epoll, events, BATCH, 1);

    swarm.now_us = clock_us();
    for (int i = 0; i < n; i++)
        conn_event(events[i].data.ptr, events[i].events);
    try_again();
    read_slowly();
}

/* ---- the run ----------------------------------------------------------------------------- */

static void open_conns(void)
{
    swarm.conn_count = swarm.loop ? swarm.loop : swarm.streams ? swarm.streams : swarm.most;
    swarm.conns = calloc((size_t)swarm.conn_count, sizeof(*swarm.conns));
    if (!swarm.conns) fail("swarm");
    for (long i = 0; i < swarm.conn_count; i++) {
        struct conn *c = &swarm.conns[i];
        if (swarm.loop) {
            conn_ask(c, swarm.now_us);
            continue;
        }
        c->next = swarm.idle;
        swarm.idle = c;
    }
}

static void say_begin(void)
{
    (void)printf("begin\n");
    (void)fflush(stdout);
    swarm.begin_us = swarm.now_us;
}

/* Open all streams first; what they sent meanwhile is not counted. */
static void gather(void)
{
    double next_us = (double)swarm.now_us;
    long left = swarm.streams;
    int64_t patience = swarm.now_us + PATIENCE_US;

    while ((swarm.unheard ? swarm.counts.sent : swarm.heard) < swarm.streams &&
           swarm.now_us < patience) {
        arrivals(&next_us, &left);
        turn();
    }
    swarm.counts.events = 0;
}

static void on_signal(int signal)
{
    (void)signal;
    told = 1;
}

/* Is there nobody left to look at? */
static bool over(void)
{
    return told || (swarm.streams && !swarm.open);
}

static void run(void)
{
    double next_us = (double)swarm.now_us;
    long left = -1;

    if (swarm.streams) gather();
    say_begin();
    int64_t end = swarm.begin_us + swarm.seconds_ms * 1000;
    while (swarm.now_us < end && !over()) {
        if (swarm.rate) arrivals(&next_us, &left);
        turn();
    }
    if (swarm.streams) return;
    end += swarm.linger_ms * 1000;
    int64_t over_us = swarm.now_us;
    while (swarm.now_us < end && (swarm.busy || queue.count) && !swarm.loop) {
        ask_queued();
        turn();
    }
    swarm.now_us = over_us > swarm.now_us ? over_us : swarm.now_us;
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (argc < 3) {
        (void)fprintf(stderr, "usage: swarm PORT FILE[,FILE...] NAME=VALUE...\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)signal(SIGTERM, on_signal);
    swarm.port = (int)strtol(argv[1], NULL, 10);
    for (char *rest = argv[2], *path = strtok_r(rest, ",", &rest); path;
         path = strtok_r(NULL, ",", &rest))
        read_template(path);
    for (int i = 3; i < argc; i++)
        read_option(argv[i]);
    swarm.next_id = swarm.seed << 40 | 1;
    swarm.epoll = epoll_create1(EPOLL_CLOEXEC);
    swarm.now_us = clock_us();
    open_conns();
    run();
    swarm.end_us = clock_us();
    if (!swarm.streams) swarm.counts.unanswered += (long)queue.count;
    long open = swarm.open, unanswered = swarm.counts.unanswered;
    for (long i = 0; i < swarm.conn_count; i++)
        conn_give_up(&swarm.conns[i]);
    if (swarm.streams || swarm.loop) swarm.counts.unanswered = unanswered;
    swarm.open = open;
    report_print();
    return 0;
}
