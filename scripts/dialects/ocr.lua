-- Documents whose pages are to be read, as Mistral's clients send them.

local beside = require "dialects.beside"

local PAGES_MOST = 1000 -- that a document may have there

local function read(call)
  local doc = call.doc
  beside.model(call, "document", "pages")
  beside.needs(doc, "document", "an object", "object")
  local pages = doc:get("pages")
  local n = doc:at("document.type") == "image_url" and 1 or PAGES_MOST
  if type(pages) == "table" and #pages > 0 then n = math.min(#pages, n) end
  call.media = { input = 0, by = { page = n } }
end

return beside.door { name = "ocr", makes = "reads no pages", read = read, plain = "document" }
