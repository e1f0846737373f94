-- What providers keep for a client, passed on: files and batches, OpenAI's and Anthropic's.
-- Bodies and answers go as they came but for ids, which are the client's on one side and the
-- provider's on the other (lib/tickets.lua). `call.media` says what is asked: { op, id }.

local beside = require "lib.beside"
local chat_errors = require "lib.chat_errors"
local fault = require "lib.fault"
local json = require "engine.json"
local kept_bill = require "lib.kept_bill"
local tickets = require "lib.tickets"
local used = require "lib.used"
local values = require "lib.values"

local stored = { keeps_ids = true }

local text_of = values.text

-- Requests -----------------------------------------------------------------------------------

local METHODS = { create = "POST", cancel = "POST", delete = "DELETE" }
local BEHIND = { content = "/content", results = "/results", cancel = "/cancel" }

function stored.method(call) return METHODS[call.media.op] or "GET" end

--- Behind the path of a noun ("/files"): which of them, and what of it.
function stored.place(call)
  local asked = call.media
  return (asked.id and "/" .. asked.id or "") .. (BEHIND[asked.op] or "")
end

--- The body as it came, but for the id of the file that a batch is made of; none where nothing
--- is said.
function stored.encode(call)
  local asked = call.media
  if asked.op ~= "create" then return nil end
  if asked.form then return asked.form end
  if not asked.input_file then return call.doc end
  return call.doc:splice { input_file_id = asked.input_file }
end

function stored.add_headers(call, dep, headers)
  beside.add_headers(call, dep, headers)
  if call.door.speaks_anthropic then
    local beta = headers["anthropic-beta"]
    for name, value in pairs(call.request:headers_with("anthropic-")) do
      headers[name] = name == "anthropic-beta" and beta and value .. "," .. beta or value
    end
  end
end

-- Answers ------------------------------------------------------------------------------------

local IDS = { "id", "input_file_id", "output_file_id", "error_file_id" }

-- The answer in the client's ids. Anthropic names a place by a whole URL, which its clients
-- follow: here it is one of ours.
local function translated(doc, call)
  local provider, edits = call.dep.provider.name, {}
  local owner = tickets.owner(call.key)
  for _, name in ipairs(IDS) do
    local id = doc:get(name)
    if type(id) == "string" and id ~= "" then
      edits[name] = tickets.mint(provider, owner, id)
    end
  end
  if type(doc:get("results_url")) == "string" and edits.id then
    edits.results_url = "/v1/messages/batches/" .. edits.id .. "/results"
  end
  return next(edits) and doc:splice(edits) or doc
end

local ENDED = { completed = true, expired = true, cancelled = true, failed = true }

-- A batch that ended says what it used.
local function bill(doc, call, reply)
  local status, id, model = doc:at("status", "id", "model")
  if not ENDED[status] or doc:type("usage") ~= "object" then return end
  local usage = used.tokens(doc:get("usage"))
  if (usage.input_tokens or 0) + (usage.output_tokens or 0) == 0 then return end
  local sum = kept_bill.new(call)
  sum:add(model, usage)
  sum:claim(reply, id)
end

--- A whole answer.
function stored.decode(doc, reply)
  local call = reply.call
  if doc:type("error") == "object" or doc:get("type") == "error" then
    chat_errors.raise(doc:decode())
  end
  local id = text_of(doc:get("id"))
  if not id then fault.raise("invalid_response", "The provider's answer has no `id`.") end
  reply:usage { input_tokens = 0, output_tokens = 0 }
  if call.door.bills then bill(doc, call, reply) end
  reply:ready_as(translated(doc, call), { id = id })
end

-- What came of a batch, line by line as it came; each says what it used.
local function results(upstream, reply, content_type)
  local sum = kept_bill.new(reply.call)
  reply:known { content_type = content_type }
  for line, bytes in upstream:jsonl() do
    sum:add_line(line)
    reply:pass(bytes, true, #bytes)
  end
  reply.done = true
  sum:claim(reply, reply.call.media.id)
end

--- What is in a file, and what came of a batch, pass as they come.
function stored.reads(upstream, reply)
  if reply.call.stream then
    local kind = upstream:header("content-type") or "application/octet-stream"
    reply:usage { input_tokens = 0, output_tokens = 0 }
    local pass = reply.call.media.op == "results" and results or beside.relay
    return pass(upstream, reply, kind)
  end
  local doc, err = upstream:document()
  return stored.decode(doc or error(fault.of(err), 0), reply)
end

--- A provider's 404 is the client's: what it names is not there.
function stored.absent()
  return fault.new("absent")
end

--- For bodies that are read without a document.
function stored.nothing() return assert(json.index "{}") end

return stored
