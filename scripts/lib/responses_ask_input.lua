-- A chat's messages as the input of Responses: calls of tools, their results and encrypted
-- thoughts are items of their own there.

local chat = require "lib.chat"
local conversation = require "lib.conversation"
local json = require "engine.json"
local sealed = require "lib.responses_sealed"

local input = {}

local function text_part(text)
  return json.object({ "type", "text" }, { type = "input_text", text = text })
end

-- Content ------------------------------------------------------------------------

local function image(part)
  local url, detail = conversation.image(part)
  if not url then return nil end
  return json.object({ "type", "image_url", "detail" }, {
    type = "input_image", image_url = url, detail = detail or "auto",
  })
end

local function file(part)
  local said = chat.table_or_empty(part.file)
  if type(said.file_id) == "string" then
    return json.object({ "type", "file_id" }, { type = "input_file", file_id = said.file_id })
  end
  if type(said.file_data) ~= "string" then return nil end
  return json.object({ "type", "filename", "file_data" }, {
    type = "input_file", file_data = said.file_data,
    filename = type(said.filename) == "string" and said.filename or nil,
  })
end

local MAKERS = { image_url = image, file = file }
MAKERS.text, MAKERS.refusal = conversation.text_makers(text_part)

-- One text is told as text.
local function simple(made)
  if #made == 1 and made[1].type == "input_text" then return made[1].text end
  return json.array(made)
end

local function push(where, item) where.items[#where.items + 1] = item end

local function say(where, role, content)
  push(where, json.object({ "role", "content" }, { role = role, content = content }))
end

-- The assistant's turns ------------------------------------------------------------

local function thoughts(message, where)
  for block in chat.objects(message.thinking_blocks) do
    local id, content = sealed.read(block.data, where.dep.provider.name)
    if id then
      push(where, json.object({ "type", "id", "summary", "encrypted_content" }, {
        type = "reasoning", id = id ~= "" and id or nil, summary = json.array {},
        encrypted_content = content,
      }))
    end
  end
end

-- What it said is output there: only texts and refusals.
local function said(made)
  local out = json.array {}
  for i, part in ipairs(made) do
    out[i] = json.object({ "type", "text" }, {
      type = part.type == "input_text" and "output_text" or part.type, text = part.text,
    })
  end
  return out
end

local function assistant(message, at, where)
  thoughts(message, where)
  local made = conversation.parts(message.content, at .. ".content", where)
  conversation.add_refusal(made, message, where)
  if #made == 1 then
    say(where, "assistant", made[1].text)
  elseif #made > 1 then
    say(where, "assistant", said(made))
  end
  for _, call in ipairs(conversation.tool_calls(message, at, where)) do
    push(where, json.object({ "type", "call_id", "name", "arguments" }, {
      type = "function_call", call_id = call.id, name = call.name,
      arguments = json.text(call.arguments),
    }))
  end
end

-- The rest -------------------------------------------------------------------------

local function result(message, at, where)
  local made = conversation.parts(message.content, at .. ".content", where)
  local output = #made > 0 and simple(made) or ""
  if message.is_error and type(output) == "string" then output = conversation.failed(output) end
  push(where, json.object({ "type", "call_id", "output" }, {
    type = "function_call_output", call_id = message.tool_call_id, output = output,
  }))
end

-- What stands before all else are instructions.
local function system(message, at, where)
  local made = conversation.parts(message.content, at .. ".content", where)
  if #made == 0 then return end
  local only_text = true
  for _, part in ipairs(made) do only_text = only_text and part.type == "input_text" end
  if #where.items > 0 or not only_text then return say(where, "system", simple(made)) end
  for _, part in ipairs(made) do where.instructions[#where.instructions + 1] = part.text end
end

local ROLES = {
  system = system, assistant = assistant, tool = result,
  user = function(message, at, where)
    local made = conversation.parts(message.content, at .. ".content", where)
    if #made > 0 then say(where, "user", simple(made)) end
  end,
}

--- instructions | nil, input
function input.encode(call, dep)
  local where = {
    call = call, dep = dep, makers = MAKERS, text = text_part, items = json.array {},
    instructions = {},
  }
  conversation.walk(where, ROLES)
  local text = #where.instructions > 0 and table.concat(where.instructions, "\n\n") or nil
  if #where.items == 0 and text then -- something has to be asked
    say(where, "user", text)
    text = nil
  end
  return text, where.items
end

return input
