#include "client_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "moment.h"

enum {
    SPARES = 256,           /* handles kept for the next requests */
    KEEP_BYTES = 64 * 1024, /* of a spare's buffers */
    KEEP_WHOLE = 1024,      /* connections */
    RUNS_AT_ONCE = 8,       /* of one multi, before others get their turn */
    FIXED_HEADERS = 0x080200,
};

/* ---- queues ----------------------------------------------------------------------------- */

void client_queue_add(struct queue *queue, struct upstream *upstream)
{
    assert(!upstream->queue);
    upstream->queue = queue;
    upstream->next = NULL;
    upstream->prev = queue->last;
    if (queue->last) queue->last->next = upstream;
    if (!queue->first) queue->first = upstream;
    queue->last = upstream;
}

void client_queue_remove(struct upstream *upstream)
{
    struct queue *queue = upstream->queue;

    if (!queue) return;
    if (upstream->prev) upstream->prev->next = upstream->next;
    if (upstream->next) upstream->next->prev = upstream->prev;
    if (queue->first == upstream) queue->first = upstream->next;
    if (queue->last == upstream) queue->last = upstream->prev;
    upstream->queue = NULL;
}

struct upstream *client_queue_pop(struct queue *queue)
{
    struct upstream *upstream = queue->first;

    if (!upstream) return NULL;
    queue->first = upstream->next;
    if (queue->first) queue->first->prev = NULL;
    if (queue->last == upstream) queue->last = NULL;
    upstream->queue = NULL;
    return upstream;
}

/* ---- multis ----------------------------------------------------------------------------- */

static void on_shard_timer(struct loop_timer *timer)
{
    client_run(timer->owner, CURL_SOCKET_TIMEOUT, 0);
}

/* Called from inside curl. */
static int set_shard_timer(CURLM *multi, long timeout_ms, void *owner)
{
    struct shard *shard = owner;
    struct loop *loop = shard->client->loop;

    (void)multi;
    loop_timer_clear(loop, &shard->timer);
    shard->due = timeout_ms == 0;
    if (timeout_ms <= 0) return 0;
    shard->due = !loop_timer_set(loop, &shard->timer, loop_now_ms(loop) + timeout_ms);
    return 0;
}

#define SET(option, value) (curl_multi_setopt(shard->multi, (option), (value)) == CURLM_OK)

static bool shard_init(struct shard *shard, long keep)
{
    return SET(CURLMOPT_SOCKETFUNCTION, client_want_socket) &&
           SET(CURLMOPT_SOCKETDATA, shard) && SET(CURLMOPT_TIMERFUNCTION, set_shard_timer) &&
           SET(CURLMOPT_TIMERDATA, shard) && SET(CURLMOPT_MAXCONNECTS, keep) &&
           SET(CURLMOPT_MAX_HOST_CONNECTIONS, 0L) &&
           SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
}

#undef SET

static void shard_free(struct shard *shard)
{
    if (!shard) return;
    if (shard->multi) curl_multi_cleanup(shard->multi);
    loop_timer_clear(shard->client->loop, &shard->timer);
    free(shard);
}

static struct shard *shard_new(struct client *client, long keep)
{
    struct shard *shard = calloc(1, sizeof(*shard));

    if (!shard) return NULL;
    shard->client = client;
    shard->timer.on_fire = on_shard_timer;
    shard->timer.owner = shard;
    shard->multi = curl_multi_init();
    if (shard->multi && shard_init(shard, keep)) return shard;
    shard_free(shard);
    return NULL;
}

static struct shard *stream_shard(struct client *client)
{
    struct shard **end = &client->streams;

    for (; *end; end = &(*end)->next) {
        if ((*end)->transfers < STREAMS_A_MULTI) return *end;
    }
    *end = shard_new(client, STREAMS_A_MULTI);
    return *end;
}

/* ---- transfers: their end --------------------------------------------------------------- */

static void detach(struct upstream *upstream)
{
    struct shard *shard = upstream->shard;

    client_queue_remove(upstream);
    loop_timer_clear(upstream->client->loop, &upstream->timer);
    if (!shard) return;
    curl_multi_remove_handle(shard->multi, upstream->easy);
    shard->transfers--;
    upstream->shard = NULL;
}

static void settle(struct upstream *upstream, const char *kind)
{
    long written = 0;

    detach(upstream);
    upstream->state = kind ? UPSTREAM_FAILED : UPSTREAM_ENDED;
    if (kind) {
        upstream->failure.kind = kind;
        if (upstream->sends) {
            curl_easy_getinfo(upstream->easy, CURLINFO_REQUEST_SIZE, &written);
        }
        upstream->failure.sent = written > 0;
    }
    upstream->request.on_ready(upstream->request.owner);
}

void client_fail(struct upstream *upstream, const char *kind, const char *message)
{
    upstream->failure.message = message;
    settle(upstream, kind);
}

static void collect(struct shard *shard)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(shard->multi, &left))) {
        struct upstream *upstream = NULL;
        CURLcode code = message->data.result; /* the message goes with the handle */
        if (message->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &upstream);
        settle(upstream, client_verdict(upstream, code));
    }
}

void client_run(struct shard *shard, curl_socket_t fd, int mask)
{
    int running;

    shard->due = false;
    curl_multi_socket_action(shard->multi, fd, mask, &running);
    for (int i = 0; shard->due && i < RUNS_AT_ONCE; i++) {
        shard->due = false;
        curl_multi_socket_action(shard->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect(shard);
    if (shard->due) set_shard_timer(shard->multi, 1, shard);
}

/* ---- transfers: open and close ---------------------------------------------------------- */

static void upstream_free(struct upstream *upstream)
{
    if (upstream->easy) curl_easy_cleanup(upstream->easy);
    buf_free(&upstream->url);
    buf_free(&upstream->lines);
    buf_free(&upstream->head);
    buf_free(&upstream->body);
    free(upstream->nodes);
    free(upstream);
}

/* Up to 8.1 libcurl remembers the last header of a handle's answer beyond its life, and writes
 * there when the next answer begins with a folded line (its issue 11101): a provider could
 * bring all down. A handle costs half a microsecond. */
static bool renew(struct upstream *upstream)
{
    if (curl_version_info(CURLVERSION_NOW)->version_num >= FIXED_HEADERS) return true;
    curl_easy_cleanup(upstream->easy);
    upstream->easy = curl_easy_init();
    buf_clear(&upstream->url);
    upstream->method = NULL;
    upstream->connect_ms = 0;
    upstream->resolving = false;
    return upstream->easy && client_set_constants(upstream);
}

static struct upstream *upstream_new(struct client *client)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));

    if (!upstream) return NULL;
    upstream->client = client;
    upstream->timer.on_fire = client_on_clock;
    upstream->timer.owner = upstream;
    buf_init(&upstream->url, MAX_URL);
    buf_init(&upstream->lines, MAX_LINES);
    buf_init(&upstream->head, MAX_HEAD);
    buf_init(&upstream->body, 0);
    upstream->easy = curl_easy_init();
    if (upstream->easy && client_set_constants(upstream)) return upstream;
    upstream_free(upstream);
    return NULL;
}

static struct upstream *take_spare(struct client *client)
{
    struct upstream *upstream = client->spare.last; /* its memory is the warmest */

    if (!upstream) return upstream_new(client);
    client_queue_remove(upstream);
    client->spares--;
    return upstream;
}

static void keep_spare(struct upstream *upstream)
{
    struct client *client = upstream->client;

    if (client->spares >= SPARES || !renew(upstream)) {
        upstream_free(upstream);
        return;
    }
    if (upstream->body.cap > KEEP_BYTES) buf_free(&upstream->body);
    client->spares++;
    client_queue_add(&client->spare, upstream);
}

static void begin_anew(struct upstream *upstream, const struct client_request *request)
{
    upstream->request = *request;
    upstream->state = UPSTREAM_WAITING;
    upstream->failure = (struct upstream_failure){0};
    upstream->error[0] = '\0';
    buf_clear(&upstream->head);
    buf_clear(&upstream->body);
    upstream->body.limit = request->stream ? MAX_STREAM_BYTES : request->max_body;
    upstream->header_count = upstream->sends = 0;
    upstream->status = 0;
    upstream->head_done = upstream->progressed = false;
    upstream->blocked = false;
    upstream->sockets = 0;
    upstream->paused = upstream->waited = false;
    upstream->local_port = 0;
    /* Now, not when this turn began: what is left of a deadline may not end before it. */
    upstream->opened_ms = (moment_monotonic_us() + 999) / 1000;
    upstream->sent_ms = upstream->first_byte_ms = upstream->last_byte_ms = 0;
    upstream->write_check_ms = upstream->written = 0;
    upstream->mark = PAUSE_AT;
}

struct upstream *client_open(struct client *client, const struct client_request *request)
{
    struct upstream *upstream = take_spare(client);

    if (!upstream) return NULL;
    begin_anew(upstream, request);
    if (!client_set_request(upstream)) {
        keep_spare(upstream);
        return NULL;
    }
    client->active++;
    client_rearm(upstream);
    client_queue_add(&client->starting, upstream);
    return upstream;
}

void upstream_close(struct upstream *upstream)
{
    if (!upstream) return;
    upstream->client->active--;
    detach(upstream);
    keep_spare(upstream);
}

void client_start(struct upstream *upstream)
{
    struct client *client = upstream->client;
    struct shard *shard = upstream->request.stream ? stream_shard(client) : client->whole;

    if (!shard || curl_multi_add_handle(shard->multi, upstream->easy) != CURLM_OK) {
        client_fail(upstream, "connect", "no memory");
        return;
    }
    shard->transfers++;
    upstream->shard = shard;
}

/* ---- a turn ----------------------------------------------------------------------------- */

static void resume(struct upstream *upstream)
{
    upstream->paused = false;
    upstream->last_byte_ms = upstream->progress_ms = loop_now_ms(upstream->client->loop);
    curl_easy_pause(upstream->easy, CURLPAUSE_CONT);
    client_rearm(upstream);
}

static void run_if_due(struct shard *shard)
{
    if (shard->due) client_run(shard, CURL_SOCKET_TIMEOUT, 0);
}

void client_turn(struct client *client)
{
    struct upstream *upstream;

    if (client->asking) client_take_answers(client);
    while ((upstream = client_queue_pop(&client->starting)))
        client_find_host(upstream);
    while ((upstream = client_queue_pop(&client->resuming)))
        resume(upstream);
    run_if_due(client->whole);
    for (struct shard *shard = client->streams; shard; shard = shard->next) {
        run_if_due(shard);
    }
}

size_t client_active(const struct client *client)
{
    return client->active;
}

/* ---- the client itself ------------------------------------------------------------------ */

struct client *client_new(struct loop *loop, struct resolver *resolver)
{
    struct client *client = calloc(1, sizeof(*client));

    if (!client) return NULL;
    client->loop = loop;
    client->resolver = resolver;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(client);
        return NULL;
    }
    client->whole = shard_new(client, KEEP_WHOLE);
    if (client->whole) return client;
    client_free(client);
    return NULL;
}

bool client_trust(struct client *client, const char *ca_file)
{
    char *copy = strdup(ca_file);

    if (!copy) return false;
    free(client->ca_file);
    client->ca_file = copy;
    return true;
}

void client_free(struct client *client)
{
    struct upstream *spare;

    if (!client) return;
    assert(client->active == 0);
    while ((spare = client_queue_pop(&client->spare)))
        upstream_free(spare);
    client_free_names(client);
    shard_free(client->whole);
    while (client->streams) {
        struct shard *shard = client->streams;
        client->streams = shard->next;
        shard_free(shard);
    }
    client_free_wires(client);
    free(client->ca_file);
    free(client);
    curl_global_cleanup();
}

/* ---- looking ---------------------------------------------------------------------------- */

enum upstream_state upstream_state(const struct upstream *upstream)
{
    return upstream->state;
}

const struct upstream_failure *upstream_failure(const struct upstream *upstream)
{
    return upstream->state == UPSTREAM_FAILED ? &upstream->failure : NULL;
}

int upstream_status(const struct upstream *upstream)
{
    return upstream->head_done ? upstream->status : 0;
}

int64_t upstream_first_byte_ms(const struct upstream *upstream)
{
    return upstream->first_byte_ms;
}

void upstream_progress(struct upstream *upstream)
{
    upstream->progress_ms = loop_now_ms(upstream->client->loop);
    if (upstream->progressed) return;
    upstream->progressed = true;
    if (upstream->state < UPSTREAM_ENDED) client_rearm(upstream);
}

const char *client_library(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

const char *client_tls_library(void)
{
    const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;

    return tls ? tls : "none";
}
