-- Files and batches as clients ask for them: OpenAI's, and Anthropic's own. No body names a
-- model here; pipeline/store.lua says whose account has what.

local beside = require "dialects.beside"
local fault = require "lib.fault"
local stored_lib = require "lib.stored"
local tickets = require "lib.tickets"
local words = require "dialects.anthropic_writer"

local stored = {}

local FORM = { purpose = "string" }

local function absent() fault.raise("absent") end

-- The id in the path, as it was given; what is none of ours is not there.
local function ticket_of(call)
  local text = call.media.said
  if not text then return nil end
  return tickets.read(text) or absent()
end

-- What is asked of `call`, by its endpoint and path.
local function read(call)
  local parts = call.media -- of a form
  local asked = parts or {}
  asked.op, asked.said = call.endpoint.op, call.verb or nil
  asked.input, asked.by, asked.free = 0, {}, true
  call.media, call.output_limit = asked, 0
  call.doc = call.doc or stored_lib.nothing()
  call.stream = asked.op == "content" or asked.op == "results"
  if asked.op == "list" then
    fault.raise("bad_request", "Lists are not offered: teams share a provider's account. Keep "
      .. "the ids of what you made.", { code = "unsupported_endpoint" })
  end
  asked.ticket = ticket_of(call)
end

local function read_batch(call)
  read(call)
  if call.media.op ~= "create" then return end
  beside.needs(call.doc, "input_file_id", "the id of a file", "string")
  call.media.ticket = tickets.read(call.doc:get("input_file_id")) or absent()
end

local function read_messages(call)
  read(call)
  if call.media.op == "create" then
    beside.needs(call.doc, "requests", "a list of requests", "array")
  end
end

local function tail() return "" end

local function broken() return "" end

local function anthropics(door)
  door.writer = setmetatable({ stream_error = broken, tail = tail }, { __index = words })
  door.speaks_anthropic = true
  door = beside.door(door)
  door.writer.error = words.error
  return door
end

stored.files = beside.door {
  name = "files", makes = "keeps no files", read = read, form = FORM,
  writer = { stream_error = broken, tail = tail },
}
stored.batches = beside.door {
  name = "batches", makes = "runs no batches", read = read_batch, bills = true, runs = true,
}
stored.message_files = anthropics {
  name = "message_files", makes = "keeps no files", read = read, form = FORM,
}
stored.message_batches = anthropics {
  name = "message_batches", makes = "runs no batches", read = read_messages, runs = true,
  lists_models = true,
}

return stored
