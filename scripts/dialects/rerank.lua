-- A query and documents to put in order, as Cohere's, Jina's and Voyage's clients send them.

local beside = require "dialects.beside"

local DOCUMENTS_A_SEARCH = 100 -- Cohere's search unit; longer documents count in pieces …
local BYTES_A_PIECE = 250      -- … of 500 tokens, the query among them

-- What it may come to: some read the query again with each document, and Cohere counts.
local function measure(call, documents)
  local bytes = #call.doc
  call.media = {
    input = bytes + #(call.doc:raw("query") or "") * documents, by = {
      query = math.ceil((documents + bytes / BYTES_A_PIECE) / DOCUMENTS_A_SEARCH),
    },
  }
end

local function read(call)
  local doc = call.doc
  beside.model(call, "query", "documents")
  beside.needs(doc, "query", "a text", "string", "object", "array")
  beside.needs(doc, "documents", "a list of texts or objects", "array", "object")
  if doc:is_empty("documents") then
    beside.refuse("invalid_value", "documents", "must not be empty")
  end
  local documents = doc:get("documents")
  measure(call, documents[1] and #documents or 1)
end

return beside.door {
  name = "rerank", makes = "puts no documents in order", read = read, plain = "documents",
}
