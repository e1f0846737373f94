/* Which addresses and names lie within (U-07, S-10, S-11). */
#include "address.h"

#include <stdlib.h>

#include <arpa/inet.h>

#include "check.h"

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static bool within(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_is_within((const struct sockaddr *)&v4);
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1) abort();
    return address_is_within((const struct sockaddr *)&v6);
}

/* Networks that are not the internet's, in every notation that reaches them. */
static const char *const INNER[] = {
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.0.1",
    "192.0.0.8",
    "198.18.0.1",
    "198.19.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "fd00::",
    "fc00::1",
    "fe80::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001:db8::1",
    "2001::1",
    "100::1",
    "::7f00:1",
    "::ffff:169.254.169.254",
    "fec0::1",
    "fd00:ec2::254",
};

/* Their neighbours on both sides, and public ones inside the same notations. */
static const char *const OUTER[] = {
    "1.1.1.1",        "9.255.255.255",   "11.0.0.0",       "100.63.255.255",
    "100.128.0.0",    "126.255.255.255", "128.0.0.0",      "169.253.255.255",
    "169.255.0.0",    "172.15.255.255",  "172.32.0.0",     "192.167.255.255",
    "192.169.0.0",    "198.17.255.255",  "198.20.0.0",     "223.255.255.255",
    "2606:4700::1",   "2a00:1450::1",    "::ffff:8.8.8.8", "64:ff9b::808:808",
    "2002:808:808::", "2001:4860::8888",
};

static const char *const LOCAL[] = {
    "ollama",  "vllm-1",     "metadata.google.internal",
    "box.lan", "box.local.", "a.b.HOME.ARPA",
    "x.svc",   "x.local",    "y.test",
};

/* Public names, and what is no name. */
static const char *const OPEN[] = {
    "api.openai.com", "2130706433", "0x7f000001", "0x7f.1", "127.1",         "internal.com",
    "a.0x7f",         "home.arpa",  "",           "1",      "local.example",
};

static void networks_within_are_known(void)
{
    for (size_t i = 0; i < COUNT(INNER); i++) {
        if (!CHECK(within(INNER[i]))) printf("  %s\n", INNER[i]);
    }
}

static void the_internet_is_not_within(void)
{
    for (size_t i = 0; i < COUNT(OUTER); i++) {
        if (!CHECK(!within(OUTER[i]))) printf("  %s\n", OUTER[i]);
    }
}

static void what_is_no_address_is_within(void)
{
    struct sockaddr unknown = {.sa_family = AF_UNIX};

    CHECK(address_is_within(&unknown));
}

static void local_names_are_known(void)
{
    for (size_t i = 0; i < COUNT(LOCAL); i++) {
        if (!CHECK(address_name_is_local(LOCAL[i]))) printf("  %s\n", LOCAL[i]);
    }
}

static void other_names_are_not_local(void)
{
    for (size_t i = 0; i < COUNT(OPEN); i++) {
        if (!CHECK(!address_name_is_local(OPEN[i]))) printf("  %s\n", OPEN[i]);
    }
}

static void numbers_are_not_names(void)
{
    CHECK(address_ends_in_number("2130706433") && address_ends_in_number("127.1"));
    CHECK(address_ends_in_number("0x7f.0.0.0x1") && address_ends_in_number("1.2.3.4."));
    CHECK(!address_ends_in_number("api.example.com") && !address_ends_in_number(""));
    CHECK(!address_ends_in_number("1.com") && !address_ends_in_number("x1"));
}

int main(void)
{
    networks_within_are_known();
    the_internet_is_not_within();
    what_is_no_address_is_within();
    local_names_are_known();
    other_names_are_not_local();
    numbers_are_not_names();
    return check_report();
}
