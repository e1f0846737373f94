-- Runs inside Redis, in one piece: who may spend how much of what all gateways share. The one
-- script that engine/cluster.c calls; it is loaded there, never here.
--
-- Budgets and places among the running are held: each gateway says what it holds (it may use up
-- to that) and what it has spent, and is given more as far as what all hold stays below the
-- limit. What it says is absolute, so that a report that is repeated, or whose answer is lost,
-- does no harm. Rates are pooled: units of one bucket (engine/accounts_lease.h has the rules).
--
-- What Redis forgets (FLUSHALL, an old dump, a replica that lagged) comes back: each gateway
-- tells what it holds in any case, and what all others had spent when it last heard. What is
-- missing from that is kept in the field "lost" until those gateways have told theirs. Till all
-- have had the time for that, each is given one lease of a budget, and no more.

local LIVE_MS = 15000 -- who has not been heard of for so long runs nothing
local FORGET_MS = 86400000
local QUIET_MS = 3000 -- within which every gateway that runs has found Redis again
local LEASE_NANO, LEASE_PART = 100000000, 0.01 -- as in engine/accounts_lease.h
local MINUTE_US = 60000000 -- in which a rate's bucket runs empty
local FIELDS = 11 -- of each slot that is told

local state_key, nodes_key = KEYS[1], KEYS[2]
local node, boot, fresh, epoch, version = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local time = redis.call("TIME")
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now_ms = math.floor(now_us / 1000)

-- A key that is not ours (another type) is in the way of money: it goes.
local function ask(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= "table" or not answer.err then return answer end
  if not answer.err:find("WRONGTYPE", 1, true) then error(answer.err) end
  redis.call("DEL", key)
  return redis.call(command, key, ...)
end

local function whole(n) return string.format("%.0f", n) end

-- Since when this Redis remembers without a gap; `forgot`: it has forgotten since this gateway
-- was here. A gateway that is new (epoch 0) cannot tell.
local function check_epoch()
  local known = ask("HMGET", state_key, "epoch", "version", "quiet_until")
  local current, at, quiet = known[1], tonumber(known[2]) or 0, tonumber(known[3]) or 0
  if not current or (current == epoch and tonumber(version) > at) then
    current, quiet = fresh, 0
  end
  local forgot = epoch ~= "0" and current ~= epoch
  if forgot and quiet == 0 then quiet = now_ms + QUIET_MS end
  at = math.max(at, tonumber(version)) + 1
  redis.call("HSET", state_key, "epoch", current, "version", whole(at),
    "quiet_until", whole(quiet))
  return { epoch = current, version = at, forgot = forgot, quiet = now_ms < quiet }
end

-- Who is alive, and whether another process goes by our name.
local function check_nodes()
  local boots = nodes_key .. ":boots"
  local other = ask("HGET", boots, node)
  redis.call("HSET", boots, node, boot)
  ask("ZADD", nodes_key, now_ms, node)
  for _, name in ipairs(redis.call("ZRANGEBYSCORE", nodes_key, "-inf", now_ms - FORGET_MS)) do
    redis.call("ZREM", nodes_key, name)
    redis.call("HDEL", boots, name)
  end
  local live, count = {}, 0
  local since = now_ms - LIVE_MS
  for _, name in ipairs(redis.call("ZRANGEBYSCORE", nodes_key, since, "+inf")) do
    live[name] = true
    count = count + 1
  end
  return live, count, other and other ~= boot
end

-- What a request gets, and those that come after it, fairly: the others may want some too.
local function share(slot, room, nodes)
  if room <= 0 or room < slot.least then return 0 end
  local give = math.min(room, slot.need)
  local more = math.floor((room - give) / (2 * nodes))
  return give + math.max(0, math.min(more, slot.want - slot.need))
end

-- Each gateway has a field "held spent seq boot"; "lost": what some spent that have not said so
-- again. A report counts once: seq rises while a process runs.
local function read_held(key, live)
  local fields = ask("HGETALL", key)
  local sum = { told = 0, seq = 0, held = 0, spent = 0, lost = 0 }
  for i = 1, #fields, 2 do
    local held, spent, seq, run = fields[i + 1]:match "^(%d+) ?(%d*) ?(%d*) ?(%S*)$"
    held, spent = tonumber(held) or 0, tonumber(spent) or 0
    if fields[i] == "lost" then
      sum.lost = held
    elseif fields[i]:find(":quiet", 1, true) then -- luacheck: ignore 542
    elseif fields[i] == node then
      sum.told, sum.seq = spent, run == boot and tonumber(seq) or 0
    elseif not live or live[fields[i]] then
      sum.held, sum.spent = sum.held + held, sum.spent + spent
    end
  end
  return sum
end

local function remember_lost(key, sum, slot)
  local lost = math.max(0, sum.lost - math.max(0, slot.spent - sum.told))
  lost = math.max(lost, slot.others - sum.spent)
  if lost ~= sum.lost then redis.call("HSET", key, "lost", whole(lost)) end
  sum.lost = lost
end

-- What of it may be given while others may have spent what nobody here knows of.
local function little(key, slot, give)
  local field = node .. ":quiet"
  local given = tonumber(redis.call("HGET", key, field)) or 0
  local lease = math.floor(math.min(slot.limit * LEASE_PART, LEASE_NANO))
  give = math.max(0, math.min(give, lease - given))
  redis.call("HSET", key, field, whole(given + give))
  return give
end

local function grant_held(key, slot, nodes, live, state)
  local sum = read_held(key, slot.kind == "parallel" and live)
  local budget = slot.kind == "budget"
  if budget and state.forgot then remember_lost(key, sum, slot) end
  local others = sum.held + sum.lost
  if slot.seq <= sum.seq then return 0, 0, others, sum.spent + sum.lost end
  local room = math.max(0, slot.limit - others - slot.held)
  local give = share(slot, room, nodes)
  if budget and state.quiet then give = little(key, slot, give) end
  redis.call("HSET", key, node,
    ("%.0f %.0f %.0f %s"):format(slot.held + give, slot.spent, slot.seq, boot))
  if slot.expires > 0 then redis.call("PEXPIREAT", key, whole(slot.expires)) end
  return give, room - give, others, sum.spent + sum.lost
end

-- "level at": how much of the bucket is taken, and when that was so.
local function grant_pooled(key, slot, nodes)
  local level, at_us = tostring(ask("GET", key) or ""):match "^(%S+) (%d+)$"
  local gone = math.max(0, now_us - (tonumber(at_us) or now_us)) * slot.limit / MINUTE_US
  level = math.max(0, (tonumber(level) or 0) - gone - slot.back)
  local room = math.max(0, math.floor(slot.limit - level + 0.000001))
  local give = share(slot, room, nodes)
  local text = string.format("%.6f %.0f", level + give, now_us)
  redis.call("SET", key, text, "PX", 120000)
  return give, room - give, 0, 0
end

local function slot_at(at)
  local slot = { kind = ARGV[at] }
  for i, name in ipairs {
    "limit", "held", "spent", "back", "least", "need", "want", "seq", "others", "expires",
  } do
    slot[name] = tonumber(ARGV[at + i])
  end
  return slot
end

local state = check_epoch()
local live, nodes, twin = check_nodes()
local answer = { tonumber(state.epoch), state.version, nodes, twin and 1 or 0 }

for i = 3, #KEYS do
  local slot = slot_at(6 + (i - 3) * FIELDS)
  local grant = slot.kind == "rate" and grant_pooled or grant_held
  for _, number in ipairs { grant(KEYS[i], slot, nodes, live, state) } do
    answer[#answer + 1] = number
  end
end
return answer
