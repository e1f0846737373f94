-- Who comes with wrong keys, again and again: a few a second are answered at once, more wait.
-- Only the answer to a wrong key is ever delayed, so a right one never meets this.

local metrics = require "lib.metrics"
local shared = require "engine.shared"
local time = require "engine.time"

local failures = {}

local MOST, WINDOW = 10, 1 -- wrong keys answered at once, a second and address
local DELAY = 1            -- seconds, for all others
local COUNTERS = 4093
local WAITING_MOST = 256   -- answers kept waiting at one time; each is a request's memory
local WAITING = "auth:waiting"

-- An IPv6 customer has 2^64 addresses of one network.
local function network(peer)
  if peer:find(".", 1, true) then return peer end
  local groups = peer:match("^(%x+:%x+:%x+:%x+):") or peer:match("^([%x:]-)::%x")
  return groups or peer
end

-- Addresses share the counters, so that nobody can fill the table with theirs. Whom chance
-- puts beside an attacker waits as well, for the answer that the key is wrong.
local function counter_of(peer)
  local n, name = 0, network(peer)
  for i = 1, #name do n = (n * 33 + name:byte(i)) % COUNTERS end
  return "auth:failed:" .. n
end

--- A wrong key came from `peer`: returns when the answer may be sent. **waits**
function failures.wait(peer)
  if shared.take(counter_of(peer), 1, MOST, WINDOW) then return end
  metrics.add("moongate_auth_delayed_total", nil, 1)
  if (shared.get(WAITING) or 0) >= WAITING_MOST then return end
  local held = shared.hold(WAITING, 1)
  time.sleep(DELAY)
  held:settle()
end

return failures
