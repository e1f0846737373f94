-- Who speaks for a provider of the recordings: provider → api → what routes.lua says of it. `@`
-- is the replay's address, `#` a name. A provider whose recordings are to fold in needs a line
-- here and no code.
--
--     line    the statement, but for what it serves
--     more    what else its deployment says (`api`, where the provider would be asked at some
--             doors in another of its dialects than the one that was recorded)
--     only    the doors that it serves, where that is not all of them
--     body    what the provider is sent for a body in its own dialect (a function of the
--             client's bytes, with the provider's name of the model), where that is not those
--
-- Who is not here speaks OpenAI's dialect, as `usual` has it; of other apis it has no adapter
-- yet.

local providers = {}

local function speaker(name, more, api)
  local line = 'provider "%s" { name = "#", api_key = "k", base_url = "@%s }'
  return { line = line:format(name, more), more = api and (', api = "%s"'):format(api) }
end

local GENERIC = 'provider "openai_compatible" { name = "#", base_url = "@/v1" }'
local COMPATIBLE = { line = GENERIC }

-- Is there a choice of how its deployments are asked?
local function has_choice(name)
  local fields = require("providers." .. name).deployment_fields
  return fields and fields.api ~= nil
end

local function own(name)
  local line, choice = speaker(name, '/v1"'), has_choice(name)
  local chats = speaker(name, '/v1"', choice and "chat" or nil)
  local responses = require("providers." .. name).natives.responses
  return {
    chat_completions = chats, embeddings = line, completions = line, rerank = line,
    moderations = line, images = line, ocr = line,
    responses = responses and speaker(name, '/v1"', "responses") or nil,
  }
end

local ANTHROPIC = speaker("anthropic", '"')
local GEMINI = speaker("gemini", '"')
local AZURE = speaker("azure", '", api_version = "2024-10-21"', "chat")
local AZURE_V1 = speaker("azure", '"', "responses")
local BEDROCK = speaker("bedrock", '", region = "us-east-1"', "converse")

local function mantle(api)
  return speaker("bedrock_openai", '", region = "us-east-1", endpoint = "mantle"', api)
end

local COHERE = speaker("cohere", '/v2"')

local AZURE_CLAUDE = speaker("azure", '"')
AZURE_CLAUDE.more = ', family = "claude"'

local function vertex(family)
  local out = speaker("vertex", '", project = "example-project"')
  out.more = (', family = "%s"'):format(family)
  return out
end

local VERTEX, VERTEX_CLAUDE = vertex "gemini", vertex "claude"
local VERTEX_OTHERS = vertex "openai"

-- The model is in the address.
function VERTEX_CLAUDE.body(text)
  return (text:gsub('^{"model":"[^"]*",%s*', "{", 1)) -- all recorded have the version
end

local usual = {
  chat_completions = COMPATIBLE, embeddings = COMPATIBLE, completions = COMPATIBLE,
  responses = { line = GENERIC, more = ', api = "responses"' },
}

local known = {
  anthropic = { messages = ANTHROPIC, count_tokens = ANTHROPIC },
  azure = {
    chat_completions = AZURE, embeddings = AZURE, completions = AZURE, responses = AZURE_V1,
    messages = AZURE_CLAUDE,
  },
  bedrock = {
    converse = BEDROCK, converse_stream = BEDROCK, chat_completions = mantle "chat",
    responses = mantle "responses",
  },
  cerebras = own "cerebras",
  cloudflare = own "cloudflare",
  cohere = { chat_v2 = COHERE, embeddings = COHERE, rerank = COHERE },
  databricks = own "databricks",
  deepseek = own "deepseek",
  gemini = {
    generate_content = GEMINI, stream_generate_content = GEMINI, embeddings = GEMINI,
    count_tokens = GEMINI,
  },
  groq = own "groq",
  huggingface = own "huggingface",
  llamacpp = own "llama_cpp",
  mistral = own "mistral",
  ollama = own "ollama",
  openai = own "openai",
  openrouter = own "openrouter",
  perplexity = own "perplexity",
  together = own "together",
  vertex = {
    generate_content = VERTEX, stream_generate_content = VERTEX, embeddings = VERTEX,
    count_tokens = VERTEX, messages = VERTEX_CLAUDE, chat_completions = VERTEX_OTHERS,
  },
  xai = own "xai",
}
known.huggingface.completions = COMPATIBLE -- recorded at an endpoint of its owner's
known.openai.count_tokens = known.openai.embeddings

--- What speaks for an exchange at a door, or nil.
function providers.of(exchange, door)
  local found = (known[exchange.provider] or {})[exchange.api] or usual[exchange.api]
  if not found or found.only and not found.only[door] then return nil end
  return found
end

return providers
