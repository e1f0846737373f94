-- What the doors beside chats have in common: how a member is refused, whom a call may go to,
-- in whose words errors are said.

local checks = require "dialects.checks"
local fit = require "lib.fit"
local words = require "dialects.openai_writer"

local beside = {}

local refuse = checks.openais

--- Raise what is wrong with a member.
beside.refuse = refuse

--- `name` of a document has to be there, and one of these kinds: which it is.
function beside.needs(doc, name, what, ...)
  local kind = doc:type(name)
  if kind == nil or kind == "null" then
    refuse("missing_required_parameter", name, "is required: " .. what)
  end
  for i = 1, select("#", ...) do
    if kind == select(i, ...) then return kind end
  end
  refuse("invalid_type", name, "must be " .. what)
end

--- A whole number from `least` to `most`, or `otherwise` where nothing is said.
function beside.count(value, name, least, most, otherwise)
  checks.count(refuse, value, name, least, most)
  return checks.absent(value) and otherwise or value
end

--- Is a stream asked for?
function beside.stream(value)
  checks.truth(refuse, value, "stream")
  return value == true
end

--- The model that a body names, into the call; the other names are of members that may not
--- come in other letters.
function beside.model(call, ...)
  local model = call.doc:get("model")
  checks.model(refuse, model)
  checks.spelling(refuse, call.doc:alike("model", ...))
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
    fit.lacks(dep, door.makes .. ".")
  end
  return door
end

return beside
