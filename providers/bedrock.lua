-- Amazon Bedrock's Converse: all of its models that chat, under one shape.
-- https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
--
--   provider "bedrock" { region = "us-east-1", api_key = env.AWS_BEARER_TOKEN_BEDROCK }
--   provider "bedrock" {
--     region = "us-east-1", access_key_id = env.AWS_ACCESS_KEY_ID,
--     secret_access_key = env.AWS_SECRET_ACCESS_KEY, session_token = env.AWS_SESSION_TOKEN,
--   }
--
-- Clients of Anthropic's Messages reach Claude by InvokeModel, as they came; with api =
-- "converse" on the deployment by Converse, as all others do.
--
-- A profile of an account's own is an ARN that does not tell its model:
-- bedrock { "anthropic.claude-sonnet-4-5-20250929-v1:0", arn = "arn:aws:bedrock:…" }.

local answer = require "lib.converse_answer"
local aws = require "lib.aws"
local chat = require "lib.chat"
local embeddings = require "lib.bedrock_embeddings"
local errors = require "lib.converse_errors"
local invoke = require "lib.messages_invoke"
local request = require "lib.converse_request"

local RAW_INPUT = { raw = { input = true } }

local function stream(upstream, reply)
  local body = chat.whole_instead(upstream, RAW_INPUT)
  if body then return answer.decode(body, reply) end
  answer.stream(upstream, reply)
end

local function path(dep, call)
  local verb = call.stream and "/converse-stream" or "/converse"
  return "/model/" .. aws.segment(dep.arn or dep.model) .. verb
end

local fields = {
  guardrail = { type = "string" }, guardrail_version = { type = "string" },
  beta = { type = "string" }, -- of Anthropic's, sent with every call of Messages
}
for name, field in pairs(aws.fields) do fields[name] = field end

return chat.adapter {
  base_url = aws.address "bedrock-runtime",
  path     = path,
  headers  = chat.bearer,
  sign     = aws.signer "bedrock",
  encode   = request.encode,
  decode   = answer.decode,
  stream   = stream,
  classify = errors.classify,
  natives  = {
    anthropic = invoke, embeddings = embeddings, embed_content = embeddings.embed_content,
  },
  keeps    = { cache_control = true, thinking_blocks = true },
  fields   = fields,
  needs    = aws.needs,
  problem  = aws.problem,
  deployment_fields = { arn = { type = "string" }, api = { one_of = { "converse" } } },
}
