-- Moderations passed on as they came: the body's bytes but for the model's name, the answer's
-- bytes. Most say no counts: then what was read is counted here.

local beside = require "lib.beside"
local used = require "lib.used"
local whole = require "lib.whole"

local moderations = { encode = beside.encode }

--- A whole answer: the only kind there is.
function moderations.decode(doc, reply)
  local usage = used.of(doc)
  usage.output_tokens = usage.output_tokens or 0
  whole.pass(doc, reply, "results", "array", usage)
end

return moderations
