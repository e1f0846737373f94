-- What a batch came to, at the batch tier's prices: OpenAI's says it in one sum when it has
-- ended, Anthropic's with each line of its results, which is a request's bill of its own. Who
-- is the first to see all of it is billed, and nobody a second time.

local counts = require "lib.messages_usage"
local crypto = require "engine.crypto"
local money = require "lib.money"
local prices = require "lib.prices"

local kept_bill = {}

local SUMMED = {
  "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
  "cache_write_1h_tokens", "reasoning_tokens",
}

local Bill = {}
Bill.__index = Bill

--- An empty bill of what `call` asks about.
function kept_bill.new(call)
  return setmetatable({ call = call, rates = {}, nano = 0, usage = {}, any = false }, Bill)
end

-- The deployment that sells a model at this account: its price may be the operator's.
local function seller(call, model)
  local provider = call.dep.provider
  for _, group in pairs(call.cfg.groups) do
    for _, dep in ipairs(group.deployments) do
      if dep.provider == provider and (dep.deployment or dep.model) == model then return dep end
    end
  end
  return { provider = provider, model = model, name = call.dep.name }
end

local function rates_of(self, model)
  local known = self.rates[model]
  if not known then
    known = { prices.of(seller(self.call, model), model) }
    self.rates[model] = known
  end
  return known[1], known[2]
end

--- A usage of a model; the cost is unknown where one of them is.
function Bill:add(model, usage)
  if type(model) ~= "string" then return end
  usage.service_tier = "batch"
  local rates, version = rates_of(self, model)
  local nano = rates and money.cost(rates, usage)
  self.any, self.model, self.version = true, model, version or self.version
  self.nano = nano and self.nano and self.nano + nano
  for _, name in ipairs(SUMMED) do
    local n = usage[name]
    if type(n) == "number" then self.usage[name] = (self.usage[name] or 0) + n end
  end
end

--- One line of Anthropic's results, decoded.
function Bill:add_line(line)
  local result = type(line) == "table" and line.result
  local message = type(result) == "table" and result.message
  if type(message) == "table" and type(message.usage) == "table" then
    self:add(message.model, counts.read({}, message.usage))
  end
end

--- Put it on the reply, if nobody was billed for it before. **waits**
function Bill:claim(reply, id)
  if not self.any then return end
  local ledger = require "engine.ledger" -- asked here alone
  local name = crypto.sha256(self.call.dep.provider.name .. "\0" .. id)
  if ledger.ask("batches.claim", { name = name }) ~= true then return end
  self.call.media.sold = { nano = self.nano, prices = self.version }
  reply:usage(self.usage)
  reply:known { model = self.model }
end

return kept_bill
