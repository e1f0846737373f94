-- routes.lua: which model answers, what follows a failure, and who may ask.
-- Save it, send SIGHUP (or `moongate reload`), and the next request sees it.

-- No key needed: `mock` says back what it is told. Its price is made up. -----------

local mock = provider "mock" {}

model "mock" { mock { "mock", price = { input = 0.15, output = 0.60 } } }

-- The cheap one first, the accurate one when it fails: two statements. -------------
-- (This cheap one always fails, so that you can watch it: ask for "cheap".)

model "cheap"    { mock "mock-error", retries = 0, fallback = { "accurate" } }
model "accurate" { mock "mock-reasoning" }

-- Providers join when their keys are in the environment. ---------------------------
-- "openai/*" stands for every model of theirs: openai/gpt-5.4, openai/o3, …

local has_claude = env "ANTHROPIC_API_KEY"

if env "OPENAI_API_KEY" then
  local openai = provider "openai" { api_key = env.OPENAI_API_KEY }

  model "gpt-4o-mini" { openai "gpt-4o-mini", fallback = { has_claude and "claude-3-opus" } }
  model "openai/*"    { openai "*" }
end

if has_claude then
  local anthropic = provider "anthropic" { api_key = env.ANTHROPIC_API_KEY }

  model "claude-3-opus" { anthropic "claude-opus-4-5" } -- the old name, a model that exists
  model "anthropic/*"   { anthropic "*" }
end

if env "GEMINI_API_KEY" then
  local gemini = provider "gemini" { api_key = env.GEMINI_API_KEY }

  model "gemini-pro" { gemini "gemini-pro-latest" }
  model "gemini/*"   { gemini "*" }
end

if env "AZURE_API_KEY" and env "AZURE_RESOURCE" then -- https://RESOURCE.openai.azure.com
  local azure = provider "azure" { api_key = env.AZURE_API_KEY, resource = env.AZURE_RESOURCE }

  model "azure/gpt-4" { azure { env "AZURE_DEPLOYMENT" or "gpt-4o" } } -- your deployment's name
  model "azure/*"     { azure "*" }
end

-- These need their key alone, such as GROQ_API_KEY: groq/openai/gpt-oss-120b, …
for _, name in ipairs { "cerebras", "deepseek", "fireworks", "groq", "huggingface", "mistral",
  "nvidia", "openrouter", "together", "xai" } do
  local key = env(name:upper() .. "_API_KEY")
  if key then model(name .. "/*") { provider(name) { api_key = key } "*" } end
end

-- Without any key, here or of `moongate keys`, whoever is on this machine may ask, nobody else.

if env "MOONGATE_KEY" then
  virtual_key "me" { token = env.MOONGATE_KEY }
end
