-- What a budget may still pay for when it cannot pay for everything: a cheaper deployment of
-- the group, or a shorter answer.

local bounds = require "pipeline.bounds"

local squeeze = {}

local CLAMPS = 4 -- tries to fit an answer into what is left, while others spend it too

--- Less money than the dearest deployment takes may do for others, which then have to answer.
--- `set_aside`(call, tokens, nano) makes the reservation. True, or nil and why not.
function squeeze.cheaper(call, refused, set_aside)
  local costs, seen = {}, {}
  for _, dep in ipairs(call.group.deployments) do
    local _, nano = bounds.at(call, dep, call.input_most)
    if nano and not seen[nano] then costs[#costs + 1], seen[nano] = nano, true end
  end
  table.sort(costs)
  for i = #costs - 1, 1, -1 do
    local n = bounds.of_group(call, call.group, call.input_most)
    local done
    done, refused = set_aside(call, n, costs[i])
    if done then return true end
  end
  return nil, refused
end

local function cheapest(call)
  local found, least
  for _, dep in ipairs(call.group.deployments) do
    local _, nano = bounds.at(call, dep, call.input_most)
    if nano and (not least or nano < least) then found, least = dep, nano end
  end
  return found
end

-- The name under which a deployment reads a limit: the client's own, where it set one.
local function limit_name(call, dep)
  local door = call.door
  if door and door.limit_path then return door.limit_path(call.doc) end
  if door and door.limit then return door.limit end
  if not call.output_limit then return dep.provider.adapter.max_tokens_name or "max_tokens" end
  return type(call.doc:get("max_completion_tokens")) == "number" and "max_completion_tokens"
    or "max_tokens"
end

local function shorten(call, dep, most)
  call.doc = call.doc:splice { [limit_name(call, dep)] = most }
  call.output_limit, call.clamped, call.body = most, most, nil
end

--- A shorter answer than was asked for, at the cheapest deployment: what is left pays for it.
--- True, or nil and why not.
function squeeze.shorter(call, refused, set_aside)
  local dep = cheapest(call)
  for _ = 1, dep and CLAMPS or 0 do
    if refused.limit:sub(1, 6) ~= "budget" then break end
    local most = bounds.affordable(call, dep, call.input_most, refused.left)
    if most < 1 then break end
    local asked = call.output_limit
    call.output_limit = most
    local n, nano = bounds.at(call, dep, call.input_most)
    call.output_limit = asked
    local done
    done, refused = set_aside(call, n, nano)
    if done then
      shorten(call, dep, most)
      return true
    end
  end
  return nil, refused
end

return squeeze
