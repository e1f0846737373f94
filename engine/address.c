#include "address.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <netinet/in.h>
#include <sys/socket.h>

struct range {
    uint32_t base;
    unsigned bits;
};

/* https://www.iana.org/assignments/iana-ipv4-special-registry: all that is not global. */
static const struct range within4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* shared: 100.64/10 */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local: 169.254/16 */
    {0xac100000, 12}, /* private: 172.16/12 */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private: 192.168/16 */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool is_within4(uint32_t address)
{
    for (size_t i = 0; i < sizeof(within4) / sizeof(within4[0]); i++) {
        if ((address ^ within4[i].base) >> (32 - within4[i].bits) == 0) return true;
    }
    return false;
}

static uint32_t word_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           bytes[3];
}

/* Global unicast is 2000::/3, and some of that is not. */
static bool is_within6(const unsigned char *bytes)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
    uint32_t first = word_at(bytes);

    if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, nat64, 12) == 0) {
        return is_within4(word_at(bytes + 12));
    }
    if (first >> 29 != 1) return true;
    if (first >> 16 == 0x2002) return is_within4(word_at(bytes + 2)); /* 6to4 */
    return first >> 9 == 0x20010000 >> 9 || /* 2001::/23, Teredo and the like */
           first == 0x20010db8;             /* documentation */
}

bool address_is_within(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        return is_within4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        return is_within6(v6.sin6_addr.s6_addr);
    }
    return true;
}

/* What inet_aton() and its kin would take for an address, or a part of one. */
static bool is_number(const char *label, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool hex = len > 2 && label[0] == '0' && (label[1] | 0x20) == 'x';
        unsigned char c = (unsigned char)label[i];
        if (!isdigit(c) && !(hex && (i == 1 || isxdigit(c)))) return false;
    }
    return len > 0;
}

/* Where the last label begins; *len gets its length. A dot at the end counts for nothing. */
static const char *last_label(const char *host, size_t *len)
{
    size_t end = strlen(host);

    if (end && host[end - 1] == '.') end--;
    size_t from = end;
    while (from && host[from - 1] != '.')
        from--;
    *len = end - from;
    return host + from;
}

bool address_ends_in_number(const char *host)
{
    size_t len;
    const char *label = last_label(host, &len);

    return is_number(label, len);
}

bool address_name_is_local(const char *host)
{
    /* RFC 6761, 6762, 8375, 9476's kin, and what routers and clusters use. */
    static const char *const tops[] = {"internal", "local", "localdomain", "localhost",
                                       "lan",      "home",  "corp",        "intranet",
                                       "private",  "test",  "svc"};
    size_t label;
    const char *top = last_label(host, &label);

    if (is_number(top, label)) return false;
    if (top == host) return label > 0;
    for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
        if (strlen(tops[i]) == label && strncasecmp(top, tops[i], label) == 0) return true;
    }
    size_t len = (size_t)(top - host) + label;
    static const char home_arpa[] = ".home.arpa";
    size_t tail = sizeof(home_arpa) - 1;
    return len > tail && strncasecmp(host + len - tail, home_arpa, tail) == 0;
}
