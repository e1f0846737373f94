-- A gateway and the provider behind it, as most live tests have them: before each test the
-- provider forgets what it was told and saw, after each nothing may be open.
--
--     local up, gw = pair.once(function(up)
--       return { routes = helper.routes(up, { "one" }) }
--     end)
--
-- Both are empty until the tests run: what a describe does at once must not use them.

local helper = require "helper"
local promise = require "support.promise"

local pair = {}

--- One gateway for all tests of a describe. want(up) is what helper.gateway takes.
function pair.once(want)
  local spec, up, gw = getfenv(2), {}, {} -- busted's words are globals of a spec alone
  spec.setup(function()
    promise.keep(up, helper.upstream())
    promise.keep(gw, helper.gateway(want(up)))
  end)
  spec.teardown(function()
    gw:stop()
    up:stop()
  end)
  spec.before_each(function() up:reset() end)
  spec.after_each(function() gw:assert_silent() end)
  return up, gw
end

--- A new gateway for each test of it.
function pair.each(want)
  local spec, up, gw = getfenv(2), {}, {}
  spec.setup(function() promise.keep(up, helper.upstream()) end)
  spec.teardown(function() up:stop() end)
  spec.before_each(function()
    up:reset()
    promise.keep(gw, helper.gateway(want(up)))
  end)
  spec.after_each(function()
    gw:assert_silent()
    gw:stop()
  end)
  return up, gw
end

return pair
