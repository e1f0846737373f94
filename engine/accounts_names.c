/* Names of accounts in order, a page at a time: of a table too long to be shown, or sorted, at
 * once. */
#include <stdlib.h>
#include <string.h>

#include "accounts_parts.h"

/* As strcmp() is of texts. */
static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    if (order != 0) return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

static int compare_accounts(const void *a, const void *b)
{
    const struct account *one = *(const struct account *const *)a;
    const struct account *other = *(const struct account *const *)b;

    return compare(one->name, one->len, other->name, other->len);
}

/* A heap whose top is the last in order: what is first so far. Puts what is at `at` right. */
static void sink(const struct account **heap, size_t count, size_t at)
{
    for (;;) {
        size_t largest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (compare_accounts(&heap[child], &heap[largest]) > 0) largest = child;
        }
        if (largest == at) return;
        const struct account *account = heap[at];
        heap[at] = heap[largest];
        heap[largest] = account;
        at = largest;
    }
}

static void take(const struct account **heap, size_t *count, size_t most,
                 const struct account *account)
{
    if (*count == most) {
        if (compare_accounts(&account, &heap[0]) >= 0) return;
        heap[0] = account;
        sink(heap, most, 0);
        return;
    }
    heap[(*count)++] = account;
    if (*count < most) return;
    for (size_t at = most / 2; at-- > 0;)
        sink(heap, most, at);
}

size_t accounts_names(struct accounts *accounts, const struct accounts_wanted *wanted,
                      const struct account **out)
{
    const struct account *account = NULL;
    size_t count = 0;

    while (wanted->most > 0 && (account = accounts_next(accounts, account))) {
        if (account->len < wanted->prefix_len ||
            memcmp(account->name, wanted->prefix, wanted->prefix_len) != 0 ||
            compare(account->name, account->len, wanted->after, wanted->after_len) <= 0)
            continue;
        take(out, &count, wanted->most, account);
    }
    qsort(out, count, sizeof(struct account *), compare_accounts);
    return count;
}

const char *accounts_name(const struct account *account, size_t *len)
{
    *len = account->len;
    return account->name;
}
