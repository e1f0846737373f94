-- Recorded exchanges, and what a client has to hear of each: worked out from the recording with
-- another JSON library and other code than the gateway's.

local cjson = require "cjson"
local crypto = require "engine.crypto"
local json = require "engine.json"
local lfs = require "lfs"

local recorded = {}

local APIS = {
  chat_completions = "openai", messages = "anthropic", generate_content = "gemini",
  stream_generate_content = "gemini", chat_v2 = "cohere",
  responses = "responses",
}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local function given(value)
  if value == nil or value == cjson.null then return nil end
  return value
end

-- The recordings -----------------------------------------------------------------

-- Some recorders kept a body as base64.
local function bytes_of(half, raw)
  local body = given(half.body)
  if given(half.body_text) then return half.body_text end
  if not body then return nil end
  if type(body) == "table" and body.b64 then return crypto.unbase64(body.b64) end
  return raw:raw("body")
end

-- Some recorders put placeholders where ids of tool calls were, longer than Mistral takes.
local function real_ids(text)
  return text and (text:gsub('"call_REDACTED_(%d)"', '"callRED0%1"'))
end

local function inside(doc, name)
  return json.index(doc:raw(name))
end

local function load(path, provider, api)
  local text = read(path)
  local exchange, doc = cjson.decode(text), assert(json.index(text))
  local features = {}
  for _, name in ipairs(exchange.features) do features[name] = true end
  local answer = bytes_of(exchange.response, inside(doc, "response"))
  return {
    path = path, provider = provider, dialect = APIS[api], status = exchange.response.status,
    headers = exchange.response.headers or {}, answer = answer,
    asked = real_ids(bytes_of(exchange.request, inside(doc, "request"))),
    stream = exchange.stream or (answer or ""):find("^data:") ~= nil,
    features = features,
  }
end

--- Where the recordings are; nil when they are not here.
function recorded.folder()
  local folder = os.getenv "MOONGATE_TRAFFIC" or "../shared/traffic"
  return lfs.attributes(folder, "mode") == "directory" and folder or nil
end

local function folders(path)
  local list = {}
  for name in lfs.dir(path) do
    if not name:find(".", 1, true) then list[#list + 1] = name end
  end
  return list
end

--- Every chat exchange of every provider.
function recorded.all()
  local list = {}
  for _, provider in ipairs(folders(recorded.folder())) do
    for api in pairs(APIS) do
      local dir = ("%s/%s/%s"):format(recorded.folder(), provider, api)
      if lfs.attributes(dir, "mode") == "directory" then
        for name in lfs.dir(dir) do
          if name:find("%.json$") then
            list[#list + 1] = load(dir .. "/" .. name, provider, api)
          end
        end
      end
    end
  end
  table.sort(list, function(a, b) return a.path < b.path end)
  return list
end

-- What is in them ----------------------------------------------------------------

--- The data of a stream's events.
function recorded.events(bytes)
  local list = {}
  for block in (bytes:gsub("\r\n", "\n") .. "\n\n"):gmatch("(.-)\n\n") do
    local data = ("\n" .. block):match("\ndata: ?([^\n]*)")
    if data and data:find("^%s*{") then list[#list + 1] = cjson.decode(data) end
  end
  return list
end

local function pieces(bytes)
  if bytes:find("^%s*%[") then return cjson.decode(bytes) end
  if bytes:find("^%s*{") then return { cjson.decode(bytes) } end
  return recorded.events(bytes)
end

local function new_answer()
  return { text = "", thought = "", refusal = "", tools = {}, usage = {} }
end

local function add(answer, name, text)
  answer[name] = answer[name] .. (given(text) or "")
end

-- OpenAI's shape: of the recording, and of what our client gets.

local function openai_tool(answer, call, position)
  local index = (call.index or position - 1) + 1
  local known = answer.tools[index] or { arguments = "" }
  answer.tools[index] = known
  known.name = known.name or given(call["function"].name)
  known.arguments = known.arguments .. (given(call["function"].arguments) or "")
end

-- Mistral's content may be a list of thoughts and texts, Cloudflare's an object.
local function openai_text(content)
  if type(content) ~= "table" then return content end
  if not content[1] then return nil, nil, content end
  local out, thoughts = {}, {}
  for _, part in ipairs(content) do
    if part.type == "text" then out[#out + 1] = part.text end
    for _, thought in ipairs(part.thinking or {}) do thoughts[#thoughts + 1] = thought.text end
  end
  return table.concat(out), table.concat(thoughts)
end

-- Perplexity's hold a delta and the message so far, whole or streamed.
local function openai_choice(answer, choice, is_whole)
  local said = given(is_whole and choice.message or choice.delta) or {}
  local text, thought, object = openai_text(said.content)
  add(answer, "text", text)
  add(answer, "refusal", said.refusal)
  add(answer, "thought", given(said.reasoning_content) or given(said.reasoning) or thought)
  answer.object = answer.object or object
  for i, call in ipairs(given(said.tool_calls) or {}) do openai_tool(answer, call, i) end
  answer.finish = given(choice.finish_reason) or answer.finish
end

local function openai_usage(answer, usage)
  local input = given(usage.prompt_tokens_details) or {}
  local output = given(usage.completion_tokens_details) or {}
  answer.usage = {
    input = usage.prompt_tokens, output = usage.completion_tokens,
    cached = input.cached_tokens or 0, reasoning = output.reasoning_tokens or 0,
  }
  answer.total = usage.total_tokens
end

--- An answer in OpenAI's shape, whole or streamed. Only the first choice counts.
function recorded.openai(bytes)
  local answer = new_answer()
  local is_whole = bytes:find("^%s*{") ~= nil
  for _, piece in ipairs(pieces(bytes)) do
    for _, choice in ipairs(given(piece.choices) or {}) do
      if (choice.index or 0) == 0 then openai_choice(answer, choice, is_whole) end
    end
    if given(piece.usage) then openai_usage(answer, piece.usage) end
  end
  return answer
end

-- Anthropic's.

local ANTHROPIC_FINISH = {
  end_turn = "stop", stop_sequence = "stop", max_tokens = "length", tool_use = "tool_calls",
  refusal = "content_filter", pause_turn = "stop", model_context_window_exceeded = "length",
}

local function anthropic_usage(answer, seen, usage)
  for name, value in pairs(given(usage) or {}) do
    if value ~= cjson.null then seen[name] = value end
  end
  local cached = seen.cache_read_input_tokens or 0
  answer.usage = {
    input = seen.input_tokens + cached + (seen.cache_creation_input_tokens or 0),
    output = seen.output_tokens, cached = cached,
    reasoning = (seen.output_tokens_details or {}).thinking_tokens or 0,
  }
end

local function anthropic_block(answer, block)
  add(answer, "text", block.type == "text" and block.text or "")
  add(answer, "thought", block.type == "thinking" and block.thinking or "")
  if block.type ~= "tool_use" then return end
  answer.tools[#answer.tools + 1] = { name = block.name, input = block.input, arguments = "" }
end

local function anthropic_delta(answer, kind, delta)
  if delta.type == "text_delta" then add(answer, "text", delta.text) end
  if delta.type == "thinking_delta" then add(answer, "thought", delta.thinking) end
  if delta.type == "input_json_delta" and kind == "tool_use" then
    local tool = answer.tools[#answer.tools]
    tool.arguments = tool.arguments .. delta.partial_json
  end
end

local function anthropic_event(answer, seen, event)
  if event.type == "message_start" then
    anthropic_usage(answer, seen, event.message.usage)
  elseif event.type == "content_block_start" then
    seen.kind = event.content_block.type
    anthropic_block(answer, event.content_block)
  elseif event.type == "content_block_delta" then
    anthropic_delta(answer, seen.kind, event.delta)
  elseif event.type == "message_delta" then
    answer.finish = ANTHROPIC_FINISH[event.delta.stop_reason]
    anthropic_usage(answer, seen, event.usage)
  end
end

function recorded.anthropic(bytes)
  local answer, seen = new_answer(), {}
  for _, piece in ipairs(pieces(bytes)) do
    if piece.type == "message" then
      for _, block in ipairs(piece.content) do anthropic_block(answer, block) end
      answer.finish = ANTHROPIC_FINISH[piece.stop_reason]
      anthropic_usage(answer, seen, piece.usage)
    else
      anthropic_event(answer, seen, piece)
    end
  end
  return answer
end

-- Gemini's.

local GEMINI_FINISH = {
  STOP = "stop", MAX_TOKENS = "length", MALFORMED_FUNCTION_CALL = "stop",
  [1] = "stop", [2] = "length",
}

local function gemini_part(answer, part)
  if part.functionCall then
    local call = part.functionCall
    answer.tools[#answer.tools + 1] = {
      name = call.name, input = given(call.args) or {}, arguments = "",
    }
  elseif given(part.text) then
    add(answer, part.thought == true and "thought" or "text", part.text)
  end
end

local function gemini_usage(answer, usage)
  if not (usage.promptTokenCount or usage.candidatesTokenCount) then return end
  local thoughts = usage.thoughtsTokenCount or 0
  answer.usage = {
    input = (usage.promptTokenCount or 0) + (usage.toolUsePromptTokenCount or 0),
    output = (usage.candidatesTokenCount or 0) + thoughts,
    cached = usage.cachedContentTokenCount or 0, reasoning = thoughts,
  }
end

local function gemini_piece(answer, piece)
  local candidate = (given(piece.candidates) or {})[1] or {}
  local content = given(candidate.content) or {}
  for _, part in ipairs(given(content.parts) or {}) do gemini_part(answer, part) end
  gemini_usage(answer, given(piece.usageMetadata) or {})
  return given(candidate.finishReason)
end

function recorded.gemini(bytes)
  local answer, reason = new_answer(), nil
  for _, piece in ipairs(pieces(bytes)) do reason = gemini_piece(answer, piece) or reason end
  answer.finish = reason and (GEMINI_FINISH[reason] or "content_filter")
  if answer.finish == "stop" and #answer.tools > 0 then answer.finish = "tool_calls" end
  return answer
end

-- Cohere's.

local COHERE_FINISH = {
  COMPLETE = "stop", STOP_SEQUENCE = "stop", MAX_TOKENS = "length", TOOL_CALL = "tool_calls",
}

local function cohere_usage(answer, said)
  local tokens = said.tokens
  answer.usage = {
    input = tokens.input_tokens, output = tokens.output_tokens,
    cached = given(said.cached_tokens) or 0, reasoning = given(tokens.reasoning_tokens) or 0,
  }
end

local function cohere_part(answer, part)
  add(answer, "text", part.text)
  add(answer, "thought", part.thinking)
end

-- A message, or what an event adds to one: there, each list is one element of it.
local function cohere_message(answer, said)
  add(answer, "thought", said.tool_plan)
  local content, calls = given(said.content) or {}, given(said.tool_calls) or {}
  for _, part in ipairs(content[1] and content or { content }) do cohere_part(answer, part) end
  for _, call in ipairs(calls[1] and calls or { calls }) do
    local known = answer.tools[#answer.tools]
    if call.id then
      known = { name = call["function"].name, arguments = "" }
      answer.tools[#answer.tools + 1] = known
    end
    if known and call["function"] then
      known.arguments = known.arguments .. call["function"].arguments
    end
  end
end

function recorded.cohere(bytes)
  local answer = new_answer()
  for _, piece in ipairs(pieces(bytes)) do
    local said = given(piece.delta) or piece
    cohere_message(answer, given(said.message) or {})
    if given(said.usage) then cohere_usage(answer, said.usage) end
    answer.finish = COHERE_FINISH[said.finish_reason] or answer.finish
  end
  return answer
end

-- Responses'.

local RESPONSES = {
  message = function(answer, item)
    for _, part in ipairs(item.content) do
      add(answer, part.type == "refusal" and "refusal" or "text", part.refusal or part.text)
    end
  end,
  reasoning = function(answer, item)
    local texts = {}
    for _, part in ipairs(given(item.summary) or {}) do texts[#texts + 1] = part.text end
    add(answer, "thought", table.concat(texts, "\n\n"))
    for _, part in ipairs(#texts == 0 and given(item.content) or {}) do
      add(answer, "thought", part.text)
    end
  end,
  function_call = function(answer, item)
    answer.tools[#answer.tools + 1] = { name = item.name, arguments = item.arguments }
  end,
}

local function responses_finish(answer, body)
  local details = given(body.incomplete_details) or {}
  if body.status ~= "incomplete" then return #answer.tools > 0 and "tool_calls" or "stop" end
  return details.reason == "content_filter" and "content_filter" or "length"
end

function recorded.responses(bytes)
  local answer, list = new_answer(), pieces(bytes)
  local body, items = list[1], list[1].output
  if not items then
    items = {}
    for _, event in ipairs(list) do
      if event.type == "response.output_item.done" then items[#items + 1] = event.item end
      body = given(event.response) or body
    end
  end
  for _, item in ipairs(items) do
    if RESPONSES[item.type] then RESPONSES[item.type](answer, item) end
  end
  answer.finish = responses_finish(answer, body)
  local input = given(body.usage.input_tokens_details) or {}
  local output = given(body.usage.output_tokens_details) or {}
  answer.usage = {
    input = body.usage.input_tokens, output = body.usage.output_tokens,
    cached = input.cached_tokens or 0, reasoning = output.reasoning_tokens or 0,
  }
  return answer
end

-- Errors ---------------------------------------------------------------------------

local BY_STATUS = {
  [401] = "auth", [403] = "auth", [404] = "model_missing", [422] = "bad_request",
  [429] = "rate_limit",
}

local BY_TEXT = {
  { "context_length_exceeded", "context_window" }, { "prompt is too long", "context_window" },
  { "maximum number of tokens", "context_window" },
  { "maximum context length", "context_window" },
  { "exceeds the context window", "context_window" },
  { "max context length", "context_window" }, { "too many tokens", "context_window" },
  { "api key not valid", "auth" }, { "api_key_invalid", "auth" },
  { "incorrect api key", "auth" }, { "content_filter", "content_policy" },
}

--- The kind of fault that a refusal is: by its status, and a 400 by what it says.
function recorded.kind(status, bytes)
  if BY_STATUS[status] then return BY_STATUS[status] end
  if status >= 500 then return "server_error" end
  local text = bytes:lower()
  for _, one in ipairs(BY_TEXT) do
    if text:find(one[1], 1, true) then return one[2] end
  end
  return "bad_request"
end

return recorded
