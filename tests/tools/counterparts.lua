-- What has no counterpart where client and provider speak different dialects: each row is shown
-- to be so (tests/unit/counterparts_spec.lua), and docs/unsupported.md is made of them: luajit
-- tests/tools/counterparts.lua > docs/unsupported.md
--
--     door      where the client speaks
--     what      the members, as the manual names them
--     becomes   "dropped" or "refused"
--     where     which providers; or why
--     cases     { the name that the client hears, the members that it sends, who is asked }…

local counterparts = {}

local CHATS, CLAUDE = { "openai", "gpt-4o" }, { "anthropic", "claude-sonnet-4-5" }
local GEMINI, MISTRAL = { "gemini", "gemini-2.5-flash" }, { "mistral", "mistral-large" }
local COHERE, NOVA = { "cohere", "command-r-plus" }, { "bedrock", "amazon.nova-lite-v1:0" }
local LLAMA = { "bedrock", "meta.llama3-8b-instruct-v1:0" }

-- One case for each name: a member with this value, at the top.
local function members(names, value, to)
  local list = {}
  for name in names:gmatch "%S+" do
    list[#list + 1] = { name, ('"%s":%s'):format(name, value), to }
  end
  return list
end

local function with(list, more)
  for _, one in ipairs(more) do list[#list + 1] = one end
  return list
end

local FUNCTION = '"tools":[{"name":"f","input_schema":{},%s}]'

local function said(role, content) -- a Messages' or chat's message
  return ('"messages":[{"role":"%s","content":[%s]}]'):format(role, content)
end

local function item(text) return ('"input":[{"role":"user","content":"x"},%s]'):format(text) end

local function part(text) -- of Gemini's contents
  return ('"contents":[{"role":"user","parts":[{"text":"x"},%s]}]'):format(text)
end

local function config(text) return ('"generationConfig":{%s}'):format(text) end

counterparts.rows = {
  -- Chats
  { door = "chat", becomes = "dropped",
    what = "`frequency_penalty` `logit_bias` `metadata` `min_p` `prediction` "
      .. "`presence_penalty` "
      .. "`prompt_cache_key` `prompt_cache_options` `prompt_cache_retention` "
      .. "`repetition_penalty` `safety_identifier` `seed` `service_tier` `store` `verbosity`",
    where = "providers of other dialects without such a setting",
    cases = with(with(members("frequency_penalty min_p prediction presence_penalty "
      .. "repetition_penalty seed", "0.5", CLAUDE),
      members("prompt_cache_key prompt_cache_options prompt_cache_retention "
        .. "safety_identifier service_tier store verbosity", '"x"', GEMINI)),
      members("logit_bias metadata", '{"a":"b"}', GEMINI)) },
  { door = "chat", what = "`temperature`, `top_p`, `top_k`", becomes = "dropped",
    where = "where the model, or the place, takes no such value", cases = {
      { "temperature", '"temperature":1.5', CLAUDE }, { "top_k", '"top_k":5', LLAMA },
      { "top_p", '"top_p":0.5,"temperature":0.5', CLAUDE },
    } },
  { door = "chat", what = "`reasoning_effort`", becomes = "dropped",
    where = "models that do not think", cases = {
      { "reasoning_effort", '"reasoning_effort":"low"', COHERE },
      { "reasoning_effort", '"reasoning_effort":"low"', NOVA },
    } },
  { door = "chat", what = "`user`", becomes = "dropped",
    where = "Gemini, Cohere, Bedrock; Anthropic, where it is an e-mail's address", cases = {
      { "user", '"user":"u"', GEMINI }, { "user", '"user":"a@b.c"', CLAUDE },
    } },
  { door = "chat", what = "`tools[N].function.strict` (as `tools.strict`)", becomes = "dropped",
    where = "models that hold no tool to its schema", cases = {
      { "tools.strict", '"tools":[{"type":"function","function":{"name":"f","strict":true,'
        .. '"parameters":{"type":"object"}}}]', NOVA },
    } },
  { door = "chat", what = "`n` above 1, `logprobs`, `top_logprobs`, `modalities`, `audio`, "
      .. "`web_search_options`, `functions`, `function_call` and all members that are not "
      .. "listed here", becomes = "refused",
    where = "providers of other dialects that have none",
    cases = with({
      { "n", '"n":2', CLAUDE }, { "logprobs", '"logprobs":true', CLAUDE },
      { "top_logprobs", '"top_logprobs":3', CLAUDE },
      { "modalities", '"modalities":["text","audio"]', GEMINI },
    }, members("audio web_search_options functions function_call anything_new", '{"a":1}',
      CLAUDE)) },
  { door = "chat", what = "`response_format` of type `json_object`", becomes = "refused",
    where = "Anthropic, Bedrock", cases = {
      { "response_format", '"response_format":{"type":"json_object"}', CLAUDE },
    } },
  { door = "chat", what = "`tools[N]` of other types than `function`", becomes = "refused",
    where = "providers of other dialects", cases = {
      { "tools[0]", '"tools":[{"type":"custom","custom":{"name":"c"}}]', CLAUDE },
      { "tools[0]", '"tools":[{"type":"custom","custom":{"name":"c"}}]', GEMINI },
    } },
  { door = "chat", what = "`parallel_tool_calls` false, with several tools",
    becomes = "refused",
    where = "Gemini, Cohere and Bedrock's models but Claude call as they like", cases = {
      { "parallel_tool_calls", '"parallel_tool_calls":false,"tools":[{"type":"function",'
        .. '"function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]', GEMINI },
    } },
  { door = "chat", what = "`messages[N].content[M]`: sound, files by id, and other parts",
    becomes = "refused", where = "models that do not read them", cases = {
      { "messages[0].content[0]", said("user", '{"type":"input_audio","input_audio":'
        .. '{"data":"AA==","format":"wav"}}'), CLAUDE },
    } },

  -- Messages
  { door = "messages", becomes = "dropped", where = "all",
    what = "`context_management`, `compaction`, `diagnostics`, `fallbacks`, `billing_policy`, "
      .. "`fallback_credit_token`, `inference_geo`, `service_tier`, `speed`",
    cases = members("context_management compaction diagnostics fallbacks billing_policy "
      .. "fallback_credit_token inference_geo service_tier speed", '"x"', CHATS) },
  { door = "messages", becomes = "dropped", where = "providers without marks for a cache",
    what = "`cache_control`, on the body, blocks, tools and results (their text stays)",
    cases = {
      { "cache_control", '"cache_control":{"type":"ephemeral"}', CHATS },
      { "cache_control", FUNCTION:format '"cache_control":{"type":"ephemeral"}', GEMINI },
    } },
  { door = "messages", becomes = "dropped", where = "all",
    what = "`system.N`: Claude Code's `x-anthropic-billing-header` block", cases = {
      { "system.0", '"system":[{"type":"text","text":"x-anthropic-billing-header: a"},'
        .. '{"type":"text","text":"b"}]', CHATS },
    } },
  { door = "messages", becomes = "dropped", where = "all; the tools themselves are offered",
    what = "`tools.defer_loading`, `.eager_input_streaming`, `.input_examples`, "
      .. "`.allowed_callers`", cases = {
      { "tools.defer_loading", FUNCTION:format '"defer_loading":true', CHATS },
      { "tools.eager_input_streaming", FUNCTION:format '"eager_input_streaming":true', CHATS },
      { "tools.input_examples", FUNCTION:format '"input_examples":[{}]', CHATS },
      { "tools.allowed_callers", FUNCTION:format '"allowed_callers":["direct"]', CHATS },
    } },
  { door = "messages", what = "`citations` of texts and documents", becomes = "dropped",
    where = "providers that are asked for none", cases = {
      { "citations", said("user", '{"type":"document","source":{"type":"text","media_type":'
        .. '"text/plain","data":"x"},"citations":{"enabled":true}}'), CHATS },
    } },
  { door = "messages", what = "`output_config.…` beyond `effort` and `format`",
    becomes = "dropped", where = "all", cases = {
      { "output_config.new", '"output_config":{"new":1}', CHATS },
    } },
  { door = "messages", becomes = "dropped",
    where = "models that take no effort; `adaptive` and `disabled` ask for nothing",
    what = "`thinking` with a budget, `output_config.effort` (`xhigh` and `max` are high; a "
      .. "budget below 2,048 is low, below 8,192 medium)", cases = {
      { "thinking", '"thinking":{"type":"enabled","budget_tokens":2048}', CHATS },
      { "output_config.effort", '"output_config":{"effort":"low"}', CHATS },
    } },
  { door = "messages", what = "`thinking_blocks`: thoughts of earlier turns",
    becomes = "dropped", where = "providers that take none back", cases = {
      { "thinking_blocks", '"messages":[{"role":"user","content":"x"},{"role":"assistant",'
        .. '"content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text",'
        .. '"text":"y"}]},{"role":"user","content":"z"}]', CHATS },
    } },
  { door = "messages", what = "`top_k`", becomes = "dropped",
    where = "OpenAI, Azure and others that refuse it", cases = {
      { "top_k", '"top_k":5', CHATS },
    } },
  { door = "messages", what = "`metadata.user_id` (longer than 64 bytes: its SHA-256)",
    becomes = "dropped", where = "Gemini, and those whose quirks say so", cases = {
      { "metadata.user_id", '"metadata":{"user_id":"u"}', GEMINI },
      { "metadata.user_id", '"metadata":{"user_id":"u"}', MISTRAL },
    } },
  { door = "messages", what = "members that are not listed here or sent (`container`, "
      .. "`mcp_servers`, `thread`, …)", becomes = "refused",
    where = "they ask for something only Anthropic does",
    cases = members("container mcp_servers thread anything_new", '{"a":1}', CHATS) },
  { door = "messages", what = "`tools.N` with a `type` other than `custom`",
    becomes = "refused", where = "tools that run at Anthropic", cases = {
      { "tools.0", '"tools":[{"type":"web_search_20250305","name":"web_search"}]', CHATS },
    } },
  { door = "messages", what = "`messages.N.content.M.source` of type `file`",
    becomes = "refused", where = "files that only Anthropic holds", cases = {
      { "messages.0.content.0.source", said("user", '{"type":"document","source":{"type":'
        .. '"file","file_id":"f"}}'), CHATS },
      { "messages.0.content.0.source", said("user", '{"type":"image","source":{"type":'
        .. '"file","file_id":"f"}}'), GEMINI },
    } },
  { door = "messages", becomes = "refused",
    what = "blocks of other types in a request (`server_tool_use` and results of such tools, "
      .. "`container_upload`, …)",
    where = "their meaning is Anthropic's", cases = {
      { "messages.0.content.0", said("user", '{"type":"container_upload","file_id":"f"}'),
        CHATS },
    } },
  { door = "messages", what = "`tool_choice.disable_parallel_tool_use` with several tools",
    becomes = "refused",
    where = "Gemini, Cohere and Bedrock's models but Claude call as they like", cases = {
      { "tool_choice.disable_parallel_tool_use", '"tool_choice":{"type":"auto",'
        .. '"disable_parallel_tool_use":true},"tools":[{"name":"f","input_schema":{}},'
        .. '{"name":"g","input_schema":{}}]', GEMINI },
    } },

  -- Responses
  { door = "responses", becomes = "dropped", where = "all",
    what = "`store` (true), `truncation` (`auto`), `metadata` (it stands in the response), "
      .. "`client_metadata`, `context_management`, `max_tool_calls`, `prompt_cache_key`, "
      .. "`prompt_cache_options`, `prompt_cache_retention`, `service_tier`",
    cases = with({
      { "store", '"store":true', MISTRAL }, { "truncation", '"truncation":"auto"', MISTRAL },
    }, members("metadata client_metadata context_management max_tool_calls prompt_cache_key "
      .. "prompt_cache_options prompt_cache_retention service_tier", '{"a":"b"}', MISTRAL)) },
  { door = "responses", what = "`include`, beyond `reasoning.encrypted_content`",
    becomes = "dropped", where = "all", cases = {
      { "include", '"include":["file_search_call.results"]', MISTRAL },
    } },
  { door = "responses", what = "`text.verbosity`, `reasoning.…` beyond `effort` and `summary`",
    becomes = "dropped", where = "all", cases = {
      { "text.verbosity", '"text":{"verbosity":"low"}', MISTRAL },
      { "reasoning.mode", '"reasoning":{"mode":"pro"}', MISTRAL },
    } },
  { door = "responses", what = "`reasoning.effort`", becomes = "dropped",
    where = "models that take no effort", cases = {
      { "reasoning.effort", '"reasoning":{"effort":"low"}', MISTRAL },
    } },
  { door = "responses", becomes = "dropped", where = "all; providers that take none back",
    what = "`input.reasoning`: encrypted thoughts of other providers, and thoughts of earlier "
      .. "turns", cases = {
      { "input.reasoning", item '{"type":"reasoning","summary":[],"encrypted_content":"gAA"}',
        MISTRAL },
      { "input.reasoning", item('{"type":"reasoning","summary":[{"type":"summary_text",'
        .. '"text":"t"}]}'), MISTRAL },
    } },
  { door = "responses", what = "`input.item_reference`: to a thought whose id the gateway gave",
    becomes = "dropped", where = "all", cases = {
      { "input.item_reference", item '{"type":"item_reference","id":"rs_moongate_a_0"}',
        MISTRAL },
    } },
  { door = "responses", what = "`user`, `safety_identifier`, `temperature`, `top_p`",
    becomes = "dropped", where = "those that refuse them", cases = {
      { "user", '"user":"u"', GEMINI }, { "temperature", '"temperature":1.5', CLAUDE },
    } },
  { door = "responses", becomes = "refused", where = "they run at OpenAI. Codex offers "
      .. "`web_search`: give its deployments `drop_unsupported = true`",
    what = "`tools[N]` of types other than `function`, `custom` and `namespace` "
      .. "(`web_search`, `file_search`, `mcp`, …)", cases = {
      { "tools[0]", '"tools":[{"type":"web_search"}]', MISTRAL },
    } },
  { door = "responses", what = "items of other types in the input (`item_reference` to what "
      .. "OpenAI keeps, `web_search_call`, `compaction`, …)", becomes = "refused",
    where = "only OpenAI holds or reads them", cases = {
      { "input[1]", item '{"type":"item_reference","id":"msg_1"}', MISTRAL },
      { "input[1]", item '{"type":"web_search_call","id":"ws_1"}', CLAUDE },
    } },
  { door = "responses", what = "`input_image` and `input_file` with a `file_id`",
    becomes = "refused", where = "files that only OpenAI holds", cases = {
      { "input[0].content[0].file_id", '"input":[{"role":"user","content":[{"type":'
        .. '"input_image","file_id":"f"},{"type":"input_text","text":"x"}]}]', MISTRAL },
    } },
  { door = "responses", becomes = "refused",
    what = "`tool_choice` other than a mode, one function or one custom tool",
    where = "no other server has such choices", cases = {
      { "tool_choice", '"tool_choice":{"type":"web_search"},"tools":[{"type":"function",'
        .. '"name":"f"}]', MISTRAL },
    } },
  { door = "responses", becomes = "refused", where = "they ask for something only OpenAI does",
    what = "`prompt`, `top_logprobs`, and members that are not listed here", cases = with(
      { { "top_logprobs", '"top_logprobs":2', MISTRAL } },
      members("prompt anything_new", '{"id":"p"}', MISTRAL)) },

  -- Gemini's
  { door = "gemini", what = "`safetySettings`, `labels`, `serviceTier`, `store`",
    becomes = "dropped", where = "all",
    cases = members("safetySettings labels serviceTier store", '{"a":"b"}', CHATS) },
  { door = "gemini", what = "`generationConfig.mediaResolution`, `.enableAffectiveDialog`",
    becomes = "dropped", where = "all", cases = {
      { "generationConfig.mediaResolution", config '"mediaResolution":"LOW"', CHATS },
      { "generationConfig.enableAffectiveDialog", config '"enableAffectiveDialog":true',
        CHATS },
    } },
  { door = "gemini", becomes = "dropped", where = "all; the functions are offered",
    what = "`tools.behavior`, `tools.response` of a function; members of `toolConfig` beside "
      .. "`functionCallingConfig`", cases = {
      { "tools.behavior", '"tools":[{"functionDeclarations":[{"name":"f","behavior":"x"}]}]',
        CHATS },
      { "tools.response", '"tools":[{"functionDeclarations":[{"name":"f","response":{}}]}]',
        CHATS },
      { "toolConfig.retrievalConfig", '"toolConfig":{"retrievalConfig":{"a":1}}', CHATS },
    } },
  { door = "gemini", becomes = "dropped", where = "models that take no effort. What cannot be "
      .. "switched off thinks as little as it can",
    what = "`generationConfig.thinkingConfig`: a level, or a budget (0 is none, below 2,048 "
      .. "low, below 8,192 medium, else high; -1 asks for nothing)", cases = {
      { "generationConfig.thinkingConfig", config '"thinkingConfig":{"thinkingBudget":4096}',
        CHATS },
    } },
  { door = "gemini", becomes = "dropped", where = "providers that do not take them",
    what = "`generationConfig.topK`, `.seed`, `.presencePenalty`, `.frequencyPenalty` and the "
      .. "like", cases = {
      { "generationConfig.topK", config '"topK":5', CHATS },
      { "generationConfig.seed", config '"seed":5', CLAUDE },
      { "generationConfig.presencePenalty", config '"presencePenalty":0.5', CLAUDE },
      { "generationConfig.frequencyPenalty", config '"frequencyPenalty":0.5', CLAUDE },
    } },
  { door = "gemini", becomes = "refused", where = "tools that run at Google",
    what = "`tools[N].googleSearch`, `.codeExecution`, `.urlContext` and others beside "
      .. "`functionDeclarations`", cases = {
      { "tools[0].googleSearch", '"tools":[{"googleSearch":{}}]', CHATS },
      { "tools[0].codeExecution", '"tools":[{"codeExecution":{}}]', CLAUDE },
    } },
  { door = "gemini", what = "`cachedContent`, and members that are not listed here",
    becomes = "refused", where = "only Google has it",
    cases = members("cachedContent anythingNew", '"x"', CHATS) },
  { door = "gemini", becomes = "refused", where = "files that only Google holds",
    what = "`fileData` with an address at Google or `gs://`; by other addresses, what is no "
      .. "image or PDF", cases = {
      { "contents[0].parts[1].fileData", part('{"fileData":{"mimeType":"image/png","fileUri":'
        .. '"gs://a/b"}}'), CHATS },
    } },
  { door = "gemini", what = "`inlineData` that is no image, PDF, WAV or MP3",
    becomes = "refused", where = "a chat has no part for it", cases = {
      { "contents[0].parts[1].inlineData", part('{"inlineData":{"mimeType":"video/mp4","data":'
        .. '"AA=="}}'), CHATS },
    } },
  { door = "gemini", becomes = "refused", where = "their meaning is Google's",
    what = "`executableCode`, `codeExecutionResult`, `toolCall`, `toolResponse`", cases = {
      { "contents[0].parts[1].executableCode", part '{"executableCode":{"code":"x"}}', CHATS },
    } },
  { door = "gemini", becomes = "refused", where = "answers have one candidate of text",
    what = "`generationConfig.candidateCount` above 1, `.responseLogprobs`, `.speechConfig`, "
      .. "`.imageConfig`, `.responseModalities` other than text, `.responseMimeType` other "
      .. "than text and JSON", cases = {
      { "generationConfig.candidateCount", config '"candidateCount":2', CHATS },
      { "generationConfig.responseLogprobs", config '"responseLogprobs":true', CHATS },
      { "generationConfig.speechConfig", config '"speechConfig":{"a":1}', CHATS },
      { "generationConfig.imageConfig", config '"imageConfig":{"a":1}', CHATS },
      { "generationConfig.responseModalities", config '"responseModalities":["IMAGE"]', CHATS },
      { "generationConfig.responseMimeType", config '"responseMimeType":"text/x.enum"', CHATS },
    } },
}

-- The manual ------------------------------------------------------------------------------

local NAMES = {
  chat = "Chat Completions", messages = "Messages", responses = "Responses",
  gemini = "generateContent",
}

local HEAD = [[
# What has no counterpart

<!-- Made by tests/tools/counterparts.lua, whose rows are tested; edit that file. -->

Where client and provider speak one dialect, all passes. Where they do not, this is what the
other side has no word for. What no answer depends on is *dropped*, and named to the client in
`x-moongate-dropped`; what is asked for and cannot be had is *refused*: a 400 with the code
`unsupported_parameter` that names the place, before anybody is called. Who decides otherwise
says so in routes.lua: with `drop_unsupported = true` of a deployment the latter is dropped and
named too; with `strict = true` (of a deployment, a model, or in `defaults`) both are refused.

What servers of OpenAI's own dialect are known to refuse is dropped as well
([providers.md](providers.md)).

| door | what | is | where, or why |
| --- | --- | --- | --- |
]]

--- docs/unsupported.md.
function counterparts.manual()
  local out = {}
  for _, row in ipairs(counterparts.rows) do
    out[#out + 1] = ("| %s | %s | %s | %s |\n"):format(NAMES[row.door], row.what, row.becomes,
      row.where)
  end
  return HEAD .. table.concat(out)
end

if arg and (arg[0] or ""):find("counterparts.lua", 1, true) then
  io.write(counterparts.manual())
end

return counterparts
