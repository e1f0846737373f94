-- Rows that are not held as the matrix has them, and why.
--
--     ["X-00"] = { changed = "…" }   another outcome: its tests ask for what is said here
--     ["X-00"] = { absent = "…" }    not applicable: nothing is here to which it applies

return {
  ["A-41"] = {
    changed = "A method in lower case is a method that no path has: 405, and the connection "
      .. "goes on.",
  },
  ["A-48"] = {
    changed = "Always a hang-up: there is no policy by which a closed half is served, since "
      .. "nothing would tell that the client has left.",
  },
  ["A-57"] = {
    changed = "While overloaded, who asked in one go keeps the connection: closing it would "
      .. "cost both sides more than the refusal. While it stops, idle connections are closed, "
      .. "a request that had begun is served, and 503 draining is for whom the limit cuts.",
  },
  ["A-58"] = {
    changed = "Scripts choose the words of an error, `fail(message)`, and never a status: it "
      .. "is the failure's own. Anything but text is 500 script_error.",
  },
  ["U-03"] = {
    changed = "Of several addresses of one family, one that answers no knock costs half of "
      .. "what is left of the limit to connect, once; the address that answered is the first "
      .. "from then on. A shorter try would cut off providers that are merely far.",
  },
  ["U-07"] = {
    changed = "Names that nobody can register (of one label, below .internal, .local and their "
      .. "like) need no mark: their operator can only mean an address within.",
  },
  ["U-09"] = {
    changed = "Where the handshake stalls or breaks off, it is a connection that failed, as "
      .. "others are, and may be tried again.",
  },
  ["U-18"] = {
    changed = "A stray answer that is there before the next request leaves is never given to "
      .. "anybody. One that arrives later cannot be told from the answer by anybody who speaks "
      .. "HTTP/1.1.",
  },
  ["U-19"] = {
    changed = "502 upstream_invalid_response for clients of the same dialect, too, so that "
      .. "another deployment may still answer: bytes that are no answer help no client.",
  },
  ["U-20"] = {
    changed = "304 is answered as the other 3xx are: 502 upstream_redirect. Nothing asked for "
      .. "a cached answer.",
  },
  ["U-21"] = {
    changed = "524 says that the provider's own server took too long: 504 upstream_timeout.",
  },
  ["U-25"] = {
    changed = "The pauses grow from the group's `backoff` (250 ms where nothing is said) to "
      .. "8 s, with full jitter.",
  },
  ["U-40"] = {
    changed = "Where the end is there before the first event has been sent on, it is a whole "
      .. "answer's: 502 upstream_truncated, and another deployment may be asked.",
  },
  ["U-52"] = {
    changed = "More cached tokens than prompt tokens are no mistake but how some providers "
      .. "count: beside each other. They are added.",
  },
  ["U-53"] = {
    changed = "A line may be as long as an event, 4 MiB: pictures and long arguments come in "
      .. "one.",
  },
  ["L-03"] = {
    changed = "9,000 at most, on a machine that gives a process 20,000 descriptors, of which "
      .. "half are kept for providers.",
  },
  ["L-14"] = {
    changed = "Some seconds of everything with every change; two million requests with reloads "
      .. "and kills by hand (make figures FIGURES=soak). No whole day has been taken.",
  },
  ["L-15"] = {
    changed = "As L-14: rotation, checkpoints and prices have their own tests; no three days "
      .. "have been taken.",
  },
  ["L-20"] = {
    changed = "No control group is made here. That a group's limit is found is tested on files "
      .. "(tests/c/test_admission.c); that a ceiling is kept, by L-06.",
  },
  ["C-34"] = {
    changed = "Every allocation but libgcc's and libcurl's own: Debian 12's libcurl divides by "
      .. "zero where it gets no memory for a table of sockets, and libgcc writes through NULL. "
      .. "The process then ends and the next one settles what was open, as C-14.",
  },
  ["C-35"] = {
    changed = "libmicrohttpd waits for the edges of its sockets and may rely on what Linux "
      .. "does there, so that its own reads and writes are not cut short.",
  },
  ["C-38"] = {
    changed = "Shown by two more builds: `make asan` runs all tests and rows under ASan, UBSan "
      .. "and LeakSanitizer, `make tsan` the C and live tests and L-01, L-05, C-01, C-10 and "
      .. "S-27 under ThreadSanitizer. Here: whether a row would hear of a report. What such a "
      .. "build cannot show is printed by it (tests/support/sanitizer.lua).",
  },
  ["B-35"] = {
    absent = "No provider publishes a sample of its invoices. What rows would be compared with "
      .. "is in them: the provider's own id, its counts, and the prices' version.",
  },
  ["S-32"] = {
    absent = "There is no cache of answers: nothing of one request is ever another's answer.",
  },
  ["S-38"] = {
    changed = "Connections that come, go and idle by the thousand. Half-open handshakes are "
      .. "the kernel's (SYN cookies): nothing of them reaches the gateway.",
  },
  ["S-41"] = {
    changed = "Our own code marks where calls may land (IBT, SHSTK); the binary as a whole is "
      .. "not marked, since Debian's crt objects and LuaJIT's library are not.",
  },
  ["B-36"] = {
    changed = "An Idempotency-Key makes no difference: answers are not kept, so a request that "
      .. "comes twice is asked, and billed, twice.",
  },
}
