-- What the doors beside chats have in common: how a member is refused, whom a call may go to,
-- in whose words errors are said.

local fault = require "lib.fault"
local openai = require "dialects.openai"
local words = require "dialects.openai_writer"

local beside = {}

--- Raise what is wrong with a member.
function beside.refuse(kind, name, message)
  fault.raise(kind, ("`%s` %s"):format(name, message), { param = name })
end

--- `name` of a document has to be there, and one of these kinds: which it is.
function beside.needs(doc, name, what, ...)
  local kind = doc:type(name)
  if kind == nil or kind == "null" then
    beside.refuse("missing_required_parameter", name, "is required: " .. what .. ".")
  end
  for i = 1, select("#", ...) do
    if kind == select(i, ...) then return kind end
  end
  beside.refuse("invalid_type", name, "must be " .. what .. ".")
end

--- A whole number from `least` to `most`, or `otherwise` where nothing is said.
function beside.count(value, name, least, most, otherwise)
  if value == nil or type(value) == "userdata" then return otherwise end
  if type(value) ~= "number" or value < least or value > most or value % 1 ~= 0 then
    beside.refuse("invalid_value", name,
      ("must be a whole number from %d to %d."):format(least, most))
  end
  return value
end

--- Is a stream asked for?
function beside.stream(value)
  if value == nil or type(value) == "userdata" then return false end
  if type(value) == "boolean" then return value end
  beside.refuse("invalid_type", "stream", "must be true or false.")
end

--- The model that a body names, into the call. Names that only differ in their letters' case
--- are refused: some servers take them for the same, and the last of two wins.
function beside.model(call, ...)
  local model = call.doc:get("model")
  openai.check_model(model)
  local name = call.doc:alike("model", ...)
  if name then beside.refuse("invalid_value", name, "must be written in small letters.") end
  call.model, call.output_limit = model, 0
end

--- A door: `name` of its dialect, `makes` as in "makes no images", `read`, and perhaps `plain`
--- and a `writer` that says more than errors.
function beside.door(door)
  door.writer = door.writer or {}
  door.writer.dialect, door.writer.error = door.name, words.error
  door.native_only = true
  -- A deployment that has none is told nothing; another of its group may have it.
  function door.fit(_, dep)
    local natives = dep.provider.adapter.natives
    if natives and natives[door.name] then return end
    fault.raise("bad_request", ("%s %s."):format(dep.name or dep.model, door.makes),
      { param = "model", code = "unsupported_endpoint", again = "other" })
  end
  return door
end

return beside
