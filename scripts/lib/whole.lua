-- A whole answer that passes as it came, beside chats: a document is told from an error, and
-- what it used is taken down.

local chat_errors = require "lib.chat_errors"
local fault = require "lib.fault"
local values = require "lib.values"

local whole = {}

local text_of = values.text

--- Pass `doc` on. `usage` is what it used; it is an answer where `name` is of this `kind`.
function whole.pass(doc, reply, name, kind, usage)
  if doc:type(name) ~= kind then
    local problem = doc:type("error")
    if problem and problem ~= "null" then chat_errors.raise(doc:decode()) end
    fault.raise("invalid_response", "The provider's answer holds no `" .. name .. "`.")
  end
  reply:usage(usage)
  local id, model = doc:at("id", "model")
  reply:ready_as(doc, { id = text_of(id), model = text_of(model) })
end

return whole
