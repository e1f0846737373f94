-- Several gateways that share a Redis, from a test's side.

local helper = require "helper"
local sql = require "support.sql"

local cluster = {
  KEY = "mg-test-cluster-0123456789abcdef",
  COST = 10 * 1000 + 5 * 2000, -- nano-dollars of one answer of the test provider
  -- More tokens than the provider will say: what is set aside is never too little.
  BODY = '{"model":"one","max_tokens":5,"messages":[{"role":"user","content":'
    .. '"Tell me, in a few words, what a gateway is good for, and what it is not."}]}',
}

local Cluster = {}
Cluster.__index = Cluster

--- None has joined yet.
function cluster.new(up, server)
  return setmetatable({ up = up, server = server, gws = {} }, Cluster)
end

--- Another gateway. Its keys: KEY with these limits, KEY-open with the same and
--- without_cluster = "open", KEY-free with none. `env`: more of it.
function Cluster:join(limits, url, env)
  local key = cluster.KEY
  local all = {
    KEY = key, OPEN = key .. "-open", FREE = key .. "-free",
    MOONGATE_REDIS_URL = url or self.server.url,
  }
  for name, value in pairs(env or {}) do all[name] = value end
  local gw = helper.gateway {
    env = all,
    routes = helper.routes(self.up, { "one" }, ([[
virtual_key "k" { token = env.KEY, %s }
virtual_key "o" { token = env.OPEN, without_cluster = "open", %s }
virtual_key "f" { token = env.FREE }
]]):format(limits, limits)),
  }
  self.gws[#self.gws + 1] = gw
  return gw
end

--- Make them all end, and with nothing left over.
function Cluster:stop()
  for _, gw in ipairs(self.gws) do
    gw:assert_silent()
    gw:stop()
  end
  self.gws = {}
end

--- One request, with KEY or KEY followed by `which`.
function cluster.ask(gw, which)
  return gw:chat(cluster.BODY, { key = cluster.KEY .. (which or "") })
end

--- A request that must be answered; on a machine that is busy a grant may come too late once.
function cluster.must(gw)
  local response
  helper.wait_until(function()
    response = cluster.ask(gw)
    return response.status == 200
  end, 20, function() return "an answer: " .. response.status .. " " .. response.body end)
end

--- Ask until it is refused, at most n times: how many were answered.
function cluster.spend(gw, n, which)
  for i = 1, n do
    if cluster.ask(gw, which).status ~= 200 then return i - 1 end
  end
  return n
end

-- Ask until a day's budget is refused for good. Who did not get a grant within the 60 ms that a
-- request waits for one, as happens on a busy machine, is told of the next moment instead.
local function exhaust(gw)
  local deadline = helper.now() + 30
  local body
  repeat
    body = cluster.ask(gw).body
    if body:find "begins at [%d-]+T00:00:00Z" then return end
  until helper.now() > deadline
  error("no end of its budget: " .. tostring(body), 3)
end

-- What the ledgers say of KEY, in nano-dollars: also of calls whose end nobody saw, which are
-- billed by their bounds, many times what an answer costs.
local function booked(all)
  local nano = 0
  for _, gw in ipairs(all.gws) do
    nano = nano + tonumber(sql.value(gw.data .. "/ledger.db",
      "SELECT coalesce(sum(cost_nano), 0) FROM requests WHERE key = 'k'"))
  end
  return nano
end

--- All spend until nothing is left for any: until `least` nano-dollars are booked, which takes
--- those a while that hold what another needs.
function Cluster:exhaust(least)
  local nano
  helper.wait_until(function()
    for _, gw in ipairs(self.gws) do exhaust(gw) end
    nano = booked(self)
    return nano >= least
  end, 40, function() return ("%d nano-dollars; there were %d"):format(least, nano) end)
end

--- Wait until Redis, which forgot, gives more than a lease again.
function Cluster:wait_told()
  helper.wait_until(function()
    for _, key in ipairs(self.server:tell("KEYS", "*:state")) do
      local until_ms = tonumber(self.server:tell("HGET", key, "quiet_until"))
      if until_ms > 0 then return self.server:now() * 1000 > until_ms end
    end
  end, 20, "an end of the quiet")
end

--- `n` requests at once, spread over the gateways: how many answers of each status.
function Cluster:volley(n)
  local connections, seen = {}, {}
  for i = 1, n do
    local gw = self.gws[(i - 1) % #self.gws + 1]
    connections[i] = gw:chat_open(cluster.BODY, { key = cluster.KEY })
  end
  for i = 1, n do
    local response = assert(connections[i]:response())
    seen[response.status] = (seen[response.status] or 0) + 1
    connections[i]:close()
  end
  return seen
end

--- What all journals say was spent with KEY, in nano-dollars.
function Cluster:spent()
  local nano = 0
  for _, gw in ipairs(self.gws) do
    for _, line in ipairs(gw:journal()) do
      local mine = line.type == "usage" and line.key == "k"
      if mine and type(line.cost_nano) == "number" then nano = nano + line.cost_nano end
    end
  end
  return nano
end

-- What Redis was told so far was spent with KEY, in nano-dollars: "held spent …" of each node.
local function told(self)
  local nano = 0
  for _, key in ipairs(self.server:tell("KEYS", "*:key:k")) do
    for _, value in ipairs(self.server:tell("HGETALL", key)) do
      nano = nano + tonumber(value:match "^%d+ (%d+)" or 0)
    end
  end
  return nano
end

--- Wait until Redis knows what was spent.
function Cluster:wait_reported()
  helper.wait_until(function() return told(self) == self:spent() end, 15, function()
    return ("%d nano-dollars told; there are %d"):format(told(self), self:spent())
  end)
end

--- Kill a gateway's process with requests running, and wait for the next one.
function cluster.crash(gw)
  local child, running = gw:child(), {}
  gw.loud = true -- its log tells of the restart
  for i = 1, 10 do running[i] = gw:chat_open(cluster.BODY, { key = cluster.KEY }) end
  assert(helper.process.run { "kill", "-9", tostring(child) } == 0)
  for i = 1, 10 do running[i]:close() end
  helper.wait_until(function()
    local ok, response = pcall(gw.request, gw, { path = "/healthz", timeout = 2 })
    return gw:child() ~= child and ok and response and response.status == 200
  end, 30, "a new process")
end

--- What the ledgers of gateways that have ended hold: requests, nano-dollars, attempts, as
--- text; and removes them.
function cluster.in_ledgers(gws)
  local requests, nano, attempts = 0, 0, 0
  for _, gw in ipairs(gws) do
    gw:assert_silent()
    assert(gw.process:stop(helper.process.TERM, 15) == 0, "it did not end well")
    local file = gw.data .. "/ledger.db"
    local row = sql.rows(file,
      "SELECT count(*) AS n, coalesce(sum(cost_nano), 0) AS nano FROM requests")[1]
    requests, nano = requests + tonumber(row.n), nano + tonumber(row.nano)
    attempts = attempts + tonumber(sql.value(file, "SELECT count(*) FROM attempts"))
    helper.remove_tree(gw.dir)
  end
  return ("%d|%d|%d"):format(requests, nano, attempts)
end

function cluster.is_up(gw) return gw:metric "moongate_cluster_up" == 1 end

function cluster.wait_up(gw)
  helper.wait_until(function() return cluster.is_up(gw) end, 20, "contact with Redis")
end

function cluster.wait_down(gw)
  helper.wait_until(function() return not cluster.is_up(gw) end, 20, "no contact with Redis")
end

--- What its log says was wrong with Redis, but for answers that a busy machine held up.
function cluster.troubles(gw)
  local list = {}
  for _, line in ipairs(gw:log "cluster_away") do
    local slow = line.message:find("too slow", 1, true)
    if not slow then list[#list + 1] = line.message end
  end
  return list
end

--- The words for a budget of so many answers.
function cluster.budget(answers)
  return ('budget = "$%.6f/day"'):format(answers * cluster.COST / 1e9)
end

return cluster
