-- A chat conversation as Anthropic's messages: turns that alternate, blocks in them.

local chat = require "lib.chat"
local chat_message = require "lib.chat_message"
local conversation = require "lib.conversation"
local crypto = require "engine.crypto"
local json = require "engine.json"
local sealed = require "lib.responses_sealed"

local messages = {}

local TEXT = { "type", "text", "cache_control" }
local SOURCE = { "type", "media_type", "data", "url" }

local function text_block(text, cache_control)
  if not chat.given(cache_control) then cache_control = nil end
  return json.object(TEXT, { type = "text", text = text, cache_control = cache_control })
end

-- Content ------------------------------------------------------------------------

local function source(url)
  local media_type, data = chat.data_url(url)
  if media_type then
    return json.object(SOURCE, { type = "base64", media_type = media_type, data = data })
  end
  if url:find("^[Hh][Tt][Tt][Pp][Ss]?://") then return { type = "url", url = url } end
  return nil
end

local function image(part)
  local url = conversation.image(part)
  local from = url and source(url)
  return from and json.object({ "type", "source" }, { type = "image", source = from })
end

local function file_source(media_type, data)
  if media_type == "application/pdf" or media_type:find("^image/") then
    return json.object(SOURCE, { type = "base64", media_type = media_type, data = data })
  end
  local text = media_type:find("^text/") and crypto.unbase64(data)
  return text and json.object(SOURCE, { type = "text", media_type = "text/plain", data = text })
end

-- PDFs, texts and images travel inside; files that only OpenAI holds cannot.
local function document(part)
  local file = chat.table_or_empty(part.file)
  local data_url = type(file.file_data) == "string" and file.file_data or ""
  local media_type, data = chat.data_url(data_url)
  local from = media_type and file_source(media_type, data)
  if not from then return nil end
  if media_type:find("^image/") then return { type = "image", source = from } end
  return json.object({ "type", "source", "title" }, {
    type = "document", source = from,
    title = type(file.filename) == "string" and file.filename or nil,
  })
end

local BLOCKS = { image_url = image, file = document }
BLOCKS.text, BLOCKS.refusal = conversation.text_makers(text_block)

-- Any block may be the last one of a cached beginning.
local function keep_mark(part, made)
  if part.type ~= "text" and chat.given(part.cache_control) then
    made.cache_control = part.cache_control
  end
end

-- Thought ------------------------------------------------------------------------

-- What reply:reasoning gave the client with an earlier answer, and OpenRouter's words for it.
local function thought(item)
  local signature = item.signature
  if item.type == "thinking" or item.type == "reasoning.text" then
    if type(signature) ~= "string" then return nil end -- unsigned thought is refused
    return chat_message.signed(item.thinking or item.text or "", signature)
  end
  if (item.type == "redacted_thinking" or item.type == "reasoning.encrypted")
    and type(item.data) == "string" and not sealed.is(item.data) then
    return chat_message.hidden(item.data)
  end
  return nil
end

local function thoughts(message)
  local out = {}
  local list = chat.given(message.thinking_blocks) and message.thinking_blocks
    or message.reasoning_details
  for _, item in ipairs(chat.table_or_empty(list)) do
    out[#out + 1] = type(item) == "table" and thought(item) or nil
  end
  return out
end

-- Tools --------------------------------------------------------------------------

-- Other providers' ids hold characters that are refused here.
local function tool_id(id)
  return (tostring(id):gsub("[^%w_%-]", "_"))
end

local function tool_use(call)
  return json.object({ "type", "id", "name", "input" }, {
    type = "tool_use", id = tool_id(call.id), name = call.name, input = call.arguments,
  })
end

-- is_error: a client of Anthropic's dialect said so (lib/messages_turns.lua).
local function tool_result(message, at, where)
  local content = message.content
  if type(content) ~= "string" then
    content = json.array(conversation.parts(content, at, where))
  end
  return json.object({ "type", "tool_use_id", "content" }, {
    type = "tool_result", tool_use_id = tool_id(message.tool_call_id), content = content,
    is_error = message.is_error == true or nil,
    cache_control = chat.given(message.cache_control) and message.cache_control or nil,
  })
end

-- Turns --------------------------------------------------------------------------

-- Neighbours with one role merge; results of tools come before whatever else a turn holds.
local function push(turns, role, made)
  if #made == 0 then return end
  local last = turns[#turns]
  if not last or last.role ~= role then
    last = json.object({ "role", "content" }, { role = role, content = {} })
    turns[#turns + 1] = last
  end
  local content = last.content
  for _, value in ipairs(made) do
    local position = #content + 1
    if value.type == "tool_result" then
      position = 1
      while content[position] and content[position].type == "tool_result" do
        position = position + 1
      end
    end
    table.insert(content, position, value)
  end
end

local function assistant(message, at, where)
  local out = thoughts(message)
  for _, made in ipairs(conversation.parts(message.content, at .. ".content", where)) do
    out[#out + 1] = made
  end
  conversation.add_refusal(out, message, where)
  for _, call in ipairs(conversation.tool_calls(message, at, where)) do
    out[#out + 1] = tool_use(call)
  end
  return out
end

local function mark_last(made, cache_control)
  if chat.given(cache_control) and #made > 0 then made[#made].cache_control = cache_control end
end

local ROLES = {
  system = function(message, at, where)
    local made = conversation.parts(message.content, at .. ".content", where)
    mark_last(made, message.cache_control)
    for _, value in ipairs(made) do where.system[#where.system + 1] = value end
  end,
  assistant = function(message, at, where)
    push(where.turns, "assistant", assistant(message, at, where))
  end,
  user = function(message, at, where)
    push(where.turns, "user", conversation.parts(message.content, at .. ".content", where))
  end,
  tool = function(message, at, where)
    push(where.turns, "user", { tool_result(message, at .. ".content", where) })
  end,
}

-- Text alone stays text; marks for the prompt cache need blocks.
local function system_prompt(list)
  local texts = {}
  for i, made in ipairs(list) do
    if made.cache_control or made.type ~= "text" then return list end
    texts[i] = made.text
  end
  return #texts > 0 and table.concat(texts, "\n\n") or nil
end

--- system prompt | nil, turns
function messages.encode(call, dep)
  local where = {
    call = call, dep = dep, makers = BLOCKS, text = text_block, finish = keep_mark,
    system = {}, turns = json.array {},
  }
  conversation.walk(where, ROLES)
  conversation.trim_prefill(where.turns)
  if #where.turns == 0 then -- something has to be said by a user
    push(where.turns, "user", where.system)
    where.system = {}
  end
  return system_prompt(where.system), where.turns
end

return messages
