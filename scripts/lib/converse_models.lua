-- What models take through Bedrock's Converse, by their names there. From the user guide
-- (https://docs.aws.amazon.com/bedrock/latest/userguide/), its pages conversation-inference-
-- supported-models-features, prompt-caching and structured-output.

local anthropic = require "lib.anthropic_models"

local models = {}

---@class ConverseModel
---@field claude AnthropicModel?  what an Anthropic model takes
---@field nova integer?           Amazon Nova, and which generation
---@field openai boolean          a model of OpenAI's: takes reasoning_effort
---@field caches boolean          takes cachePoint in what is said
---@field caches_tools boolean    … and behind tools
---@field caches_hour boolean     … for an hour
---@field schema boolean?         structured output; nil: nobody knows
---@field one_tool boolean        can be told to call one tool at a time
---@field says_failed boolean     takes the status of a tool's result

-- Whose models give structured output: of some makers some, of others none.
local SCHEMAS = {
  deepseek = true, google = true, minimax = true, mistral = true, moonshot = true,
  moonshotai = true, nvidia = true, openai = true, qwen = true, zai = true,
  ai21 = false, amazon = false, cohere = false, meta = false, writer = false,
}

-- "us.anthropic.claude-…" (a profile that crosses regions) → "anthropic.claude-…"
local PROFILES = {
  apac = true, au = true, ca = true, eu = true, global = true, jp = true, us = true,
  ["us-gov"] = true,
}

--- The model's own name: without the region of its profile, and what stands before it in an
--- ARN. The ARN of an application's profile does not tell the model.
function models.name(model)
  local name = model:match("^arn:.*/([^/]+)$") or model
  local first, rest = name:match("^([%w-]+)%.(.+)$")
  return PROFILES[first] and rest or name
end

local function of_claude(name)
  -- "…-v1:0" is Bedrock's own number
  local claude = anthropic.of((name:gsub("(%d)%-v%d+[:%w]*$", "%1")))
  local v, haiku = claude.version, name:find("haiku", 1, true) ~= nil
  local caches = v >= 307 or v == 305 and haiku
  return {
    claude = claude, openai = false, caches = caches, caches_tools = caches,
    caches_hour = v >= 405, schema = claude.schema, one_tool = v >= 405, says_failed = true,
  }
end

local function nova_of(name)
  local rest = name:match("^amazon%.nova%-(.*)$")
  return rest and (tonumber(rest:match("^%d")) or 1)
end

--- What the model of this name takes; of one that nobody knows, what all take.
---@return ConverseModel
function models.of(model)
  local name = models.name(model)
  if name:find("^anthropic%.claude") then return of_claude(name) end
  local maker, nova = name:match("^(%w+)%."), nova_of(name)
  return {
    nova = nova, openai = maker == "openai", caches = nova == 1, caches_tools = false,
    caches_hour = false, schema = SCHEMAS[maker or ""], one_tool = false,
    says_failed = nova ~= nil,
  }
end

return models
