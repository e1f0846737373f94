-- Rows of the fault matrix: a gateway in front of a faulty provider, and after each row the
-- invariants.
--
--     local world = fire.world { lanes = { "u10" } }
--     world:row("U-10: reset when accepted", { hits = 0 }, function() … end)

local certificates = require "support.certificates"
local helper = require "helper"
local invariants = require "support.invariants"
local promise = require "support.promise"

local fire = {}

local World = {}
World.__index = World

-- Nobody may find these anywhere but where they belong.
local SECRETS = {
  ["the provider's key"] = "sk-firecanary0123456789abcdefghijklmnopqrstuv",
  ["the client's key"] = "mg-fire-canary0123456789abcdefghijklmnopqrst",
  ["the prompt"] = "fire canary prompt 4713 of a very private kind",
}
fire.provider_key = SECRETS["the provider's key"]
fire.key = SECRETS["the client's key"]
fire.prompt = SECRETS["the prompt"]

local KEY = [[
virtual_key "fire" {
  token = env.FIRE_KEY, team = "red", rpm = 1e7, tpm = 1e12, parallel = 10000,
  budget = "$100000/month",
}
]]

-- More failures than any row makes: only rows about rests want them. And a connection has its
-- three seconds by the world's clock, however fast the gateway's runs: a hundredth of them is
-- less than what a busy machine takes.
local function patient(want)
  return ('defaults { cooldown = { allowed_fails = 100000 }, timeout = { connect = %q } }\n')
    :format(want.connect or ("%ds"):format(math.floor(3 / (want.scale or 1))))
end

--- One deployment as a line of routes.lua. more: members of the deployment, as text.
function fire.deployment(name, url, more, provider)
  return ([[provider "openai_compatible" {
    name = %q, base_url = %q, api_key = env.FIRE_PROVIDER,%s
  } { "gpt-4o-mini", price = { input = 1, output = 2 }%s }]]):format(
    name, url, provider and " " .. provider or "", more and ", " .. more or "")
end

--- A model of these deployments (lines), with more members as text.
function fire.model(name, deployments, more)
  return ("model %q {\n  %s,\n  %s\n}\n"):format(
    name, table.concat(deployments, ",\n  "), more or "retries = 0")
end

--- A model in each lane, of the lane's name. Where ports is a table, each lane gets a port of
--- its own, noted there.
function fire.lanes(up, lanes, ports)
  local out = {}
  for _, lane in ipairs(lanes) do
    local port = ports and up:another_port()
    if ports then ports[lane] = port end
    out[#out + 1] = fire.model(lane, { fire.deployment(lane, up:url(lane, port) .. "/v1") })
  end
  return table.concat(out)
end

--- The body of a chat with the private prompt; more members as JSON text.
function fire.ask(model, more)
  return ('{"model":%s,"messages":[{"role":"user","content":%s}]%s}'):format(
    helper.json.encode(model), helper.json.encode(fire.prompt), more and "," .. more or "")
end

local function hear(world, response)
  local head = {}
  for _, pair in ipairs(response.header_list) do
    head[#head + 1] = pair[1] .. ": " .. pair[2]
  end
  world.heard[#world.heard + 1] = table.concat(head, "\n") .. "\n\n" .. (response.body or "")
  return response
end

--- Ask, as the key: the answer, whose secrets are looked for after the row.
function World:chat(model, more, options)
  options = options or {}
  options.key = options.key or fire.key
  self.asked = self.asked + 1
  return hear(self, self.gw:chat(options.body or fire.ask(model, more), options))
end

--- Ask, and return the connection.
function World:open(model, more, options)
  options = options or {}
  options.key = options.key or fire.key
  self.asked = self.asked + 1
  return self.gw:chat_open(options.body or fire.ask(model, more), options)
end

--- What came on a connection of :open(), whole.
function World:finish(connection)
  local response = assert(connection:response())
  connection:close()
  local ok, value = pcall(helper.json.decode, response.body)
  response.json = ok and value or nil
  return hear(self, response)
end

--- What the key may see of its own limits.
function World:own()
  local response = self.gw:request {
    method = "GET", path = "/v1/usage", headers = { authorization = "Bearer " .. fire.key },
  }
  return helper.json.decode(response.body)
end

--- The last usage row.
function World:last_row() return self.gw:last_row() end

--- The last log line of a request: once those of all answers that were heard are there, for an
--- answer leaves before its line.
function World:last_line()
  local last
  helper.wait_until(function()
    return invariants.request_lines(self.gw) >= self.lines_before + #self.heard
  end, 5, "the lines of what was answered")
  for _, line in ipairs(self.gw:log "request") do
    if line.path ~= "/v1/usage" then last = line end
  end
  return last
end

local LOT, LOTS = 300, 12 -- requests
local STEADY = 128        -- KiB that two lots may differ by
local GIVEN_AWAY = 256    -- KiB below what it held when warm: it takes them again by and by
local LARGE = 16 * 1024   -- KiB that a row may take

-- Everything has run often: what is made on first use is no leak, and the heap has the size
-- that it keeps.
local function warm_up(world)
  local up, calm, before = world.up, 0, 0
  for lot = 1, LOTS do
    up:reset()
    up:reply("warm", lot % 2 == 0 and { body = helper.completion "warm" }
      or { body = helper.stream("warm", "up"), stream = "whole" })
    for _ = 1, LOT do world:chat("warm", lot % 2 == 1 and '"stream":true' or nil) end
    local now = world.gw:memory_kib()
    world.warm_kib = math.max(world.warm_kib or 0, now)
    calm = now - before < STEADY and calm + 1 or 0
    if calm == 2 then break end
    before = now
  end
  world:own()
  world.gw:admin("GET", "/admin/audit")
  up:reset()
end

local function minds_memory(world, want)
  return world.warm_kib and not (want.without and want.without.memory)
end

-- After a row with large bodies the collector waits for as much again before it begins.
local function shrink(world, want)
  if world.swollen and minds_memory(world, want) then
    warm_up(world)
    world.swollen = false
  end
  world.swollen = world.swollen or (want.memory or 0) >= LARGE
end

-- A row may have made the process give memory away, which the next one would seem to lose.
local function warm_again(world, want)
  local low = minds_memory(world, want) and world.warm_kib - GIVEN_AWAY
  if low and world.gw:memory_kib() < low then warm_up(world) end
end

--- Start it, within setup; :stop() within teardown. want: lanes, apart (lanes with ports of
--- their own: world.ports), routes (function(up) → text, beside the lanes), prepare
--- (function(up, args), first of all), connect (its limit, for rows that are about it),
--- warm = false, and what helper.gateway takes.
function fire.start(world, want)
  promise.keep(world.up, helper.upstream())
  if want.prepare then want.prepare(world.up, want.args) end
  local routes = patient(want) .. KEY
    .. fire.lanes(world.up, { "warm", unpack(want.lanes or {}) })
  world.ports = {}
  routes = routes .. fire.lanes(world.up, want.apart or {}, world.ports)
  local options = { scale = want.scale, args = want.args, workers = want.workers,
    under = want.under, env = want.env or {}, loud = true,
    routes = routes .. (want.routes and want.routes(world.up) or "") }
  options.env.FIRE_KEY, options.env.FIRE_PROVIDER = fire.key, fire.provider_key
  world.gw = helper.gateway(options)
  if want.warm ~= false then warm_up(world) end
end

--- An authority for certificates, which ends with the world.
function World:authority(name)
  local made = certificates.authority(name)
  self.authorities[#self.authorities + 1] = made
  return made
end

function World:stop()
  self.gw:stop()
  self.up:stop()
  for _, one in ipairs(self.authorities) do one:remove() end
end

--- One row. want: hits (default: as many as requests), rows (default: likewise), requests
--- (default: those asked through the world), memory (KiB), twice (run it once before: a heap
--- keeps the room that the row's large bodies had), closed (pooled connections that the
--- provider has closed at its end), without (names of checks).
function World:row(name, want, body)
  local busted_it = getfenv(2).it or it -- luacheck: ignore 113
  busted_it(name, function()
    shrink(self, want)
    if want.twice then body() end
    warm_again(self, want)
    self.up:reset()
    self.asked, self.heard = 0, {}
    local before = invariants.baseline(self)
    self.lines_before = before.lines
    before.hits = 0 -- a reset forgets
    body()
    local requests = want.requests or self.asked
    invariants.check(self, before, {
      requests = requests, rows = want.rows or requests, hits = want.hits or requests,
      memory = want.memory, without = want.without, closed = want.closed,
    })
  end)
end

--- A world that :start()s when the tests around it begin, and ends with them. Its provider,
--- .up, is empty until then.
function fire.world()
  return setmetatable(
    { up = {}, secrets = SECRETS, heard = {}, asked = 0, authorities = {} }, World)
end

return fire
