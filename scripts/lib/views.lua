-- What operator functions see: copies, so that nothing they do to them matters, and no
-- credential is among them.

local views = {}

local LAZY = { input_tokens = true, user = true }
local HEADERS = { ["user-agent"] = true }

local function tags(key)
  local out = {}
  for name, value in pairs(key.tags or {}) do out[name] = value end
  return out
end

-- Headers a policy may go by: our own x-… ones and the user agent, no credentials.
local function header(call)
  return function(_, name)
    if type(name) ~= "string" then return nil end
    name = name:lower()
    if name:find("key", 1, true) or name:find("auth", 1, true) then return nil end
    return (HEADERS[name] or name:sub(1, 2) == "x-") and call.request:header(name) or nil
  end
end

--- A call, by the name its model goes by now.
function views.call(call, model)
  local view = {
    id = call.id, model = model or call.model, stream = call.stream, dialect = call.dialect,
    group = call.group and call.group.name,
    key = { name = call.key.name, tags = tags(call.key) },
    percent = function() return call:percent() end, header = header(call),
    fits = function(_, most) return type(most) == "number" and call:fits(most) end,
  }
  return setmetatable(view, {
    __index = function(_, name)
      if LAZY[name] then return call[name] end
    end,
    __metatable = false,
  })
end

local function scalars(dep)
  local out = {}
  for name, value in pairs(dep) do
    local kind = type(value)
    if kind == "string" or kind == "number" or kind == "boolean" then out[name] = value end
  end
  return out
end

--- A deployment, with what is known about it: d.stats.in_flight, d.price.output, d.region.
--- An unknown price is endless, so that what compares prices puts it last.
function views.deployment(dep, stats)
  local view = scalars(dep)
  local price = dep.price or {}
  view.provider = dep.provider and dep.provider.name
  view.price = { input = price.input or math.huge, output = price.output or math.huge }
  view.stats = stats
  return view
end

--- A fault, for on_error.
function views.fault(err, call)
  return {
    kind = err.kind, message = err.message, code = err.code, retry_after = err.retry_after,
    status = err.upstream_status or err.status, attempts = #call.attempts,
    deployment = call.dep and call.dep.name, provider = call.dep and call.dep.provider.name,
  }
end

return views
