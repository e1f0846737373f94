-- What Converse answers, whole or in pieces, as verbs.

local chat = require "lib.chat"
local citations = require "lib.citations"
local content = require "lib.converse_content"
local errors = require "lib.converse_errors"
local fault = require "lib.fault"
local json = require "engine.json"

local answer = {}

-- Ends --------------------------------------------------------------------------------

local FINISH = {
  content_filtered = "content_filter", end_turn = "stop",
  guardrail_intervened = "content_filter", max_tokens = "length",
  model_context_window_exceeded = "length", stop_sequence = "stop", tool_use = "tool_calls",
}
local BROKEN = { malformed_model_output = true, malformed_tool_use = true }

local function finish(reason, reply)
  if type(reason) ~= "string" or BROKEN[reason] then return end
  reply:finish(FINISH[reason] or "stop")
end

-- Asked last, when it is known what the answer took.
local function check(reason)
  if not BROKEN[reason or ""] then return end
  fault.raise("invalid_response", ("The model's answer is broken (%s)."):format(reason))
end

-- Counts ------------------------------------------------------------------------------

local function number(value) return type(value) == "number" and value or nil end

-- Of what was written to the cache, what stays an hour.
local function for_an_hour(details)
  local sum = 0
  for one in chat.objects(details) do
    if one.ttl == "1h" then sum = sum + (number(one.inputTokens) or 0) end
  end
  return sum > 0 and sum or nil
end

-- What is counted apart there is one number here: input_tokens includes cached ones.
local function usage(said, reply, tier)
  if type(said) ~= "table" then return end
  local read, written = number(said.cacheReadInputTokens), number(said.cacheWriteInputTokens)
  local input = number(said.inputTokens)
  local kind = chat.table_or_empty(tier).type
  reply:usage {
    input_tokens = input and input + (read or 0) + (written or 0),
    output_tokens = number(said.outputTokens), cache_read_tokens = read,
    cache_write_tokens = written, cache_write_1h_tokens = for_an_hour(said.cacheDetails),
    service_tier = type(kind) == "string" and kind or nil,
  }
end

-- What a text rests on ----------------------------------------------------------------

-- Where a text stands is counted in characters; what stands there is known of whole answers,
-- since of a stream nothing is kept.
local function say(text, reply, state)
  if type(text) ~= "string" then return end
  reply:text(text)
  state.length = state.length + citations.length(text)
  if state.texts then state.texts[#state.texts + 1] = text end
end

local function begin_block(state)
  state.block = state.length
  if state.texts then state.texts = {} end
end

-- Of pages, the documents of a request by their number, and results of a search.
local function place_of(location)
  for _, name in ipairs { "documentChar", "documentPage", "documentChunk" } do
    local index = chat.table_or_empty(location[name]).documentIndex
    if number(index) then return nil, ("doc:%d"):format(index) end
  end
  local found = chat.table_or_empty(location.searchResultLocation).searchResultIndex
  if number(found) then return nil, ("search:%d"):format(found) end
  local page = chat.table_or_empty(location.web)
  return page.url, nil, page.domain
end

local function cite(list, reply, state)
  local text = state.texts and table.concat(state.texts) or nil
  for one in chat.objects(list) do
    local url, id, site = place_of(chat.table_or_empty(one.location))
    reply:cite(citations.new {
      start = state.block, stop = state.length, text = text, url = url, id = id,
      title = one.title or site, source = chat.text(one.sourceContent),
    })
  end
end

-- Whole answers -----------------------------------------------------------------------

local function check_tool(block)
  if type(block.toolUseId) == "string" and type(block.name) == "string" then return end
  fault.raise("invalid_response", "The provider called a tool without a name.")
end

-- What the provider's own tools were asked is not for this client.
local function is_own(block) return block.type == "server_tool_use" end

local function thought(said, reply)
  if type(said.redactedContent) == "string" then
    return reply:reasoning("", { redacted = content.hidden(said.redactedContent) })
  end
  local text = chat.table_or_empty(said.reasoningText)
  local signature = type(text.signature) == "string" and text.signature or nil
  reply:reasoning(text.text, signature and { signature = signature })
end

-- What stands in a block of its own; some cite what stands before it.
local function cited(said, reply, state)
  said = chat.table_or_empty(said)
  if #chat.table_or_empty(said.content) > 0 then begin_block(state) end
  for piece in chat.objects(said.content) do say(piece.text, reply, state) end
  cite(said.citations, reply, state)
end

local BLOCKS = {
  text = function(text, reply, state)
    begin_block(state)
    say(text, reply, state)
  end,
  reasoningContent = function(said, reply)
    if type(said) == "table" then thought(said, reply) end
  end,
  citationsContent = cited,
  toolUse = function(block, reply)
    if type(block) ~= "table" or is_own(block) then return end
    check_tool(block)
    reply:tool_call {
      id = block.toolUseId, name = block.name,
      arguments = block.input == nil and "{}" or json.text(block.input),
    }
  end,
}

--- A whole answer, whose `input` members are raw.
function answer.decode(body, reply)
  local message = chat.table_or_empty(body.output).message
  if type(message) ~= "table" then
    if type(body.message) == "string" then errors.raise(body.__type, body) end
    fault.raise("invalid_response", "The provider's answer holds no message.")
  end
  local state = { texts = {}, length = 0, block = 0 }
  reply:start {}
  for block in chat.objects(message.content) do
    for name, read in pairs(BLOCKS) do
      if block[name] ~= nil then read(block[name], reply, state) end
    end
  end
  finish(body.stopReason, reply)
  usage(body.usage, reply, body.serviceTier)
  check(body.stopReason)
end

-- Streams -------------------------------------------------------------------------------

local EVENTS = {}

function EVENTS.messageStart(_, reply) reply:start {} end

function EVENTS.contentBlockStart(data, reply, state)
  local block = chat.table_or_empty(data.start).toolUse
  state.tool, state.arguments = nil, false
  if type(block) ~= "table" or is_own(block) then return end
  check_tool(block)
  state.tool = true
  reply:tool_call { id = block.toolUseId, name = block.name }
end

local function tool_piece(said, reply, state)
  local piece = said.input
  if not state.tool or type(piece) ~= "string" or piece == "" then return end
  state.arguments = true
  reply:tool_call { arguments = piece }
end

local function thought_piece(said, reply)
  if type(said.redactedContent) == "string" then
    return reply:reasoning("", { redacted = content.hidden(said.redactedContent) })
  end
  reply:reasoning(said.text)
  if type(said.signature) == "string" and said.signature ~= "" then
    reply:reasoning("", { signature = said.signature })
  end
end

function EVENTS.contentBlockDelta(data, reply, state)
  local delta = chat.table_or_empty(data.delta)
  if type(delta.toolUse) == "table" then tool_piece(delta.toolUse, reply, state) end
  local said = delta.reasoningContent
  if type(said) == "table" then thought_piece(said, reply) end
  say(delta.text, reply, state)
  if type(delta.citation) == "table" then
    state.cited = state.cited or {}
    state.cited[#state.cited + 1] = delta.citation
  end
end

-- A tool that needs nothing is called without a piece of input.
function EVENTS.contentBlockStop(_, reply, state)
  if state.tool and not state.arguments then reply:tool_call { arguments = "{}" } end
  if state.cited then cite(state.cited, reply, state) end
  state.tool, state.cited, state.block = nil, nil, state.length
end

function EVENTS.messageStop(data, reply, state)
  state.reason = data.stopReason
  finish(state.reason, reply)
end

function EVENTS.metadata(data, reply, state)
  usage(data.usage, reply, data.serviceTier)
  check(state.reason)
end

-- Some exceptions came as events.
local function is_exception(name, kind)
  return kind == "exception" or kind == "error" or name:find("Exception$") ~= nil
end

--- A streamed one.
function answer.stream(upstream, reply)
  local state = { length = 0, block = 0 }
  for name, data, kind in upstream:messages() do
    if is_exception(name, kind) then errors.raise(name, data) end
    local read = EVENTS[name]
    if read and chat.is_readable(data) then read(data, reply, state) end
  end
end

return answer
