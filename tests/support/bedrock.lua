-- Bedrock as tests want it: messages of binary streams, and recorded requests as the chats they
-- are, with other code than the gateway's. What answers mean: support/meaning/converse.lua.

require "engine"
local bit = require "bit"
local cjson = require "cjson"
local crypto = require "engine.crypto"

local bedrock = {}

-- Streams -----------------------------------------------------------------------------------

local function number(bytes, at, size)
  local n = 0
  for i = at, at + size - 1 do n = n * 256 + bytes:byte(i) end
  return n
end

local function headers_of(bytes, at, last)
  local out = {}
  while at <= last do
    local name_end = at + bytes:byte(at)
    local name = bytes:sub(at + 1, name_end)
    assert(bytes:byte(name_end + 1) == 7, "a header that is no text")
    local size = number(bytes, name_end + 2, 2)
    out[name] = bytes:sub(name_end + 4, name_end + 3 + size)
    at = name_end + 4 + size
  end
  return out
end

--- The messages of a stream: a list of { name, data }.
function bedrock.messages(bytes)
  local list, at = {}, 1
  while at <= #bytes do
    local total, head = number(bytes, at, 4), number(bytes, at + 4, 4)
    local headers = headers_of(bytes, at + 12, at + 11 + head)
    list[#list + 1] = {
      name = headers[":event-type"] or headers[":exception-type"],
      data = cjson.decode(bytes:sub(at + 12 + head, at + total - 5)),
    }
    at = at + total
  end
  return list
end

-- One bit at a time.
local function crc(bytes)
  local sum = 0xFFFFFFFF
  for i = 1, #bytes do
    sum = bit.bxor(sum, bytes:byte(i))
    for _ = 1, 8 do
      local odd = bit.band(sum, 1) == 1
      sum = bit.rshift(sum, 1)
      if odd then sum = bit.bxor(sum, 0xEDB88320) end
    end
  end
  return bit.bnot(sum)
end

local function four(n)
  return string.char(bit.band(bit.rshift(n, 24), 255), bit.band(bit.rshift(n, 16), 255),
    bit.band(bit.rshift(n, 8), 255), bit.band(n, 255))
end

--- The bytes of one message, its headers a list of { name, value }.
function bedrock.message(headers, payload)
  local parts = {}
  for i, header in ipairs(headers) do
    parts[i] = ("%s%s\7%s%s"):format(string.char(#header[1]), header[1],
      string.char(math.floor(#header[2] / 256), #header[2] % 256), header[2])
  end
  local head = table.concat(parts)
  local prelude = four(16 + #head + #payload) .. four(#head)
  local bytes = prelude .. four(crc(prelude)) .. head .. payload
  return bytes .. four(crc(bytes))
end

--- The bytes of one event.
function bedrock.event(name, payload)
  return bedrock.message({
    { ":event-type", name }, { ":content-type", "application/json" },
    { ":message-type", "event" },
  }, payload)
end

-- Requests ----------------------------------------------------------------------------------

local MARK = { type = "ephemeral" }
local ARRAY = {}

-- What a chat has no words for: told to whoever asks, and the request is not compared.
local function wordless(what) error({ wordless = what }, 0) end

local PARTS = {}

function PARTS.text(text) return { type = "text", text = text } end

function PARTS.image(image)
  local url = image.source.s3Location and image.source.s3Location.uri
    or ("data:image/%s;base64,%s"):format(image.format, image.source.bytes)
  return { type = "image_url", image_url = { url = url } }
end

function PARTS.document(document)
  if document.citations then wordless "citations of a document" end
  local types = { txt = "text/plain", pdf = "application/pdf" }
  return {
    type = "file", file = {
      filename = document.name .. "." .. document.format,
      file_data = ("data:%s;base64,%s"):format(types[document.format],
        document.source.bytes or crypto.base64(document.source.text)),
    },
  }
end

local function part_of(block)
  for name, value in pairs(block) do
    if PARTS[name] then return PARTS[name](value) end
  end
  wordless(next(block))
end

-- Parts of what stands in blocks; a cachePoint marks the one before it.
local function parts_of(blocks)
  local out = {}
  for _, block in ipairs(blocks) do
    if block.cachePoint then
      out[#out].cache_control = MARK
    else
      out[#out + 1] = part_of(block)
    end
  end
  return out
end

local function user(blocks, out)
  local rest = {}
  for _, block in ipairs(blocks) do
    local result = block.toolResult
    if result then
      out[#out + 1] = {
        role = "tool", tool_call_id = result.toolUseId, content = parts_of(result.content),
        is_error = result.status == "error" or nil,
      }
    else
      rest[#rest + 1] = block
    end
  end
  if #rest > 0 then out[#out + 1] = { role = "user", content = parts_of(rest) } end
end

local function thinking_block(said)
  if said.redactedContent then
    return { type = "redacted_thinking", data = crypto.unbase64(said.redactedContent) }
  end
  local text = said.reasoningText
  return { type = "thinking", thinking = text.text, signature = text.signature }
end

local function assistant(blocks, out)
  local message, rest = { role = "assistant", content = cjson.null }, {}
  for _, block in ipairs(blocks) do
    if block.reasoningContent then
      message.thinking_blocks = message.thinking_blocks or {}
      table.insert(message.thinking_blocks, thinking_block(block.reasoningContent))
    elseif block.toolUse then
      message.tool_calls = message.tool_calls or {}
      table.insert(message.tool_calls, {
        id = block.toolUse.toolUseId, type = "function",
        ["function"] = {
          name = block.toolUse.name,
          arguments = next(block.toolUse.input) and cjson.encode(block.toolUse.input) or "{}",
        },
      })
    else
      rest[#rest + 1] = block
    end
  end
  if #rest > 0 then message.content = parts_of(rest) end
  out[#out + 1] = message
end

local function tools_of(config)
  local out = {}
  for _, tool in ipairs(config.tools) do
    local spec = tool.toolSpec or wordless(next(tool))
    local schema = cjson.decode(cjson.encode(spec.inputSchema.json))
    out[#out + 1] = {
      type = "function", ["function"] = {
        name = spec.name, description = spec.description, parameters = schema,
      },
    }
  end
  return out
end

local function choice_of(choice)
  if not choice then return nil end
  if choice.tool then return { type = "function", ["function"] = choice.tool } end
  return choice.any and "required" or "auto"
end

local function format_of(config)
  if not config then return nil end
  local said = config.textFormat.structure.jsonSchema
  return {
    type = "json_schema", json_schema = {
      name = said.name, description = said.description, schema = cjson.decode(said.schema),
    },
  }
end

local function chat_of(body)
  local messages = {}
  if body.system and next(body.system) then
    messages[1] = { role = "system", content = parts_of(body.system) }
  end
  for _, message in ipairs(body.messages) do
    (message.role == "user" and user or assistant)(message.content, messages)
  end
  local inference, config = body.inferenceConfig or {}, body.toolConfig
  local more = body.additionalModelRequestFields or {}
  return {
    messages = messages, max_tokens = inference.maxTokens, top_p = inference.topP,
    temperature = inference.temperature,
    stop = inference.stopSequences and inference.stopSequences[1],
    tools = config and tools_of(config), tool_choice = config and choice_of(config.toolChoice),
    response_format = format_of(body.outputConfig), thinking = more.thinking,
  }
end

--- A recorded request as a chat; nil, and what of it a chat has no words for.
function bedrock.chat(body)
  local ok, chat = pcall(chat_of, body)
  if ok then return chat end
  if type(chat) == "table" and chat.wordless then return nil, chat.wordless end
  error(chat, 0)
end

--- The model that a path names.
function bedrock.model(path)
  local name = path:match("/model/([^/]+)/")
  return (name:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Comparing ---------------------------------------------------------------------------------

local function plain(value, name)
  if value == cjson.null then return nil end
  if name == "schema" and type(value) == "string" then value = cjson.decode(value) end
  if type(value) ~= "table" then return value end
  local out = {}
  for key, member in pairs(value) do out[key] = plain(member, key) end
  if next(out) == nil then return ARRAY end
  return out
end

local function some(value) return value ~= ARRAY and value or nil end

--- A request's body without what says nothing: empty objects and lists, what happens anyway.
function bedrock.canonical(body)
  local out = plain(body)
  for _, name in ipairs { "system", "inferenceConfig" } do out[name] = some(out[name]) end
  if out.inferenceConfig then
    out.inferenceConfig.stopSequences = some(out.inferenceConfig.stopSequences)
  end
  if out.toolConfig and out.toolConfig.toolChoice and out.toolConfig.toolChoice.auto then
    out.toolConfig.toolChoice = nil
  end
  for _, message in ipairs(out.messages) do
    for _, block in ipairs(message.content) do
      local result = block.toolResult
      if result and result.status == "success" then result.status = nil end
    end
  end
  return out
end

return bedrock
