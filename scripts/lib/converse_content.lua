-- What stands in a chat's messages, as blocks of Bedrock's Converse: each has one member, which
-- names what it is.
-- https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html

local chat = require "lib.chat"
local conversation = require "lib.conversation"
local crypto = require "engine.crypto"
local json = require "engine.json"

local content = {}

local IMAGES = {
  ["image/gif"] = "gif", ["image/jpeg"] = "jpeg", ["image/jpg"] = "jpeg",
  ["image/png"] = "png", ["image/webp"] = "webp",
}
local ENDINGS = { gif = "gif", jpeg = "jpeg", jpg = "jpeg", png = "png", webp = "webp" }
local DOCUMENTS = {
  ["application/msword"] = "doc", ["application/pdf"] = "pdf",
  ["application/vnd.ms-excel"] = "xls",
  ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"] = "xlsx",
  ["application/vnd.openxmlformats-officedocument.wordprocessingml.document"] = "docx",
  ["text/csv"] = "csv", ["text/html"] = "html", ["text/markdown"] = "md",
  ["text/plain"] = "txt",
}

local function source_of(data)
  return { bytes = data }
end

-- Media --------------------------------------------------------------------------

local function image_block(format, source)
  if not format then return nil end
  return { image = json.object({ "format", "source" }, { format = format, source = source }) }
end

--- An image inside, or in S3. What is elsewhere nobody there fetches.
function content.image(part)
  local url = conversation.image(part)
  if not url then return nil end
  local media_type, data = chat.data_url(url)
  if media_type then return image_block(IMAGES[media_type], source_of(data)) end
  if not url:find("^s3://") then return nil end
  local ending = (url:match("%.(%w+)$") or ""):lower()
  return image_block(ENDINGS[ending], { s3Location = { uri = url } })
end

-- A document has to have a name of letters, digits, single spaces and -()[], and no other of
-- the request may have it.
local function name_of(filename, where)
  local name = type(filename) == "string" and filename:gsub("%.%w+$", "") or ""
  name = name:gsub("[^%w%s%-%(%)%[%]]", "-"):gsub("%s+", " "):sub(1, 180)
  if not name:find("%w") then name = "document" end
  local names = where.document_names
  local n = (names[name] or 0) + 1
  names[name] = n
  return n > 1 and ("%s (%d)"):format(name, n) or name
end

--- Documents travel inside; files that only OpenAI holds cannot.
function content.file(part, where)
  local file = chat.table_or_empty(part.file)
  local data_url = type(file.file_data) == "string" and file.file_data or ""
  local media_type, data = chat.data_url(data_url)
  if not media_type then return nil end
  if IMAGES[media_type] then return image_block(IMAGES[media_type], source_of(data)) end
  local format = DOCUMENTS[media_type]
  if not format then return nil end
  return {
    document = json.object({ "format", "name", "source" }, {
      format = format, name = name_of(file.filename, where), source = source_of(data),
    }),
  }
end

--- Sound, for the models that hear.
function content.audio(part)
  local audio = chat.table_or_empty(part.input_audio)
  if type(audio.data) ~= "string" or type(audio.format) ~= "string" then return nil end
  return {
    audio = json.object({ "format", "source" }, {
      format = audio.format, source = source_of(audio.data),
    }),
  }
end

-- Thought ------------------------------------------------------------------------

-- Hidden thought is bytes there, which are Anthropic's text: that is what clients carry, so
-- that Anthropic itself may read it too. Other bytes are carried in base64, marked.
local BYTES = "aws:"

--- Hidden thought as clients carry it.
function content.hidden(redacted)
  local text = crypto.unbase64(redacted)
  if text and not text:find("[^%w+/=_%-]") then return text end
  return BYTES .. redacted
end

local function redacted_of(data)
  if data:sub(1, #BYTES) == BYTES then return data:sub(#BYTES + 1) end
  return crypto.base64(data)
end

--- A block of thought that reply:reasoning gave the client; nil where it cannot be one:
--- unsigned thought is refused.
function content.thought(block)
  if block.type == "redacted_thinking" and type(block.data) == "string" then
    return { reasoningContent = { redactedContent = redacted_of(block.data) } }
  end
  if block.type ~= "thinking" or type(block.signature) ~= "string" then return nil end
  return {
    reasoningContent = {
      reasoningText = json.object({ "text", "signature" }, {
        text = type(block.thinking) == "string" and block.thinking or "",
        signature = block.signature,
      }),
    },
  }
end

-- The prompt cache ---------------------------------------------------------------

--- The block that ends a cached beginning; nil, and the mark named, where the model has none.
function content.cache_point(mark, where, allowed)
  if not allowed then return where.call:drop("cache_control") end
  local hour = where.model.caches_hour and type(mark) == "table" and mark.ttl == "1h"
  return {
    cachePoint = json.object({ "type", "ttl" }, {
      type = "default", ttl = hour and "1h" or nil,
    }),
  }
end

return content
