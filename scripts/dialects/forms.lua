-- Forms (multipart/form-data) as the gateway reads them: the plain fields that a door relies
-- on become the call's document, and the form's bytes go on as they came.
--
-- A door says which fields it reads, and what they are:
--   form = { model = "string", n = "number" }

local checks = require "dialects.checks"
local fault = require "lib.fault"
local json = require "engine.json"

local forms = {}

local VALUE_MOST = 256 * 1024 -- bytes of a field that is read

local refuse = checks.openais

local READ = {}

-- What is no UTF-8 would be written as something else.
function READ.string(text)
  return json.decode(json.encode { text })[1] == text and text or nil
end

function READ.number(text)
  return text:find("^%d%d?%d?%d?%d?%d?$") and tonumber(text) or nil
end

function READ.boolean(text)
  if text == "true" or text == "True" then return true end
  if text == "false" or text == "False" then return false end
  return nil
end

-- Which of the fields a part's name may be taken for by somebody: "Model", "model[]", " model".
local function alike(name, kinds)
  local plain = name:lower():match("^%s*([^%[%s]*)")
  return kinds[plain] and plain ~= name and plain or nil
end

-- A field is text in UTF-8 without a file's name, or who reads it decides what it says.
local function check_plain(part)
  if part.filename then refuse("invalid_type", part.name, "must not be a file") end
  if part.size > VALUE_MOST then refuse("invalid_value", part.name, "is too long") end
  local kind = (part.type or "text/plain"):lower()
  local charset = kind:match("charset%s*=%s*\"?([^\";%s]+)") or "utf-8"
  local is_text = kind:find("^text/plain%f[;%z%s]") ~= nil
  if is_text and (charset == "utf-8" or charset == "us-ascii") then return end
  refuse("invalid_type", part.name, "must be plain text in UTF-8")
end

local function value_of(form, i, part, kind)
  check_plain(part)
  local value = READ[kind](form:text(i))
  if value == nil then refuse("invalid_type", part.name, "must be a " .. kind) end
  return value
end

-- The fields that are read, by name; where each stands; the parts.
local function fields_of(form, kinds)
  local fields, places, parts = {}, {}, form:parts()
  for i, part in ipairs(parts) do
    local name = part.name
    local other = alike(name, kinds)
    if other then refuse("invalid_value", other, "must be written just so") end
    if name == "_charset_" then refuse("invalid_value", name, "is not understood") end
    if kinds[name] then
      if places[name] then
        refuse("duplicate_parameter", name, "came more than once")
      end
      fields[name], places[name] = value_of(form, i, part, kinds[name]), i
    end
  end
  return fields, places, parts
end

--- Read a call's body as a form: call.doc has its fields, call.media the form, its parts and
--- where each field stands. **waits**
function forms.read(call, kinds)
  if call.request:header_count("content-type") > 1 then
    fault.raise("invalid_header", "The content-type header came more than once.")
  end
  local form, err = call.request:form()
  if not form then error(fault.of(err), 0) end
  local fields, places, parts = fields_of(form, kinds)
  local doc, why = json.index(json.encode(fields))
  if not doc then error(fault.of(why), 0) end
  call.doc, call.media = doc, { form = form, places = places, parts = parts }
end

return forms
