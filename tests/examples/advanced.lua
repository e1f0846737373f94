-- routes.lua: it is Lua, so a region is a loop and a policy is a function.

-- One provider, and one deployment, per region -------------------------------

local smart = { fallback = { "claude" } }

for _, region in ipairs { "eu", "us", "apac" } do
  local azure = provider "azure" {
    name        = "azure-" .. region,
    resource    = "acme-" .. region,
    api_key     = env["AZURE_KEY_" .. region:upper()],
    api_version = "2024-10-21",
  }
  smart[#smart + 1] = azure {
    "gpt-4o", region = region, rpm = 900, price = { input = 2.50, output = 10.00 },
  }
end

local anthropic = provider "anthropic" { api_key = env.ANTHROPIC_API_KEY }
local acme      = provider "acme"      { base_url = "http://models.internal",
                                         secret = env.ACME_SECRET }

-- Near the caller first, then whoever is keeping up, then whoever is cheapest.
-- `deployments` are those that are neither cooling down nor over a limit.
-- Return one of them, or nil to refuse.

smart.balance = function(deployments, call)
  return best(deployments, function(d)
    local near = d.region == call.key.tags.region and 100 or 0
    local slow = d.stats.first_token_p95 > 4 and 50 or 0
    return near - slow - d.stats.in_flight - d.price.output
  end)
end

model "smart"      (smart)
model "smart-next" {
  acme { "acme-large-rc1", price = { input = 2.00, output = 8.00 } }, -- no list knows it
  fallback = { "smart" },
}
model "claude"     { anthropic { "claude-sonnet-4-5", max_tokens = 8192 } }
model "long"       { anthropic { "claude-sonnet-4-5", name = "long", max_tokens = 16384 } }

-- Which model answers. Runs once a request; nil means what the client asked for.

route(function(call)
  if call.input_tokens > 150e3 then return "long" end
  if call.key.tags.tier == "free" and clock.hour() >= 22 then return "claude" end
  if call.model == "smart" and call:percent() < 5 then return "smart-next" end -- sticky canary
end)

-- What follows a failed attempt. nil means the usual retries and fallbacks.

on_error(function(err)
  if err.kind == "context_window" then return fallback "long" end
  if err.kind == "content_policy" then return fail "The provider declined this prompt." end
  if err.kind == "rate_limit" and err.retry_after == 1 then return wait(1) end
end)

-- What a finished request leaves behind.

on_usage(function(usage, call)
  metric("acme_spend_usd", usage.cost, { team = call.key.tags.team, model = call.model })
  if usage.cost > 1 then log.warn("expensive", { key = call.key.name, usd = usage.cost }) end
end)

virtual_key "product" {
  token  = env.PRODUCT_KEY,
  models = { "*" },
  budget = "$4000/month",
  tags   = { team = "product", region = "eu" },
}
