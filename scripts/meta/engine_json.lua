---@meta
-- engine.json: other people's JSON, with its order, its digits and its empties kept.

---@class json
---@field null lightuserdata    JSON's null; compare with ==
---@field remove lightuserdata  in splice(): take the member out
local json = {}

---@class DecodeOptions
---@field raw? table<string, true>  members with these names come as raw slices
---@field ordered? boolean          objects remember their order for encode()

---@class JsonError
---@field code string
---@field message string
---@field param string?

---Arrays carry a mark, so that [] stays []; numbers that a double cannot carry stay as written.
---@param text string
---@param options? DecodeOptions
---@return any value, JsonError? err
function json.decode(text, options) end

---Keys in json.object's order, else as remembered, else sorted: never another order twice.
---@param value any
---@return string
function json.encode(value) end

---Check and index the bytes of one JSON object, without decoding it.
---@param text string
---@return Document?, JsonError?
function json.index(text) end

---Mark a table as an array.
---@generic T: table
---@param t T
---@return T
function json.array(t) end

---@param value any
---@return boolean
function json.is_array(value) end

---A table whose members are encoded in this order, the rest sorted behind.
---@generic T: table
---@param keys string[]
---@param t T
---@return T
function json.object(keys, t) end

---A value that is encoded as this text.
---@param text string
---@return userdata
function json.raw(text) end

---@param value any
---@return boolean
function json.is_raw(value) end

---The JSON text of a raw slice, or of any value.
---@param value any
---@return string
function json.text(value) end

---An indexed JSON object; the engine owns its bytes. #doc is their length.
---@class Document
local Document = {}

---A member, decoded; json.null for null, nil where it is absent.
---@param key string
---@return any
function Document:get(key) end

---@param key string
---@return "string"|"number"|"boolean"|"null"|"object"|"array"|nil
function Document:type(key) end

---A member's JSON text.
---@param key string
---@return string?
function Document:raw(key) end

---A number's digits as written.
---@param key string
---@return string?
function Document:number_text(key) end

---@param options? DecodeOptions
---@return table
function Document:decode(options) end

---@return string
function Document:bytes() end

---What stands at each path, without the tables on the way: names joined by dots, `0` for the first
---element of an array. `local n, why = doc:at("usage.total_tokens", "choices.0.finish_reason")`
---@param ... string
---@return any ...  as get() gives it; nil where there is nothing
function Document:at(...) end

---Is this member [] or {}?
---@param name string
---@return boolean?  nil: neither an array nor an object
function Document:is_empty(name) end

---The first of these names (small letters) that a member has but for the case of its letters:
---servers there are that take it for the same member.
---@param ... string
---@return string?
function Document:alike(...) end

---A new document with some members changed; all other bytes stay as they are. A path of two
---names edits inside a member.
---```lua
---doc:splice { model = "gpt-4o", ["stream_options.include_usage"] = true, seed = json.remove }
---```
---@param edits table<string, any>
---@return Document
function Document:splice(edits) end

-- engine.form --------------------------------------------------------------------------------

---A multipart/form-data; the engine owns its bytes. #form is their length.
---@class Form
local Form = {}

---The parts in order; `filename` and `type` as they were said, or absent.
---@return { name: string, filename: string?, type: string?, size: integer }[]
function Form:parts() end

---A part's content, or its first bytes.
---@param i integer
---@param most? integer
---@return string
function Form:text(i, most) end

---The same form with the content of one part replaced; all other bytes stay as they are.
---@param i integer
---@param text string
---@return Form
function Form:splice(i, text) end

---@return string
function Form:bytes() end

---@class form
local form = {}

---@param content_type string
---@param bytes string
---@return Form? form, string? why  what is wrong with it
function form.read(content_type, bytes) end

return { json = json, Document = Document, form = form, Form = Form }
