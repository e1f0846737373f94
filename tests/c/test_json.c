/* The checker, the index, find and splice; numbers and strings. Rows are those of MATRICES.md.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "json.h"

/* ---- accept and refuse --------------------------------------------------------------------
 */

static enum json_code check_text(const char *text, size_t len)
{
    char *exact = malloc(len + 1); /* no byte behind the text may be read */
    struct json_error error;
    memcpy(exact, text, len);
    bool good = json_check(exact, len, &json_client_limits, &error);
    CHECK(good == (error.code == JSON_OK));
    CHECK(good || (error.message && error.at <= len));
    free(exact);
    return error.code;
}

static enum json_code check_string(const char *text)
{
    return check_text(text, strlen(text));
}

static void accepts(void)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5e+3",
        "\"\"",
        " \t\r\n[1 , 2 ]\n",
        "{\"a\":{\"b\":[{}]}}",
        "[1e400,9007199254740993,1234567890123456789,5e-324,1.0]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD83D\\ude00\"",
        "\"\x7f\"",
        ("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80"
         "\xf4\x8f\xbf\xbf\""),
        "{\"x\":1,\"x\":2}",
        "\"a long enough run of plain text, then \\n and \xc3\xa9 again\""};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (!CHECK(check_string(texts[i]) == JSON_OK)) fprintf(stderr, "  %s\n", texts[i]);
    }
}

/* */
static const char *const refused[] = {"",
                                      " ",
                                      "{} x",
                                      "{}{}",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{'a':1}",
                                      "// x\n{}",
                                      "{}//",
                                      "/**/{}",
                                      "\xef\xbb\xbf{}",
                                      "\xff\xfe{",
                                      "NaN",
                                      "Infinity",
                                      "-Infinity",
                                      "0x10",
                                      "01",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "-",
                                      "1e",
                                      "1e+",
                                      "-01",
                                      "00",
                                      "[-]",
                                      "[1 2]",
                                      "[,1]",
                                      "[1,,2]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{:1}",
                                      "{a:1}",
                                      "{1:1}",
                                      "{\"a\" 1}",
                                      "{\"a\":1 \"b\":2}",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "[}",
                                      "{]",
                                      "[1}",
                                      "{\"a\":1]",
                                      "tru",
                                      "truE",
                                      "nul",
                                      "nulll",
                                      "True",
                                      "\"",
                                      "\"\\",
                                      "\"\\x\"",
                                      "\"\\u12G4\"",
                                      "\"\\u123\"",
                                      "\"a\nb\"",
                                      "\"\x01\"",
                                      "\"\x1f\"",
                                      "\"tab\there\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\\ud800\\n\"",
                                      "\"\\ud800\\ud800\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\ud83dx\"",
                                      "\xc3\xa9",
                                      "[\xc3\xa9]",
                                      "\v[]",
                                      "1\f"};

static void refuses(void)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        if (!CHECK(check_string(refused[i]) == JSON_INVALID))
            fprintf(stderr, "  %s\n", refused[i]);
    }
    CHECK(check_text("{}\0", 3) == JSON_INVALID);
    CHECK(check_text("{\0\"\0a\0", 6) == JSON_INVALID); /* UTF-16 */
    CHECK(check_text("\"a\0b\"", 5) == JSON_INVALID);
}

static void refuses_bad_utf8(void) /* */
{
    static const char *const texts[] = {"\"\xff\"",
                                        "\"\x80\"",
                                        "\"\xc0\xaf\"",
                                        "\"\xc1\xbf\"",
                                        "\"\xe0\x9f\xbf\"",
                                        "\"\xc3\"",
                                        "\"\xed\xa0\x80\"",
                                        "\"\xed\xbf\xbf\"",
                                        "\"\xf0\x8f\xbf\xbf\"",
                                        "\"\xf4\x90\x80\x80\"",
                                        "\"\xf5\x80\x80\x80\"",
                                        "\"\xe2\x82\"",
                                        "\"\xf0\x9f\x98\"",
                                        "\"plain plain plain \xff\"",
                                        "{\"\xff\":1}",
                                        "\"\xc3\xa9\xc3\""};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (!CHECK(check_string(texts[i]) == JSON_INVALID_UTF8))
            fprintf(stderr, "  %s\n", texts[i]);
    }
}

static void refuses_every_truncation(void) /* */
{
    static const char text[] =
        "{\"model\":\"m\\u00e9\\uD83D\\uDE00\xf0\x9f\x98\x80\",\"n\":[1,-2.5e-7,true,null,{}],"
        "\"stream\":false,\"x\":{\"y\":\"a rather long piece of text that fills words\"} }";
    struct json_index index;
    struct json_error error;
    for (size_t len = 0; len + 1 < sizeof(text); len++) {
        CHECK(check_text(text, len) == JSON_INVALID);
        CHECK(!json_index(&index, text, len, &json_client_limits, &error));
        CHECK(error.code == JSON_INVALID);
    }
    CHECK(check_string(text) == JSON_OK);
}

/* Every byte at every place of a word of eight, against a plain loop. */
static void stops_at_every_byte(void)
{
    char text[24];
    for (int place = 1; place < 20; place++) {
        for (int byte = 0; byte < 256; byte++) {
            memset(text, 'a', sizeof(text));
            text[0] = '"';
            text[place] = (char)byte;
            text[22] = '"';
            enum json_code want = JSON_OK;
            if (byte < 0x20 || byte == '"' || byte == '\\') want = JSON_INVALID;
            if (byte >= 0x80) want = JSON_INVALID_UTF8;
            CHECK(check_text(text, 23) == want);
        }
    }
}

/* ---- limits -------------------------------------------------------------------------------
 */

static char *repeat(const char *piece, size_t n, size_t *len)
{
    size_t size = strlen(piece);
    char *text = malloc(n * size + 1);
    for (size_t i = 0; i < n; i++) {
        memcpy(text + i * size, piece, size);
    }
    *len = n * size;
    text[*len] = '\0';
    return text;
}

static void limits_depth(void) /* */
{
    size_t len;
    char text[200];
    for (int depth = 63; depth <= 65; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        CHECK(check_text(text, (size_t)depth * 2) == (depth <= 64 ? JSON_OK : JSON_TOO_DEEP));
    }
    char *deep = repeat("[", 1000000, &len);
    CHECK(check_text(deep, len) == JSON_TOO_DEEP);
    free(deep);
    deep = repeat("{\"a\":", 1000000, &len);
    struct json_index index;
    struct json_error error;
    CHECK(!json_index(&index, deep, len, &json_client_limits, &error));
    CHECK(error.code == JSON_TOO_DEEP && error.at == 64 * 5);
    free(deep);
}

static void limits_nodes(void) /* */
{
    size_t len;
    char *text = repeat("[],", 3400000, &len);
    text[0] = '[';
    CHECK(check_text(text, len) == JSON_INVALID); /* "[]," and so on: bad at once */
    memcpy(text, "[0,", 3);
    CHECK(check_text(text, len) == JSON_TOO_MANY);
    free(text);

    text = repeat("1,", 199999, &len);
    text[len - 1] = ']';
    char *whole = malloc(len + 2);
    whole[0] = '[';
    memcpy(whole + 1, text, len);
    CHECK(check_text(whole, len + 1) == JSON_OK); /* 199,999 numbers and their array */
    whole[len] = ',';
    whole[len + 1] = '1';
    CHECK(check_text(whole, len + 2) == JSON_TOO_MANY);
    free(whole);
    free(text);

    struct buf many;
    buf_init(&many, 64 << 20);
    struct json_index index;
    struct json_error error;
    CHECK(buf_append(&many, "{\"k\":0", 6));
    for (int i = 1; i < 65536; i++) {
        char name[32];
        int size = snprintf(name, sizeof(name), ",\"%07d\":0", i);
        CHECK(buf_append(&many, name, (size_t)size));
    }
    CHECK(buf_append(&many, "}", 1));
    CHECK(json_index(&index, many.data, many.len, &json_client_limits, &error));
    CHECK(index.count == 65536);
    CHECK(json_index_find(&index, many.data, "0065535", 7) == &index.members[65535]);
    json_index_free(&index);
    many.len--;
    CHECK(buf_append(&many, ",\"0000077\":0}", 13));
    CHECK(!json_index(&index, many.data, many.len, &json_client_limits, &error));
    CHECK(error.code == JSON_TOO_MANY);
    CHECK(index.members == NULL);
    buf_free(&many);
}

static void limits_numbers(void)
{
    char text[80];
    memset(text, '7', sizeof(text));
    CHECK(check_text(text, 64) == JSON_OK);
    CHECK(check_text(text, 65) == JSON_INVALID);
}

/* ---- the index ----------------------------------------------------------------------------
 */

static enum json_code index_code(const char *text, struct json_error *error)
{
    struct json_index index;
    if (json_index(&index, text, strlen(text), &json_client_limits, error))
        json_index_free(&index);
    return error->code;
}

static void wants_an_object(void) /* */
{
    struct json_error error;
    CHECK(index_code("[]", &error) == JSON_NOT_OBJECT);
    CHECK(index_code(" [{}] ", &error) == JSON_NOT_OBJECT);
    CHECK(index_code("\"x\"", &error) == JSON_NOT_OBJECT);
    CHECK(index_code("1", &error) == JSON_NOT_OBJECT);
    CHECK(index_code("null", &error) == JSON_NOT_OBJECT);
    CHECK(index_code("null null", &error) == JSON_INVALID);
    CHECK(index_code("[1", &error) == JSON_INVALID);
    CHECK(index_code("\"\xff\"", &error) == JSON_INVALID_UTF8);
    CHECK(index_code("{} ", &error) == JSON_OK);
    CHECK(index_code("{} {}", &error) == JSON_INVALID);
}

static void refuses_duplicates(void) /* */
{
    struct json_error error;
    CHECK(index_code("{\"model\":1,\"n\":2,\"model\":3}", &error) == JSON_DUPLICATE);
    CHECK_TEXT(error.param, strlen(error.param), "model");
    CHECK(index_code("{\"model\":1,\"mod\\u0065l\":3}", &error) == JSON_DUPLICATE);
    CHECK_TEXT(error.param, strlen(error.param), "model");
    CHECK(index_code("{\"\\u006dodel\":1,\"mod\\u0065l\":3}", &error) == JSON_DUPLICATE);
    CHECK(index_code("{\"\":1,\"a\":1,\"\":3}", &error) == JSON_DUPLICATE);
    CHECK(index_code("{\"a\":1,\"A\":1,\"a \":3,\"aa\":1,\"\\u0061b\":1}", &error) == JSON_OK);
    CHECK(index_code("{\"x\":{\"a\":1,\"a\":2}}", &error) == JSON_OK);
    CHECK(index_code("{\"a\":1,\"a\":2", &error) == JSON_INVALID);

    char text[400] = "{\"";
    for (int i = 0; i < 40; i++) {
        strncat(text, "\xc3\xa9", 3); /* 80 bytes: cut at a whole character */
    }
    size_t name = strlen(text) - 1;
    strncat(text, "\":1,", 5);
    memcpy(text + strlen(text), text + 1, name);
    strncat(text, "\":2}", 5);
    CHECK(index_code(text, &error) == JSON_DUPLICATE);
    CHECK(strlen(error.param) == 64);
}

static void indexes(void)
{
    static const char text[] = " {\"model\" : \"gpt\", \"n\":-1.5,\"s\\u0074op\":[ \"]\" ],"
                               "\"o\":{\"a\":{},\"b\":\"}\",\"a\":7} ,\"t\":true,\"z\":null}";
    struct json_index index;
    struct json_error error;
    struct json_member found;
    if (!CHECK(json_index(&index, text, strlen(text), &json_client_limits, &error))) return;
    CHECK(index.count == 6 && index.open == 1 && index.close == strlen(text) - 1);
    const struct json_member *m = json_index_find(&index, text, "model", 5);
    CHECK(m && m->type == JSON_STRING);
    CHECK_TEXT(text + m->value, m->value_len, "\"gpt\"");
    m = json_index_find(&index, text, "n", 1);
    CHECK(m && m->type == JSON_NUMBER);
    CHECK_TEXT(text + m->value, m->value_len, "-1.5");
    m = json_index_find(&index, text, "stop", 4);
    CHECK(m && m->type == JSON_ARRAY);
    CHECK_TEXT(text + m->value, m->value_len, "[ \"]\" ]");
    CHECK(!json_find(text, m, "a", 1, &found));
    m = json_index_find(&index, text, "o", 1);
    CHECK(m && m->type == JSON_OBJECT);
    CHECK(json_find(text, m, "b", 1, &found) && found.type == JSON_STRING);
    CHECK_TEXT(text + found.value, found.value_len, "\"}\"");
    CHECK(json_find(text, m, "a", 1, &found) && found.type == JSON_NUMBER); /* the last */
    CHECK(!json_find(text, m, "c", 1, &found));
    m = json_index_find(&index, text, "t", 1);
    CHECK(m && m->type == JSON_TRUE && !json_find(text, m, "a", 1, &found));
    m = json_index_find(&index, text, "z", 1);
    CHECK(m && m->type == JSON_NULL);
    CHECK(!json_index_find(&index, text, "mode", 4));
    CHECK(!json_index_find(&index, text, "s\\u0074op", 9));
    json_index_free(&index);
}

int main(void)
{
    accepts();
    refuses();
    refuses_bad_utf8();
    refuses_every_truncation();
    stops_at_every_byte();
    limits_depth();
    limits_nodes();
    limits_numbers();
    wants_an_object();
    refuses_duplicates();
    indexes();
    return check_report();
}
