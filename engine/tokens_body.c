#include "tokens_body.h"

#include <assert.h>
#include <string.h>

#include "estimate.h"

enum {
    NOBODYS = -1,
    SLICE = 64 << 10,    /* bytes whose escapes are undone at once */
    MOST_TEXT = 1 << 30, /* bytes of a text */
    BYTES_A_TOKEN = 4,
    MOST_PICTURES = 4096, /* the others are not looked at */
};

double outline_weigh(const struct outline *outline, const struct tokens_tally *tally,
                     uint64_t tokens)
{
    double sum = 0, tallied = 0;

    if (!outline->weighted) return (double)tokens;
    for (size_t i = 0; i < TALLY_KINDS; i++) {
        sum += outline->by_token[i] * (double)tally->tokens[i] +
               outline->by_character[i] * (double)tally->characters[i];
        tallied += (double)tally->tokens[i];
    }
    return sum + outline->otherwise * ((double)tokens - tallied);
}

/* ---- texts ------------------------------------------------------------------------------ */

static bool over(const struct tokens_body *body)
{
    return (double)body->texts + body->frames > (double)body->limit;
}

static void count_text(struct tokens_body *body, const char *text, size_t len)
{
    if (!body->tokens) {
        body->texts += estimate_tokens(text, len);
        body->rough = true;
        return;
    }
    body->run = (struct tokens_run){body->tokens, body->work, text, len, .limit = body->limit};
    if (body->outline->weighted) body->run.tally = &body->tally;
    body->counting = true;
}

/* Its text stays where it is until it is counted. True: it is. */
static bool step_text(struct tokens_body *body, size_t most)
{
    body->run.tally = body->outline->weighted ? &body->tally : NULL; /* it may have moved */
    if (!tokens_step(&body->run, most)) return false;
    body->counting = false;
    body->texts += body->run.count;
    body->rough = body->rough || body->run.rough;
    return true;
}

/* Undo the escapes of a slice. True: of all. */
static bool step_escapes(struct tokens_body *body)
{
    const char *from = body->rest, *end = body->stop - from > SLICE ? from + SLICE : body->stop;
    char *start = body->undone.data + body->undone.len, *out = start;

    while (from < end) {
        const char *slash = memchr(from, '\\', (size_t)(end - from));
        size_t plain = (size_t)((slash ? slash : end) - from);
        memcpy(out, from, plain);
        out += plain;
        from += plain;
        if (slash) out += json_unescape_one(&from, out); /* it never grows */
    }
    body->undone.len += (size_t)(out - start);
    body->rest = from;
    if (from < body->stop) return false;
    body->rest = NULL;
    size_t after = strlen(body->after);
    memcpy(body->undone.data + body->undone.len, body->after, after); /* there is room */
    body->undone.len += after;
    count_text(body, body->undone.data, body->undone.len);
    return true;
}

static void begin_text(struct tokens_body *body, const char *text, size_t len, bool escaped,
                       const struct outline_rule *rule)
{
    if (len == 0) return;
    if (!escaped && !*rule->before && !*rule->after) {
        count_text(body, text, len);
        return;
    }
    buf_clear(&body->undone);
    if (!buf_reserve(&body->undone, len + (size_t)2 * OUTLINE_AROUND) ||
        !buf_append(&body->undone, rule->before, strlen(rule->before))) {
        body->texts += estimate_tokens(text, len);
        body->rough = true;
        return;
    }
    body->rest = text;
    body->stop = text + len;
    body->after = rule->after;
}

/* JSON as a text, without the blanks between its parts: nobody passes those on. */
static void begin_json(struct tokens_body *body, const char *from, const char *end)
{
    bool quoted = false;

    buf_clear(&body->undone);
    if (!buf_reserve(&body->undone, (size_t)(end - from))) {
        body->texts += estimate_tokens(from, (size_t)(end - from));
        body->rough = true;
        return;
    }
    char *out = body->undone.data;
    for (; from < end; from++) {
        if (!quoted && (*from == ' ' || *from == '\n' || *from == '\t' || *from == '\r'))
            continue;
        *out++ = *from;
        if (*from == '"') quoted = !quoted;
        if (*from == '\\') *out++ = *++from; /* only ever within a string */
    }
    body->undone.len = (size_t)(out - body->undone.data);
    count_text(body, body->undone.data, body->undone.len);
}

/* ---- pictures --------------------------------------------------------------------------- */

/* Some write \/ in base64: undo as much as a header may need. */
static struct image image_behind_escapes(const char *from, size_t len)
{
    char head[SLICE];
    size_t n = 0, most = SLICE - 8;
    const char *end = from + (len < most ? len : most);

    while (from < end) {
        if (*from == '\\') {
            n += json_unescape_one(&from, head + n);
        } else {
            head[n++] = *from++;
        }
    }
    struct image image = image_of(head, n);
    if (image.bytes) image.bytes += (len - n) / 4 * 3;
    return image;
}

static void see_image(struct tokens_body *body, const struct json_reader *at)
{
    size_t len = (size_t)(at->to - at->from);

    body->picture.image =
        at->escaped ? image_behind_escapes(at->from, len) : image_of(at->from, len);
    body->picture.there = true;
}

static void see_detail(struct tokens_body *body, const struct json_reader *at)
{
    static const char *const words[DETAILS] = {"auto", "low", "high", "original"};
    size_t len = (size_t)(at->to - at->from);

    for (unsigned i = 0; i < DETAILS; i++) {
        if (strlen(words[i]) == len && memcmp(words[i], at->from, len) == 0) {
            body->picture.detail = (enum image_detail)i;
        }
    }
}

/* At the end of an object: what was seen in it is a picture. */
static void keep_picture(struct tokens_body *body)
{
    if (body->picture.there && body->pictures.len < MOST_PICTURES * sizeof(body->picture) &&
        !buf_append(&body->pictures, &body->picture, sizeof(body->picture))) {
        body->rough = true;
    }
    if (body->picture.there) body->picture = (struct tokens_picture){0};
}

/* ---- the walk --------------------------------------------------------------------------- */

static const struct outline_rule *rule_of(const struct tokens_body *body)
{
    return body->rule == NOBODYS ? NULL : &body->outline->rule[body->rule];
}

static void push(struct tokens_body *body, uint8_t place)
{
    assert(body->depth <= JSON_MAX_DEPTH);
    body->level[body->depth++] =
        (struct tokens_level){.place = place, .rule = (uint8_t)body->rule};
    if (place) body->frames += body->outline->place[place].add;
}

static void pop(struct tokens_body *body)
{
    if (body->depth == 0) return;
    body->depth--;
    if (body->level[body->depth].place) keep_picture(body);
}

/* Which rule is for the member whose name was read. */
static void read_name(struct tokens_body *body)
{
    const struct json_reader *at = &body->reader;
    const struct outline_place *place =
        &body->outline->place[body->level[body->depth - 1].place];
    size_t len = (size_t)(at->to - at->from);

    body->rule = NOBODYS;
    for (unsigned i = place->first; i < place->first + place->count; i++) {
        const struct outline_rule *rule = &body->outline->rule[i];
        if (rule->name_len != 0 &&
            (rule->name_len != len || memcmp(rule->name, at->from, len) != 0)) {
            continue;
        }
        body->rule = (int)i;
        if (rule->named) begin_text(body, at->from, len, at->escaped, rule);
        return;
    }
}

/* A value begins: what its rule adds for it. In an array it is the array's rule. */
static void begin_value(struct tokens_body *body, enum json_token token)
{
    struct tokens_level *level = body->depth ? &body->level[body->depth - 1] : NULL;
    bool element = level && level->place == 0;

    if (element) body->rule = level->rule;
    const struct outline_rule *rule = rule_of(body);
    if (!rule || token == JSON_NULL) return;
    body->ruled = body->ruled || rule->ruled;
    if (element) body->frames += rule->each;
    if (element ? !level->begun : token != JSON_ARRAY) body->frames += rule->add;
    if (!element && token == JSON_STRING) body->frames += rule->alone;
    if (element) level->begun = true;
}

static void read_string(struct tokens_body *body)
{
    const struct json_reader *at = &body->reader;
    const struct outline_rule *rule = rule_of(body);

    if (!rule) return;
    switch (rule->kind) {
    case OUTLINE_TEXT:
        begin_text(body, at->from, (size_t)(at->to - at->from), at->escaped, rule);
        break;
    case OUTLINE_IMAGE: see_image(body, at); break;
    case OUTLINE_DETAIL: see_detail(body, at); break;
    default: break;
    }
}

/* An object or an array. */
static void read_open(struct tokens_body *body, enum json_token token)
{
    struct json_reader *reader = &body->reader;
    const struct outline_rule *rule = rule_of(body);
    const char *from = reader->at - 1;

    if (body->depth == 0) {
        push(body, 1);
    } else if (rule && rule->raw) {
        if (json_skip(reader) == JSON_CLOSE) {
            begin_json(body, from, reader->at);
        }
    } else if (rule && token == JSON_OBJECT && rule->into) {
        push(body, rule->into);
    } else if (rule && token == JSON_ARRAY && (rule->into || rule->kind)) {
        push(body, 0);
    } else {
        (void)json_skip(reader);
    }
}

/* One token of JSON. False: that was the last. */
static bool step_json(struct tokens_body *body)
{
    enum json_token token = json_next(&body->reader);

    switch (token) {
    case JSON_BAD:
    case JSON_END: return false;
    case JSON_CLOSE: pop(body); return true;
    case JSON_NAME: read_name(body); return true;
    default: break;
    }
    begin_value(body, token);
    if (token == JSON_OBJECT || token == JSON_ARRAY) read_open(body, token);
    if (token == JSON_STRING) read_string(body);
    return true;
}

void tokens_body_init(struct tokens_body *body)
{
    *body = (struct tokens_body){0};
    buf_init(&body->pictures, (size_t)MOST_PICTURES * sizeof(body->picture));
    buf_init(&body->undone, MOST_TEXT);
}

static void begin(struct tokens_body *body, const struct outline *outline)
{
    buf_clear(&body->pictures);
    if (body->undone.cap > SLICE) buf_free(&body->undone);
    body->outline = outline;
    body->texts = 0;
    body->frames = 0;
    body->rough = body->ruled = body->counting = false;
    body->depth = 0;
    body->rule = NOBODYS;
    body->rest = NULL;
    body->picture = (struct tokens_picture){0};
    if (outline->weighted) body->tally = (struct tokens_tally){0};
}

void tokens_body_begin(struct tokens_body *body, const struct outline *outline,
                       const char *text, size_t len)
{
    begin(body, outline);
    json_begin(&body->reader, text, len, &json_answer_limits);
}

void tokens_body_begin_text(struct tokens_body *body, const struct outline *outline,
                            const char *text, size_t len)
{
    begin(body, outline);
    json_begin(&body->reader, text, 0, &json_answer_limits); /* no JSON */
    count_text(body, text, len);
}

bool tokens_body_step(struct tokens_body *body, size_t most)
{
    const char *stop = body->reader.at;

    stop = (size_t)(body->reader.end - stop) > most ? stop + most : body->reader.end;
    while (!over(body)) {
        if (body->counting) {
            if (!step_text(body, most)) return false;
        } else if (body->rest) {
            (void)step_escapes(body);
        } else if (!step_json(body)) {
            return true;
        }
        if (body->reader.at > stop) return false;
    }
    return true;
}

void tokens_body_cut(struct tokens_body *body)
{
    const struct tokens_run *run = &body->run;

    if (body->counting) {
        body->texts += run->count + estimate_tokens(run->text + run->at, run->len - run->at);
    }
    if (body->rest) {
        body->texts += estimate_tokens(body->undone.data, body->undone.len) +
                       estimate_tokens(body->rest, (size_t)(body->stop - body->rest));
    }
    body->texts += (uint64_t)(body->reader.end - body->reader.at) / BYTES_A_TOKEN;
    body->counting = false;
    body->rest = NULL;
    body->rough = true;
}

void tokens_body_free(struct tokens_body *body)
{
    buf_free(&body->pictures);
    buf_free(&body->undone);
}
