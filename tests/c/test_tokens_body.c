/* tokens_body.h, tokens_image.h, learned.h: bodies are counted in short steps, with what one
 * step finds the same as another; sizes of images from few bytes; lessons that survive a
 * restart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "learned.h"
#include "tokens_body.h"

enum { MEGABYTE = 1 << 20, STEP = 4096 };

#define VOCABULARY "build/vocabularies/o200k_base.mgv"

/* { messages: [ { content: text or parts, image: … } ] } */
static const struct outline outline = {
    .rule = {{.name = "messages", .name_len = 8, .into = 2},
             {.name = "content", .name_len = 7, .kind = OUTLINE_TEXT, .into = 2},
             {.name = "image", .name_len = 5, .kind = OUTLINE_IMAGE},
             {.name = "detail", .name_len = 6, .kind = OUTLINE_DETAIL},
             {.name = "raw", .name_len = 3, .raw = true}},
    .place = {{0}, {.first = 0, .count = 1}, {.first = 1, .count = 4, .add = 3}},
};

struct found {
    uint64_t texts;
    double frames;
    size_t pictures;
    unsigned steps;
};

static struct found look(const char *text, size_t len, size_t most)
{
    static const struct tokens *tokens;
    static struct tokens_work *work;
    struct tokens_body body;
    char why[TOKENS_WHY];

    if (!work) {
        work = tokens_work_new(0);
        tokens = tokens_open(VOCABULARY, why);
    }
    tokens_body_init(&body);
    body.tokens = tokens;
    body.work = work;
    body.limit = TOKENS_NO_LIMIT;
    tokens_body_begin(&body, &outline, text, len);
    unsigned steps = 1;
    uint64_t effort = 0, most_effort = 0;
    while (!tokens_body_step(&body, most)) {
        uint64_t now = body.counting ? body.run.effort : 0;
        if (now > effort && now - effort > most_effort) most_effort = now - effort;
        effort = now;
        steps++;
    }
    CHECK(most_effort <= 3 * (most + 8192)); /* merged in one step, some of it twice */
    struct found found = {body.texts, body.frames,
                          body.pictures.len / sizeof(struct tokens_picture), steps};
    tokens_body_free(&body);
    return found;
}

/* A large string, with escapes or without, is counted in many steps, as many short ones are. */
static void check_large(const char *unit, unsigned least)
{
    static const char head[] = "{\"messages\":[{\"content\":\"", tail[] = "\"}]}";
    char *text = malloc(MEGABYTE + 256);
    size_t len = 0;

    if (!CHECK(text != NULL)) return;
    memcpy(text, head, sizeof(head) - 1);
    for (len = sizeof(head) - 1; len + strlen(unit) < MEGABYTE; len += strlen(unit)) {
        memcpy(text + len, unit, strlen(unit));
    }
    memcpy(text + len, tail, sizeof(tail) - 1);
    len += sizeof(tail) - 1;
    struct found small = look(text, len, STEP), whole = look(text, len, SIZE_MAX);
    CHECK(small.texts == whole.texts);
    CHECK(fabs(small.frames - whole.frames) < 1e-9);
    CHECK(small.steps >= least);
    free(text);
}

static void test_steps(void)
{
    check_large("word ", MEGABYTE / STEP / 2);
    check_large("a", MEGABYTE / STEP / 2);
    check_large("line\\n", MEGABYTE / STEP / 4);
    check_large("\\ud83d\\ude00", MEGABYTE / STEP / 8);
    check_large("\"},{\"content\":\"x", MEGABYTE / STEP / 4);
    check_large("\"},{\"raw\":[1, 2],\"content\":\"x", MEGABYTE / STEP / 4);
}

static struct found find(const char *text)
{
    return look(text, strlen(text), SIZE_MAX);
}

static void test_shapes(void)
{
    CHECK(find("{}").texts == 0);
    CHECK(find("{\"messages\":7}").texts == 0);
    CHECK(find("{\"other\":{\"messages\":[{\"content\":\"a\"}]}}").texts == 0);
    CHECK(find("{\"messages\":[{\"content\":\"a\"}]}").texts == 1);
    CHECK(find("{\"messages\":[{\"content\":[\"a\",{\"content\":\"b\"},3,null]}]}").texts == 2);
    CHECK(find("{\"messages\":[{\"content\":\"\\u0061\"}]}").texts == 1);
    CHECK(find("{\"messages\":[{\"raw\":[ 1 , 2 ]}]}").texts ==
          find("{\"messages\":[{\"raw\":[1,2]}]}").texts);
    CHECK(find("{\"messages\":[{\"image\":\"https://x\"},{}]}").pictures == 1);
    CHECK(fabs(find("{\"messages\":[{},{},{}]}").frames - 9) < 1e-9);
}

/* ---- images ----------------------------------------------------------------------------- */

static bool sized(const char *url, uint32_t width, uint32_t height)
{
    struct image image = image_of(url, strlen(url));

    if (image.kind == IMAGE_SIZED && image.width == width && image.height == height)
        return true;
    fprintf(stderr, "kind %d, %u x %u\n", (int)image.kind, image.width, image.height);
    return false;
}

/* Heads made by hand; what follows is never looked at. */
static void test_images(void)
{
    static const char more[] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const struct {
        const char *head;
        uint32_t width, height;
    } cases[] = {
        {"iVBORw0KGgoAAAANSUhEUgAAAoAAAAHgCAYAAAA", 640, 480},
        {"R0lGODlhIAAQAPAAAAAA", 32, 16},
        {"/9j/4AAQSkZJRgABAQAAAQABAAD/wAARCAABAAIDASIAAhEBAxEB", 2, 1},
        {"UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AA", 1, 1},
        {"UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA", 1, 1},
        {"UklGRgAAAABXRUJQVlA4WAoAAAAQAAAAjwEAKwEA", 400, 300},
    };
    char url[512];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        (void)snprintf(url, sizeof(url), "data:image/x;base64,%s%s", cases[i].head, more);
        CHECK(sized(url, cases[i].width, cases[i].height));
        (void)snprintf(url, sizeof(url), "%s%s", cases[i].head, more);
        CHECK(sized(url, cases[i].width, cases[i].height));
    }
    CHECK(image_of("https://example.org/a.png", 25).kind == IMAGE_ELSEWHERE);
    CHECK(image_of("file-abc123", 11).kind == IMAGE_ELSEWHERE);
    CHECK(image_of("", 0).kind == IMAGE_ELSEWHERE);
    CHECK(image_of("data:image/png;base64,", 22).kind == IMAGE_UNSIZED);
    (void)snprintf(url, sizeof(url), "JVBERi0x%s", more);
    CHECK(image_of(url, strlen(url)).kind == IMAGE_PDF);
    (void)snprintf(url, sizeof(url), "/9j/%s", more); /* a segment without a length */
    CHECK(image_of(url, strlen(url)).kind == IMAGE_UNSIZED);
}

/* ---- lessons ---------------------------------------------------------------------------- */

static void test_lessons(void)
{
    char dir[] = "/tmp/moongate-learned-XXXXXX", path[64];
    struct learned *learned = learned_new();

    if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(learned != NULL)) return;
    CHECK(learned_get(learned, "m", 1).count == 0);
    for (int i = 0; i < 1000; i++) {
        (void)learned_add(learned, "m", 1, i % 2 ? 1.1 : 0.9);
        (void)learned_add(learned, "a name with blanks", 2, 1.5);
    }
    struct lesson lesson = learned_get(learned, "m", 1);
    CHECK(lesson.count == 1000 && fabs(lesson.mean - 1) < 0.01);
    CHECK(fabs(lesson.deviation - 0.1) < 0.01);
    CHECK(learned_add(learned, "m", 1, NAN).count == 1000);
    CHECK(learned_add(learned, "m", 1, 1e9).count == 1000);
    CHECK(learned_add(learned, "m", LEARNED_KINDS, 1).count == 0);
    CHECK(learned_add(learned, "", 1, 1).count == 0);
    CHECK(learned_save(learned, dir));
    learned_free(learned);

    learned = learned_new();
    if (!CHECK(learned != NULL)) return;
    learned_load(learned, dir);
    CHECK(learned_get(learned, "m", 1).count == 1000);
    CHECK(fabs(learned_get(learned, "a name with blanks", 2).mean - 1.5) < 1e-6);
    CHECK(learned_get(learned, "m", 2).count == 0);
    CHECK(learned_add(learned, "two\n1 50 0 9 lines", 1, 1).count == 0);
    for (int i = 0; i < 20 * LEARNED_NAMES; i++) { /* a full table forgets who was seen least */
        char name[32];
        (void)snprintf(name, sizeof(name), "model-%d", i);
        (void)learned_add(learned, name, 0, 1);
    }
    CHECK(learned_get(learned, "m", 1).count == 1000);
    learned_free(learned);

    (void)snprintf(path, sizeof(path), "%s/tokens.learned", dir);
    FILE *file = fopen(path, "w");
    if (CHECK(file != NULL)) {
        (void)fputs("nonsense\n1 nan 0 3 x\n99 1 1 1 y\n1 1.25 0 4 z\n1 1 1", file);
        (void)fclose(file);
    }
    learned = learned_new();
    if (!CHECK(learned != NULL)) return;
    learned_load(learned, dir);
    CHECK(learned_get(learned, "x", 1).count == 0 && learned_get(learned, "z", 1).count == 4);
    learned_load(learned, "/nonexistent");
    learned_free(learned);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    test_images();
    test_lessons();
    if (access(VOCABULARY, R_OK) == 0) {
        test_shapes();
        test_steps();
    }
    return check_report();
}
