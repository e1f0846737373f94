-- What a translated target cannot take: hints are dropped and named, the rest is refused with
-- the field's name, or dropped too where the deployment says `drop_unsupported = true`. Where
-- it says `strict = true`, hints are refused as well (lib/call.lua).

local fault = require "lib.fault"
local json = require "engine.json"

local fit = {}

-- They say how to serve a request, not what is asked for; or how to sample, which a model may
-- not let anyone choose.
local HINTS = {
  frequency_penalty = true, logit_bias = true, metadata = true, min_p = true,
  prediction = true, presence_penalty = true, prompt_cache_key = true,
  prompt_cache_options = true, prompt_cache_retention = true, reasoning_effort = true,
  repetition_penalty = true, safety_identifier = true, seed = true, service_tier = true,
  store = true, temperature = true, top_k = true, top_p = true, user = true,
  verbosity = true,
}

-- Values that ask for nothing beyond what everybody does.
local NEUTRAL = {
  logprobs = false, n = 1, top_logprobs = 0, parallel_tool_calls = true,
  frequency_penalty = 0, presence_penalty = 0,
}

-- Everybody's business, not a target's.
local OURS = { messages = true, model = true, stream = true, stream_options = true }

local function is_empty(value)
  if json.is_raw(value) then return json.text(value):find("^[%[{]%s*[%]}]$") ~= nil end
  return type(value) == "table" and next(value) == nil
end

local function is_text_only(value)
  return type(value) == "table" and #value == 1 and value[1] == "text"
end

local function asks_nothing(name, value)
  return value == json.null or NEUTRAL[name] == value or is_empty(value)
    or name == "modalities" and is_text_only(value)
end

--- Refuse `field`, or drop it where the deployment allows that.
function fit.refuse(call, dep, field, why)
  if dep.drop_unsupported then return call:drop(field) end
  local notes = call.notes -- of a client that has another word for it
  field = notes and notes.words[field] or field
  fault.raise("bad_request", ("%s %s"):format(dep.name or dep.model, why),
    { param = field, code = "unsupported_parameter" })
end

--- Refuse what a deployment cannot be asked so; another of its group may.
function fit.refuse_here(dep, field, why)
  fault.raise("bad_request", ("%s %s"):format(dep.name or dep.model, why),
    { param = field, code = "unsupported_parameter", again = "other" })
end

--- Refuse a call of what a deployment has not: "makes no embeddings." Another may have it.
function fit.lacks(dep, why)
  fault.raise("bad_request", ("%s %s"):format(dep.name or dep.model, why),
    { param = "model", code = "unsupported_endpoint", again = "other" })
end

--- A set of the names in some lists.
function fit.known(...)
  local out = {}
  for i = 1, select("#", ...) do
    for _, name in ipairs((select(i, ...))) do out[name] = true end
  end
  return out
end

--- Look at every member of the body that the adapter does not translate itself (`known`: a
--- set of names).
function fit.fields(call, dep, known)
  local names = {}
  for name, value in pairs(call.body) do
    if not (OURS[name] or known[name] or asks_nothing(name, value)) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if HINTS[name] then
      call:drop(name)
    else
      fit.refuse(call, dep, name, ("does not take `%s`."):format(name))
    end
  end
end

return fit
