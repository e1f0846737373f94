-- A call of another dialect as servers of OpenAI's chat dialect take it: plain members only.
--
-- Adapters on the generic base say in `keeps` what their server takes beyond them:
--   reasoning_content   thoughts of earlier turns, as text
--   top_k               that way of sampling
-- Adapters that translate say there what they know to tell: cache_control, thinking_blocks.

local chat = require "lib.chat"
local conversation = require "lib.conversation"
local crypto = require "engine.crypto"
local fit = require "lib.fit"
local json = require "engine.json"
local natives = require "lib.natives"
local prices = require "lib.prices"

local face = {}

local NOTHING = {} -- never written to
local USER_MOST = 64

-- Content ------------------------------------------------------------------------

local function plain(part)
  if not part.cache_control then return part end
  if part.type == "text" then
    return json.object({ "type", "text" }, { type = "text", text = part.text })
  end
  return json.object({ "type", "image_url", "file" }, {
    type = part.type, image_url = part.image_url, file = part.file,
  })
end

-- Not every server takes lists of texts; a text they all take.
local function joined(content, between)
  if type(content) ~= "table" then return content end
  local texts, parts = {}, json.array {}
  for i, part in ipairs(content) do
    parts[i] = plain(part)
    if part.type == "text" then texts[#texts + 1] = part.text end
  end
  if #texts == #parts then return table.concat(texts, between) end
  return parts
end

local function calls(list)
  if not list then return nil end
  local out = json.array {}
  for i, call in ipairs(list) do
    out[i] = json.object({ "id", "type", "function" }, {
      id = call.id, type = call.type, ["function"] = call["function"],
    })
  end
  return out
end

-- Results are texts there: that one failed is said in it, and its pictures follow as a user's.
local function result(message, pictures)
  local texts, n = {}, #pictures
  for _, part in ipairs(chat.table_or_empty(message.content)) do
    if part.type == "text" then
      texts[#texts + 1] = part.text
    else
      pictures[#pictures + 1] = plain(part)
    end
  end
  local text = type(message.content) == "string" and message.content
    or table.concat(texts, "\n\n")
  if #pictures > n then
    table.insert(pictures, n + 1, json.object({ "type", "text" }, {
      type = "text", text = ("From the result of %s:"):format(message.tool_call_id),
    }))
    if text == "" then text = "The result follows." end
  end
  return message.is_error and conversation.failed(text) or text
end

local ORDER = { "role", "content", "reasoning_content", "tool_calls", "tool_call_id" }
local BETWEEN = { assistant = "", system = "\n\n", user = "\n\n" }

local function spoken(message, keeps, pictures)
  local is_result = message.role == "tool"
  return json.object(ORDER, {
    role = message.role, tool_call_id = message.tool_call_id,
    content = is_result and result(message, pictures)
      or joined(message.content, BETWEEN[message.role]),
    reasoning_content = keeps.reasoning_content and message.reasoning_content or nil,
    tool_calls = calls(message.tool_calls),
  })
end

local function is_silent(message)
  return message.role == "assistant" and message.content == json.null
    and not message.tool_calls
end

local function messages(list, keeps)
  local out, pictures = json.array {}, json.array {}
  local function show()
    if #pictures == 0 then return end
    out[#out + 1] = json.object({ "role" }, { role = "user", content = pictures })
    pictures = json.array {}
  end
  for _, message in ipairs(list) do
    if message.role ~= "tool" then show() end
    if not is_silent(message) then out[#out + 1] = spoken(message, keeps, pictures) end
  end
  show()
  return out
end

-- The rest -----------------------------------------------------------------------

local function tools(list)
  if not list then return nil end
  local out = json.array {}
  for i, tool in ipairs(list) do
    out[i] = json.object({ "type", "function" }, {
      type = tool.type, ["function"] = tool["function"],
    })
  end
  return out
end

-- Models that take an effort; others refuse the whole request for it.
local REASONING = {
  "^o%d", "^gpt%-5", "gpt%-oss", "codex", "^grok%-3%-mini", "qwen3", "magistral", "gemini",
  "claude",
}

local function takes_effort(model)
  local name = model:match("[^/]+$"):lower()
  for _, pattern in ipairs(REASONING) do
    if name:find(pattern) then return true end
  end
  return false
end

-- Not every model can be told to think no more than this.
local function least_effort(name, wanted)
  if name:find("^gpt%-5%.%d") then return wanted == "minimal" and "low" or wanted end
  return name:find("^gpt%-5") and "minimal" or "low"
end

--- The effort that a deployment is asked for, by a client of another dialect.
function face.effort(call, dep)
  local wanted = call.body.reasoning_effort
  if not wanted then return nil end
  if not takes_effort(dep.model) then return call:drop("reasoning_effort") end
  if wanted == "max" or wanted == "xhigh" then return "high" end
  if wanted ~= "none" and wanted ~= "minimal" then return wanted end
  return least_effort(dep.model:match("[^/]+$"):lower(), wanted)
end

local function user(name)
  if not name or #name <= USER_MOST then return name end
  return crypto.sha256(name)
end

local function top_k(call, keeps)
  local wanted = call.body.top_k
  if wanted == nil or keeps.top_k then return wanted end
  return call:drop("top_k")
end

local BODY = {
  "model", "messages", "max_tokens", "max_completion_tokens", "stream", "tools", "tool_choice",
  "parallel_tool_calls", "stop", "temperature", "top_p", "top_k", "seed", "presence_penalty",
  "frequency_penalty", "reasoning_effort",
  "response_format", "user",
}
local MADE = { messages = true, tools = true, top_k = true, user = true }

--- The body for `dep`, as a document.
function face.document(call, dep)
  local body, adapter = call.body, dep.provider.adapter
  local keeps, out = adapter.keeps or NOTHING, {}
  for name, value in pairs(body) do
    -- What cannot be compiled keeps the loop from it: LuaJIT before its commit 5e3c45c4 gives a
    -- few such loops halves of addresses, and with this one a process in some hundred ended.
    local _ = function() end
    if not MADE[name] then out[name] = value end
  end
  out.messages, out.tools = messages(body.messages, keeps), tools(body.tools)
  out.stream = call.stream or nil -- Gemini's clients say so in the path
  out.top_k, out.user = top_k(call, keeps), user(body.user)
  if not out.tools then out.tool_choice, out.parallel_tool_calls = nil, nil end
  out.reasoning_effort = face.effort(call, dep)
  out.max_tokens = nil
  out[adapter.max_tokens_name or "max_tokens"] = body.max_tokens
  return assert(json.index(json.encode(json.object(BODY, out))))
end

-- A limit is required there, so clients name a high one; models refuse more than they write.
local function lower(call, dep)
  local asked = call.output_limit or nil
  local _, most = prices.limits(dep)
  local too_much = most and type(asked) == "number" and asked > most
  call.body.max_tokens = too_much and most or asked or nil
end

--- Drop, and name, what `dep` need not be told; refuse what it cannot be.
function face.fit(call, dep)
  local asked = natives.of(call.dialect, dep) or dep.provider.adapter
  local notes, keeps = call.notes, asked.keeps or NOTHING
  lower(call, dep)
  for _, name in ipairs(notes.hints) do call:drop(name) end
  if notes.marked and not keeps.cache_control then call:drop("cache_control") end
  if notes.thought and not (keeps.thinking_blocks or keeps.reasoning_content) then
    call:drop("thinking_blocks")
  end
  for _, one in ipairs(notes.unfit) do fit.refuse(call, dep, one.field, one.why) end
end

return face
