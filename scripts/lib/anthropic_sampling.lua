-- What Anthropic's models let a client choose of how they sample.

local values = require "lib.values"

local sampling = {}

local given = values.given

local function takes_temperature(value, model, thinks)
  if value == 1 then return true end
  return model.sampling and not thinks and not (type(value) == "number" and value > 1)
end

local function takes_top_p(value, model, thinks)
  local near_one = type(value) == "number" and value >= 0.99
  return near_one or model.sampling and not thinks
end

--- temperature, top_p and top_k of a call, put into `out` (whose thinking is known); names the
--- hints that cannot be taken.
function sampling.add(call, model, out)
  local body, thinks = call.body, out.thinking and out.thinking.type ~= "disabled"
  local temperature, top_p = given(body.temperature), given(body.top_p)
  if temperature ~= nil and not takes_temperature(temperature, model, thinks) then
    temperature = call:drop("temperature")
  end
  if top_p ~= nil and (not takes_top_p(top_p, model, thinks)
    or temperature ~= nil and model.one_sampler) then
    top_p = call:drop("top_p")
  end
  out.temperature, out.top_p, out.top_k = temperature, top_p, given(body.top_k)
  if out.top_k ~= nil and (thinks or not model.sampling) then
    out.top_k = call:drop("top_k")
  end
end

return sampling
