-- What must hold after every row of the fault matrix, whatever the row did (INV): the process
-- is the same one, nothing is open or set aside, no descriptor and no memory was lost, each
-- request left its one log line and the rows that are stated, the provider saw the calls that
-- are stated, no secret is anywhere, and the money adds up.

local descriptors = require "support.descriptors"
local helper = require "helper"
local lfs = require "lfs"
local process = require "support.process"
local sanitizer = require "support.sanitizer"

local invariants = {}

local SECONDS = 5           -- until all is given back
local MEMORY_KIB = 2 * 1024 -- that a row may leave behind
local LOOKS = os.getenv "MOONGATE_LOOKS" -- a file that gets a byte whenever no secret was found

-- Descriptors but for pooled connections to providers, which are meant to stay.
local function kept(world)
  local _, _, pooled = world.up:stats()
  return descriptors.count(world.gw:child()) - pooled
end

-- How often a text holds another.
local function times(text, what)
  local n, at = 0, 0
  while true do
    at = text:find(what, at + 1, true)
    if not at then return n end
    n = n + 1
  end
end

local function rows(gw, kind) return times(gw:journal_text(), '{"type":"' .. kind .. '",') end

-- Log lines of requests but for our own questions.
local function request_lines(gw)
  local text = gw:log_text()
  return times(text, '"event":"request"') - times(text, '"path":"/v1/usage"')
end

--- How many log lines there are of requests but for our own questions.
invariants.request_lines = request_lines

--- What there is before a row.
function invariants.baseline(world)
  local gw = world.gw
  return {
    pid = gw:child(), descriptors = kept(world), open = descriptors.of(gw:child()),
    memory = gw:memory_kib(), lines = request_lines(gw), usage = rows(gw, "usage"),
    intents = rows(gw, "intent"), hits = (world.up:stats()),
  }
end

-- Each: nil, or what is wrong. All are asked again until they hold or time is up.
local CHECKS = {}

local GAUGES = {
  "moongate_requests_in_flight", "moongate_streams_open", "moongate_upstreams_open",
}

function CHECKS.gauges(world)
  for _, name in ipairs(GAUGES) do
    local value = world.gw:metric(name)
    if value ~= 0 then return ("%s is %s"):format(name, tostring(value)) end
  end
end

function CHECKS.reservations(world)
  local state = world:own()
  for _, account in ipairs(state.limits) do
    for _, budget in ipairs(account.budgets) do
      if budget.reserved_usd ~= "0" then return "reserved: " .. budget.reserved_usd end
    end
    local parallel = account.parallel
    if parallel ~= helper.json.null and parallel.remaining ~= parallel.limit then
      return "a place of those at once is taken"
    end
  end
end

-- A pooled connection that its provider has closed keeps its place until the next call looks.
function CHECKS.descriptors(world, before, want)
  local now = kept(world)
  if now > before.descriptors + (want.closed or 0) then
    return ("%d descriptors, there were %d; since then: %s"):format(now, before.descriptors,
      descriptors.more(before.open, descriptors.of(world.gw:child())))
  end
end

function CHECKS.lines(world, before, want)
  local n = request_lines(world.gw) - before.lines
  if n ~= want.requests then
    return ("%d log lines of requests, not %d"):format(n, want.requests)
  end
end

function CHECKS.rows(world, before, want)
  local n = rows(world.gw, "usage") - before.usage
  if n ~= want.rows then return ("%d usage rows, not %d"):format(n, want.rows) end
end

function CHECKS.hits(world, before, want)
  local n = world.up:stats() - before.hits
  if n ~= want.hits then return ("the provider saw %d calls, not %d"):format(n, want.hits) end
  local intents = rows(world.gw, "intent") - before.intents
  if intents < want.hits then
    return ("%d intents for %d calls that a provider saw"):format(intents, want.hits)
  end
end

local function in_files(folder, secret)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    local mode = lfs.attributes(path, "mode")
    local found
    if mode == "directory" and name ~= "." and name ~= ".." then
      found = in_files(path, secret)
    elseif mode == "file" and process.read(path):find(secret, 1, true) then
      found = path
    end
    if found then return found end
  end
end

function CHECKS.canaries(world)
  local log, metrics = world.gw:log_text(), world.gw:admin("GET", "/metrics").body
  for name, secret in pairs(world.secrets) do
    if log:find(secret, 1, true) then return name .. " is in the log" end
    if metrics:find(secret, 1, true) then return name .. " is in the metrics" end
    for _, text in ipairs(world.heard) do
      if text:find(secret, 1, true) then return name .. " is in an answer: " .. text end
    end
    local path = in_files(world.gw.data, secret)
    if path then return name .. " is in " .. path end
  end
  if LOOKS then
    local file = assert(io.open(LOOKS, "a"))
    file:write "."
    file:close()
  end
end

function CHECKS.audit(world)
  local response = world.gw:admin("GET", "/admin/audit")
  if response.status ~= 200 then return "no audit: " .. response.body end
  if not helper.json.decode(response.body).equal then return response.body end
end

function CHECKS.memory(world, before, want)
  if not sanitizer.shows("memory", "INV, after every row") then return nil end
  local more = world.gw:memory_kib() - before.memory
  local most = want.memory or MEMORY_KIB
  if more > most then return ("%d KiB more than before, at most %d"):format(more, most) end
end

local ORDER = {
  "gauges", "reservations", "descriptors", "lines", "rows", "hits", "canaries", "audit",
  "memory",
}

local function alive(world, before)
  local gw = world.gw
  sanitizer.look(gw:log_text()) -- first: it says why the process is another one
  local ended = gw.process:status()
  if ended then error(("moongate ended with %d:\n%s"):format(ended, gw:log_text()), 0) end
  if gw:child() ~= before.pid then
    error("moongate was started anew:\n" .. gw:log_text():sub(-4000), 0)
  end
end

--- Everything, against what there was before and what the row states: { requests, rows, hits,
--- memory (KiB) }. Raises what does not hold.
function invariants.check(world, before, want)
  alive(world, before)
  for _, name in ipairs(ORDER) do
    if not (want.without and want.without[name]) then
      local wrong
      helper.wait_until(function()
        wrong = CHECKS[name](world, before, want)
        return not wrong
      end, SECONDS, function() return ("INV %s: %s"):format(name, wrong) end)
    end
  end
  alive(world, before)
end

return invariants
