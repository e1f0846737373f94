-- A path → what it is for; bytes → a call.

local calls = require "lib.call"
local fault = require "lib.fault"
local media = require "pipeline.media"
local models = require "pipeline.models"
local openai = require "dialects.openai"
local own_usage = require "pipeline.own_usage"
local replies = require "lib.reply"

local ingress = {}

local CHAT = { method = "POST", allow = "POST", dialect = openai }
local MODELS = { method = "GET", allow = "GET, HEAD", answer = models.list }
local MODEL = { method = "GET", allow = "GET, HEAD", answer = models.one }
local USAGE = { method = "GET", allow = "GET, HEAD", answer = own_usage.answer }
local HEALTH = {
  method = "GET", allow = "GET, HEAD", public = true, quiet = true,
  answer = function(_, reply) reply:answer(200, '{"status":"ok"}') end,
}

-- Raw paths, compared whole: what is not written here is a 404, however it is spelled.
local ENDPOINTS = {
  ["/v1/chat/completions"] = CHAT, ["/chat/completions"] = CHAT,
  ["/v1/models"] = MODELS, ["/models"] = MODELS,
  ["/v1/usage"] = USAGE,
  ["/healthz"] = HEALTH, ["/v1/healthz"] = HEALTH,
}

local function one_model(path)
  return path:match("^/v1/models/(.+)$") or path:match("^/models/(.+)$")
end

--- The call that a request begins, and its reply: even a path nobody knows gets an answer.
function ingress.open(request, cfg)
  local call = calls.new(request, openai.name, cfg)
  return call, replies.new(call, openai.writer)
end

--- What the request's path and method ask for.
function ingress.endpoint(call)
  local path, method = call.path, call.method
  local endpoint = ENDPOINTS[path]
  if not endpoint then
    call.model_id = one_model(path)
    endpoint = call.model_id and MODEL
  end
  if not endpoint then
    fault.raise("unknown_url", "There is nothing at this address. Chat completions are at "
      .. "/v1/chat/completions, models at /v1/models, a key's own usage at /v1/usage.")
  end
  if endpoint.quiet then call.quiet = true end
  if method == "HEAD" then method = "GET" end
  if method ~= endpoint.method then
    fault.raise("method_not_allowed", "This address takes " .. endpoint.allow .. " only.",
      { allow = endpoint.allow })
  end
  call.endpoint = endpoint
  return endpoint
end

--- Read the body into the call: waits for it.
function ingress.read(call)
  local request = call.request
  local problem = media.problem(request)
  if problem then fault.raise("unsupported_media_type", problem) end
  local doc, err = request:document()
  if not doc then error(fault.of(err), 0) end
  call.doc = doc
  call.endpoint.dialect.read(call)
end

return ingress
