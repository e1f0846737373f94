/* A journal's line as numbers and pieces of its own text.
 *
 * Depends on json; knows what lines say and not where they go. Any thread. */
#ifndef MOONGATE_LEDGER_LINE_H
#define MOONGATE_LEDGER_LINE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEDGER_TRIES = 128, LEDGER_ID = 64 };

#define LEDGER_NONE INT64_MIN /* an integer that is null or absent */

/* Inside the line; bytes NULL: null or absent. */
struct ledger_text {
    const char *bytes;
    size_t len;
};

enum ledger_token {
    LEDGER_INPUT,
    LEDGER_OUTPUT,
    LEDGER_CACHE_READ,
    LEDGER_CACHE_WRITE,
    LEDGER_CACHE_WRITE_1H,
    LEDGER_REASONING,
    LEDGER_AUDIO_INPUT,
    LEDGER_AUDIO_OUTPUT,
    LEDGER_IMAGE_INPUT,
    LEDGER_IMAGE_OUTPUT,
    LEDGER_TOKENS,
};

/* One call to a provider. */
struct ledger_try {
    struct ledger_text deployment, provider, upstream_model, reason;
    int64_t status, extra_input, extra_nano;
    double ms; /* NaN: none */
};

enum ledger_kind { LEDGER_FOREIGN, LEDGER_INTENT, LEDGER_USAGE };

struct ledger_line {
    enum ledger_kind kind;
    struct ledger_text type, id, ts, key, key_id, team, user, dialect, group, model;
    struct ledger_text deployment, provider, upstream_model, provider_id;
    struct ledger_text outcome, finish, error, prices;
    struct ledger_text tags, accounts; /* JSON, or absent */
    int64_t ts_ms, admitted_ms;        /* the latter is the former where it is absent */
    int64_t attempt;                   /* of an intent */
    int64_t reserve_nano;
    int64_t tokens[LEDGER_TOKENS]; /* never negative */
    int64_t cost_nano, counted_input, status, generation;
    int64_t estimated, stream, counted_exact; /* 0, 1 or LEDGER_NONE */
    double ttft_ms, duration_ms;              /* NaN: none */
    struct ledger_try tries[LEDGER_TRIES];
    unsigned try_count; /* what is beyond the room is left out, but for the last */
};

/* Read one line, without its end. Escapes are undone in place, so it cannot be read twice.
 * LEDGER_FOREIGN: torn, or none of ours. */
enum ledger_kind ledger_line_read(struct ledger_line *line, char *bytes, size_t len);

#endif
