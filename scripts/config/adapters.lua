-- What an adapter's file may hold: its members, and of which kind each is, so that a misspelt
-- one is found when the file is loaded, not missed when its provider is asked.
-- scripts/meta/adapter.lua says the same to editors and to the manual; a test keeps the two
-- equal.

local nearest = require "lib.nearest"
local schema = require "config.schema"

local adapters = {}

-- Kinds: what type() may say of a value.
local CODE, LIST = { ["function"] = true }, { table = true }
local TEXT, FLAG, NUMBER = { string = true }, { boolean = true }, { number = true }
local PLACE = { string = true, ["function"] = true }
local BESIDE = { string = true, ["function"] = true, boolean = true } -- false: has it not
local TONGUE = { string = true, ["function"] = true, boolean = true, table = true }

--- Kind by member, of an adapter as a file returns it.
adapters.members = {
  base_url = PLACE, path = PLACE, headers = CODE, encode = CODE, decode = CODE, stream = CODE,
  classify = CODE, sign = CODE, answer = CODE, fields = LIST, needs = LIST, problem = CODE,
  deployment_fields = LIST, keeps = LIST, quirks = LIST, natives = LIST, families = LIST,
  beside = LIST, embeddings = BESIDE, completions = BESIDE, responses = TONGUE,
  messages = TONGUE, responses_only = LIST, forgets = FLAG, add_headers = CODE, owns = CODE,
  max_tokens_name = TEXT, prices = TEXT, ended = TEXT, sees_base = FLAG,
}

--- Of its `quirks`: lib/quirks.lua has their meaning.
adapters.quirks = {
  rename = LIST, drop = LIST, stream_options = TEXT, roles = LIST, message = LIST,
  call_ids = NUMBER, cost = LIST,
}

--- Of each entry of its `fields` and `deployment_fields`.
adapters.field = { type = TEXT, required = FLAG, one_of = LIST, secret = FLAG }

-- What lib/chat.lua adds to the adapters that it makes.
local MADE = { dialect = TEXT, template = TEXT }

-- In the order they are missed in, unless the adapter answers by itself.
local NEEDED = { "encode", "decode", "stream" }

local function names_of(known)
  local out = {}
  for name in pairs(known) do out[#out + 1] = name end
  return out
end

-- What is wrong in `values` by the kinds that are known, in the order of its names; `at` is how
-- a member of it is called. Names that begin with _ are the file's own.
local function strangers(out, values, known, at)
  local names = {}
  for name in pairs(values) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for _, name in ipairs(names) do
    local kinds = known[name] or MADE[name]
    if kinds and not kinds[type(values[name])] then
      out[#out + 1] = ("its %s%s is a %s"):format(at, name, type(values[name]))
    elseif not kinds and name:sub(1, 1) ~= "_" then
      out[#out + 1] = ('it has an unknown member "%s%s"%s'):format(at, name,
        nearest.hint(name, names_of(known)))
    end
  end
end

-- { host = { type = "string" } }
local function fields(out, values, at)
  local names = names_of(values)
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    local field, place = values[name], ("%s.%s"):format(at, tostring(name))
    if type(field) ~= "table" then
      out[#out + 1] = ("its %s is a %s"):format(place, type(field))
    else
      strangers(out, field, adapters.field, place .. ".")
      local kind = field.type
      if type(kind) == "string" and not schema.types[kind] then
        out[#out + 1] = ('its %s.type is "%s", which is no type%s'):format(place, kind,
          nearest.hint(kind, names_of(schema.types)))
      end
    end
  end
end

local function missing(out, module)
  for _, name in ipairs(NEEDED) do
    if module[name] == nil and not module.answer then
      out[#out + 1] = ("it has no %s; does it return chat.adapter { … }?"):format(name)
      return
    end
  end
end

--- What is wrong with what an adapter's file returned, all of it; nil where it is an adapter.
function adapters.problem(module)
  if type(module) ~= "table" then return "it returns no adapter" end
  local out = {}
  strangers(out, module, adapters.members, "")
  missing(out, module)
  if type(module.quirks) == "table" then
    strangers(out, module.quirks, adapters.quirks, "quirks.")
  end
  for _, name in ipairs { "fields", "deployment_fields" } do
    if type(module[name]) == "table" then fields(out, module[name], name) end
  end
  return out[1] and table.concat(out, "; ") or nil
end

return adapters
