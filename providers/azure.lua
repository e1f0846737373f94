-- Azure OpenAI: the classic address with a deployment and an api-version in it, and the v1 one.
--
--   provider "azure" { resource = "acme-eu", api_key = …, api_version = "2024-10-21" }
--   provider "azure" { resource = "acme-eu", api_key = … }                      the v1 endpoint
--
-- The name of a deployment there is the model's name here; where they differ:
-- azure { "gpt-4o", deployment = "our-gpt-4o" }.

local fault = require "lib.fault"
local passing = require "lib.responses_pass"

-- api-versions that mean the v1 endpoint; all but the first are named in the query.
local V1 = { v1 = true, preview = true, latest = true }

local function is_v1(provider)
  return not provider.api_version or V1[provider.api_version] or false
end

local function base_url(dep)
  local provider = dep.provider
  local base = provider.base_url
  if not base and not provider.resource then
    fault.raise("internal", nil, { detail = "azure needs a resource or a base_url" })
  end
  if base then return (base:gsub("/+$", "")) end
  return ("https://%s.openai.azure.com"):format(provider.resource)
end

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- A base_url may already end where the models are: …/openai/v1, or Foundry's …/models.
local function prefix(dep)
  local base = base_url(dep)
  if base:find("/v1$") or base:find("/models$") then return "" end
  if is_v1(dep.provider) then return "/openai/v1" end
  return "/openai/deployments/" .. escape(dep.deployment or dep.model)
end

local function path(verb)
  return function(dep)
    local version = dep.provider.api_version
    local query = version and version ~= "v1" and "?api-version=" .. escape(version) or ""
    return prefix(dep) .. verb .. query
  end
end

-- Responses are at the v1 endpoint.
local responses = passing:with {
  path = path "/responses",
  speaks = function(dep)
    return is_v1(dep.provider) and not (dep.provider.base_url or ""):find("/models/*$")
  end,
}

return require("providers.openai_compatible"):with {
  base_url = base_url,
  path = path "/chat/completions",
  embeddings = path "/embeddings",
  completions = path "/completions",
  headers = function(dep) return { ["api-key"] = dep.provider.api_key } end,
  keeps = {}, -- what it does not know, it refuses
  max_tokens_name = "max_completion_tokens",
  natives = { responses = responses },
  fields = { resource = { type = "string" }, api_version = { type = "string" } },
  deployment_fields = { deployment = { type = "string" } },
}
