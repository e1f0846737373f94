-- What one call costs: its usage, and what only the request tells of how it was served.

local bill_by = require "lib.bill_by"
local money = require "lib.money"
local natives = require "lib.natives"

local bill = {}

local WISHES = { flex = true, priority = true }

-- Was the request passed on as it came, with all its members?
local function is_passed(call, dep)
  local adapter = dep and dep.provider.adapter
  if not call.doc or not adapter then return nil end
  local face = natives.of(call.dialect, dep) or adapter
  return face.dialect == (call.dialect or "openai")
end

-- Anthropic's quick way, at several times the price, is asked for in its own dialect alone.
local function is_fast(call, dep)
  return natives.of(call.dialect, dep) and call.doc and call.doc:get("speed") == "fast"
end

-- The wish for a tier of service, where it reaches the provider; Google's has two names.
local function wish(call, dep)
  if not is_passed(call, dep) then return nil end
  local tier = call.doc:get("service_tier")
  if call.dialect ~= "gemini" then return tier end
  tier = call.doc:get("serviceTier") or tier
  return type(tier) == "string" and tier:lower() or nil
end

-- The tier of service that the client asked for.
local function asked(call, dep)
  if is_fast(call, dep) then return "fast" end
  local tier = wish(call, dep)
  return tier and WISHES[tier] and tier or "default"
end

local function search_size(call)
  local size = call.doc:at("web_search_options.search_context_size")
  return (size == "low" or size == "high") and size or "medium"
end

-- OpenAI's models that search do so once a chat, and their usage does not say it.
local function searches(call, dep)
  if not is_passed(call, dep) then return nil end
  local wanted = call.doc:type("web_search_options") == "object"
  if not wanted and not dep.model:find("search", 1, true) then return nil end
  return { ["web_search_" .. search_size(call)] = 1 }
end

-- What was counted, with what only the request tells.
local function completed(total, tier, units)
  local out = {}
  for name, value in pairs(total) do out[name] = value end
  out.service_tier, out.units = tier or total.service_tier, units or total.units
  return out
end

-- What is charged of the tokens, where the provider says so: what it read from a cache or put
-- around a prompt is seen to in that.
local function charged(total)
  local billed = total.billed
  if not billed then return total end
  return {
    input_tokens = billed.input_tokens, output_tokens = billed.output_tokens,
    service_tier = total.service_tier, units = total.units,
  }
end

--- What `call` cost where its usage came to `total`: integer nano-dollars, nil where it cannot
--- be known. The provider's word on the tier of service wins over the client's wish.
function bill.cost(rates, call, total)
  if not rates then return nil end
  if total.by then total = bill_by.chosen(rates, total) end
  local tier = rates.service and not total.service_tier and asked(call, call.dep) or nil
  local units = rates.may_search and not total.units and searches(call, call.dep) or nil
  if units or (tier and tier ~= "default") then total = completed(total, tier, units) end
  return money.cost(rates, charged(total))
end

--- The same, and what priced it: the operator's own price, else what the provider says the
--- answer cost ("reported"), else the list. Where an answer broke off, what was said is no sum.
function bill.of(rates, version, call, total, is_whole)
  if total.cost_nano and version ~= "own" and is_whole then
    return total.cost_nano, "reported"
  end
  return bill.cost(rates, call, total), version
end

--- Was it billed by what nobody said, but must have been?
function bill.guessed(rates, total)
  return total.guess ~= nil and bill_by.guessed(rates, total)
end

--- The most that `call` can cost at a deployment with so many tokens at most.
function bill.bound(rates, call, dep, input_tokens, output_tokens)
  if not rates then return nil end
  local service = rates.service and asked(call, dep) or "default"
  if call.media and call.media.by then
    return bill_by.bound(rates, call.media, service, input_tokens, output_tokens)
  end
  return money.bound(rates, input_tokens, output_tokens, service,
    rates.may_search and searches(call, dep) or nil)
end

return bill
