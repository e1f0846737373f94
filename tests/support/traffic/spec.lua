-- The recordings at one door, as tests.

local cases = require "support.traffic.cases"
local recordings = require "support.recordings"

-- busted's words are globals of a spec alone.
return function(doors, title)
  local spec = getfenv(2)
  local describe, it, setup, teardown = spec.describe, spec.it, spec.setup, spec.teardown
  describe(title, function()
    if not recordings(nil, spec) then return end
    local list, idle = cases.list(doors)
    local stage
    setup(function() stage = require("support.traffic.stage").start(list) end)
    teardown(function() stage:stop() end)
    local by_provider, order = {}, {}
    for _, case in ipairs(list) do
      local name = case.exchange.provider
      if not by_provider[name] then order[#order + 1] = name end
      by_provider[name] = by_provider[name] or {}
      table.insert(by_provider[name], case)
    end
    for _, name in ipairs(order) do
      describe(name, function()
        teardown(function() stage:assert_silent() end)
        for _, case in ipairs(by_provider[name]) do
          if not case.why then it(case.name, function() stage:play(case) end) end
        end
      end)
    end
    it("has no exception that nothing needs", function() spec.assert.same({}, idle) end)
  end)
end
