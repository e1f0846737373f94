/* Oracles: a body counted in small steps comes to what it comes to at once; an image's size is
 * read from any bytes at all. Without a vocabulary: what is merged is not the point here. */

#include "fuzz.h"

#include "tokens_body.h"

static const struct outline outline = {
    .rule = {{.name = "a", .name_len = 1, .kind = OUTLINE_TEXT, .into = 2, .add = 1},
             {.name = "b", .name_len = 1, .raw = true, .kind = OUTLINE_TEXT, .before = " "},
             {.name = "c", .name_len = 1, .kind = OUTLINE_IMAGE, .into = 2},
             {.name = "d", .name_len = 1, .kind = OUTLINE_DETAIL},
             {.kind = OUTLINE_TEXT, .named = true, .into = 1, .after = "\n"}},
    .place = {{0}, {.first = 0, .count = 5, .add = 1}, {.first = 1, .count = 3, .add = 2}},
};

static void count(struct tokens_body *body, const char *text, size_t len, size_t most)
{
    tokens_body_init(body);
    body->limit = TOKENS_NO_LIMIT;
    tokens_body_begin(body, &outline, text, len);
    while (!tokens_body_step(body, most)) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct tokens_body slow, fast;
    struct json_error error;
    char *text = text_copy(input, size);
    struct image image = image_of(text, size);
    MUST(image.kind != IMAGE_SIZED || (image.width > 0 && image.height > 0));
    if (json_check(text, size, &json_answer_limits, &error)) {
        count(&slow, text, size, 1);
        count(&fast, text, size, SIZE_MAX);
        MUST(slow.texts == fast.texts && slow.frames == fast.frames);
        MUST(slow.pictures.len == fast.pictures.len);
        tokens_body_free(&slow);
        tokens_body_free(&fast);
    }
    free(text);
    return 0;
}
