-- A chat conversation as Gemini's contents: two roles that alternate, parts in them.

local chat = require "lib.chat"
local conversation = require "lib.conversation"
local crypto = require "engine.crypto"
local fault = require "lib.fault"
local json = require "engine.json"
local signatures = require "lib.generate_signatures"

local contents = {}

local MEDIA = {
  avif = "image/avif", gif = "image/gif", heic = "image/heic", jpeg = "image/jpeg",
  jpg = "image/jpeg", pdf = "application/pdf", png = "image/png", webp = "image/webp",
  mp3 = "audio/mp3", wav = "audio/wav", mp4 = "video/mp4", mov = "video/quicktime",
}

local function text_part(text)
  return { text = text }
end

-- Media --------------------------------------------------------------------------

local function inline(media_type, data)
  return {
    inlineData = json.object({ "mimeType", "data" }, { mimeType = media_type, data = data }),
  }
end

local function by_address(url, media_type)
  local extension = url:match("^[^?#]+%.(%w+)[?#]?[^/]*$") or ""
  return {
    fileData = json.object({ "mimeType", "fileUri" }, {
      mimeType = media_type or MEDIA[extension:lower()], fileUri = url,
    }),
  }
end

local function media(url)
  if type(url) ~= "string" then return nil end
  local media_type, data = chat.data_url(url)
  if media_type then return inline(media_type, data) end
  if url:find("^https?://") or url:find("^gs://") then return by_address(url) end
  return nil
end

local PARTS = {
  image_url = function(part) return media((conversation.image(part))) end,
  input_audio = function(part)
    local audio = chat.table_or_empty(part.input_audio)
    if type(audio.data) ~= "string" then return nil end
    return inline(MEDIA[audio.format] or "audio/" .. tostring(audio.format), audio.data)
  end,
  file = function(part)
    local file = chat.table_or_empty(part.file)
    return media(file.file_data) or media(file.file_id)
  end,
}
PARTS.text, PARTS.refusal = conversation.text_makers(text_part)

-- Tools --------------------------------------------------------------------------

local function signature_of(call)
  local google = chat.table_or_empty(chat.table_or_empty(call.extra_content).google)
  local signature = google.thought_signature
  return type(signature) == "string" and signature or nil
end

local function function_call(call, where)
  where.names[call.id or ""] = call.name
  return json.object({ "functionCall", "thoughtSignature" }, {
    functionCall = json.object({ "id", "name", "args" }, {
      id = where.model.ids and call.id or nil, name = call.name, args = call.arguments,
    }),
    thoughtSignature = signature_of(call.source),
  })
end

-- A result has to be an object; other text is wrapped in one.
local function response_of(text, is_error)
  if is_error then return { error = text } end
  if json.index(text) then return json.raw(text) end
  return { result = text }
end

local function function_response(message, at, where)
  local id = message.tool_call_id
  local name = where.names[id or ""] or message.name
  if type(name) ~= "string" then
    fault.raise("invalid_value", "A tool's result answers no call of an earlier message.",
      { param = at .. ".tool_call_id" })
  end
  local out = { {
    functionResponse = json.object({ "id", "name", "response" }, {
      id = where.model.ids and id or nil, name = name,
      response = response_of(chat.text(message.content), message.is_error == true),
    }),
  } }
  for _, part in ipairs(conversation.parts(message.content, at .. ".content", where)) do
    if not part.text then out[#out + 1] = part end -- a picture beside the result
  end
  return out
end

-- Turns --------------------------------------------------------------------------

local function push(turns, role, parts)
  if #parts == 0 then return end
  local last = turns[#turns]
  if not last or last.role ~= role then
    last = json.object({ "role", "parts" }, { role = role, parts = {} })
    turns[#turns + 1] = last
  end
  for _, part in ipairs(parts) do last.parts[#last.parts + 1] = part end
end

local function assistant(message, at, where)
  local out = conversation.parts(message.content, at .. ".content", where)
  for i, call in ipairs(conversation.tool_calls(message, at, where)) do
    local made = function_call(call, where)
    if i == 1 and where.model.signatures and not made.thoughtSignature then
      made.thoughtSignature = signatures.NONE
    end
    out[#out + 1] = made
  end
  return out
end

local ROLES = {
  system = function(message, at, where)
    for _, part in ipairs(conversation.parts(message.content, at .. ".content", where)) do
      where.system[#where.system + 1] = part
    end
  end,
  assistant = function(message, at, where)
    push(where.turns, "model", assistant(message, at, where))
  end,
  user = function(message, at, where)
    push(where.turns, "user", conversation.parts(message.content, at .. ".content", where))
  end,
  tool = function(message, at, where)
    push(where.turns, "user", function_response(message, at, where))
  end,
}

--- A call of nothing is a broken answer.
function contents.check_call(call)
  if type(call.name) == "string" then return end
  fault.raise("invalid_response", "The provider called a tool without a name.")
end

--- The id of a call that came without one: the same for the same answer, different within it.
function contents.call_id(answer_id, n, name, arguments)
  if type(answer_id) == "string" and answer_id ~= "" then
    return ("call_%s_%d"):format(answer_id:gsub("[^%w_%-]", "_"), n)
  end
  return "call_" .. crypto.sha256(("%d %s %s"):format(n, name, arguments)):sub(1, 24)
end

--- parts of the system instruction, contents
function contents.encode(call, dep, model)
  local where = {
    call = call, dep = dep, model = model, makers = PARTS, text = text_part, names = {},
    system = json.array {}, turns = json.array {},
  }
  conversation.walk(where, ROLES)
  return where.system, where.turns
end

return contents
