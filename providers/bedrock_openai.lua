-- Amazon Bedrock in OpenAI's dialect: chat completions and Responses, a key or signed requests.
-- https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html
--
--   provider "bedrock_openai" { region = "us-west-2", api_key = env.AWS_BEARER_TOKEN_BEDROCK }
--   provider "bedrock_openai" { region = "us-east-1", endpoint = "mantle", api_key = … }
--
-- AWS recommends its first endpoint ("runtime"); some models are at the other one only. Claude
-- there speaks Messages: provider "anthropic" { base_url =
-- "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1", api_key = … }.

local aws = require "lib.aws"
local chat_errors = require "lib.chat_errors"
local errors = require "lib.converse_errors"

local runtime_url, sign_runtime = aws.address "bedrock-runtime", aws.signer "bedrock"
local sign_mantle = aws.signer "bedrock-mantle"

local function is_mantle(dep) return dep.provider.endpoint == "mantle" end

local function base_url(dep)
  if not is_mantle(dep) then return runtime_url(dep) end
  return ("https://bedrock-mantle.%s.api.aws"):format(dep.provider.region)
end

-- Of the other endpoint's models some are behind a path of their own; a request by the wrong
-- one is refused (userguide/inference-responses-api.html, the models' own pages).
local OWN_PATH = { "^openai%.gpt%-5", "^google%.gemma%-4" }

local function prefix(dep)
  if (dep.provider.base_url or ""):find("/v1$") then return "" end
  if not is_mantle(dep) then return "/openai/v1" end
  for _, pattern in ipairs(OWN_PATH) do
    if dep.model:find(pattern) then return "/openai/v1" end
  end
  return "/v1"
end

local function path(verb)
  return function(dep) return prefix(dep) .. verb end
end

local function sign(request, dep, keys)
  if is_mantle(dep) then return sign_mantle(request, dep, keys) end
  sign_runtime(request, dep, keys)
end

-- AWS's own errors stand before OpenAI's.
local function classify(status, body, upstream)
  local kind, more = errors.classify(status, body, upstream)
  if kind and kind ~= "bad_request" then return kind, more end
  return chat_errors.classify(status, body)
end

local fields = { endpoint = { one_of = { "runtime", "mantle" } } }
for name, field in pairs(aws.fields) do fields[name] = field end

return require("providers.openai_compatible"):with {
  base_url        = base_url,
  path            = path "/chat/completions",
  embeddings      = false,
  completions     = false,
  sign            = sign,
  classify        = classify,
  keeps           = {}, -- what it does not know, it refuses
  max_tokens_name = "max_completion_tokens",
  responses       = path "/responses",
  fields          = fields,
  needs           = aws.needs,
  problem         = aws.problem,
  prices          = "bedrock",
}
