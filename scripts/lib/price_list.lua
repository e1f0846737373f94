-- List prices: the table (lib/price_table.lua says how it is read) that is asked where none
-- was imported, or where that is silent.
--
-- From LiteLLM's model_prices_and_context_window.json (MIT, Copyright (c) 2023 Berri AI) of
-- 2026-07-24, by tests/tools/price_list.lua: what the file lacks or gets wrong is made good as
-- cli/cost_rules.lua says. By hand: an hour's cache writes of claude-3-haiku and -opus, cache
-- reads of gemini-flash-latest and -lite-latest, Anthropic's batches at half the price, its
-- models that the file has dropped; images and sound, all tokens as the dearest kind.
-- A dated name costs what its base does; what [azure] does not list costs what [openai] says;
-- a profile of [bedrock] that is not listed ("eu.…") costs what its model does.

local list = { date = "2026-07-24" }

list.text = [[
[anthropic]
* - - web_search=0.01
  batch x0.5
claude-3-5-haiku             200000 8192 0.8 4 0.08 1 1.6
claude-3-5-sonnet            200000 8192 3 15 0.3 3.75 6 web_search=0.01
claude-3-7-sonnet            200000 64000 3 15 0.3 3.75 6 web_search=0.01
claude-3-haiku               200000 4096 0.25 1.25 0.03 0.3 0.5
claude-3-opus                200000 4096 15 75 1.5 18.75 30
claude-fable-5               1000000 128000 10 50 1 12.5 20 web_search=0.01
  us x1.1
claude-haiku-4-5             200000 64000 1 5 0.1 1.25 2
claude-opus-4                200000 32000 15 75 1.5 18.75 30 web_search=0.01
claude-opus-4-0              200000 32000 15 75 1.5 18.75 30 web_search=0.01
claude-opus-4-1              200000 32000 15 75 1.5 18.75 30 web_search=0.01
claude-opus-4-5              200000 64000 5 25 0.5 6.25 10 web_search=0.01
claude-opus-4-6              1000000 128000 5 25 0.5 6.25 10 web_search=0.01
  fast x6
  us x1.1
  us+fast x6.6
claude-opus-4-7              1000000 128000 5 25 0.5 6.25 10 web_search=0.01
  fast x6
  us x1.1
  us+fast x6.6
claude-opus-4-8              1000000 128000 5 25 0.5 6.25 10 web_search=0.01
  fast x2
  us x1.1
  us+fast x2.2
claude-opus-5                1000000 128000 5 25 0.5 6.25 10 web_search=0.01
  fast x2
  us x1.1
  us+fast x2.2
claude-sonnet-4              1000000 64000 3 15 0.3 3.75 6 web_search=0.01
  >200000 6 22.5 0.6 7.5 12
claude-sonnet-4-0            1000000 64000 3 15 0.3 3.75 6 web_search=0.01
  >200000 6 22.5 0.6 7.5 12
claude-sonnet-4-5            200000 64000 3 15 0.3 3.75 6 web_search=0.01
  >200000 6 22.5 0.6 7.5 12
claude-sonnet-4-6            1000000 64000 3 15 0.3 3.75 6 web_search=0.01
claude-sonnet-5              1000000 128000 2 10 0.2 2.5 4 web_search=0.01
  us x1.1

[azure]
* - - code_interpreter=0.03
ada                          8191 - 0.1 0
codex-mini                   200000 100000 1.5 6 0.375
gpt-35-turbo                 4097 4096 0.5 1.5
gpt-35-turbo-1106            16384 4096 1 2
gpt-35-turbo-16k             16385 4096 3 4
gpt-35-turbo-instruct        4097 - 1.5 2
gpt-4-32k                    32768 4096 60 120
gpt-4-turbo-vision-preview   128000 4096 10 30
gpt-4.5-preview              128000 16384 75 150 37.5
  batch 37.5 75 18.75
gpt-4o-2024-05-13            128000 4096 5 15
gpt-4o-2024-11-20            128000 16384 2.75 11 1.25
gpt-4o-mini                  128000 16384 0.165 0.66 0.075
gpt-4o-mini-audio-preview-2024-12-17 128000 16384 2.5 10 audio_input=40 audio_output=80
gpt-5.1-chat                 128000 128000 1.25 10 0.125
gpt-5.2-chat                 128000 16384 1.75 14 0.175
  priority 3.5 28 0.35
gpt-5.3-chat                 128000 16384 1.75 14 0.175
  priority 3.5 28 0.35
gpt-5.6                      1050000 128000 5 30 0.5
  >272000 10 45 1
  priority 10 60 1
  priority>272000 20 90 2
gpt-5.6-luna                 1050000 128000 1 6 0.1
  >272000 2 9 0.2
  priority 2 12 0.2
  priority>272000 4 18 0.4
gpt-5.6-sol                  1050000 128000 5 30 0.5
  >272000 10 45 1
  priority 10 60 1
  priority>272000 20 90 2
gpt-5.6-terra                1050000 128000 2.5 15 0.25
  >272000 5 22.5 0.5
  priority 5 30 0.5
  priority>272000 10 45 1
gpt-audio-1.5-2026-02-23     128000 16384 2.5 10 audio_input=40 audio_output=80
gpt-audio-2025-08-28         128000 16384 2.5 10 audio_input=40 audio_output=80
o1-mini                      128000 65536 1.21 4.84 0.605
o1-mini-2024-09-12           128000 65536 1.1 4.4 0.55
o1-preview                   128000 32768 15 60 7.5

[bedrock]
amazon.nova-2-lite-v1:0      1000000 64000 0.3 2.5 0.075
amazon.nova-lite-v1:0        300000 10000 0.06 0.24
amazon.nova-micro-v1:0       128000 10000 0.035 0.14
amazon.nova-pro-v1:0         300000 10000 0.8 3.2
anthropic.claude-3-5-haiku-20241022-v1:0 200000 8192 0.8 4 0.08 1
anthropic.claude-3-7-sonnet-20250219-v1:0 200000 8192 3 15 0.3 3.75
anthropic.claude-fable-5     1000000 128000 10 50 1 12.5 20 web_search=0.01
anthropic.claude-haiku-4-5-20251001-v1:0 200000 64000 1 5 0.1 1.25 2
anthropic.claude-opus-4-1-20250805-v1:0 200000 32000 15 75 1.5 18.75 web_search=0.01
anthropic.claude-opus-4-20250514-v1:0 200000 32000 15 75 1.5 18.75 web_search=0.01
anthropic.claude-opus-4-5-20251101-v1:0 200000 64000 5 25 0.5 6.25 10 web_search=0.01
anthropic.claude-opus-4-6-v1 1000000 128000 5 25 0.5 6.25 10 web_search=0.01
anthropic.claude-opus-4-7    1000000 128000 5 25 0.5 6.25 10 web_search=0.01
anthropic.claude-opus-4-8    1000000 128000 5 25 0.5 6.25 10 web_search=0.01
anthropic.claude-opus-5      1000000 128000 5 25 0.5 6.25 10 web_search=0.01
anthropic.claude-sonnet-4-20250514-v1:0 1000000 64000 3 15 0.3 3.75 web_search=0.01
  >200000 6 22.5 0.6 7.5
anthropic.claude-sonnet-4-5-20250929-v1:0 200000 64000 3 15 0.3 3.75 6 web_search=0.01
  >200000 6 22.5 0.6 7.5 12
anthropic.claude-sonnet-4-6  1000000 64000 3 15 0.3 3.75 6 web_search=0.01
anthropic.claude-sonnet-5    1000000 128000 2 10 0.2 2.5 4 web_search=0.01
apac.amazon.nova-2-lite-v1:0 1000000 64000 0.33 2.75 0.0825
apac.amazon.nova-lite-v1:0   300000 10000 0.063 0.252
apac.amazon.nova-micro-v1:0  128000 10000 0.037 0.148
apac.amazon.nova-pro-v1:0    300000 10000 0.84 3.36
apac.anthropic.claude-haiku-4-5-20251001-v1:0 200000 64000 1.1 5.5 0.11 1.375
au.anthropic.claude-haiku-4-5-20251001-v1:0 200000 64000 1.1 5.5 0.11 1.375 2.2
au.anthropic.claude-opus-4-6-v1 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
au.anthropic.claude-opus-4-7 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
au.anthropic.claude-opus-4-8 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
au.anthropic.claude-opus-5   1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
au.anthropic.claude-sonnet-4-5-20250929-v1:0 200000 64000 3.3 16.5 0.33 4.125 6.6
  + web_search=0.01
  >200000 6.6 24.75 0.66 8.25 13.2
au.anthropic.claude-sonnet-4-6 1000000 64000 3.3 16.5 0.33 4.125 6.6 web_search=0.01
au.anthropic.claude-sonnet-5 1000000 128000 2.2 11 0.22 2.75 4.4 web_search=0.01
deepseek.v3-v1:0             163840 81920 0.58 1.68
deepseek.v3.2                163840 163840 0.62 1.85
eu.amazon.nova-2-lite-v1:0   1000000 64000 0.33 2.75 0.0825
eu.amazon.nova-lite-v1:0     300000 10000 0.078 0.312
eu.amazon.nova-micro-v1:0    128000 10000 0.046 0.184
eu.amazon.nova-pro-v1:0      300000 10000 1.05 4.2
eu.anthropic.claude-fable-5  1000000 128000 11 55 1.1 13.75 22 web_search=0.01
eu.anthropic.claude-haiku-4-5-20251001-v1:0 200000 64000 1.1 5.5 0.11 1.375 2.2
eu.anthropic.claude-opus-4-5-20251101-v1:0 200000 64000 5 25 0.5 6.25 web_search=0.01
eu.anthropic.claude-opus-4-6-v1 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
eu.anthropic.claude-opus-4-7 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
eu.anthropic.claude-opus-4-8 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
eu.anthropic.claude-opus-5   1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
eu.anthropic.claude-sonnet-4-5-20250929-v1:0 200000 64000 3.3 16.5 0.33 4.125 6.6
  + web_search=0.01
  >200000 6.6 24.75 0.66 8.25 13.2
eu.anthropic.claude-sonnet-4-6 1000000 64000 3.3 16.5 0.33 4.125 6.6 web_search=0.01
eu.anthropic.claude-sonnet-5 1000000 128000 2.2 11 0.22 2.75 4.4 web_search=0.01
eu.deepseek.v3.2             163840 163840 0.74 2.22
jp.anthropic.claude-haiku-4-5-20251001-v1:0 200000 64000 1.1 5.5 0.11 1.375 2.2
jp.anthropic.claude-opus-4-7 1000000 128000 5.5 27.5 0.55 6.875 web_search=0.01
jp.anthropic.claude-opus-4-8 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
jp.anthropic.claude-opus-5   1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
jp.anthropic.claude-sonnet-4-5-20250929-v1:0 200000 64000 3.3 16.5 0.33 4.125 6.6
  + web_search=0.01
  >200000 6.6 24.75 0.66 8.25 13.2
jp.anthropic.claude-sonnet-4-6 1000000 64000 3.3 16.5 0.33 4.125 6.6 web_search=0.01
jp.anthropic.claude-sonnet-5 1000000 128000 2.2 11 0.22 2.75 4.4 web_search=0.01
meta.llama3-3-70b-instruct-v1:0 128000 4096 0.72 0.72
meta.llama4-maverick-17b-instruct-v1:0 128000 4096 0.24 0.97
  batch 0.12 0.485
meta.llama4-scout-17b-instruct-v1:0 128000 4096 0.17 0.66
  batch 0.085 0.33
mistral.mistral-large-3-675b-instruct 128000 8192 0.5 1.5
moonshotai.kimi-k2-thinking  262144 262144 0.73 3.03
moonshotai.kimi-k2.5         262144 262144 0.6 3.03
openai.gpt-oss-120b-1:0      128000 128000 0.15 0.6
openai.gpt-oss-20b-1:0       128000 128000 0.07 0.3
openai.gpt-oss-safeguard-120b 128000 8192 0.15 0.6
openai.gpt-oss-safeguard-20b 128000 8192 0.07 0.2
qwen.qwen3-coder-next        262144 8192 0.5 1.2
qwen.qwen3-next-80b-a3b      128000 8192 0.15 1.2
qwen.qwen3-vl-235b-a22b      128000 8192 0.53 2.66
us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0 200000 64000 3.6 18 0.36 4.5 7.2
  >200000 7.2 27 0.72 9 14.4
us.amazon.nova-2-lite-v1:0   1000000 64000 0.33 2.75 0.0825
us.amazon.nova-premier-v1:0  1000000 10000 2.5 12.5
us.anthropic.claude-fable-5  1000000 128000 11 55 1.1 13.75 22 web_search=0.01
us.anthropic.claude-haiku-4-5-20251001-v1:0 200000 64000 1.1 5.5 0.11 1.375 2.2
us.anthropic.claude-opus-4-5-20251101-v1:0 200000 64000 5.5 27.5 0.55 6.875 11
  + web_search=0.01
us.anthropic.claude-opus-4-6-v1 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
us.anthropic.claude-opus-4-7 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
us.anthropic.claude-opus-4-8 1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
us.anthropic.claude-opus-5   1000000 128000 5.5 27.5 0.55 6.875 11 web_search=0.01
us.anthropic.claude-sonnet-4-5-20250929-v1:0 200000 64000 3.3 16.5 0.33 4.125 6.6
  + web_search=0.01
  >200000 6.6 24.75 0.66 8.25 13.2
us.anthropic.claude-sonnet-4-6 1000000 64000 3.3 16.5 0.33 4.125 6.6 web_search=0.01
us.anthropic.claude-sonnet-5 1000000 128000 2.2 11 0.22 2.75 4.4 web_search=0.01
us.deepseek.r1-v1:0          128000 4096 1.35 5.4
zai.glm-4.7                  200000 128000 0.6 2.2
zai.glm-4.7-flash            200000 128000 0.07 0.4
zai.glm-5                    200000 128000 1 3.2

[cohere]
command-a-03-2025            256000 8000 2.5 10
command-r                    128000 4096 0.15 0.6
command-r-plus               128000 4096 2.5 10
command-r7b-12-2024          128000 4096 0.0375 0.15
embed-english-v3.0           1024 - 0.1 0
embed-multilingual-v3.0      1024 - 0.1 0
embed-v4.0                   128000 - 0.12 0
rerank-v3.5                  4096 - query=0.002

[gemini]
gemini-2.0-flash             1048576 8192 0.1 0.4 0.025 audio_input=0.7 web_search=0.035
  + search_once=1
gemini-2.0-flash-lite        1048576 8192 0.075 0.3 0.01875 audio_input=0.075
  + web_search=0.035 search_once=1
gemini-2.5-computer-use-preview-10-2025 128000 64000 1.25 10
  >200000 2.5 15
gemini-2.5-flash             1048576 65535 0.3 2.5 0.03 reasoning=2.5 audio_input=1
  + web_search=0.035 search_once=1
gemini-2.5-flash-lite        1048576 65535 0.1 0.4 0.01 reasoning=0.4 audio_input=0.3
  + web_search=0.035 search_once=1
gemini-2.5-flash-lite-preview-06-17 1048576 65535 0.1 0.4 0.025 reasoning=0.4
  + audio_input=0.5 web_search=0.035 search_once=1
gemini-2.5-flash-preview-09-2025 1048576 65535 0.3 2.5 0.075 reasoning=2.5 audio_input=1
  + web_search=0.035 search_once=1
gemini-2.5-pro               1048576 65535 1.25 10 0.125 web_search=0.035 search_once=1
  >200000 2.5 15 0.25
gemini-3-flash-preview       1048576 65535 0.5 3 0.05 reasoning=3 audio_input=1
  + web_search=0.014
  priority 0.9 5.4 0.09 reasoning=5.4 audio_input=1.8
gemini-3-pro-preview         1048576 65535 2 12 0.2 web_search=0.014
  >200000 4 18 0.4
  batch 1 6 0.1
  batch>200000 2 9 0.2
  priority 3.6 21.6 0.36
  priority>200000 7.2 32.4 0.72
gemini-3.1-flash-lite        1048576 65536 0.25 1.5 0.025 reasoning=1.5 audio_input=0.5
  + web_search=0.014
  batch 0.125 0.75 0.0125 reasoning=0.75 audio_input=0.25
  flex 0.125 0.75 0.0125 reasoning=0.75 audio_input=0.25
  priority 0.45 2.7 0.045 reasoning=2.7 audio_input=0.9
gemini-3.1-flash-lite-preview 1048576 65536 0.25 1.5 0.025 reasoning=1.5 audio_input=0.5
  + web_search=0.014
gemini-3.1-pro-preview       1048576 65536 2 12 0.2 web_search=0.014
  >200000 4 18 0.4
  batch 1 6 0.1
  batch>200000 2 9 0.2
  priority 3.6 21.6 0.36
  priority>200000 7.2 32.4 0.72
gemini-3.1-pro-preview-customtools 1048576 65536 2 12 0.2 web_search=0.014
  >200000 4 18 0.4
  batch 1 6 0.1
  batch>200000 2 9 0.2
  priority 3.6 21.6 0.36
  priority>200000 7.2 32.4 0.72
gemini-3.5-flash             1048576 65535 1.5 9 0.15 reasoning=9 audio_input=1
  + web_search=0.014
  priority 2.7 16.2 0.27 reasoning=16.2 audio_input=1.8
gemini-3.5-flash-lite        1048576 65536 0.3 2.5 0.03 reasoning=2.5 web_search=0.014
  batch 0.15 1.25 0.015 reasoning=1.25
  flex 0.15 1.25 0.02 reasoning=1.25
  priority 0.54 4.5 0.05 reasoning=4.5
gemini-3.6-flash             1048576 65536 1.5 7.5 0.15 reasoning=7.5 web_search=0.014
  batch 0.75 3.75 0.075 reasoning=3.75
  flex 0.75 3.75 0.075 reasoning=3.75
  priority 2.7 13.5 0.27 reasoning=13.5
gemini-embedding-001         2048 - 0.15 0
gemini-embedding-2           8192 - 0.2 0 image_read=0.00012
gemini-embedding-2-preview   8192 - 0.2 0 image_read=0.00012
gemini-flash-latest          1048576 65535 0.3 2.5 0.03 reasoning=2.5 audio_input=1
  + web_search=0.035 search_once=1
gemini-flash-lite-latest     1048576 65535 0.1 0.4 0.01 reasoning=0.4 audio_input=0.3
  + web_search=0.035 search_once=1
gemini-pro-latest            1048576 65535 1.25 10 0.125 web_search=0.035 search_once=1
  >200000 2.5 15 0.25

[openai]
* - - code_interpreter=0.03
chatgpt-4o-latest            128000 4096 5 15
chatgpt-image                - - 5 40 1.25 image_input=10
codex-mini-latest            200000 100000 1.5 6 0.375
dall-e-2                     - - image_256x256=0.016 image_512x512=0.018 image=0.02
dall-e-3                     - - image_standard_1024x1024=0.04 image_standard_1024x1792=0.08
  + image_standard_1792x1024=0.08 image_hd_1024x1024=0.08 image_hd_1024x1792=0.12
  + image_hd_1792x1024=0.12
ft:gpt-3.5-turbo             16385 4096 3 6
  batch 1.5 3
ft:gpt-4-0613                8192 4096 30 60
ft:gpt-4.1-2025-04-14        1047576 32768 3 12 0.75
  batch 1.5 6 0.375
ft:gpt-4.1-mini-2025-04-14   1047576 32768 0.8 3.2 0.2
  batch 0.4 1.6 0.1
ft:gpt-4.1-nano-2025-04-14   1047576 32768 0.2 0.8 0.05
  batch 0.1 0.4 0.025
ft:gpt-4o-2024-08-06         128000 16384 3.75 15 1.875
  batch 1.875 7.5 0.9375
ft:gpt-4o-2024-11-20         128000 16384 3.75 15 1.875
ft:gpt-4o-mini-2024-07-18    128000 16384 0.3 1.2 0.15
  batch 0.15 0.6 0.075
ft:o4-mini-2025-04-16        200000 100000 4 16 1
  batch 2 8 0.5
gpt-3.5-turbo                16385 4096 0.5 1.5
gpt-3.5-turbo-1106           16385 4096 1 2
gpt-3.5-turbo-16k            16385 4096 3 4
gpt-3.5-turbo-instruct       8192 4096 1.5 2
gpt-4                        8192 4096 30 60
gpt-4-0125-preview           128000 4096 10 30
gpt-4-1106-preview           128000 4096 10 30
gpt-4-turbo                  128000 4096 10 30
gpt-4-turbo-preview          128000 4096 10 30
gpt-4.1                      1047576 32768 2 8 0.5
  batch 1 4 0.25
  priority 3.5 14 0.875
gpt-4.1-mini                 1047576 32768 0.4 1.6 0.1
  batch 0.2 0.8 0.05
  priority 0.7 2.8 0.175
gpt-4.1-nano                 1047576 32768 0.1 0.4 0.025
  batch 0.05 0.2 0.0125
  priority 0.2 0.8 0.05
gpt-4o                       128000 16384 2.5 10 1.25
  batch 1.25 5 0.625
  priority 4.25 17 2.125
gpt-4o-2024-05-13            128000 4096 5 15
  batch 2.5 7.5
  priority 8.75 26.25
gpt-4o-audio-preview         128000 16384 2.5 10 audio_input=40 audio_output=80
gpt-4o-mini                  128000 16384 0.15 0.6 0.075
  batch 0.075 0.3 0.0375
  priority 0.25 1 0.125
gpt-4o-mini-audio-preview    128000 16384 0.15 0.6 audio_input=10 audio_output=20
gpt-4o-mini-search-preview   128000 16384 0.15 0.6 0.075 web_search_low=0.025
  + web_search_medium=0.0275 web_search_high=0.03
  batch 0.075 0.3 0.0375
gpt-4o-mini-transcribe       16000 2000 1.25 5 audio_input=1.25
gpt-4o-mini-tts              - - 2.5 12 ms_output=0.00000025
gpt-4o-search-preview        128000 16384 2.5 10 1.25 web_search_low=0.03
  + web_search_medium=0.035 web_search_high=0.05
  batch 1.25 5 0.625
gpt-4o-transcribe            16000 2000 2.5 10 audio_input=2.5
gpt-4o-transcribe-diarize    16000 2000 2.5 10 audio_input=2.5
gpt-5                        272000 128000 1.25 10 0.125
  flex 0.625 5 0.0625
  priority 2.5 20 0.25
gpt-5-chat                   128000 16384 1.25 10 0.125
gpt-5-codex                  272000 128000 1.25 10 0.125
gpt-5-mini                   272000 128000 0.25 2 0.025
  flex 0.125 1 0.0125
  priority 0.45 3.6 0.045
gpt-5-nano                   272000 128000 0.05 0.4 0.005
  flex 0.025 0.2 0.0025
  priority 2.5 0.4 0.25
gpt-5-pro                    400000 128000 15 120
  batch 7.5 60
gpt-5-search-api             272000 128000 1.25 10 0.125
gpt-5.1                      272000 128000 1.25 10 0.125
  priority 2.5 20 0.25
gpt-5.1-chat-latest          128000 16384 1.25 10 0.125
  priority 2.5 20 0.25
gpt-5.1-codex                272000 128000 1.25 10 0.125
  priority 2.5 20 0.25
gpt-5.1-codex-max            272000 128000 1.25 10 0.125
gpt-5.1-codex-mini           272000 128000 0.25 2 0.025
  priority 0.45 3.6 0.045
gpt-5.2                      272000 128000 1.75 14 0.175
  priority 3.5 28 0.35
gpt-5.2-chat-latest          128000 16384 1.75 14 0.175
  priority 3.5 28 0.35
gpt-5.2-codex                272000 128000 1.75 14 0.175
  priority 3.5 28 0.35
gpt-5.2-pro                  272000 128000 21 168
gpt-5.3-chat-latest          128000 16384 1.75 14 0.175
  priority 3.5 28 0.35
gpt-5.3-codex                272000 128000 1.75 14 0.175
  priority 3.5 28 0.35
gpt-5.4                      1050000 128000 2.5 15 0.25
  >272000 5 22.5 0.5
  batch 1.25 7.5 0.125
  batch>272000 2.5 11.25 0.25
  flex 1.25 7.5 0.13
  flex>272000 2.5 11.25 0.26
  priority 5 30 0.5
  priority>272000 10 45 1
gpt-5.4-mini                 1050000 128000 0.75 4.5 0.075
  batch 0.375 2.25 0.0375
  flex 0.375 2.25 0.0375
  priority 1.5 9 0.15
gpt-5.4-nano                 1050000 128000 0.2 1.25 0.02
  batch 0.1 0.625 0.01
  flex 0.1 0.625 0.01
gpt-5.4-pro                  1050000 128000 30 180 3
  >272000 60 270 6
  batch 15 90 1.5
  batch>272000 30 135 3
  flex 15 90 1.5
  flex>272000 30 135 3
gpt-5.5                      1050000 128000 5 30 0.5
  >272000 10 45 1
  batch 2.5 15 0.25
  batch>272000 5 22.5 0.5
  flex 2.5 15 0.25
  flex>272000 5 22.5 0.5
  priority 10 60 1
  priority>272000 20 90 2
gpt-5.5-pro                  1050000 128000 30 180 3
  >272000 60 270 6
  batch 15 90 1.5
  batch>272000 30 135 3
  flex 15 90 1.5
  flex>272000 30 135 3
gpt-5.6                      1050000 128000 5 30 0.5 6.25
  >272000 10 45 1 12.5
  batch 2.5 15 0.25 3.125
  batch>272000 5 22.5 0.5 6.25
  flex 2.5 15 0.25 3.125
  flex>272000 5 22.5 0.5 6.25
  priority 10 60 1 12.5
  priority>272000 20 90 2 25
gpt-5.6-luna                 1050000 128000 1 6 0.1 1.25
  >272000 2 9 0.2 2.5
  batch 0.5 3 0.05 0.625
  batch>272000 1 4.5 0.1 1.25
  flex 0.5 3 0.05 0.625
  flex>272000 1 4.5 0.1 1.25
  priority 2 12 0.2 2.5
  priority>272000 4 18 0.4 5
gpt-5.6-sol                  1050000 128000 5 30 0.5 6.25
  >272000 10 45 1 12.5
  batch 2.5 15 0.25 3.125
  batch>272000 5 22.5 0.5 6.25
  flex 2.5 15 0.25 3.125
  flex>272000 5 22.5 0.5 6.25
  priority 10 60 1 12.5
  priority>272000 20 90 2 25
gpt-5.6-terra                1050000 128000 2.5 15 0.25 3.125
  >272000 5 22.5 0.5 6.25
  batch 1.25 7.5 0.125 1.5625
  batch>272000 2.5 11.25 0.25 3.125
  flex 1.25 7.5 0.125 1.5625
  flex>272000 2.5 11.25 0.25 3.125
  priority 5 30 0.5 6.25
  priority>272000 10 45 1 12.5
gpt-audio                    128000 16384 2.5 10 audio_input=32 audio_output=64
gpt-audio-1.5                128000 16384 2.5 10 audio_input=32 audio_output=64
gpt-audio-mini               128000 16384 0.6 2.4 audio_input=10 audio_output=20
gpt-image-1                  - - 5 40 1.25 image_input=10
gpt-image-1-mini             - - 2 8 0.2 image_input=2.5
gpt-image-1.5                - - 5 32 1.25 image_input=8
gpt-image-2                  - - 5 30 1.25 image_input=8
o1                           200000 100000 15 60 7.5
o1-pro                       200000 100000 150 600
  batch 75 300
o3                           200000 100000 2 8 0.5
  flex 1 4 0.25
  priority 3.5 14 0.875
o3-deep-research             200000 100000 10 40 2.5
  batch 5 20 1.25
o3-mini                      200000 100000 1.1 4.4 0.55
o3-pro                       200000 100000 20 80
  batch 10 40
o4-mini                      200000 100000 1.1 4.4 0.275
  flex 0.55 2.2 0.1375
  priority 2 8 0.5
o4-mini-deep-research        200000 100000 2 8 0.5
  batch 1 4 0.25
omni-moderation              32768 - 0 0
text-embedding-3-large       8191 - 0.13 0
  batch 0.065 0
text-embedding-3-small       8191 - 0.02 0
  batch 0.01 0
text-embedding-ada-002       8191 - 0.1 0
text-embedding-ada-002-v2    8191 - 0.1 0
  batch 0.05 0
text-moderation              32768 - 0 0
tts-1                        - - character_input=0.000015
tts-1-hd                     - - character_input=0.00003
whisper-1                    - - ms_input=0.0000001
]]

-- Models that their provider has switched off, and since when.
list.retired = {
  ["claude-3-5-sonnet"] = "2025-10-28",
  ["claude-3-7-sonnet"] = "2026-02-19",
  ["claude-3-opus"] = "2026-05-01",
  ["claude-opus-4"] = "2026-05-14", ["claude-opus-4-0"] = "2026-05-14",
  ["claude-opus-4-1"] = "2026-08-05",
  ["claude-sonnet-4"] = "2026-05-14", ["claude-sonnet-4-0"] = "2026-05-14",
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
