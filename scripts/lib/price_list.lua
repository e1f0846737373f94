-- List prices, in dollars per million tokens, as text so that every digit counts.
-- From LiteLLM's model_prices_and_context_window.json (MIT, Copyright (c) 2023 Berri AI) of
-- 2026-07-24, corrected: an hour's cache writes at Anthropic cost twice the input; cache reads
-- that stood in the column for writes moved; audio, images and service tiers left out.
--
-- model, tokens it reads, tokens it writes, input, output, cache read, cache write, the same
-- for an hour, and where long prompts cost more: above how many prompt tokens, and the same
-- five prices there. `-` is unknown; a dated name that is not listed costs what its base does.

local list = { date = "2026-07-24" }

list.openai = [[
chatgpt-4o-latest       128000   4096      5   15       -     -    -
codex-mini-latest       200000 100000    1.5    6   0.375     -    -
ft:gpt-3.5-turbo         16385   4096      3    6       -     -    -
ft:gpt-3.5-turbo-0125    16385   4096      3    6       -     -    -
ft:gpt-3.5-turbo-0613     4096   4096      3    6       -     -    -
ft:gpt-3.5-turbo-1106    16385   4096      3    6       -     -    -
ft:gpt-4-0613             8192   4096     30   60       -     -    -
ft:gpt-4.1-2025-04-14  1047576  32768      3   12    0.75     -    -
ft:gpt-4.1-mini-2025-04-14 1047576  32768    0.8  3.2     0.2     -    -
ft:gpt-4.1-nano-2025-04-14 1047576  32768    0.2  0.8    0.05     -    -
ft:gpt-4o-2024-08-06    128000  16384   3.75   15   1.875     -    -
ft:gpt-4o-2024-11-20    128000  16384   3.75   15   1.875     -    -
ft:gpt-4o-mini-2024-07-18  128000  16384    0.3  1.2    0.15     -    -
ft:o4-mini-2025-04-16   200000 100000      4   16       1     -    -
gpt-3.5-turbo            16385   4096    0.5  1.5       -     -    -
gpt-3.5-turbo-1106       16385   4096      1    2       -     -    -
gpt-3.5-turbo-16k        16385   4096      3    4       -     -    -
gpt-4                     8192   4096     30   60       -     -    -
gpt-4-0125-preview      128000   4096     10   30       -     -    -
gpt-4-1106-preview      128000   4096     10   30       -     -    -
gpt-4-turbo             128000   4096     10   30       -     -    -
gpt-4-turbo-preview     128000   4096     10   30       -     -    -
gpt-4.1                1047576  32768      2    8     0.5     -    -
gpt-4.1-mini           1047576  32768    0.4  1.6     0.1     -    -
gpt-4.1-nano           1047576  32768    0.1  0.4   0.025     -    -
gpt-4o                  128000  16384    2.5   10    1.25     -    -
gpt-4o-2024-05-13       128000   4096      5   15       -     -    -
gpt-4o-mini             128000  16384   0.15  0.6   0.075     -    -
gpt-4o-mini-search-preview  128000  16384   0.15  0.6   0.075     -    -
gpt-4o-search-preview   128000  16384    2.5   10    1.25     -    -
gpt-5                   272000 128000   1.25   10   0.125     -    -
gpt-5-chat              128000  16384   1.25   10   0.125     -    -
gpt-5-chat-latest       128000  16384   1.25   10   0.125     -    -
gpt-5-codex             272000 128000   1.25   10   0.125     -    -
gpt-5-mini              272000 128000   0.25    2   0.025     -    -
gpt-5-nano              272000 128000   0.05  0.4   0.005     -    -
gpt-5-pro               400000 128000     15  120       -     -    -
gpt-5-search-api        272000 128000   1.25   10   0.125     -    -
gpt-5.1                 272000 128000   1.25   10   0.125     -    -
gpt-5.1-chat-latest     128000  16384   1.25   10   0.125     -    -
gpt-5.1-codex           272000 128000   1.25   10   0.125     -    -
gpt-5.1-codex-max       272000 128000   1.25   10   0.125     -    -
gpt-5.1-codex-mini      272000 128000   0.25    2   0.025     -    -
gpt-5.2                 272000 128000   1.75   14   0.175     -    -
gpt-5.2-chat-latest     128000  16384   1.75   14   0.175     -    -
gpt-5.2-codex           272000 128000   1.75   14   0.175     -    -
gpt-5.2-pro             272000 128000     21  168       -     -    -
gpt-5.3-chat-latest     128000  16384   1.75   14   0.175     -    -
gpt-5.3-codex           272000 128000   1.75   14   0.175     -    -
gpt-5.4                1050000 128000    2.5   15    0.25     -    -  >272000 5 22.5 0.5 - -
gpt-5.4-mini           1050000 128000   0.75  4.5   0.075     -    -
gpt-5.4-nano           1050000 128000    0.2 1.25    0.02     -    -
gpt-5.4-pro            1050000 128000     30  180       3     -    -  >272000 60 270 6 - -
gpt-5.5                1050000 128000      5   30     0.5     -    -  >272000 10 45 1 - -
gpt-5.5-pro            1050000 128000     30  180       3     -    -  >272000 60 270 6 - -
gpt-5.6                1050000 128000      5   30     0.5  6.25    -  >272000 10 45 1 12.5 -
gpt-5.6-luna           1050000 128000      1    6     0.1  1.25    -  >272000 2 9 0.2 2.5 -
gpt-5.6-sol            1050000 128000      5   30     0.5  6.25    -  >272000 10 45 1 12.5 -
gpt-5.6-terra          1050000 128000    2.5   15    0.25 3.125    -  >272000 5 22.5 0.5 6.25 -
o1                      200000 100000     15   60     7.5     -    -
o1-pro                  200000 100000    150  600       -     -    -
o3                      200000 100000      2    8     0.5     -    -
o3-deep-research        200000 100000     10   40     2.5     -    -
o3-mini                 200000 100000    1.1  4.4    0.55     -    -
o3-pro                  200000 100000     20   80       -     -    -
o4-mini                 200000 100000    1.1  4.4   0.275     -    -
o4-mini-deep-research   200000 100000      2    8     0.5     -    -
text-embedding-3-large    8191      -   0.13    0       -     -    -
text-embedding-3-small    8191      -   0.02    0       -     -    -
text-embedding-ada-002    8191      -    0.1    0       -     -    -
]]

-- What differs from OpenAI's own list, which is asked next.
list.azure = [[
codex-mini              200000 100000    1.5    6   0.375     -    -
gpt-35-turbo              4097   4096    0.5  1.5       -     -    -
gpt-35-turbo-1106        16384   4096      1    2       -     -    -
gpt-35-turbo-16k         16385   4096      3    4       -     -    -
gpt-4-32k                32768   4096     60  120       -     -    -
gpt-4o-2024-11-20       128000  16384   2.75   11    1.25     -    -
gpt-4o-mini             128000  16384  0.165 0.66   0.075     -    -
gpt-5.1-chat            128000 128000   1.25   10   0.125     -    -
gpt-5.1-chat-2025-11-13  128000  16384   1.25   10   0.125     -    -
gpt-5.2-chat            128000  16384   1.75   14   0.175     -    -
gpt-5.3-chat            128000  16384   1.75   14   0.175     -    -
gpt-5.6                1050000 128000      5   30     0.5     -    -  >272000 10 45 1 - -
gpt-5.6-luna           1050000 128000      1    6     0.1     -    -  >272000 2 9 0.2 - -
gpt-5.6-sol            1050000 128000      5   30     0.5     -    -  >272000 10 45 1 - -
gpt-5.6-terra          1050000 128000    2.5   15    0.25     -    -  >272000 5 22.5 0.5 - -
o1-mini                 128000  65536   1.21 4.84   0.605     -    -
o1-mini-2024-09-12      128000  65536    1.1  4.4    0.55     -    -
]]

list.anthropic = [[
claude-3-5-haiku        200000   8192    0.8    4    0.08     1  1.6
claude-3-5-sonnet       200000   8192      3   15     0.3  3.75    6
claude-3-7-sonnet       200000  64000      3   15     0.3  3.75    6
claude-3-haiku          200000   4096   0.25 1.25    0.03   0.3  0.5
claude-3-opus           200000   4096     15   75     1.5 18.75   30
claude-fable-5         1000000 128000     10   50       1  12.5   20
claude-haiku-4-5        200000  64000      1    5     0.1  1.25    2
claude-opus-4           200000  32000     15   75     1.5 18.75   30
claude-opus-4-0         200000  32000     15   75     1.5 18.75   30
claude-opus-4-1         200000  32000     15   75     1.5 18.75   30
claude-opus-4-5         200000  64000      5   25     0.5  6.25   10
claude-opus-4-6        1000000 128000      5   25     0.5  6.25   10
claude-opus-4-7        1000000 128000      5   25     0.5  6.25   10
claude-opus-4-8        1000000 128000      5   25     0.5  6.25   10
claude-opus-5          1000000 128000      5   25     0.5  6.25   10
claude-sonnet-4        1000000  64000      3   15     0.3  3.75    6  >200000 6 22.5 0.6 7.5 12
claude-sonnet-4-0      1000000  64000      3   15     0.3  3.75    6  >200000 6 22.5 0.6 7.5 12
claude-sonnet-4-5       200000  64000      3   15     0.3  3.75    6  >200000 6 22.5 0.6 7.5 12
claude-sonnet-4-6      1000000  64000      3   15     0.3  3.75    6
claude-sonnet-5        1000000 128000      2   10     0.2   2.5    4
]]

list.gemini = [[
gemini-2.0-flash       1048576   8192    0.1  0.4   0.025     -    -
gemini-2.0-flash-lite  1048576   8192  0.075  0.3 0.01875     -    -
gemini-2.5-computer-use-preview-10-2025 128000 64000 1.25 10 - - - >200000 2.5 15 - - -
gemini-2.5-flash       1048576  65535    0.3  2.5    0.03     -    -
gemini-2.5-flash-lite  1048576  65535    0.1  0.4    0.01     -    -
gemini-2.5-flash-preview-09-2025 1048576  65535    0.3  2.5   0.075     -    -
gemini-2.5-pro         1048576  65535   1.25   10   0.125     -    -  >200000 2.5 15 0.25 - -
gemini-3-flash-preview 1048576  65535    0.5    3    0.05     -    -
gemini-3-pro-preview   1048576  65535      2   12     0.2     -    -  >200000 4 18 0.4 - -
gemini-3.1-flash-lite  1048576  65536   0.25  1.5   0.025     -    -
gemini-3.1-flash-lite-preview 1048576  65536   0.25  1.5   0.025     -    -
gemini-3.1-pro-preview 1048576  65536      2   12     0.2     -    -  >200000 4 18 0.4 - -
gemini-3.1-pro-preview-customtools 1048576 65536 2 12 0.2 - - >200000 4 18 0.4 - -
gemini-3.5-flash       1048576  65535    1.5    9    0.15     -    -
gemini-3.5-flash-lite  1048576  65536    0.3  2.5    0.03     -    -
gemini-3.6-flash       1048576  65536    1.5  7.5    0.15     -    -
gemini-embedding-001      2048      -   0.15    0       -     -    -
gemini-embedding-2        8192      -    0.2    0       -     -    -
gemini-embedding-2-preview    8192      -    0.2    0       -     -    -
gemini-flash-latest    1048576  65535    0.3  2.5    0.03     -    -
gemini-flash-lite-latest 1048576  65535    0.1  0.4    0.01     -    -
gemini-pro-latest      1048576  65535   1.25   10   0.125     -    -  >200000 2.5 15 0.25 - -
]]

-- Models that their provider has switched off, and since when.
list.retired = {
  ["claude-3-5-sonnet"] = "2025-10-28",
  ["claude-3-7-sonnet"] = "2026-02-19",
  ["claude-3-opus"] = "2026-05-01",
  ["claude-opus-4"] = "2026-05-14",
  ["claude-opus-4-0"] = "2026-05-14",
  ["claude-opus-4-1"] = "2026-08-05",
  ["claude-sonnet-4"] = "2026-05-14",
  ["claude-sonnet-4-0"] = "2026-05-14",
  ["gemini-1.5-flash"] = "2025-09-29",
  ["gemini-1.5-pro"] = "2025-09-29",
  ["gemini-2.0-flash"] = "2026-06-01",
  ["gemini-2.0-flash-lite"] = "2026-06-01",
  ["gemini-2.5-flash-lite-preview-06-17"] = "2025-11-18",
  ["gemini-3-pro-preview"] = "2026-03-09",
  ["gemini-pro"] = "2025-02-15",
  ["gpt-3.5-turbo-1106"] = "2026-09-28",
  ["gpt-4-0125-preview"] = "2026-03-26",
  ["gpt-4-0314"] = "2026-03-26",
  ["gpt-4-1106-preview"] = "2026-03-26",
}

return list
