-- routes.lua: save the file, send SIGHUP, and the next request sees it.
-- Requests already running finish on the file they started with.

-- Where models live ----------------------------------------------------------

local openai    = provider "openai"    { api_key = env.OPENAI_API_KEY }
local anthropic = provider "anthropic" { api_key = env.ANTHROPIC_API_KEY }
local azure_eu  = provider "azure"     { api_key = env.AZURE_API_KEY,
                                         resource = "acme-eu", api_version = "2024-10-21" }
local gpu       = provider "openai_compatible" { name = "gpu",
                                                 base_url = "http://gpu-1:8000/v1" }

-- How failure is handled, unless a model says otherwise ----------------------

defaults {
  timeout  = { connect = "2s", first_token = "20s", idle = "30s", total = "5m" },
  retries  = 2,
  backoff  = "250ms",
  cooldown = { allowed_fails = 3, within = "1m", time = "30s" },
}

-- What clients ask for -------------------------------------------------------

model "smart" {
  azure_eu { "gpt-4o", weight = 3, rpm = 900, tpm = 450e3 },
  openai   { "gpt-4o", weight = 1 },
  fallback = { "claude", "small", context_window = "long" },
}

model "claude" {
  anthropic { "claude-sonnet-4-5", max_tokens = 8192 },
  fallback = { "smart" },
}

model "long" {
  openai { "gpt-4.1", timeout = { total = "15m" } },
}

model "small" {
  gpu    { "qwen2.5-32b-instruct", weight = 9, price = { input = 0, output = 0 } },
  openai { "gpt-4o-mini",          weight = 1 },
  balance = "least_busy",
}

alias { ["gpt-4o"] = "smart", ["gpt-4o-mini"] = "small", default = "small" }

-- Who may ask, how often, and for how much -----------------------------------

virtual_key "search" {
  token  = env.SEARCH_KEY,
  models = { "smart", "small" },
  rpm    = 120,  tpm = 200e3,  parallel = 16,
  budget = "$500/month",
  tags   = { team = "search" },
}

virtual_key "nightly-batch" {
  token   = env.BATCH_KEY,
  models  = { "small" },
  budget  = "$20/day",
  expires = "2026-12-31",
  tags    = { team = "data", tier = "batch" },
}
