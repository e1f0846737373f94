-- What we count of a request's input beside what its provider reports: corrects the next
-- estimate, and raises the alarm where an exact count is none.

local log = require "engine.log"
local shared = require "engine.shared"
local token_counts = require "lib.tokens"
local tokens = require "engine.tokens"

local counts = {}

local AT_ONCE = 32 * 1024 -- bytes of a body that is counted when all is over, in a millisecond
local DRIFT = 12          -- what is learned of counted for reported, beside lib/tokens' kinds
local ENOUGH = 20         -- requests before an alarm
local MOST_DRIFT = 0.01
local AN_HOUR = 3600
local STRANGE = 4         -- beyond so many times, something else is in a number

local function is_counted(call, model)
  local about = call.input_about
  return about and about.profile.name == model
end

--- For http.open: a long body is counted while its provider is at work. Nil where it is short,
--- or was counted before.
function counts.meanwhile(call)
  local model = call.dep.model
  if #call.doc <= AT_ONCE or is_counted(call, model) then return nil end
  return function()
    local n, about = token_counts.count_call(call, model)
    call.input_tokens, call.input_about = n, about
  end
end

--- The number for the model that answers; never waits, and so may be an estimate.
function counts.input(call)
  local model = call.dep.model
  if not is_counted(call, model) then
    call.input_tokens, call.input_about = token_counts.count_call(call, model, true)
  end
  return call.input_tokens
end

-- The number for the model that answered; nil where counting it now would take too long.
local function count(call, model)
  if is_counted(call, model) then return call.input_tokens, call.input_about end
  if #call.doc > AT_ONCE then return nil end
  local n, about = token_counts.count_call(call, model, true)
  if not rawget(call, "input_tokens") then call.input_tokens, call.input_about = n, about end
  return n, about
end

local function alarm(model, ratio)
  local key = "token_drift:" .. model
  if shared.get(key) then return end
  shared.set(key, 1, AN_HOUR)
  log.warn("token_drift", {
    model = model, ratio = ratio,
    message = "the provider counts this model's input otherwise than its vocabulary says",
  })
end

local function drift(dep, ratio, exact)
  local mean, _, n = tokens.learn(dep.model, DRIFT, ratio)
  if not mean then return end
  if n < 16 or n % 16 == 0 then tokens.drift(dep.label and "_unknown" or dep.model, mean) end
  if exact and n >= ENOUGH and math.abs(mean - 1) > MOST_DRIFT then alarm(dep.model, mean) end
end

-- Tools on a provider's side, images and caches that make no sense say nothing of text.
local function says_nothing(about, total, reported)
  return about.images or total.odd or (total.cache_read_tokens or 0) > reported
    or about.plain <= 0 or reported > STRANGE * about.plain or about.plain > STRANGE * reported
end

--- Note in `facts` what was counted, and learn from what was reported. Never waits. Call it
--- before what was not reported is filled in.
function counts.compare(call, reply, facts)
  local dep, total = call.dep, reply.usage_total
  local reported = total.input_tokens
  if not reported or reported <= 0 or dep.provider.adapter.answer then return end
  call.cfg.runtime.profiles:served(dep.model, reply.model)
  local n, about = count(call, dep.model)
  if not n then return end
  facts.counted = { input = n, exact = about.exact, delta = n - reported }
  if says_nothing(about, total, reported) then return end
  if about.exact or about.profile.family.ratio then drift(dep, n / reported, about.exact) end
  if not about.exact then tokens.learn(dep.model, about.lesson, reported / about.plain) end
end

return counts
