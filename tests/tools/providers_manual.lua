-- docs/providers.md: what the providers on the generic base do otherwise, from their own files,
-- so that nobody has to keep it by hand.

local beside = require "lib.beside"
local routes_manual = require "tools.manual"

local manual = {}

local HEAD = [[
# Providers that speak OpenAI's dialect

Made by `make golden` from `providers/*.lua`; a fact's source stands there beside it. Between an
OpenAI client and these providers all bytes pass but those named here. What is *renamed* keeps
its value; what is *left out* is refused there, is a hint that the answer can do without, and is
named to the client in `x-moongate-dropped`. `model`, the deployment's `max_tokens` and the wish
for a stream's usage (`stream_options.include_usage`) are spliced everywhere. *Cost* is where an
answer says its own, or the section of the price table ([prices.md](prices.md)).]]

local OWN = [[
## An adapter of your own

A file in the folder that `--providers` names, called as its provider is: `acme.lua` for
`provider "acme"` ([an example](../tests/examples/providers/acme.lua)). It returns
`chat.adapter { … }` of `lib.chat`, which speaks OpenAI's dialect where nothing is said, or what
another adapter becomes by `:with { … }`. A member that is not in these tables is an error of
`moongate check`, and of a reload, with the nearest name that there is; one that begins with `_`
is the file's own.]]

local TABLES = {
  { "Adapter", "" }, { "AdapterField", "An entry of `fields` and `deployment_fields`:" },
  { "Quirks", "`quirks`:" },
}

local TAIL = [[
Vertex, Azure, Bedrock, access tokens: [clouds.md](clouds.md). Cohere: [cohere.md](cohere.md).

A provider that is not here: `provider "openai_compatible" { name = …, base_url = … }`, or a
file of ten lines ([CONTRIBUTING](../CONTRIBUTING.md)).]]

local function sorted(set)
  local out = {}
  for name in pairs(set or {}) do out[#out + 1] = name end
  table.sort(out)
  return out
end

local function code(names)
  local out = {}
  for i, name in ipairs(names) do out[i] = ("`%s`"):format(name) end
  return table.concat(out, " ")
end

local function renamed(out, names, where)
  for _, from in ipairs(sorted(names)) do
    if names[from] then
      out[#out + 1] = ("`%s%s` → `%s`"):format(where, from, names[from])
    end
  end
end

-- What happens to a request, in three lists of words.
local function changes(quirks)
  local to, left, more = {}, {}, {}
  renamed(to, quirks.rename or {}, "")
  renamed(to, quirks.roles or {}, "role ")
  renamed(to, quirks.message or {}, "messages.")
  for _, name in ipairs(quirks.drop or {}) do left[#left + 1] = name end
  for _, name in ipairs(sorted(quirks.message)) do
    if not quirks.message[name] then left[#left + 1] = "messages." .. name end
  end
  if quirks.call_ids then
    more[#more + 1] = ("other ids of tool calls become %d letters and digits"):format(
      quirks.call_ids)
  end
  if quirks.stream_options == "refused" then
    more[#more + 1] = "counts come unasked; `stream_options` is not passed"
  elseif quirks.stream_options then
    more[#more + 1] = "counts come unasked; nobody asks"
  end
  return table.concat(to, ", "), code(left), table.concat(more, "; ")
end

-- What a server is asked for, in the order of the columns; how each is called in `natives`.
local ASKED = {
  { "Responses", "responses" }, { "Messages", "anthropic" }, { "generateContent", "gemini" },
  { "embeddings", "embeddings" }, { "completions", "completions" },
}
for _, name in ipairs(beside.names) do ASKED[#ASKED + 1] = { name, name } end

-- Some serve a thing to those deployments only that say so, or that their adapter picks.
local function mark(face)
  if not face then return "" end
  return type(rawget(face, "speaks")) == "function" and "(✓)" or "✓"
end

local function columns()
  local names = {}
  for i, one in ipairs(ASKED) do names[i] = one[1] end
  return names
end

local function able(name, adapter)
  local cells = {}
  for i, one in ipairs(ASKED) do cells[i] = mark(adapter.natives[one[2]]) end
  if cells[1] ~= "" and adapter.forgets then cells[1] = cells[1] .. " keeps none" end
  return ("| `%s` | %s |"):format(name, table.concat(cells, " | "))
end

local function row(name, adapter)
  local quirks = adapter.quirks or {}
  local to, left, more = changes(quirks)
  local cost = quirks.cost and ("reported: `%s`"):format(quirks.cost.at)
    or ("`[%s]`"):format(adapter.prices or name)
  local ended = adapter.ended and (", until %s"):format(adapter.ended) or ""
  return ("| `%s` | `%s%s`%s | %s | %s | %s | %s |"):format(name,
    adapter.template or adapter.base_url, adapter.path, ended, to, left, more, cost)
end

local WHAT = [[
## What else they serve

Chats all of them do. Clients of Responses and of Messages pass to who speaks them as they came,
and are translated elsewhere; `(✓)` holds for some deployments: those of an `openai_compatible`
provider that says `responses = true` or `messages = true`, `azure`'s newer api-versions. A
deployment says `api = "chat"` to be asked for a chat all the same, or `api = "responses"` to
answer chats by Responses. *Keeps none*: it cannot go on from a `previous_response_id`.]]

local function list(names, adapter_of)
  local head = columns()
  local rows = {
    ("| provider | %s |"):format(table.concat(head, " | ")),
    ("|---|%s"):format(("---|"):rep(#head)),
  }
  for _, name in ipairs(names) do rows[#rows + 1] = able(name, adapter_of(name)) end
  return table.concat(rows, "\n")
end

-- What a file may return, from what editors are told of it.
local function own()
  local file = assert(io.open("scripts/meta/adapter.lua", "rb"))
  local classes = routes_manual.read(file:read "*a").classes
  file:close()
  local out = { OWN }
  for _, one in ipairs(TABLES) do
    if one[2] ~= "" then out[#out + 1] = one[2] end
    out[#out + 1] = routes_manual.fields(classes[one[1]])
  end
  return table.concat(out, "\n\n")
end

--- The manual's text, given the names of the providers on the generic base, those of all, and
--- what their files return.
function manual.write(names, all, adapter_of)
  local rows = {
    "| provider | where | renamed | left out | else | cost |",
    "|---|---|---|---|---|---|",
  }
  for _, name in ipairs(names) do rows[#rows + 1] = row(name, adapter_of(name)) end
  return table.concat({
    HEAD, table.concat(rows, "\n"), WHAT, list(all, adapter_of), own(), TAIL,
  }, "\n\n") .. "\n"
end

return manual
