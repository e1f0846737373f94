-- What one generation remembers between requests. All of it can be lost: it only saves work.

local observe = require "pipeline.observe"
local time = require "engine.time"

local runtime = {}

local function by_deployment()
  return setmetatable({}, { __mode = "k" })
end

--- For cfg.runtime. is_operator(adapter name): a drop-in file, which runs under the guard.
function runtime.new(generation, is_operator)
  return {
    generation = generation, loaded_at = time.now(), metrics = observe.handles(),
    tokens = { count = 0, key = {} },       -- token → key
    concrete = { count = 0, groups = {} },  -- name → group made from a wildcard
    urls = by_deployment(), headers = by_deployment(), fragments = by_deployment(),
    rates = by_deployment(), asked = {},
    operator = setmetatable({}, {
      __index = function(self, name)
        local value = is_operator(name)
        rawset(self, name, value)
        return value
      end,
    }),
  }
end

return runtime
