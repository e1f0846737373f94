-- Anthropic's Messages passed on to Bedrock's InvokeModel, as a face (lib/natives.lua): Claude
-- in its own words, but for where model, version and betas stand; and streams in messages,
-- each of which holds one of Anthropic's events. The page is model-parameters-anthropic-claude-
-- messages-request-response of https://docs.aws.amazon.com/bedrock/latest/userguide/.

local aws = require "lib.aws"
local converse = require "lib.converse_models"
local crypto = require "engine.crypto"
local errors = require "lib.converse_errors"
local fault = require "lib.fault"
local json = require "engine.json"
local narrow = require "lib.messages_narrow"
local passing = require "lib.messages_pass"

local VERSION = "bedrock-2023-05-31"

-- Request ------------------------------------------------------------------------

-- What Claude there takes of Anthropic's betas: another is refused with the whole request.
local BETAS = {
  ["computer-use-2025-01-24"] = true, ["computer-use-2025-11-24"] = true,
  ["context-1m-2025-08-07"] = true, ["context-management-2025-06-27"] = true,
  ["dev-full-thinking-2025-05-14"] = true, ["effort-2025-11-24"] = true,
  ["interleaved-thinking-2025-05-14"] = true, ["output-128k-2025-02-19"] = true,
  ["token-efficient-tools-2025-02-19"] = true,
}
local SEARCH = "tool-search-tool-2025-10-19"
local SEARCHING = {
  [SEARCH] = true, ["tool-examples-2025-10-29"] = true,
  ["advanced-tool-use-2025-11-20"] = SEARCH, -- its name at Anthropic
}
for name in pairs(BETAS) do SEARCHING[name] = true end

local KNOWN, KNOWN_BY_NEWER = narrow.new { betas = BETAS }, narrow.new { betas = SEARCHING }

local function known_by(model)
  local claude = converse.of(model).claude
  local newer = claude.version >= 406 or claude.version == 405 and model:find("opus", 1, true)
  return newer and KNOWN_BY_NEWER or KNOWN
end

-- As a list in the body; Anthropic's name for two of them stands for both.
local function betas(call, dep, known)
  local text = known:header(call, dep)
  if not text then return nil end
  local out = json.array {}
  for name in text:gmatch("[^,]+") do
    out[#out + 1] = name
    if name == SEARCH then out[#out + 1] = "tool-examples-2025-10-29" end
  end
  return out
end

local function encode(call, dep)
  local doc, known = passing.encode(call, dep), known_by(dep.model)
  local edits = known:edits(call, dep, doc)
  edits.model = json.remove
  edits.stream = doc:type("stream") and json.remove or nil
  edits.anthropic_beta = betas(call, dep, known)
  if doc:get("anthropic_version") ~= VERSION then edits.anthropic_version = VERSION end
  return doc:splice(edits)
end

-- What the provider adds; the client's own headers are in the body.
local function add_headers(_, dep, headers)
  headers["x-amzn-bedrock-guardrailidentifier"] = dep.provider.guardrail
  headers["x-amzn-bedrock-guardrailversion"] = dep.provider.guardrail
    and (dep.provider.guardrail_version or "DRAFT")
end

-- Answers ------------------------------------------------------------------------

-- The event in a message, and its text.
local function event_in(data)
  local text = type(data) == "table" and type(data.bytes) == "string"
    and crypto.unbase64(data.bytes)
  local event = text and json.decode(text)
  if type(event) ~= "table" then
    fault.raise("invalid_response", "A message of the provider's stream holds no event.")
  end
  return event, text
end

local function stream(upstream, reply)
  local seen = {}
  for name, data, kind in upstream:messages() do
    if kind ~= "event" then errors.raise(name, data) end
    if name == "chunk" and not reply.done then
      local event, text = event_in(data)
      local what = type(event.type) == "string" and event.type:match("^[%w_]+$") or "message"
      passing.event(what, event, ("event: %s\ndata: %s\n\n"):format(what, text), reply, seen)
    end
  end
end

local function path(dep, call)
  local verb = call.stream and "/invoke-with-response-stream" or "/invoke"
  return "/model/" .. aws.segment(dep.arn or dep.model) .. verb
end

return setmetatable({
  path = path, encode = encode, add_headers = add_headers, stream = stream,
  speaks = function(dep)
    return dep.api ~= "converse" and converse.of(dep.model).claude ~= nil
  end,
  -- Bedrock's own errors are none of Anthropic's.
  owns = function(body) return type(body) == "table" and body.type == "error" end,
}, { __index = passing })
