-- A chat conversation as Cohere's messages: https://docs.cohere.com/reference/chat

local chat = require "lib.chat"
local chat_message = require "lib.chat_message"
local conversation = require "lib.conversation"
local crypto = require "engine.crypto"
local json = require "engine.json"

local messages = {}

local MESSAGE = { "role", "content", "tool_plan", "tool_calls", "tool_call_id" }

local function text_block(text)
  return json.object({ "type", "text" }, { type = "text", text = text })
end

-- Content ------------------------------------------------------------------------

local function image(part)
  local url, detail = conversation.image(part)
  if not url then return nil end
  return json.object({ "type", "image_url" }, {
    type = "image_url",
    image_url = json.object({ "url", "detail" }, { url = url, detail = detail }),
  })
end

local ASIDE = { text = "" } -- content that stands elsewhere: nothing is left here

-- Texts that are attached become documents, which the answer can cite; PDFs it does not take.
local function document(part, where)
  local file = chat.table_or_empty(part.file)
  local media_type, data
  if type(file.file_data) == "string" then media_type, data = chat.data_url(file.file_data) end
  if media_type and media_type:find("^image/") then
    return image { image_url = { url = file.file_data } }
  end
  local text = media_type and media_type:find("^text/") and crypto.unbase64(data)
  if not text then return nil end
  local list = where.documents
  list[#list + 1] = json.object({ "id", "data" }, {
    id = ("doc:%d"):format(#list),
    data = json.object({ "title", "text" }, {
      title = type(file.filename) == "string" and file.filename or nil, text = text,
    }),
  })
  return ASIDE
end

-- Cohere's own: what a tool found, to be cited.
local function found(part)
  if type(part.document) ~= "table" then return nil end
  return json.object({ "type", "document" }, { type = "document", document = part.document })
end

local said, refused = conversation.text_makers(text_block)

local function makers(where)
  return {
    text = said, refusal = refused, image_url = image,
    file = function(part) return document(part, where) end,
    document = found,
  }
end

-- One text is told as text.
local function simple(made)
  if #made == 1 and made[1].type == "text" then return made[1].text end
  return json.array(made)
end

-- The assistant's turns ------------------------------------------------------------

local function thought_of(message)
  local text = message.reasoning_content or message.reasoning
  return type(text) == "string" and text ~= "" and text or nil
end

local function tool_calls(message, at, where)
  local out = json.array {}
  for i, call in ipairs(conversation.tool_calls(message, at, where)) do
    out[i] = chat_message.call(call.id, call.name, json.text(call.arguments))
  end
  return #out > 0 and out or nil
end

-- A thought goes back as what it was: a part of the content where the model reasons, else the
-- plan that led to the calls. A plan without a call is no news to the model.
local function assistant(message, at, where)
  local made = conversation.parts(message.content, at .. ".content", where)
  local calls, thought = tool_calls(message, at, where), thought_of(message)
  conversation.add_refusal(made, message, where)
  if thought and where.model.thinking then
    table.insert(made, 1, json.object({ "type", "thinking" }, {
      type = "thinking", thinking = thought,
    }))
    thought = nil
  end
  if #made == 0 and not calls then return end
  where.turns[#where.turns + 1] = json.object(MESSAGE, {
    role = "assistant", content = #made > 0 and simple(made) or nil,
    tool_plan = calls and thought, tool_calls = calls,
  })
end

-- Results --------------------------------------------------------------------------

local function mark_error(made)
  local first = made[1]
  if not first or first.type ~= "text" then
    table.insert(made, 1, text_block("Error: "))
  else
    first.text = conversation.failed(first.text)
  end
end

-- Results are texts and documents there; what else a tool shows, the user shows after them.
local function tool(message, at, where)
  local kept = {}
  for _, made in ipairs(conversation.parts(message.content, at .. ".content", where)) do
    if made.type == "image_url" then
      where.shown[#where.shown + 1] = made
    else
      kept[#kept + 1] = made
    end
  end
  if message.is_error then mark_error(kept) end
  where.turns[#where.turns + 1] = json.object(MESSAGE, {
    role = "tool", tool_call_id = message.tool_call_id,
    content = #kept > 0 and simple(kept) or "The result follows.",
  })
end

local function show(where)
  if #where.shown == 0 then return end
  where.turns[#where.turns + 1] = json.object(MESSAGE, {
    role = "user", content = json.array(where.shown),
  })
  where.shown = {}
end

-- Turns ------------------------------------------------------------------------------

local function plain(role)
  return function(message, at, where)
    local made = conversation.parts(message.content, at .. ".content", where)
    if #made == 0 then return end
    where.turns[#where.turns + 1] = json.object(MESSAGE, {
      role = role, content = simple(made),
    })
  end
end

local function after_results(write)
  return function(message, at, where)
    show(where)
    write(message, at, where)
  end
end

local ROLES = {
  system = after_results(plain "system"), user = after_results(plain "user"),
  assistant = after_results(assistant), tool = tool,
}

--- messages, and the documents that were attached to them
function messages.encode(call, dep, model)
  local where = {
    call = call, dep = dep, model = model, text = text_block, documents = json.array {},
    turns = json.array {}, shown = {},
  }
  where.makers = makers(where)
  conversation.walk(where, ROLES)
  show(where)
  return where.turns, where.documents
end

return messages
