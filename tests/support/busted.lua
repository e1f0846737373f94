-- What busted loads before the tests (.busted). Under a sanitizer no test is over before it was
-- asked whether something was reported, and no run before what its last processes said.

local sanitizer = require "support.sanitizer"

if not sanitizer.on then return end

local busted = require "busted"

-- "describe it", as people know it.
local function name_of(element)
  local parent = busted.parent(element)
  local outer = parent and parent.name and parent.descriptor ~= "file" and name_of(parent)
  return (outer and outer .. " " or "") .. tostring(element.name)
end

busted.subscribe({ "test", "start" }, function(element)
  sanitizer.test = name_of(element)
  return nil, true
end)

busted.after_each(function() sanitizer.look() end)

-- Before the summary, which counts it.
busted.subscribe({ "suite", "end" }, function(suite)
  local text = sanitizer.take()
  sanitizer.finish()
  if text then
    local trace = { source = "=tests", currentline = 0 }
    busted.publish({ "error", suite.descriptor }, suite, nil,
      "a sanitizer reports, at the end:\n" .. text, trace)
  end
  return nil, true
end, { priority = 1 })
