-- What servers have beside chats, passed on as it came: which module reads the answers of each,
-- loaded when it is first asked for. An adapter says in `beside` what it has, and where that is
-- not at its usual path, at which:
--
--   beside = { "moderations", rerank = "/v2/rerank" }

local fault = require "lib.fault"
local quirks = require "lib.quirks"

local beside = {}

-- Module and usual path; `any`: its answers are of many kinds, `bare`: none is a document to
-- read; `kept`: what is meant stands in the path.
local KINDS = {
  moderations = { "lib.moderations", "/moderations" }, rerank = { "lib.rerank", "/rerank" },
  images = { "lib.images", "/images/generations", any = true },
  image_edits = { "lib.images", "/images/edits", any = true },
  image_variations = { "lib.images", "/images/variations", any = true },
  speech = { "lib.speech", "/audio/speech", any = true, bare = true },
  transcriptions = { "lib.transcripts", "/audio/transcriptions", any = true },
  translations = { "lib.transcripts", "/audio/translations", any = true },
  ocr = { "lib.ocr", "/ocr" },
  files = { "lib.stored", "/files", kept = true },
  batches = { "lib.stored", "/batches", kept = true },
  message_files = { "lib.stored", "/files", kept = true },
  message_batches = { "lib.stored", "/messages/batches", kept = true },
}

--- All names that an adapter's `beside` may have.
beside.names = {}
for name in pairs(KINDS) do beside.names[#beside.names + 1] = name end
table.sort(beside.names)

-- A face (lib/natives.lua) whose functions are a module's.
local function lazily(name, path)
  local kind = KINDS[name]
  local face = setmetatable({ path = path, dialect = name }, {
    __index = function(_, member) return require(kind[1])[member] end,
  })
  if kind.kept then
    face.path = function(_, call) return path .. require(kind[1]).place(call) end
  elseif kind.any then
    face.reads = function(upstream, reply) return beside.read(face, upstream, reply) end
  end
  return face
end

local function with_cost(face, name, cost)
  if KINDS[name].bare or KINDS[name].kept then return end
  local function decode(...) return require(KINDS[name][1]).decode(...) end
  face.decode = quirks.decode(decode, cost)
end

--- What an adapter's `beside` says: path by name.
function beside.paths(list)
  local out = {}
  for key, value in pairs(list or {}) do
    local name = type(key) == "number" and value or key
    if not KINDS[name] then error("nobody passes on " .. tostring(name), 0) end
    out[name] = name == value and KINDS[name][2] or value
  end
  return out
end

--- Add the faces of an adapter's `beside` to its natives. `cost` is where its answers say what
--- they cost.
function beside.add(natives, list, cost)
  for name, path in pairs(beside.paths(list)) do
    natives[name] = lazily(name, path)
    if cost then with_cost(natives[name], name, cost) end
  end
end

-- Requests -----------------------------------------------------------------------------------

--- A request's body as it came, but for the model's name.
function beside.encode(call, dep)
  local model, media = dep.deployment or dep.model, call.media
  local same = call.doc:get("model") == model
  if media and media.form then
    return same and media.form or media.form:splice(media.places.model, model)
  end
  return same and call.doc or call.doc:splice { model = model }
end

--- A form goes on with the boundary it came with.
function beside.add_headers(call, _, headers)
  if call.media and call.media.form then
    headers["content-type"] = call.request:header("content-type")
  end
end

-- Answers ------------------------------------------------------------------------------------

local function media_type(upstream)
  return (upstream:header("content-type") or ""):lower():match("^[^;%s]*")
end

local function document(upstream)
  local doc, err = upstream:document()
  return doc or error(fault.of(err), 0)
end

-- An answer by what it says it is: a document goes to the face's `decode`, where it has one,
-- events to `stream`, all else to `bytes`, with the words for its kind.
function beside.read(face, upstream, reply)
  local kind = media_type(upstream)
  if kind == "application/json" and face.decode then
    local doc = document(upstream)
    if reply.call.stream then
      reply:known { whole_instead = true }
      reply.done = true
    end
    return face.decode(doc, reply)
  end
  if kind == "text/event-stream" then return face.stream(upstream, reply) end
  if kind == "text/html" then
    fault.raise("invalid_response", "The provider answered with a page.")
  end
  return face.bytes(upstream, reply, upstream:header("content-type"))
end

--- Bytes that pass as they come.
function beside.relay(upstream, reply, content_type)
  reply:known { content_type = content_type }
  for bytes in upstream:chunks() do reply:pass(bytes, true, #bytes) end
  reply.done = true
end

return beside
