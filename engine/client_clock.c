#include "client_parts.h"

struct deadline {
    int64_t at_ms; /* 0: none */
    const char *kind, *message;
};

static void sooner(struct deadline *deadline, int64_t from_ms, int64_t limit_ms,
                   struct deadline other)
{
    other.at_ms = from_ms + limit_ms;
    if (limit_ms <= 0 || (deadline->at_ms && deadline->at_ms <= other.at_ms)) return;
    *deadline = other;
}

static struct deadline next_deadline(const struct upstream *upstream)
{
    const struct client_timeouts *limits = &upstream->request.timeouts;
    bool first = upstream->request.stream && !upstream->progressed && limits->first_event_ms;
    bool idle = upstream->request.stream && !first && !upstream->paused;
    struct deadline next = {0};

    sooner(&next, upstream->opened_ms, limits->total_ms,
           (struct deadline){0, "timeout", "the answer was not whole in time"});
    if (!upstream->sends) {
        sooner(&next, upstream->opened_ms, limits->connect_ms,
               (struct deadline){0, "connect_timeout", "no connection in time"});
        return next;
    }
    if (first) {
        sooner(&next, upstream->sent_ms, limits->first_event_ms,
               (struct deadline){0, "first_token_timeout", "no first event in time"});
    }
    if (idle) {
        sooner(&next, upstream->last_byte_ms, limits->idle_ms,
               (struct deadline){0, "stalled", "the stream stalled"});
    }
    if (idle && upstream->progressed) { /* a comment now and then is no answer (U-36, U-37) */
        sooner(&next, upstream->progress_ms, limits->event_ms,
               (struct deadline){0, "stalled", "no event came for too long"});
    }
    return next;
}

/* The provider takes nothing of a large body: none of the other clocks sees that (U-66). */
static bool write_stalled(struct upstream *upstream)
{
    curl_off_t written = 0;

    if (!upstream->write_check_ms ||
        upstream->write_check_ms > loop_now_ms(upstream->client->loop)) {
        return false;
    }
    curl_easy_getinfo(upstream->easy, CURLINFO_SIZE_UPLOAD_T, &written);
    upstream->write_check_ms += WRITE_STALL_MS;
    if (written >= (curl_off_t)upstream->request.body_len) upstream->write_check_ms = 0;
    if (upstream->write_check_ms && written == upstream->written) return true;
    upstream->written = written;
    return false;
}

void client_rearm(struct upstream *upstream)
{
    int64_t at = next_deadline(upstream).at_ms;

    if (upstream->write_check_ms && (!at || upstream->write_check_ms < at)) {
        at = upstream->write_check_ms;
    }
    if (!at || (upstream->timer.slot && upstream->timer.at_ms <= at)) return;
    /* Without memory the clock that is set, or none, goes on: the transfer still ends. */
    if (!loop_timer_set(upstream->client->loop, &upstream->timer, at)) return;
}

/* The clock is set once for what was nearest; what has moved since shows now. */
void client_on_clock(struct loop_timer *timer)
{
    struct upstream *upstream = timer->owner;
    struct deadline next = next_deadline(upstream);

    if (next.at_ms && next.at_ms <= loop_now_ms(upstream->client->loop)) {
        client_fail(upstream, next.kind, next.message);
    } else if (write_stalled(upstream)) {
        client_fail(upstream, "timeout", "the provider does not take the request");
    } else {
        client_rearm(upstream);
    }
}
