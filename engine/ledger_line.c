#include "ledger_line.h"

#include <string.h>

#include "json.h"
#include "moment.h"

/* What a member is, and where it goes: an offset into the struct its object fills. */
enum kind { TEXT, RAW, INTEGER, REAL, BOOLEAN, OBJECT, TRIES };

struct member {
    const char *name;
    size_t len;
    enum kind kind;
    size_t offset;
    const struct shape *shape; /* of OBJECT, filled into the struct at `offset` */
};

struct shape {
    const struct member *members;
    size_t count;
};

#define MEMBER(name, kind, type, field)                           \
    {                                                             \
        name, sizeof(name) - 1, kind, offsetof(type, field), NULL \
    }
#define LINE(name, kind, field) MEMBER(name, kind, struct ledger_line, field)
#define TRY(name, kind, field)  MEMBER(name, kind, struct ledger_try, field)
#define COUNT(members)          (sizeof(members) / sizeof((members)[0]))
#define INNER(name, at, of)                    \
    {                                          \
        name, sizeof(name) - 1, OBJECT, at, of \
    }

static const struct member extra_members[] = {
    TRY("input", INTEGER, extra_input),
    TRY("nano", INTEGER, extra_nano),
};
static const struct shape extra = {extra_members, COUNT(extra_members)};

static const struct member try_members[] = {
    TRY("deployment", TEXT, deployment),
    TRY("provider", TEXT, provider),
    TRY("upstream_model", TEXT, upstream_model),
    TRY("status", INTEGER, status),
    TRY("ms", REAL, ms),
    TRY("reason", TEXT, reason),
    INNER("suspected_extra", 0, &extra),
};
static const struct shape one_try = {try_members, COUNT(try_members)};

static const struct member token_members[] = {
    LINE("input", INTEGER, tokens[LEDGER_INPUT]),
    LINE("output", INTEGER, tokens[LEDGER_OUTPUT]),
    LINE("cache_read", INTEGER, tokens[LEDGER_CACHE_READ]),
    LINE("cache_write", INTEGER, tokens[LEDGER_CACHE_WRITE]),
    LINE("cache_write_1h", INTEGER, tokens[LEDGER_CACHE_WRITE_1H]),
    LINE("reasoning", INTEGER, tokens[LEDGER_REASONING]),
    LINE("audio_input", INTEGER, tokens[LEDGER_AUDIO_INPUT]),
    LINE("audio_output", INTEGER, tokens[LEDGER_AUDIO_OUTPUT]),
    LINE("image_input", INTEGER, tokens[LEDGER_IMAGE_INPUT]),
    LINE("image_output", INTEGER, tokens[LEDGER_IMAGE_OUTPUT]),
};
static const struct shape tokens = {token_members, COUNT(token_members)};

static const struct member counted_members[] = {
    LINE("input", INTEGER, counted_input),
    LINE("exact", BOOLEAN, counted_exact),
};
static const struct shape counted = {counted_members, COUNT(counted_members)};

static const struct member reserve_members[] = {LINE("nano", INTEGER, reserve_nano)};
static const struct shape reserve = {reserve_members, COUNT(reserve_members)};

/* In the order in which rows.lua writes them: the next one is looked at first. */
static const struct member line_members[] = {
    LINE("type", TEXT, type),
    LINE("id", TEXT, id),
    LINE("attempt", INTEGER, attempt),
    LINE("ts", TEXT, ts),
    LINE("key", TEXT, key),
    LINE("key_id", TEXT, key_id),
    LINE("team", TEXT, team),
    LINE("tags", RAW, tags),
    LINE("accounts", RAW, accounts),
    LINE("dialect", TEXT, dialect),
    LINE("group", TEXT, group),
    LINE("model", TEXT, model),
    LINE("deployment", TEXT, deployment),
    LINE("provider", TEXT, provider),
    LINE("upstream_model", TEXT, upstream_model),
    {"attempts", 8, TRIES, 0, &one_try},
    INNER("tokens", 0, &tokens),
    LINE("cost_nano", INTEGER, cost_nano),
    LINE("estimated", BOOLEAN, estimated),
    LINE("status", INTEGER, status),
    LINE("outcome", TEXT, outcome),
    LINE("stream", BOOLEAN, stream),
    LINE("ttft_ms", REAL, ttft_ms),
    LINE("duration_ms", REAL, duration_ms),
    LINE("generation", INTEGER, generation),
    LINE("finish", TEXT, finish),
    LINE("error", TEXT, error),
    LINE("admitted", INTEGER, admitted_ms),
    INNER("reserve", 0, &reserve),
    LINE("user", TEXT, user),
    LINE("provider_id", TEXT, provider_id),
    LINE("prices", TEXT, prices),
    INNER("counted", 0, &counted),
};
static const struct shape whole_line = {line_members, COUNT(line_members)};

/* ---- values -------------------------------------------------------------------------------
 */

/* An integer as it stands; else by way of a double; negative ones are none of ours. */
static int64_t integer_of(const char *from, size_t len)
{
    int64_t value = 0;
    double other;

    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(from[i] - '0');
        if (digit > 9 || i >= 18) {
            (void)json_number(from, len, &other);
            return other >= 0 && other < 9e18 ? (int64_t)other : LEDGER_NONE;
        }
        value = value * 10 + (int64_t)digit;
    }
    return value;
}

/* The reader has gone past these bytes: they are ours to change. */
static struct ledger_text text_of(const struct json_reader *reader)
{
    struct ledger_text text = {reader->from, (size_t)(reader->to - reader->from)};
    char *out;

    if (!reader->escaped) return text;
    memcpy(&out, &reader->from, sizeof(out)); /* the same bytes, no longer only read */
    for (const char *from = reader->from; from < reader->to;) {
        if (*from == '\\') {
            char bytes[4];
            unsigned n = json_unescape_one(&from, bytes);
            memcpy(out, bytes, n);
            out += n;
        } else {
            *out++ = *from++;
        }
    }
    text.len = (size_t)(out - text.bytes);
    return text;
}

/* Behind an opening bracket: all of it, to its end. */
static bool read_raw(struct json_reader *reader, struct ledger_text *text)
{
    const char *from = reader->at - 1;

    if (json_skip(reader) != JSON_CLOSE) return false;
    *text = (struct ledger_text){from, (size_t)(reader->at - from)};
    return true;
}

static bool skip(struct json_reader *reader, enum json_token token)
{
    if (token == JSON_OBJECT || token == JSON_ARRAY) return json_skip(reader) == JSON_CLOSE;
    return token != JSON_BAD;
}

/* ---- objects ------------------------------------------------------------------------------
 */

static bool is_named(const struct member *member, const struct json_reader *reader)
{
    size_t len = (size_t)(reader->to - reader->from);

    return member->len == len && memcmp(member->name, reader->from, len) == 0;
}

/* *next: the member behind the last one found. */
static const struct member *find(const struct shape *shape, const struct json_reader *reader,
                                 size_t *next)
{
    for (size_t i = 0; i < shape->count; i++) {
        size_t at = (*next + i) % shape->count;
        if (is_named(&shape->members[at], reader)) {
            *next = at + 1;
            return &shape->members[at];
        }
    }
    return NULL;
}

static void read_plain(const struct json_reader *reader, enum json_token token,
                       const struct member *member, void *place)
{
    size_t len = (size_t)(reader->to - reader->from);

    if (member->kind == TEXT && token == JSON_STRING) {
        *(struct ledger_text *)place = text_of(reader);
    } else if (member->kind == INTEGER && token == JSON_NUMBER) {
        *(int64_t *)place = integer_of(reader->from, len);
    } else if (member->kind == REAL && token == JSON_NUMBER) {
        (void)json_number(reader->from, len, place);
    } else if (member->kind == BOOLEAN && (token == JSON_TRUE || token == JSON_FALSE)) {
        *(int64_t *)place = token == JSON_TRUE;
    }
}

static bool read_object(struct json_reader *reader, const struct shape *shape, void *into);

static bool read_tries(struct json_reader *reader, const struct shape *shape,
                       struct ledger_line *line)
{
    enum json_token token;

    while ((token = json_next(reader)) == JSON_OBJECT) {
        if (line->try_count < LEDGER_TRIES) line->try_count++;
        struct ledger_try *one = &line->tries[line->try_count - 1];
        *one = (struct ledger_try){.status = LEDGER_NONE,
                                   .extra_input = LEDGER_NONE,
                                   .extra_nano = LEDGER_NONE,
                                   .ms = NAN};
        if (!read_object(reader, shape, one)) return false;
    }
    return token == JSON_CLOSE;
}

static bool read_member(struct json_reader *reader, const struct member *member, void *into)
{
    enum json_token token = json_next(reader);
    void *place = (char *)into + (member ? member->offset : 0);

    if (!member) return skip(reader, token);
    if (token == JSON_OBJECT && member->kind == OBJECT) {
        return read_object(reader, member->shape, place);
    }
    if (token == JSON_ARRAY && member->kind == TRIES) {
        return read_tries(reader, member->shape, into);
    }
    if (token == JSON_OBJECT || token == JSON_ARRAY) {
        return member->kind == RAW ? read_raw(reader, place) : skip(reader, token);
    }
    if (token == JSON_BAD) return false;
    read_plain(reader, token, member, place);
    return true;
}

/* Behind its opening brace. Depth is bounded by the shapes. */
static bool read_object(struct json_reader *reader, const struct shape *shape, void *into)
{
    enum json_token token;
    size_t next = 0;

    while ((token = json_next(reader)) == JSON_NAME) {
        if (!read_member(reader, find(shape, reader, &next), into)) return false;
    }
    return token == JSON_CLOSE;
}

/* ---- a line -------------------------------------------------------------------------------
 */

static bool is_word(struct ledger_text text, const char *word)
{
    return text.bytes && text.len == strlen(word) && memcmp(text.bytes, word, text.len) == 0;
}

static void clear(struct ledger_line *line)
{
    memset(line, 0, offsetof(struct ledger_line, tries));
    line->try_count = 0;
    line->ts_ms = line->admitted_ms = line->attempt = line->reserve_nano = LEDGER_NONE;
    line->cost_nano = line->counted_input = line->status = line->generation = LEDGER_NONE;
    line->estimated = line->stream = line->counted_exact = LEDGER_NONE;
    line->ttft_ms = line->duration_ms = NAN;
}

enum ledger_kind ledger_line_read(struct ledger_line *line, char *bytes, size_t len)
{
    struct json_reader reader;

    clear(line);
    json_begin(&reader, bytes, len, &json_client_limits);
    if (json_next(&reader) != JSON_OBJECT || !read_object(&reader, &whole_line, line) ||
        json_next(&reader) != JSON_END)
        return LEDGER_FOREIGN;
    bool usage = is_word(line->type, "usage");
    if (!usage && !is_word(line->type, "intent")) return LEDGER_FOREIGN;
    if (line->id.len == 0 || line->id.len > LEDGER_ID || !line->ts.bytes ||
        !moment_of_iso(line->ts.bytes, line->ts.len, &line->ts_ms))
        return LEDGER_FOREIGN;
    if (line->admitted_ms == LEDGER_NONE) line->admitted_ms = line->ts_ms;
    for (int i = 0; i < LEDGER_TOKENS; i++) {
        if (line->tokens[i] < 0) line->tokens[i] = 0;
    }
    line->kind = usage ? LEDGER_USAGE : LEDGER_INTENT;
    return line->kind;
}
