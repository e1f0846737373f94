-- A path → what it is for; bytes → a call.

local calls = require "lib.call"
local fault = require "lib.fault"
local later = require "lib.later"
local media = require "pipeline.media"
local replies = require "lib.reply"

local ingress = {}

-- Doors, loaded with the first request that comes to them: `door` is a dialect's module (or
-- `part` of it), `words` the module that says errors as it does.
local OPENAIS, ANTHROPICS = "dialects.openai_errors", "dialects.anthropic_errors"
local GEMINIS = "dialects.gemini_errors"

local function posted(door, part, words)
  return { method = "POST", allow = "POST", door = door, part = part, words = words or OPENAIS }
end

-- Bodies whose tokens are counted only.
local function counted(door, words)
  local row = posted(door, nil, words)
  row.reads, row.count = "read_count", true
  return row
end

-- What we answer ourselves.
local function told(module, name, words)
  return {
    method = "GET", allow = "GET, HEAD", door = words and "dialects.gemini", words = words,
    answer = function(...) return later(module)[name](...) end,
  }
end

local CHAT, RESPONSES = posted "dialects.openai", posted "dialects.responses"
local MESSAGES = posted("dialects.anthropic", nil, ANTHROPICS)
local COUNT = counted("dialects.anthropic", ANTHROPICS)
local COMPLETIONS, EMBEDDINGS = posted "dialects.completions", posted "dialects.embeddings"
local GENERATE = posted("dialects.gemini", nil, GEMINIS)
local EMBED = posted("dialects.embed_content", nil, GEMINIS)
local COUNT_CONTENTS = counted("dialects.gemini", GEMINIS)
local COUNT_INPUT = counted "dialects.responses"
local IMAGES, EDITS = posted("dialects.images", "made"), posted("dialects.images", "edited")
local VARIATIONS = posted("dialects.images", "varied")
local SPEECH, OCR = posted "dialects.speech", posted "dialects.ocr"
local TRANSCRIPTIONS = posted("dialects.transcripts", "written")
local TRANSLATIONS = posted("dialects.transcripts", "translated")
local MODERATIONS, RERANK = posted "dialects.moderations", posted "dialects.rerank"
local MODELS, MODEL = told("pipeline.models", "list"), told("pipeline.models", "one")
local USAGE = told("pipeline.own_usage", "answer")
local HEALTH = {
  method = "GET", allow = "GET, HEAD", public = true, quiet = true,
  answer = function(_, reply) reply:answer(200, '{"status":"ok"}') end,
}

-- Raw paths, compared whole: what is not written here is a 404, however it is spelled.
local ENDPOINTS = {
  ["/v1/chat/completions"] = CHAT, ["/chat/completions"] = CHAT,
  ["/v1/completions"] = COMPLETIONS, ["/completions"] = COMPLETIONS,
  ["/v1/embeddings"] = EMBEDDINGS, ["/embeddings"] = EMBEDDINGS,
  ["/v1/images/generations"] = IMAGES, ["/images/generations"] = IMAGES,
  ["/v1/images/edits"] = EDITS, ["/images/edits"] = EDITS,
  ["/v1/images/variations"] = VARIATIONS, ["/images/variations"] = VARIATIONS,
  ["/v1/audio/speech"] = SPEECH, ["/audio/speech"] = SPEECH,
  ["/v1/audio/transcriptions"] = TRANSCRIPTIONS, ["/audio/transcriptions"] = TRANSCRIPTIONS,
  ["/v1/audio/translations"] = TRANSLATIONS, ["/audio/translations"] = TRANSLATIONS,
  ["/v1/ocr"] = OCR, ["/ocr"] = OCR,
  ["/v1/moderations"] = MODERATIONS, ["/moderations"] = MODERATIONS,
  ["/v1/rerank"] = RERANK, ["/rerank"] = RERANK, ["/v2/rerank"] = RERANK,
  ["/v1/responses"] = RESPONSES, ["/responses"] = RESPONSES,
  ["/v1/responses/input_tokens"] = COUNT_INPUT, ["/responses/input_tokens"] = COUNT_INPUT,
  ["/v1/messages"] = MESSAGES, ["/messages"] = MESSAGES,
  ["/anthropic/v1/messages"] = MESSAGES,
  ["/v1/messages/count_tokens"] = COUNT, ["/messages/count_tokens"] = COUNT,
  ["/anthropic/v1/messages/count_tokens"] = COUNT,
  ["/v1/models"] = MODELS, ["/models"] = MODELS,
  ["/v1/usage"] = USAGE,
  ["/healthz"] = HEALTH, ["/v1/healthz"] = HEALTH,
}

-- Clients ask whether anybody is there before they ask for more.
local PRESENT = {
  method = "HEAD", allow = "HEAD", public = true, quiet = true,
  answer = function(_, reply) reply:answer(200, "") end,
}
local PROBES = { ["/"] = PRESENT, ["/api/hello"] = PRESENT }

-- What Gemini's clients want of a model stands behind its name in the path.
local VERBS = {
  generateContent = GENERATE, streamGenerateContent = GENERATE, countTokens = COUNT_CONTENTS,
  embedContent = EMBED, batchEmbedContents = EMBED,
}
local GOOGLES = told("pipeline.models", "googles", GEMINIS)
local GOOGLE = told("pipeline.models", "google", GEMINIS)

-- endpoint, model, verb of a path of Gemini's; nil for others.
local function googles(path, method)
  local version, rest = path:match("^/(v1[beta]*)/models/?(.*)$")
  if not version or version ~= "v1" and version ~= "v1beta" then return nil end
  local model, verb = rest:match("^(.+):(%a+)$")
  if VERBS[verb] then return VERBS[verb], model, verb end
  if version == "v1" or method == "POST" then return nil end
  return rest == "" and GOOGLES or GOOGLE, rest
end

local function endpoint_of(path, method)
  return ENDPOINTS[path] or method == "HEAD" and PROBES[path] or nil
end

local function one_model(path)
  return path:match("^/v1/models/(.+)$") or path:match("^/models/(.+)$")
end

-- Files and batches have paths of many parts.
local function stored(request)
  local path = request.path
  if not (path:find("/files", 1, true) or path:find("/batches", 1, true)) then return nil end
  return later("pipeline.stored_paths").find(request)
end

local function door_of(row)
  local door = later(row.door)
  return row.part and door[row.part] or door
end

-- In whose words a request is answered: its path says it, and where many ask alike, its head.
local function dialect_of(request)
  local path = request.path
  local endpoint = ENDPOINTS[path] or stored(request) or googles(path, request.method)
  if endpoint and endpoint.door then return door_of(endpoint) end
  if not endpoint and path:find("^/v1beta/") then return later "dialects.gemini" end
  return later(request:header("anthropic-version") and MESSAGES.door or CHAT.door)
end

--- In whose words is answered without a call: rows of path, method and header, the first that
--- fits; one without `words` (a module's name) is for who is always served.
function ingress.doors()
  local rows = {}
  for path, endpoint in pairs(ENDPOINTS) do
    if endpoint.words or endpoint.quiet then
      rows[#rows + 1] = { path = path, words = endpoint.words, door = endpoint.door,
        part = endpoint.part }
    end
  end
  for path, endpoint in pairs(PROBES) do
    rows[#rows + 1] = { path = path, method = endpoint.method }
  end
  rows[#rows + 1] = { path = "/v1beta/*", words = GEMINIS }
  rows[#rows + 1] = { path = "/v1/models/*", method = "POST", words = GEMINIS }
  rows[#rows + 1] = { header = "anthropic-version", words = ANTHROPICS }
  rows[#rows + 1] = { words = OPENAIS }
  return rows
end

--- The call that a request begins, and its reply: even a path nobody knows gets an answer.
function ingress.open(request, cfg)
  local dialect = dialect_of(request)
  local call = calls.new(request, dialect.name, cfg)
  call.door = dialect
  return call, replies.new(call, dialect.writer)
end

-- What stands at a path that is not one of a list: files, Gemini's models, ours.
local function one_of_many(call)
  local endpoint, id = stored(call.request)
  if endpoint then
    call.verb = id or false
    return endpoint
  end
  endpoint, call.model_id, call.verb = googles(call.path, call.method)
  if endpoint then return endpoint end
  call.model_id, call.verb = one_model(call.path), false
  if call.model_id then return MODEL end
  fault.raise("unknown_url", "There is nothing at this address. Chat completions are at "
    .. "/v1/chat/completions, responses at /v1/responses, messages at /v1/messages, Gemini's "
    .. "words at /v1beta/models/NAME:generateContent, embeddings at /v1/embeddings, "
    .. "completions at /v1/completions, images, audio, moderations, rerank, files and batches "
    .. "at /v1/ and their names, models at /v1/models, a key's own usage at /v1/usage.")
end

--- What the request's path and method ask for.
function ingress.endpoint(call)
  local path, method = call.path, call.method
  local endpoint = endpoint_of(path, method) or one_of_many(call)
  if endpoint.quiet then call.quiet = true end
  if method == "HEAD" and endpoint.method == "GET" then method = "GET" end
  if endpoint == RESPONSES and method == "GET" and call.request:header("upgrade") then
    fault.raise("unknown_url", "Responses are not served over WebSockets: POST them.")
  end
  if method ~= endpoint.method then
    fault.raise("method_not_allowed", "This address takes " .. endpoint.allow .. " only.",
      { allow = endpoint.allow })
  end
  call.endpoint = endpoint
  return endpoint
end

--- Read the body into the call: waits for it.
function ingress.read(call)
  local request, door, endpoint = call.request, call.door, call.endpoint
  if endpoint.bodiless then return door.read(call) end
  local problem = media.problem(request, door.form)
  if problem then fault.raise("unsupported_media_type", problem) end
  if door.form and media.is_form(request) then
    later("dialects.forms").read(call, door.form)
  else
    local doc, err = request:document()
    if not doc then error(fault.of(err), 0) end
    call.doc = doc
  end
  local read = door[endpoint.reads or "read"]
  read(call)
end

return ingress
