/* Splices, and the strings and numbers of JSON text. Rows are those of MATRICES.md. */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "json.h"

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
    CHECK(json_check(out.data, out.len, &json_client_limits, &error));
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
    sets();
    removes();
    edits_children();
    unescapes();
    quotes();
    numbers();
    return check_report();
}
