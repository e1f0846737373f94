/* How many tokens the texts of a JSON body have, found by an outline: which members count, and
 * what a chat template puts around them.
 *
 * Knows JSON and outlines; whose body it is, and which members mean what, is the outline's
 * business. Nothing of the body is copied but strings with escapes, one at a time. */
#ifndef MOONGATE_TOKENS_BODY_H
#define MOONGATE_TOKENS_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "json.h"
#include "tokens.h"
#include "tokens_image.h"

enum { OUTLINE_NAME = 24, OUTLINE_RULES = 160, OUTLINE_PLACES = 32, OUTLINE_AROUND = 8 };

/* What a string is. */
enum outline_kind {
    OUTLINE_SKIP,
    OUTLINE_TEXT,  /* it counts */
    OUTLINE_IMAGE, /* its bytes, or where they are */
    OUTLINE_DETAIL /* how closely an image is looked at */
};

struct outline_rule {
    char name[OUTLINE_NAME]; /* "": any other member */
    uint8_t name_len;
    uint8_t kind; /* enum outline_kind, of a string and of the strings of an array */
    uint8_t into; /* the place of an object, and of the objects of an array; 0: none */
    bool raw;     /* objects and arrays count as the JSON text that they are */
    bool named;   /* the member's own name counts too */
    bool ruled;   /* where it is there, the number goes by a rule that nobody has published */
    float add;    /* tokens where the member is there, and no null or empty array */
    float each;   /* for each element of an array */
    float alone;  /* where the value is a string and no array */
    char before[OUTLINE_AROUND], after[OUTLINE_AROUND]; /* what stands around the text */
};

struct outline_place {
    uint8_t first, count; /* of its rules; one for any name is the last */
    float add;            /* for each object */
};

/* Immutable once made. */
struct outline {
    struct outline_rule rule[OUTLINE_RULES];
    struct outline_place place[OUTLINE_PLACES]; /* [1] is the body's; [0] nobody's */
    bool weighted;                              /* tokens are those of another family: */
    double by_token[TALLY_KINDS], by_character[TALLY_KINDS];
    double otherwise; /* for a token where nothing was tallied */
};

enum image_detail { DETAIL_AUTO, DETAIL_LOW, DETAIL_HIGH, DETAIL_ORIGINAL, DETAILS };

struct tokens_picture {
    struct image image;
    enum image_detail detail;
    bool there; /* there is one */
};

struct tokens_level {
    uint8_t place; /* 0: an array, or nobody's */
    uint8_t rule;
    bool begun; /* an element was seen */
};

/* Initialise once; then set the first three, begin and step until it is done, as often as there
 * are bodies. */
struct tokens_body {
    const struct tokens *tokens; /* borrowed; NULL: texts are estimated */
    struct tokens_work *work;
    uint64_t limit;

    const struct outline *outline; /* borrowed, with the text */

    uint64_t texts;            /* tokens of texts so far */
    double frames;             /* and of what stands around them */
    bool rough;                /* texts are not exact */
    bool ruled;                /* a member was there that is ruled */
    struct tokens_tally tally; /* where the outline weighs */
    struct buf pictures;       /* owned: struct tokens_picture, one after the other */

    struct json_reader reader;
    struct tokens_level level[JSON_MAX_DEPTH + 1];
    unsigned depth;
    int rule;                /* of the value that comes next; -1: nobody's */
    const char *rest, *stop; /* of a string whose escapes are being undone; NULL: in none */
    const char *after;       /* what then follows it */
    struct buf undone;       /* owned */
    struct tokens_run run;   /* of the text that is being counted */
    bool counting;
    struct tokens_picture picture;
};

void tokens_body_init(struct tokens_body *body);
/* `tokens`, `work` and `limit` are as in a run; text and outline stay until it is done. */
void tokens_body_begin(struct tokens_body *body, const struct outline *outline,
                       const char *text, size_t len);
/* The same for a text that is no JSON. */
void tokens_body_begin_text(struct tokens_body *body, const struct outline *outline,
                            const char *text, size_t len);
/* Go on for about `most` bytes. True: done, or there are more tokens than the limit. */
bool tokens_body_step(struct tokens_body *body, size_t most);
/* There is no time for more: what is left is estimated. */
void tokens_body_cut(struct tokens_body *body);
void tokens_body_free(struct tokens_body *body);

/* What texts come to: their tokens, or those of another family by its weights. */
double outline_weigh(const struct outline *outline, const struct tokens_tally *tally,
                     uint64_t tokens);

#endif
