-- The registry as an OpenAPI 3.1 description. docs/admin-openapi.json is this, printed; a test
-- fails when it is stale.

local formats = require "pipeline.admin.formats"
local json = require "engine.json"

local openapi = {}

local HEAD = { "openapi", "info", "servers", "security", "paths", "components" }
local OPERATION = {
  "operationId", "summary", "x-who", "security", "parameters", "requestBody", "responses",
}
local SCHEMA = {
  "title", "description", "type", "enum", "pattern", "minLength", "maxLength", "minimum",
  "maximum", "required", "properties", "propertyNames", "additionalProperties", "items",
}
local ABOUT = "Keys, teams, budgets and usage of a running moongate, on its admin listener: "
  .. "a Unix socket or a loopback address, and elsewhere with a token. Bodies are checked "
  .. "whole before anything is done: an unknown, repeated or wrong field is a 400 that names "
  .. "it (`error.param`), and nothing has changed. Money in and out is exact decimal text. "
  .. "x-who says who may: open (whoever reaches the listener), scrape (the same on this "
  .. "machine, elsewhere with the token), team (the operator, and a team_admin key within its "
  .. "team), operator."

-- Schemas ----------------------------------------------------------------------------------

local printed -- of any schema; calls itself for what is inside

local function printed_list(list, parts)
  local out = json.array {}
  for i, schema in ipairs(list) do out[i] = printed(schema, parts) end
  return out
end

local function properties(schema, parts)
  local out = {}
  for name, inner in pairs(schema.properties) do out[name] = printed(inner, parts) end
  return json.object({}, out)
end

-- Our formats are words of ours: elsewhere their patterns say the same.
local function names_schema(schema)
  local format = formats[schema.propertyNames.format]
  return { type = "string", pattern = format.pattern, maxLength = format.most }
end

local function marked(value)
  return type(value) == "table" and json.array { unpack(value) } or value
end

local function plain(schema, parts)
  local out = {}
  for _, name in ipairs(SCHEMA) do out[name] = marked(schema[name]) end
  local format = formats[schema.format]
  if format then out.pattern, out.maxLength = format.pattern, format.most end
  if schema.properties then out.properties = properties(schema, parts) end
  if schema.propertyNames then out.propertyNames = names_schema(schema) end
  if schema.items then out.items = printed(schema.items, parts) end
  if schema.anyOf then out.anyOf = printed_list(schema.anyOf, parts) end
  out.minItems, out.maxItems = schema.minItems, schema.maxItems
  out.maxProperties = schema.maxProperties
  if type(schema.additionalProperties) == "table" then
    out.additionalProperties = printed(schema.additionalProperties, parts)
  end
  return json.object(SCHEMA, out)
end

-- What has a title stands once, under components.
function printed(schema, parts)
  if not schema.title then return plain(schema, parts) end
  if not parts[schema.title] then
    parts[schema.title] = true -- while it is printed
    parts[schema.title] = plain(schema, parts)
  end
  return { ["$ref"] = "#/components/schemas/" .. schema.title }
end

-- Operations -------------------------------------------------------------------------------

local PARAMETER = { "name", "in", "required", "description", "schema" }

local function parameter(name, where, schema, needed, parts)
  return json.object(PARAMETER, {
    name = name, ["in"] = where, required = needed, schema = printed(schema, parts),
    description = schema.description,
  })
end

local PATHS = {
  id = { type = "string", pattern = formats.id.pattern, maxLength = formats.id.most },
  team = { type = "string", pattern = formats.name.pattern, maxLength = formats.name.most },
}

local function is_needed(op, name)
  for _, needed in ipairs(op.needs or {}) do
    if needed == name then return true end
  end
  return false
end

local function parameters(op, parts)
  local out, names = json.array {}, {}
  for name in op.path:gmatch("{(%w+)}") do
    out[#out + 1] = parameter(name, "path", PATHS[name], true, parts)
  end
  for name in pairs(op.query or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    out[#out + 1] = parameter(name, "query", op.query[name], is_needed(op, name), parts)
  end
  return #out > 0 and out or nil
end

local function content(schema)
  return { ["application/json"] = { schema = schema } }
end

local function responses(op, parts)
  local success = { description = "Done" }
  if op.media then
    success.content = { ["text/plain"] = { schema = { type = "string" } } }
  else
    success.content = content(printed(op.answer, parts))
  end
  return json.object({}, {
    [tostring(op.status)] = success, default = { ["$ref"] = "#/components/responses/Error" },
  })
end

local function described(op, parts)
  local body = op.body and json.object({ "required", "content" }, {
    required = not op.may_lack_body, content = content(printed(op.body, parts)),
  })
  return json.object(OPERATION, {
    operationId = op.id, summary = op.says, ["x-who"] = op.who,
    security = op.who == "open" and json.array {} or nil, parameters = parameters(op, parts),
    requestBody = body or nil, responses = responses(op, parts),
  })
end

local function paths_of(list, parts)
  local order, paths = {}, {}
  for _, op in ipairs(list) do
    if not paths[op.path] then
      order[#order + 1] = op.path
      paths[op.path] = {}
    end
    paths[op.path][op.method:lower()] = described(op, parts)
  end
  return json.object(order, paths)
end

--- The description, as a table to encode. `failure` is the schema of errors.
function openapi.of(list, failure)
  local parts = {}
  local paths = paths_of(list, parts)
  local broken = { description = "Refused; nothing was changed",
    content = content(printed(failure, parts)) }
  return json.object(HEAD, {
    openapi = "3.1.0",
    info = json.object({ "title", "version", "description" }, {
      title = "moongate admin", version = "1", description = ABOUT,
    }),
    servers = json.array { { url = "http://127.0.0.1:4001" } },
    security = json.array { { token = json.array {} }, json.object({}, {}) },
    paths = paths,
    components = json.object({ "securitySchemes", "responses", "schemas" }, {
      securitySchemes = { token = { type = "http", scheme = "bearer",
        description = "the admin token, or a team_admin key" } },
      responses = { Error = broken }, schemas = json.object({}, parts),
    }),
  })
end

return openapi
