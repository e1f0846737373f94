-- OpenAI's moderations as clients send them: a text, several, or parts with images.

local beside = require "dialects.beside"

local function read(call)
  beside.model(call, "input")
  beside.needs(call.doc, "input", "a text, or a list of texts or parts", "string", "array",
    "object")
end

return beside.door {
  name = "moderations", makes = "makes no moderations", read = read, plain = "input",
}
