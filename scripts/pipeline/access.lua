-- Access tokens of providers that take no fixed key: fetched once for all who wait, kept until
-- shortly before they end, and renewed before that while requests go on with the old one. A
-- failure is not repeated for every request, but after a pause that doubles.

local fault = require "lib.fault"
local http = require "engine.http"
local log = require "engine.log"
local oauth = require "lib.oauth"
local provider_error = require "lib.provider_error"
local task = require "engine.task"
local time = require "engine.time"

local access = {}

local RENEWED = 0.8       -- of a token's life: then another is fetched
local MARGIN = 0.05       -- the last of its life, in which nobody uses it
local PAUSE = 0.01        -- seconds between two looks of whoever waits for a token
local PATIENCE = 15       -- seconds that a request waits for one
local BACKOFF, LONGEST = 1, 60
local CALM = 10           -- seconds after which a provider's refusal of a token counts again
local TIMEOUT = { connect = 3, total = 10 }
local MOST = 256 * 1024   -- bytes of an answer
local QUESTIONS = 3       -- that a machine is asked for its keys

local function state_of(cfg, source)
  local known = cfg.runtime.access
  if not known[source] then
    known[source] = { token = false, keys = nil, fetching = false, problem = false,
      delay = BACKOFF, again_at = 0, dies = 0, renew_at = 0, refused_at = -CALM }
  end
  return known[source]
end

-- Fetching ------------------------------------------------------------------------------

-- One question and its answer; as oauth.read().
local function ask_once(source, so_far)
  local request, problem = oauth.request(source, time.now(), so_far)
  if not request then return nil, problem end
  request.timeout, request.max_body = TIMEOUT, MOST
  local upstream, err = http.open(request)
  if not upstream then return nil, err.message end
  local bytes
  bytes, err = upstream:body()
  local status = upstream.status
  upstream:close()
  if not bytes then return nil, err.message end
  return oauth.read(status, bytes, source, so_far, time.now())
end

-- token, seconds, keys; or nil and why not, which may quote what was sent.
local function ask(source)
  local so_far = {}
  for _ = 1, QUESTIONS do
    local token, seconds, keys = ask_once(source, so_far)
    if token ~= false then return token, seconds, keys end
  end
  return nil, "the endpoint has no end of answers"
end

local function failed(source, state, problem)
  problem = provider_error.clean(problem, { source.client_secret })
  state.problem, state.again_at = problem, time.monotonic() + state.delay
  log.warn("oauth", {
    token_url = source.token_url, message = problem, again_in_seconds = state.delay,
  })
  state.delay = math.min(2 * state.delay, LONGEST)
end

local function fetch(source, state)
  local asked = time.monotonic()
  local token, seconds, keys = ask(source)
  state.fetching = false
  if not token then return failed(source, state, seconds) end
  state.token, state.problem, state.delay, state.again_at = token, false, BACKOFF, 0
  state.keys = keys
  state.renew_at = asked + RENEWED * seconds
  state.dies = asked + (1 - MARGIN) * seconds
end

-- In a task of its own: no client's leaving takes it from the others.
local function begin(source, state, now)
  if state.fetching or now < state.again_at then return end
  state.fetching = true
  task.start(function() fetch(source, state) end)
end

-- Using ---------------------------------------------------------------------------------

local function none(state, now)
  fault.raise("auth", "The gateway has no token for the provider at the moment.", {
    detail = state.problem or "the token endpoint is slow",
    rests = math.max(state.again_at - now, BACKOFF),
  })
end

local function is_good(state, now) return state.token and now < state.dies end

--- The token of `source` (what `oauth { … }` made) for a call, and the keys to sign with where
--- it gives those. May wait; raises a fault.
function access.token(call, source)
  if source.fixed then return source.fixed end
  local state, now = state_of(call.cfg, source), time.monotonic()
  if is_good(state, now) then
    if now >= state.renew_at then begin(source, state, now) end
    return state.token, state.keys
  end
  begin(source, state, now)
  local last = math.min(now + PATIENCE, call.deadline)
  while state.fetching and now < last do
    time.sleep(PAUSE)
    now = time.monotonic()
  end
  if not is_good(state, now) then none(state, now) end
  return state.token, state.keys
end

--- A provider refused `token`. Is there, or may there be fetched, another to try once more?
function access.refused(cfg, source, token)
  if source.fixed then return false end
  local state, now = state_of(cfg, source), time.monotonic()
  if state.token ~= token then return true end -- somebody saw to it before
  if now - state.refused_at < CALM then return false end
  state.token, state.refused_at = false, now
  return true
end

return access
