-- A chat conversation as Converse's messages: turns that alternate, blocks in them.

local chat = require "lib.chat"
local content = require "lib.converse_content"
local conversation = require "lib.conversation"
local crypto = require "engine.crypto"
local json = require "engine.json"

local messages = {}

local function text_block(text) return { text = text } end

local said, refused = conversation.text_makers(text_block)

local function makers(where)
  return {
    text = said, refusal = refused, image_url = content.image,
    file = function(part) return content.file(part, where) end,
    input_audio = content.audio,
  }
end

-- Until it is known where a block goes, it carries the mark behind it.
local function keep_mark(part, made)
  if chat.given(part.cache_control) then made.mark = part.cache_control end
end

-- Marks as blocks of their own.
local function with_marks(list, where)
  local out = json.array {}
  for _, made in ipairs(list) do
    local mark = made.mark
    made.mark = nil
    out[#out + 1] = made
    if mark then out[#out + 1] = content.cache_point(mark, where, where.model.caches) end
  end
  return out
end

local function parts(message, at, where)
  return conversation.parts(message.content, at .. ".content", where)
end

-- Tools --------------------------------------------------------------------------

local ID_MOST = 64

-- Other providers' ids hold characters that are refused here, or too many.
local function tool_id(id)
  id = tostring(id):gsub("[^%w_%-]", "_")
  return #id <= ID_MOST and id or crypto.sha256(id)
end

local function tool_use(call, where)
  if type(call.name) == "string" then where.called[call.name] = true end
  return {
    toolUse = json.object({ "toolUseId", "name", "input" }, {
      toolUseId = tool_id(call.id), name = call.name, input = call.arguments,
    }),
  }
end

-- That a result is an error: as its status, where the model knows that, else in its words.
local function failed(list, where)
  if where.model.says_failed then return "error" end
  local first = list[1]
  if not (first and first.text) then
    table.insert(list, 1, text_block("Error"))
  else
    first.text = conversation.failed(first.text)
  end
end

local function tool_result(message, at, where)
  local list = json.array(parts(message, at, where))
  local mark = chat.given(message.cache_control) and message.cache_control or nil
  for _, made in ipairs(list) do -- what is inside a result cannot be marked alone
    mark, made.mark = mark or made.mark, nil
  end
  local status = message.is_error == true and failed(list, where) or nil
  where.answered = true
  return {
    mark = mark,
    toolResult = json.object({ "toolUseId", "content", "status" }, {
      toolUseId = tool_id(message.tool_call_id), content = list, status = status,
    }),
  }
end

-- Turns --------------------------------------------------------------------------

-- Neighbours with one role merge.
local function push(where, role, made)
  if #made == 0 then return end
  local last = where.turns[#where.turns]
  if not last or last.role ~= role then
    last = json.object({ "role", "content" }, { role = role, content = {} })
    where.turns[#where.turns + 1] = last
  end
  for _, block in ipairs(made) do last.content[#last.content + 1] = block end
end

-- Results of tools come before whatever else a turn holds.
local function push_result(where, made)
  local last = where.turns[#where.turns]
  if not last or last.role ~= "user" then return push(where, "user", made) end
  local position = 1
  for i, block in ipairs(last.content) do
    if block.toolResult then position = i + 1 end
  end
  local behind = last.content[position]
  if position > 1 and behind and behind.cachePoint then position = position + 1 end
  for i, block in ipairs(made) do table.insert(last.content, position + i - 1, block) end
end

local function thoughts(message, out)
  for block in chat.objects(message.thinking_blocks) do
    out[#out + 1] = content.thought(block)
  end
end

local function assistant(message, at, where)
  local out = {}
  thoughts(message, out)
  for _, made in ipairs(parts(message, at, where)) do out[#out + 1] = made end
  conversation.add_refusal(out, message, where)
  for _, call in ipairs(conversation.tool_calls(message, at, where)) do
    out[#out + 1] = tool_use(call, where)
  end
  return out
end

local ROLES = {
  system = function(message, at, where)
    local made = parts(message, at, where)
    if chat.given(message.cache_control) and #made > 0 then
      made[#made].mark = message.cache_control
    end
    for _, block in ipairs(with_marks(made, where)) do
      where.system[#where.system + 1] = block
    end
  end,
  assistant = function(message, at, where)
    push(where, "assistant", with_marks(assistant(message, at, where), where))
  end,
  user = function(message, at, where)
    push(where, "user", with_marks(parts(message, at, where), where))
  end,
  tool = function(message, at, where)
    push_result(where, with_marks({ tool_result(message, at, where) }, where))
  end,
}

---@class ConverseWhere  what the walk found
---@field system table[]               blocks
---@field turns table[]
---@field called table<string, true>   names of the tools that were called
---@field answered boolean?            there are results of tools

--- The conversation for a model (lib/converse_models.lua).
---@return ConverseWhere
function messages.encode(call, dep, model)
  local where = {
    call = call, dep = dep, model = model, text = text_block, finish = keep_mark,
    system = json.array {}, turns = json.array {}, called = {}, document_names = {},
  }
  where.makers = makers(where)
  conversation.walk(where, ROLES)
  conversation.trim_prefill(where.turns)
  if #where.turns == 0 then -- something has to be said by a user
    push(where, "user", where.system)
    where.system = json.array {}
  end
  return where
end

return messages
