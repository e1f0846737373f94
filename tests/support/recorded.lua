-- Recorded exchanges as tests want them: raw slices of what was sent and answered, and what an
-- answer means, worked out here on its own, so that it can disagree with the gateway.

require "engine"
local cjson = require "cjson"
local crypto = require "engine.crypto"
local http = require "support.http"
local json = require "engine.json"
local process = require "support.process"

local recorded = { folder = os.getenv "MOONGATE_TRAFFIC" or "../shared/traffic" }

--- The exchanges of some apis: list of paths relative to the folder, or nil.
function recorded.list(apis)
  local index = process.read(recorded.folder .. "/index.tsv")
  if index == "" then return nil end
  local list = {}
  for line in index:gmatch "[^\n]+" do
    local path, api = line:match "^([^\t]+)\t[^\t]+\t([^\t]+)"
    if apis[api] then list[#list + 1] = path end
  end
  return list
end

local function raw_member(text, name) return assert(json.index(text)):raw(name) end

-- Some recorders kept a body as base64 inside an object.
local function unpack_base64(part)
  part.text = crypto.unbase64(part.body.b64)
  local ok, body = pcall(cjson.decode, part.text)
  part.body = ok and body or nil
end

-- Give a side of an exchange its body's text; raw() has it where it is JSON.
local function fill(part, raw)
  if part.body_text ~= cjson.null and part.body_text then
    part.text = part.body_text
  elseif part.body and part.body ~= cjson.null then
    part.text = raw()
    if type(part.body) == "table" and part.body.b64 then unpack_base64(part) end
  end
end

--- One exchange: provider, api, stream, request and response with their raw body texts.
function recorded.load(path)
  local text = process.read(recorded.folder .. "/" .. path)
  local exchange = cjson.decode(text)
  exchange.path, exchange.has = path, {}
  for _, feature in ipairs(exchange.features) do exchange.has[feature] = true end
  for _, side in ipairs { "request", "response" } do
    fill(exchange[side], function() return raw_member(raw_member(text, side), "body") end)
  end
  local asked = exchange.request.text
  if asked then -- placeholders for ids, longer than those that Mistral takes
    exchange.request.text = asked:gsub('"call_REDACTED_(%d)"', '"callRED0%1"')
  end
  if (exchange.response.text or ""):find "^data:" then exchange.stream = true end
  return exchange
end

-- What an answer says -------------------------------------------------------------------------
-- { text, refusal, calls = { {name, arguments}... }, finish, prompt, completion, cached }

local function null(value)
  if value == cjson.null then return nil end
  return value
end

local function openai_usage(out, usage)
  usage = null(usage)
  if not usage then return end
  local details = null(usage.prompt_tokens_details)
  out.prompt, out.completion = usage.prompt_tokens, usage.completion_tokens
  out.cached = details and null(details.cached_tokens) or out.cached or 0
end

local function merge_call(calls, order, piece)
  local index = piece.index or #order
  if not calls[index] then
    calls[index] = { name = "", arguments = "" }
    order[#order + 1] = calls[index]
  end
  local f = null(piece["function"]) or {}
  calls[index].name = calls[index].name .. (null(f.name) or "")
  calls[index].arguments = calls[index].arguments .. (null(f.arguments) or "")
end

local function text_of(value) return type(value) == "string" and value or "" end

-- The first choice of a chunk or of a whole answer.
local function openai_choice(out, order, choice, is_whole)
  local piece = null(is_whole and choice.message or choice.delta) or {}
  out.text = out.text .. text_of(piece.content)
  out.refusal = (out.refusal or "") .. text_of(piece.refusal)
  for i, call in ipairs(null(piece.tool_calls) or {}) do
    if is_whole then call.index = i end
    merge_call(order, out.calls, call)
  end
  out.finish = null(choice.finish_reason) or out.finish
end

--- What an OpenAI answer says: the list of its events' texts, or the text of a whole one.
function recorded.openai(events)
  local out, order = { text = "", calls = {} }, {}
  local is_whole = type(events) == "string"
  if is_whole then events = { events } end
  for _, data in ipairs(events) do
    local event = data ~= "[DONE]" and cjson.decode(data) or {}
    for _, choice in ipairs(null(event.choices) or {}) do
      if (choice.index or 0) == 0 then openai_choice(out, order, choice, is_whole) end
    end
    openai_usage(out, event.usage)
  end
  return out
end

local ANTHROPIC_FINISH = {
  end_turn = "stop", stop_sequence = "stop", max_tokens = "length", tool_use = "tool_calls",
  refusal = "content_filter", pause_turn = "stop", model_context_window_exceeded = "length",
}

local function anthropic_usage(out, usage)
  usage = null(usage)
  if not usage then return end
  local function number(name) return tonumber(null(usage[name])) end
  local parts = out.parts or { 0, 0, 0 }
  parts[1] = number "input_tokens" or parts[1]
  parts[2] = number "cache_read_input_tokens" or parts[2]
  parts[3] = number "cache_creation_input_tokens" or parts[3]
  out.parts = parts
  out.prompt, out.cached = parts[1] + parts[2] + parts[3], parts[2]
  out.completion = number "output_tokens" or out.completion
end

local function anthropic_block(out, block)
  if block.type == "text" then out.text = out.text .. block.text end
  if block.type == "tool_use" then
    out.calls[#out.calls + 1] = { name = block.name, arguments = cjson.encode(block.input) }
  end
end

local ANTHROPIC_EVENTS = {
  message_start = function(out, event) anthropic_usage(out, event.message.usage) end,
  content_block_start = function(out, event)
    out.open = { type = event.content_block.type, name = event.content_block.name,
      text = event.content_block.text or "", json = "" }
  end,
  content_block_delta = function(out, event)
    local delta = event.delta
    local open = out.open
    if delta.type == "text_delta" then open.text = open.text .. delta.text end
    if delta.type == "input_json_delta" then open.json = open.json .. delta.partial_json end
  end,
  content_block_stop = function(out)
    local open = out.open
    if open.type == "text" then out.text = out.text .. open.text end
    if open.type == "tool_use" then
      out.calls[#out.calls + 1] =
        { name = open.name, arguments = open.json ~= "" and open.json or "{}" }
    end
  end,
  message_delta = function(out, event)
    out.finish = ANTHROPIC_FINISH[null(event.delta.stop_reason)] or out.finish
    anthropic_usage(out, event.usage)
  end,
}

--- What an Anthropic answer says.
function recorded.anthropic(text, stream)
  local out = { text = "", calls = {} }
  if not stream then
    local body = cjson.decode(text)
    for _, block in ipairs(body.content) do anthropic_block(out, block) end
    out.finish = ANTHROPIC_FINISH[null(body.stop_reason)]
    anthropic_usage(out, body.usage)
    return out
  end
  for _, data in ipairs(http.events(text)) do
    local event = cjson.decode(data)
    local read = ANTHROPIC_EVENTS[event.type]
    if read then read(out, event) end
  end
  return out
end

local function responses_item(out, item)
  if item.type == "function_call" then
    out.calls[#out.calls + 1] = { name = item.name, arguments = item.arguments }
  end
  for _, part in ipairs(item.type == "message" and item.content or {}) do
    out.text = out.text .. (null(part.text) or "")
    out.refusal = (out.refusal or "") .. (null(part.refusal) or "")
  end
end

local function responses_finish(out, body)
  local details = null(body.incomplete_details)
  if body.status == "incomplete" then
    return details.reason == "content_filter" and "content_filter" or "length"
  end
  return #out.calls > 0 and "tool_calls" or "stop"
end

--- What an answer of Responses says: of a stream, what its last event does, and the joined
--- deltas of text as `streamed`.
function recorded.responses(text, stream)
  local out, body = { text = "", calls = {} }, nil
  if stream then
    out.streamed = ""
    for _, data in ipairs(http.events(text)) do
      local event = cjson.decode(data)
      if event.type == "response.output_text.delta" then
        out.streamed = out.streamed .. event.delta
      end
      body = event.response
    end
  else
    body = cjson.decode(text)
  end
  for _, item in ipairs(body.output) do responses_item(out, item) end
  out.finish = responses_finish(out, body)
  local usage = body.usage
  out.prompt, out.completion = usage.input_tokens, usage.output_tokens
  out.cached = usage.input_tokens_details.cached_tokens
  return out
end

local GEMINI_FINISH = {
  STOP = "stop", MAX_TOKENS = "length", MALFORMED_FUNCTION_CALL = "stop",
  [1] = "stop", [2] = "length", -- where enums were asked for as numbers
}

local function gemini_usage(out, usage)
  local function number(name) return null(usage[name]) or 0 end
  if null(usage.promptTokenCount) then
    out.prompt = number "promptTokenCount" + number "toolUsePromptTokenCount"
  end
  out.completion = number "candidatesTokenCount" + number "thoughtsTokenCount"
  out.cached = number "cachedContentTokenCount"
end

local function gemini_part(out, part)
  if part.text and not part.thought then out.text = out.text .. part.text end
  if part.functionCall then
    local f = part.functionCall
    out.calls[#out.calls + 1] = { name = f.name, arguments = cjson.encode(f.args or {}) }
  end
end

local function gemini_body(out, body)
  if null(body.usageMetadata) then gemini_usage(out, body.usageMetadata) end
  if body.promptFeedback and null(body.promptFeedback.blockReason) then
    out.finish = "content_filter"
  end
  local candidate = null(body.candidates) and body.candidates[1]
  if not candidate then return end
  for _, part in ipairs(candidate.content and null(candidate.content.parts) or {}) do
    gemini_part(out, part)
  end
  local reason = null(candidate.finishReason)
  if reason then out.finish = GEMINI_FINISH[reason] or "content_filter" end
end

--- What a Gemini answer says: whole, streamed as events, or as one array.
function recorded.gemini(text, stream)
  local out, bodies = { text = "", calls = {} }, {}
  if text:find "^%s*%[" then
    bodies = cjson.decode(text)
  elseif stream then
    for i, data in ipairs(http.events(text)) do bodies[i] = cjson.decode(data) end
  else
    bodies[1] = cjson.decode(text)
  end
  for _, body in ipairs(bodies) do gemini_body(out, body) end
  if #out.calls > 0 and out.finish == "stop" then out.finish = "tool_calls" end
  return out
end

return recorded
