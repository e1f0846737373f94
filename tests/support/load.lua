-- Load on a gateway: a provider that carries it, the gateway in front and a folder of requests,
-- all of them new for each test of a describe.
--
--     local source, gw, start, ask = load.each()

local helper = require "helper"
local luassert = require "luassert"
local process = require "support.process"
local promise = require "support.promise"
local swarm = require "support.swarm"

local load = {}

--- The provider and the gateway; start(want), which starts the gateway (what helper.gateway
--- takes, with `more` routes); ask(words, want), a file of what swarm.request makes. usual: the
--- gateway's arguments where a test says no others.
function load.each(usual)
  local spec, source, gw, dir = getfenv(2), {}, {}, nil
  local function start(want)
    want = want or {}
    want.routes, want.args = source:routes(want.more), want.args or usual
    promise.keep(gw, helper.gateway(want))
  end
  local function ask(words, want)
    want = want or {}
    want.words = words
    return swarm.request(dir, want.name or "ask", want)
  end
  spec.before_each(function()
    dir = process.temp_dir()
    promise.keep(source, swarm.source(20000))
  end)
  spec.after_each(function()
    gw:assert_silent()
    gw:stop()
    source:stop()
    helper.remove_tree(dir)
  end)
  return source, gw, start, ask
end

--- Whoever was answered had its own answer, whole, and everybody was; the report as text.
function load.right(report)
  local said = helper.json.encode(report)
  luassert.equal(0, report.wrong + report.broken + report.unconnected, said)
  luassert.equal(0, report.unanswered, said)
  return said
end

return load
