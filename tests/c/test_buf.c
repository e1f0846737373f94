/* Growth, ceilings, hand-over. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"

static void grows(void)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    CHECK(buf.data == NULL && buf.len == 0);
    for (int i = 0; i < 10000; i++) {
        CHECK(buf_append(&buf, "0123456789", 10));
    }
    CHECK(buf.len == 100000 && buf.cap <= 1 << 20);
    CHECK(memcmp(buf.data + 99990, "0123456789", 10) == 0);
    buf_consume(&buf, 99995);
    CHECK_TEXT(buf.data, buf.len, "56789");
    buf_consume(&buf, 0);
    CHECK_TEXT(buf.data, buf.len, "56789");
    buf_clear(&buf);
    CHECK(buf.len == 0 && buf.cap > 0);
    buf_free(&buf);
    CHECK(buf.data == NULL && buf.cap == 0);
    buf_free(&buf);
}

static void stops_at_the_limit(void)
{
    struct buf buf;
    buf_init(&buf, 10);
    CHECK(buf_append(&buf, "12345678", 8));
    CHECK(!buf_append(&buf, "abc", 3));
    CHECK_TEXT(buf.data, buf.len, "12345678");
    CHECK(buf_append(&buf, "ab", 2));
    CHECK(buf.cap <= 10);
    CHECK(!buf_append(&buf, "c", 1));
    CHECK(!buf_reserve(&buf, SIZE_MAX));
    CHECK(buf_append(&buf, NULL, 0));
    CHECK_TEXT(buf.data, buf.len, "12345678ab");
    buf_free(&buf);

    buf_init(&buf, 3000); /* no power of two */
    CHECK(buf_reserve(&buf, 3000) && buf.cap == 3000);
    CHECK(!buf_reserve(&buf, 3001));
    buf_free(&buf);
}

static void hands_over(void)
{
    struct buf buf;
    size_t len = 7;
    buf_init(&buf, 100);
    CHECK(buf_take(&buf, &len) == NULL && len == 0);
    CHECK(buf_append(&buf, "moon", 4));
    char *bytes = buf_take(&buf, &len);
    CHECK_TEXT(bytes, len, "moon");
    CHECK(buf.data == NULL && buf.len == 0);
    CHECK(buf_append(&buf, "gate", 4));
    CHECK_TEXT(bytes, len, "moon");
    CHECK_TEXT(buf.data, buf.len, "gate");
    buf_consume(&buf, 100); /* more than there is: all of it */
    CHECK(buf.len == 0);
    free(bytes);
    buf_free(&buf);
}

int main(void)
{
    grows();
    stops_at_the_limit();
    hands_over();
    return check_report();
}
