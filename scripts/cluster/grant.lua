-- Runs inside Redis, in one piece: who may spend how much of what all gateways share. The one
-- script that engine/cluster.c calls; it is loaded there, never here.
--
-- Of a budget or a number of parallel requests each gateway holds a part ("cap": what it may
-- have spent, reserved or running, since the window began). It names what it has (a fact) and
-- what it would like; it is given that, as far as the parts of all stay below the limit. All
-- numbers are absolute, so that a call that is repeated, or whose answer is lost, does no harm.
-- Of a rate it is given units of one token bucket.
--
-- What Redis forgets (FLUSHALL, an old dump, a replica that lagged) comes back: each gateway
-- tells its own part in any case, and the sum of all others' that it saw last. What is missing
-- from that sum is kept in the field "lost" until those gateways have told theirs.

local LIVE_MS = 15000 -- who has not been heard of for so long runs nothing
local FORGET_MS = 86400000
local BUCKET_US = 60000000 -- the limit's units come back in a minute
local FIELDS = 7 -- of each thing asked for

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

-- Since when this Redis remembers without a gap; `lost`: it has forgotten since this gateway
-- was here. A gateway that is new (epoch 0) cannot tell.
local function check_epoch()
  local known = ask("HMGET", state_key, "epoch", "version")
  local current, at = known[1], tonumber(known[2]) or 0
  if not current or (current == epoch and tonumber(version) > at) then current = fresh end
  at = math.max(at, tonumber(version)) + 1
  redis.call("HSET", state_key, "epoch", current, "version", whole(at))
  return current, at, epoch ~= "0" and current ~= epoch
end

-- Who is alive, and whether another process goes by our name.
local function check_nodes()
  local other = ask("HGET", nodes_key .. ":boots", node)
  redis.call("HSET", nodes_key .. ":boots", node, boot)
  ask("ZADD", nodes_key, now_ms, node)
  redis.call("ZREMRANGEBYSCORE", nodes_key, "-inf", now_ms - FORGET_MS)
  local live, count = {}, 0
  for _, name in ipairs(redis.call("ZRANGEBYSCORE", nodes_key, now_ms - LIVE_MS, "+inf")) do
    live[name] = true
    count = count + 1
  end
  return live, count, other and other ~= boot
end

-- field → "cap used" of a gateway; "lost" → what gateways held that have not said so again.
local function read_parts(key, live)
  local fields = ask("HGETALL", key)
  local parts = { mine = 0, caps = 0, used = 0, lost = 0 }
  for i = 1, #fields, 2 do
    local cap, used = fields[i + 1]:match "^(%d+) ?(%d*)$"
    cap, used = tonumber(cap) or 0, tonumber(used) or 0
    if fields[i] == "lost" then
      parts.lost = cap
    elseif fields[i] == node then
      parts.mine = cap
    elseif not live or live[fields[i]] then
      parts.caps, parts.used = parts.caps + cap, parts.used + used
    end
  end
  return parts
end

local function remember_lost(key, parts, thing)
  local lost = math.max(0, parts.lost - math.max(0, thing.held - parts.mine))
  lost = math.max(lost, thing.seen - parts.caps)
  if lost ~= parts.lost then redis.call("HSET", key, "lost", whole(lost)) end
  parts.lost = lost
end

local function grant_part(key, thing, live, forgot)
  local parts = read_parts(key, thing.kind == "parallel" and live)
  if forgot and thing.kind == "budget" then remember_lost(key, parts, thing) end
  local others = parts.caps + parts.lost
  local cap = math.max(thing.held, math.min(thing.want, thing.limit - others))
  redis.call("HSET", key, node, whole(cap) .. " " .. whole(thing.used))
  if thing.expires > 0 then redis.call("PEXPIREAT", key, whole(thing.expires)) end
  return cap, parts.used + parts.lost, others, cap < thing.want and 1 or 0, 0
end

local function grant_units(key, thing)
  local each = BUCKET_US / thing.limit
  local full_at = math.max(tonumber(ask("GET", key)) or 0, now_us)
  local room = math.floor((now_us + BUCKET_US - full_at) / each + 0.000001)
  local units = math.max(0, math.min(thing.want, room))
  full_at = full_at + units * each
  redis.call("SET", key, string.format("%.3f", full_at), "PX", 120000)
  local missing = thing.want - units
  local wait_ms = math.ceil(math.min(missing, thing.limit) * each / 1000)
  return units, 0, 0, missing > 0 and 1 or 0, wait_ms
end

local function thing_at(at)
  return {
    kind = ARGV[at], limit = tonumber(ARGV[at + 1]), held = tonumber(ARGV[at + 2]),
    want = tonumber(ARGV[at + 3]), used = tonumber(ARGV[at + 4]), seen = tonumber(ARGV[at + 5]),
    expires = tonumber(ARGV[at + 6]),
  }
end

local current, at, forgot = check_epoch()
local live, count, twin = check_nodes()
local answer = { tonumber(current), at, count, twin and 1 or 0 }

for i = 3, #KEYS do
  local thing = thing_at(6 + (i - 3) * FIELDS)
  local grant = thing.kind == "rate" and grant_units or grant_part
  for _, number in ipairs { grant(KEYS[i], thing, live, forgot) } do
    answer[#answer + 1] = number
  end
end
return answer
