-- What a call can take at most: tokens, and nano-dollars at the deployments that may answer it.
-- Cheap, since every request is asked; never under the truth.

local bills = require "lib.bill"
local money = require "lib.money"
local prices = require "lib.prices"
local runtime = require "pipeline.runtime"
local tokens = require "lib.tokens"

local bounds = {}

local MILLION = 1e6

-- Plain rates, of tokens alone, are two numbers: nano-dollars of a million each way, where no
-- tier of service is asked for.
local function line_of(rates)
  if not rates or rates.tiers or rates.may_search or rates.request then return nil end
  return money.bound(rates, MILLION, 0, "default"), money.bound(rates, 0, MILLION, "default")
end

-- What of a deployment's bound does not depend on the call.
local function known_of(call, dep)
  local known = runtime.of(call.cfg, dep)
  if known.longest == nil then
    local reads, most = prices.limits(dep)
    known.longest, known.rates_asked = most or prices.USUAL_OUTPUT, prices.of(dep) or false
    known.reads = reads or math.huge
    known.each_input, known.each_output = line_of(known.rates_asked)
  end
  return known
end

-- Does it ask for more than the plain service?
local function wishes(doc)
  return doc:type("service_tier") or doc:type("speed") or doc:type("serviceTier")
end

local function cost_of(known, call, dep, input, output)
  if call.media and call.media.free then return 0 end
  local rates = known.rates_asked
  if known.each_input and not (call.media or rates.service and wishes(call.doc)) then
    return math.ceil((input * known.each_input + output * known.each_output) / MILLION)
  end
  return rates and bills.bound(rates, call, dep, input, output) or nil
end

-- The longest answer. A deployment's own max_tokens lowers what the client asked.
local function output_of(call, dep, known)
  local asked = call.output_limit
  if not asked then return known.longest * call.choices end
  if dep.max_tokens and dep.max_tokens < asked then asked = dep.max_tokens end
  return asked * call.choices
end

--- Input tokens at most, counted: slow, and close. May wait.
function bounds.counted(call)
  local dep = call.group.deployments[1]
  local n, about = tokens.count_call(call, dep and dep.model or call.model)
  call.input_tokens, call.input_about = n, about
  return about.high
end

--- Input tokens at most, by the body's size where that says enough; whether they were counted.
--- Where nothing holds the request to it (`sized` is false), a look at the bytes is not worth
--- its time: no more than the body has, or the model reads.
function bounds.input(call, sized)
  if call.media and call.media.input then return call.media.input, true end
  if not sized then
    return math.min(#call.doc, known_of(call, call.group.deployments[1]).reads), false
  end
  local n = tokens.bound(call)
  if n then return n, false end
  return bounds.counted(call), true
end

--- Tokens and nano-dollars that `input` tokens may come to at a deployment; nil nano-dollars
--- where nobody knows its price.
function bounds.at(call, dep, input)
  local known = known_of(call, dep)
  local output = output_of(call, dep, known)
  return input + output, cost_of(known, call, dep, input, output)
end

--- The most that any deployment of a group may take. nano is nil where none has a price; the
--- third value is whether all have one.
function bounds.of_group(call, group, input)
  local most, dearest, all = 0, nil, true
  local list = group.deployments
  for i = 1, #list do
    local n, nano = bounds.at(call, list[i], input)
    if n > most then most = n end
    if not nano then
      all = false
    elseif not dearest or nano > dearest then
      dearest = nano
    end
  end
  return most, dearest, all
end

--- Output tokens of each choice that `left` nano-dollars pay for at a deployment, beside the
--- input; 0 where they do not even pay for that.
function bounds.affordable(call, dep, input, left)
  local known = known_of(call, dep)
  local function fits(output)
    local cost = cost_of(known, call, dep, input, output * call.choices)
    return cost ~= nil and cost <= left
  end
  local few, many = 0, output_of(call, dep, known) / call.choices
  if not fits(1) then return 0 end
  while few < many do
    local middle = math.ceil((few + many) / 2)
    if fits(middle) then few = middle else many = middle - 1 end
  end
  return few
end

return bounds
