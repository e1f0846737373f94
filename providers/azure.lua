-- Azure: OpenAI's models at the classic address with a deployment and an api-version in it, or
-- at the v1 one; Anthropic's at Foundry's own endpoint for Messages.
--
--   provider "azure" { resource = "acme-eu", api_key = …, api_version = "2024-10-21" }
--   provider "azure" { resource = "acme-eu", api_key = … }                      the v1 endpoint
--   azure "claude-sonnet-4-5"            …services.ai.azure.com/anthropic/v1/messages
--
-- The name of a deployment there is the model's name here; where they differ:
-- azure { "gpt-4o", deployment = "our-gpt-4o" }. A model is Anthropic's that is called so, or
-- whose family is said: azure { "our-writer", family = "claude" }.

local fault = require "lib.fault"
local passing = require "lib.responses_pass"
local percent = require "lib.percent"

local encode = percent.encode

-- api-versions that mean the v1 endpoint; all but the first are named in the query.
local V1 = { v1 = true, preview = true, latest = true }

local function is_v1(provider)
  return not provider.api_version or V1[provider.api_version] or false
end

local function base_at(host)
  return function(dep)
    local provider = dep.provider
    local base = provider.base_url
    if not base and not provider.resource then
      fault.raise("internal", nil, { detail = "azure needs a resource or a base_url" })
    end
    if base then return (base:gsub("/+$", "")) end
    return ("https://%s.%s"):format(provider.resource, host)
  end
end

local base_url = base_at "openai.azure.com"

-- A base_url may already end where the models are: …/openai/v1, or Foundry's …/models.
local function prefix(dep)
  local base = base_url(dep)
  if base:find("/v1$") or base:find("/models$") then return "" end
  if is_v1(dep.provider) then return "/openai/v1" end
  return "/openai/deployments/" .. encode(dep.deployment or dep.model)
end

local function path(verb)
  return function(dep)
    local version = dep.provider.api_version
    local query = version and version ~= "v1" and "?api-version=" .. encode(version) or ""
    return prefix(dep) .. verb .. query
  end
end

-- Responses are at the v1 endpoint, and at a classic address without a deployment since this
-- version: learn.microsoft.com/azure/ai-foundry/openai/how-to/responses.
local RESPONSES_SINCE = "2025-03-01"

local function responses_path(dep)
  local version = dep.provider.api_version
  if is_v1(dep.provider) then return path "/responses"(dep) end
  local base = base_url(dep):find("/openai$") and "" or "/openai"
  return base .. "/responses?api-version=" .. encode(version)
end

local responses = passing:with {
  path = responses_path,
  speaks = function(dep)
    local provider = dep.provider
    if (provider.base_url or ""):find("/models/*$") then return false end
    return is_v1(provider) or provider.api_version >= RESPONSES_SINCE
  end,
}

-- Claude: platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry
local foundry = base_at "services.ai.azure.com"

local function claude_url(dep)
  local base = foundry(dep):gsub("/v1$", ""):gsub("/openai$", ""):gsub("/models$", "")
  return (base:find("/anthropic$") and base or base .. "/anthropic") .. "/v1"
end

local claude = require("providers.anthropic"):with {
  base_url = claude_url, sees_base = true, prices = "anthropic",
}

return require("providers.openai_compatible"):with {
  base_url = base_url,
  path = path "/chat/completions",
  embeddings = path "/embeddings",
  completions = path "/completions",
  beside = {
    images = path "/images/generations", image_edits = path "/images/edits",
    speech = path "/audio/speech", transcriptions = path "/audio/transcriptions",
    translations = path "/audio/translations",
  },
  headers = function(dep) return { ["api-key"] = dep.provider.api_key } end,
  keeps = {}, -- what it does not know, it refuses
  max_tokens_name = "max_completion_tokens",
  natives = { responses = responses },
  responses_only = { "codex", "-pro", "deep-research", "computer-use" }, -- as OpenAI's
  families = {
    { name = "claude", models = { "^claude" }, adapter = claude }, { name = "openai" },
  },
  fields = {
    resource = { type = "string" }, api_version = { type = "string" },
    version = { type = "string" }, beta = { type = "string" }, -- Anthropic's
  },
  needs = { "resource", "base_url" },
  deployment_fields = { deployment = { type = "string" } },
}
