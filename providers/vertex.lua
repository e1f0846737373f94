-- Vertex AI: https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest. Gemini in
-- its own words, Claude in Anthropic's, and other makers' models in OpenAI's.
--
--   local google = oauth { service_account = file "vertex.json" }
--   local vertex = provider "vertex" { token = google, location = "europe-west1" }
--   vertex "gemini-2.5-pro", vertex "claude-sonnet-4-5@20250929", vertex "meta/llama-3.3-70b…"
--
-- Which family a model is of, its name says: claude…; a maker's name before a slash; else it is
-- one of Google's. vertex { "endpoints/1234", family = "gemini" } says it where that is not so.

local anthropic = require "providers.anthropic"
local embeddings = require "lib.vertex_embeddings"
local gemini = require "providers.gemini"
local json = require "engine.json"
local narrow = require "lib.messages_narrow"
local passing = require "lib.messages_pass"
local generate = require "lib.generate_pass"
local percent = require "lib.percent"

-- Addresses ------------------------------------------------------------------------

-- platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai has all three.
local HOSTS = {
  global = "aiplatform.googleapis.com",
  us = "aiplatform.us.rep.googleapis.com", eu = "aiplatform.eu.rep.googleapis.com",
}

local function escape(text)
  return percent.encode(text, "[^%w%-._~@]")
end

local function location_of(dep)
  return dep.location or dep.provider.location or "global"
end

local function base_url(dep)
  local base = dep.provider.base_url
  if base then return (base:gsub("/v1[beta1]*$", "")) end
  local location = location_of(dep)
  return "https://" .. (HOSTS[location] or escape(location) .. "-aiplatform.googleapis.com")
end

local function project_of(provider)
  return provider.project or provider.token and provider.token.project
end

-- Whoever comes with a key instead of a token names no project: Vertex in express mode.
local function missing(provider)
  if project_of(provider) or provider.api_key or not provider.token then return nil end
  return "needs a project, since its token names none"
end

local function place(dep, version)
  local provider, project = dep.provider, project_of(dep.provider)
  local out = "/" .. (provider.version or version)
  if not project then return out end
  return ("%s/projects/%s/locations/%s"):format(out, escape(project),
    escape(location_of(dep)))
end

-- A model's own endpoint, or what a publisher calls it.
local function model_path(dep, version, publisher)
  local model = dep.model
  local endpoint = model:match("^endpoints/(.+)$")
  if endpoint then return place(dep, version) .. "/endpoints/" .. escape(endpoint) end
  return ("%s/publishers/%s/models/%s"):format(place(dep, version), publisher,
    escape(model:match("([^/]+)$")))
end

local function headers(dep)
  return { ["x-goog-api-key"] = dep.provider.api_key }
end

-- Gemini ---------------------------------------------------------------------------

local function google_path(dep, call)
  return model_path(dep, "v1beta1", "google")
    .. (call.stream and ":streamGenerateContent?alt=sse" or ":generateContent")
end

-- The model is in the address; here, a body that names it too is refused.
local generate_here = setmetatable({
  encode = function(call, dep)
    local doc = generate.encode(call, dep)
    return doc:type("model") and doc:splice { model = json.remove } or doc
  end,
}, { __index = generate })

local function at_model(face)
  return setmetatable({
    path = function(dep, call)
      return model_path(dep, "v1beta1", "google") .. face.verb(dep, call)
    end,
  }, { __index = face })
end

-- Claude ---------------------------------------------------------------------------

local VERSION = "vertex-2023-10-16"

-- What Claude on Vertex takes of Anthropic's betas, and under which name; others are left out
-- with what they let a body say. An operator's own `beta` passes whatever it is.
local KNOWN = narrow.new {
  betas = {
    ["computer-use-2025-01-24"] = true, ["computer-use-2025-11-24"] = true,
    ["context-1m-2025-08-07"] = true, ["context-management-2025-06-27"] = true,
    ["interleaved-thinking-2025-05-14"] = true, ["web-search-2025-03-05"] = true,
    ["tool-search-tool-2025-10-19"] = true,
    ["advanced-tool-use-2025-11-20"] = "tool-search-tool-2025-10-19", -- Anthropic's docs
  },
}

local function claude_path(dep, call)
  return model_path(dep, "v1", "anthropic")
    .. (call.stream and ":streamRawPredict" or ":rawPredict")
end

local function claude_body(call, dep)
  local out = anthropic.encode(call, dep)
  out.model, out.anthropic_version = nil, VERSION
  return out
end

-- Vertex itself speaks Google's words where it fails before Claude is asked.
local function is_googles(body)
  if type(body) ~= "table" then return false end
  local problem = type(body[1]) == "table" and body[1].error or body.error
  return type(problem) == "table" and type(problem.status) == "string"
end

local function claude_classify(status, body)
  return (is_googles(body) and gemini or anthropic).classify(status, body)
end

-- Messages as they came, but for what this place says otherwise.
local messages = setmetatable({
  encode = function(call, dep)
    local doc = passing.encode(call, dep)
    local edits = KNOWN:edits(call, dep, doc)
    edits.model = json.remove
    if doc:get("anthropic_version") ~= VERSION then edits.anthropic_version = VERSION end
    return doc:splice(edits)
  end,
  add_headers = function(call, dep, out)
    out["anthropic-beta"] = KNOWN:header(call, dep)
  end,
  owns = function(body) return not is_googles(body) end,
}, { __index = passing })

local claude = anthropic:with {
  base_url = base_url, sees_base = true, path = claude_path,
  encode = claude_body, classify = claude_classify,
  headers = function(dep)
    return { ["x-goog-api-key"] = dep.provider.api_key, ["anthropic-beta"] = dep.provider.beta }
  end,
  natives = { anthropic = messages },
  prices = "anthropic",
}

-- Others ---------------------------------------------------------------------------

-- cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview
local openai = require("providers.openai_compatible"):with {
  base_url = base_url, sees_base = true, headers = headers, keeps = {},
  path = function(dep) return place(dep, "v1") .. "/endpoints/openapi/chat/completions" end,
  embeddings = false, completions = false,
}

-- The adapter ----------------------------------------------------------------------

return gemini:with {
  base_url = base_url, sees_base = true, path = google_path, headers = headers,
  prices = "gemini",
  natives = {
    gemini = generate_here, embeddings = at_model(embeddings),
    embed_content = at_model(embeddings.googles),
  },
  families = {
    { name = "claude", models = { "^claude", "^anthropic/" }, adapter = claude },
    { name = "gemini", models = { "^google/", "^endpoints/", "^[^/]*$" } },
    { name = "openai", models = { "/" }, adapter = openai },
  },
  fields = {
    project = { type = "string" }, location = { type = "string" },
    version = { type = "string" }, beta = { type = "string" },
  },
  deployment_fields = { location = { type = "string" } },
  needs = { "project", "token", "api_key" }, problem = missing,
}
