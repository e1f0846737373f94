-- What the figures share: a gateway, the provider that carries a load, and files that go away.

local helper = require "helper"
local process = require "support.process"
local swarm = require "support.swarm"

local world = {}

--- A number from the environment.
function world.size(name, usual) return tonumber(os.getenv(name)) or usual end

--- gateway, source, ask(words, options) → file of a request. want: events (a second), and what
--- helper.gateway takes; routes(source) → text where one model is not enough. Ends with
--- :stop().
function world.open(want)
  want = want or {}
  local self = { dir = process.temp_dir(), source = swarm.source(want.events or 20000) }
  local text = want.routes and want.routes(self.source)
    or self.source:routes(want.more, want.options)
  self.gw = helper.gateway {
    routes = text, workers = want.workers, env = want.env, loud = true, data = want.data,
    args = want.args or { "--in-flight", "100000", "--log-level", "warn" },
  }
  local files = 0
  function self.ask(words, options)
    options = options or {}
    options.words = words
    files = files + 1
    return swarm.request(self.dir, "ask" .. files, options)
  end
  function self.stop()
    self.gw:stop()
    self.source:stop()
    helper.remove_tree(self.dir)
  end
  return self
end

--- Requests that went another way than they should, of a report.
function world.failed(report)
  return report.sent - report.ok - report.left + report.unconnected
end

function world.ms(us) return ("%.1f ms"):format(us / 1000) end

return world
