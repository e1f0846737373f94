-- Encrypted thoughts of Responses, as clients of other dialects carry them: a redacted thought
-- whose data only the provider that wrote it gets back. It is base64 from the first letter on,
-- as other providers' signatures are, since some clients take it apart.

local crypto = require "engine.crypto"

local sealed = {}

local HEAD = "moongate:openai" -- fifteen bytes: twenty letters of their own in base64

--- What such data begin with.
sealed.MARK = "bW9vbmdhdGU6b3BlbmFp"

local function plain(name)
  return (tostring(name):gsub("[:%c]", "_"))
end

--- The id and encrypted content of an item, as data for `provider`'s name.
function sealed.write(provider, id, content)
  return crypto.base64(("%s:%s:%s:%s"):format(HEAD, plain(provider), plain(id), content))
end

--- Did write() make these?
function sealed.is(data)
  return type(data) == "string" and data:sub(1, #sealed.MARK) == sealed.MARK
end

--- id and encrypted content, where they are that provider's.
function sealed.read(data, provider)
  local text = sealed.is(data) and crypto.unbase64(data)
  if not text then return nil end
  local name, id, content = text:match("^[^:]*:[^:]*:([^:]*):([^:]*):(.*)$")
  if name ~= plain(provider) then return nil end
  return id, content
end

return sealed
