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

static void refuses(void) /* */
{
    static const char *const texts[] = {"",
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
                                        "{}\x00",
                                        "\v[]",
                                        "1\f"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (!CHECK(check_string(texts[i]) == JSON_INVALID || !strcmp(texts[i], "{}")))
            fprintf(stderr, "  %s\n", texts[i]);
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

/* ---- splice -------------------------------------------------------------------------------
 */

/* Edits as name, child, value; the value NULL removes. */
struct step {
    const char *name, *child, *value;
};

static void splices(const char *text, const struct step *steps, size_t n, const char *want)
{
    struct json_edit edits[8];
    struct json_index index;
    struct json_error error;
    struct buf out;
    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];
        edits[i] = (struct json_edit){s->name,  strlen(s->name),
                                      s->child, s->child ? strlen(s->child) : 0,
                                      s->value, s->value ? strlen(s->value) : 0};
    }
    if (!CHECK(json_index(&index, text, strlen(text), &json_client_limits, &error))) return;
    buf_init(&out, 1000);
    CHECK(json_splice(&index, text, edits, n, &out));
    CHECK_TEXT(out.data, out.len, want);
    CHECK(check_text(out.data, out.len) == JSON_OK);
    buf_free(&out);
    buf_init(&out, strlen(want) - 1); /* one byte short */
    CHECK(!json_splice(&index, text, edits, n, &out) && out.len == 0);
    buf_free(&out);
    json_index_free(&index);
}

#define SPLICES(text, want, ...)                      \
    splices(text, (const struct step[]){__VA_ARGS__}, \
            sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step), want)

static void sets(void)
{
    SPLICES("{}", "{\"a\":1}", {"a", NULL, "1"});
    SPLICES(" { } ", " {\"a\":1 } ", {"a", NULL, "1"});
    SPLICES("{\"b\":2}", "{\"a\":1,\"b\":2}", {"a", NULL, "1"});
    SPLICES("{ \"b\" : 2 }", "{\"a\":1,\"c\":3, \"b\" : 2 }", {"a", NULL, "1"},
            {"c", NULL, "3"});
    SPLICES("{ \"m\" : \"x\" , \"k\":[ ] }", "{ \"m\" : \"yy\" , \"k\":[ ] }",
            {"m", NULL, "\"yy\""});
    SPLICES("{\"\\u006d\":1,\"k\":2}", "{\"\\u006d\":0,\"k\":2}", {"m", NULL, "0"});
    SPLICES("{\"a\":1}", "{\"q\\\"\":0,\"a\":1}", {"q\"", NULL, "0"});
    SPLICES("{\"id\":123456789012345678901,\"x\":1.0,\"t\":[],\"m\":{}}",
            "{\"id\":123456789012345678901,\"x\":2,\"t\":[],\"m\":{}}", {"x", NULL, "2"});
}

static void removes(void)
{
    SPLICES("{\"a\":1}", "{}", {"a", NULL, NULL});
    SPLICES("{ \"a\":1 }", "{  }", {"a", NULL, NULL});
    SPLICES("{\"a\":1}", "{\"a\":1}", {"z", NULL, NULL});
    SPLICES("{ \"a\":1 , \"b\":2 }", "{ \"b\":2 }", {"a", NULL, NULL});
    SPLICES("{ \"a\":1 , \"b\":2 }", "{ \"a\":1 }", {"b", NULL, NULL});
    SPLICES("{\"a\":1, \"b\":2, \"c\":3}", "{\"a\":1, \"c\":3}", {"b", NULL, NULL});
    SPLICES("{\"a\":1, \"b\":2, \"c\":3}", "{\"c\":3}", {"a", NULL, NULL}, {"b", NULL, NULL});
    SPLICES("{\"a\":1, \"b\":2, \"c\":3}", "{\"a\":1}", {"b", NULL, NULL}, {"c", NULL, NULL});
    SPLICES("{\"a\":1, \"b\":2, \"c\":3}", "{\"b\":2}", {"a", NULL, NULL}, {"c", NULL, NULL});
    SPLICES("{\"a\":1, \"b\":2}", "{}", {"a", NULL, NULL}, {"b", NULL, NULL});
    SPLICES("{\"a\":1, \"b\":2}", "{\"n\":0}", {"a", NULL, NULL}, {"b", NULL, NULL},
            {"n", NULL, "0"});
    SPLICES("{\"a\":1, \"b\":2}", "{\"n\":0,\"b\":3}", {"a", NULL, NULL}, {"b", NULL, "3"},
            {"n", NULL, "0"});
}

static void edits_children(void)
{
    SPLICES("{\"m\":1}", "{\"o\":{\"u\":true},\"m\":1}", {"o", "u", "true"});
    SPLICES("{\"m\":1}", "{\"m\":1}", {"o", "u", NULL});
    SPLICES("{\"o\":{}}", "{\"o\":{\"u\":true}}", {"o", "u", "true"});
    SPLICES("{\"o\": {\"u\": false ,\"v\":1}}", "{\"o\": {\"u\": true ,\"v\":1}}",
            {"o", "u", "true"});
    SPLICES("{\"o\":{\"v\":1}}", "{\"o\":{\"u\":true,\"w\":0,\"v\":1}}", {"o", "u", "true"},
            {"o", "w", "0"});
    SPLICES("{\"o\":{\"v\":1, \"u\":0}}", "{\"o\":{\"v\":1}}", {"o", "u", NULL});
    SPLICES("{\"o\":{\"u\":1,\"u\":2,\"v\":0}}", "{\"o\":{\"u\":9,\"u\":9,\"v\":0}}",
            {"o", "u", "9"});
    SPLICES("{\"o\":{\"u\":1,\"v\":0,\"u\":2}}", "{\"o\":{\"v\":0}}", {"o", "u", NULL});
    SPLICES("{\"o\":null,\"a\":1}", "{\"o\":{\"u\":1,\"v\":2},\"a\":1}", {"o", "u", "1"},
            {"o", "v", "2"});
    SPLICES("{\"o\":null,\"a\":1}", "{\"o\":null,\"a\":1}", {"o", "u", NULL});
    SPLICES("{\"a\":0,\"o\":[]}", "{\"b\":1,\"p\":{\"x\":1},\"a\":0,\"o\":{\"u\":2}}",
            {"b", NULL, "1"}, {"o", "u", "2"}, {"p", "w", NULL}, {"p", "x", "1"});
}

/* ---- strings and numbers ------------------------------------------------------------------
 */

static void unescapes(void)
{
    static const char text[] = "a\\n\\\"\\\\\\/\\u00e9\\u20ac\\ud83d\\ude00\\u0000b";
    static const char want[] = "a\n\"\\/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0b";
    char out[sizeof(text)];
    size_t len = json_unescape(text, strlen(text), out);
    CHECK(len == sizeof(want) - 1 && memcmp(out, want, len) == 0);
    CHECK(json_unescape("", 0, out) == 0);
}

static void quotes(void)
{
    struct buf out;
    buf_init(&out, 1000);
    CHECK(json_quote(&out, "a/\"\\\n\x01\0\x7f", 8, false));
    CHECK_TEXT(out.data, out.len, "\"a/\\\"\\\\\\n\\u0001\\u0000\x7f\"");
    buf_clear(&out);
    CHECK(json_quote(&out, "\xff\xc3\xa9\xc3", 4, false));
    CHECK_TEXT(out.data, out.len, "\"\\ufffd\xc3\xa9\\ufffd\"");
    buf_clear(&out);
    CHECK(json_quote(&out, "\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xa6", 12, true));
    CHECK_TEXT(out.data, out.len, "\"\\u007f\\u0085\\u2028\\u2029\xe2\x80\xa6\"");
    buf_free(&out);
    buf_init(&out, 6);
    CHECK(!json_quote(&out, "12345", 5, false) && out.len == 0);
    CHECK(!json_quote(&out, "\n\n\n", 3, false) && out.len == 0);
    CHECK(json_quote(&out, "\n\n", 2, false));
    buf_free(&out);
}

static void number_is(const char *text, bool exact, const char *again)
{
    double value = 12345;
    char out[JSON_NUMBER_SPACE];
    if (!CHECK(json_number(text, strlen(text), &value) == exact))
        fprintf(stderr, "  %s\n", text);
    if (exact) CHECK_TEXT(out, json_print_number(value, out), again);
}

static void numbers(void) /* */
{
    number_is("0", true, "0");
    number_is("-0", true, "-0");
    number_is("0e99", true, "0");
    number_is("1.0", true, "1");
    number_is("-12.50", true, "-12.5");
    number_is("1e2", true, "100");
    number_is("0.001", true, "0.001");
    number_is("1E-5", true, "1e-05");
    number_is("0.1", true, "0.1");
    number_is("0.30000000000000004", true, "0.30000000000000004");
    number_is("0.30000000000000003", false, NULL);
    number_is("0.10000000000000001", false, NULL);
    number_is("3.141592653589793", true, "3.141592653589793");
    number_is("3.1415926535897931", false, NULL);
    number_is("-0.006929283495992422", true, "-0.006929283495992422");
    number_is("123456789.12345679", true, "123456789.12345679");
    number_is("1234567890123456", true, "1234567890123456");
    number_is("9007199254740991", true, "9007199254740991");
    number_is("9007199254740992", true, "9007199254740992");
    number_is("-9007199254740992", true, "-9007199254740992");
    number_is("9007199254740993", false, NULL);
    number_is("1234567890123456789", false, NULL);
    number_is("100000000000000000000", false, NULL);
    number_is("1e20", true, "1e+20");
    number_is("1.7976931348623157e308", true, "1.7976931348623157e+308");
    number_is("1e400", false, NULL);
    number_is("-1e400", false, NULL);
    number_is("1e-400", false, NULL);
    number_is("5e-324", true, "5e-324");
    number_is("1e99999999999999999999", false, NULL);
    number_is("0.1234567890123456789", false, NULL);
    number_is("1.50000000000000000000000", true, "1.5");
    char out[JSON_NUMBER_SPACE];
    CHECK(json_print_number(1.0 / 3, out) == 18 && !memcmp(out, "0.3333333333333333", 18));
    CHECK(json_print_number(1e300 * 1e300, out) == 0);
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
    sets();
    removes();
    edits_children();
    unescapes();
    quotes();
    numbers();
    return check_report();
}
