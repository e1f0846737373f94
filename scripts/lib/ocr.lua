-- Pages read, passed on as they came: Mistral's shape.

local beside = require "lib.beside"
local used = require "lib.used"
local whole = require "lib.whole"

local ocr = { encode = beside.encode }

--- A whole answer: the only kind there is.
function ocr.decode(doc, reply)
  local pages = doc:at("usage_info.pages_processed")
  whole.pass(doc, reply, "pages", "array",
    used.of(doc, type(pages) == "number" and { page = pages } or nil))
end

return ocr
