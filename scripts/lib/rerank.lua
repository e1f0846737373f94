-- Documents put in order, passed on as it came: Cohere's shape and its like (Jina, OpenRouter,
-- vLLM) with `results`, Voyage's with `data`.

local beside = require "lib.beside"
local used = require "lib.used"
local whole = require "lib.whole"

local rerank = { encode = beside.encode }

-- Searches as Cohere counts them: it bills by them.
local function searches(doc)
  local units, others = doc:at("meta.billed_units.search_units", "usage.search_units")
  units = units or others
  return type(units) == "number" and { query = units } or nil
end

--- A whole answer: the only kind there is.
function rerank.decode(doc, reply)
  local usage = used.of(doc, searches(doc))
  usage.output_tokens = usage.output_tokens or 0
  whole.pass(doc, reply, doc:type("data") == "array" and "data" or "results", "array", usage)
end

return rerank
