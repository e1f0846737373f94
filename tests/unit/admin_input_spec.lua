-- Bad input to the admin API, made from the registry's own schemas: every field of every body
-- and query wrong in each way. A 400 that names the field, and nothing changed.

require "engine"
local admin_world = require "unit.admin_world"
local json = require "engine.json"

local function registry()
  return require("pipeline.admin.registry").list()
end

local KINDS = { string = "x", integer = 5, number = 5, boolean = true, array = {}, object = {} }

-- The types a schema takes, its choices' included.
local function types_of(schema, out)
  out = out or {}
  for _, choice in ipairs(schema.anyOf or {}) do types_of(choice, out) end
  local kinds = type(schema.type) == "table" and schema.type or { schema.type }
  for _, kind in ipairs(kinds) do out[kind] = true end
  return out
end

-- The schema of one type among its choices.
local function of_type(schema, kind)
  for _, choice in ipairs(schema.anyOf or {}) do
    if choice.type == kind then return choice end
  end
  return types_of(schema)[kind] and not schema.anyOf and schema or nil
end

local quote = function(text) return json.encode(text) end

local NASTY = {
  "x'; DROP TABLE keys; --", 'x" OR 1=1 --', "a\0b", "a\nb", "a\27[31mb", "a\127", "%", "",
  ("a"):rep(300), ("a"):rep(2 ^ 20), "x\226\128\168y", "../../etc/passwd", "<script>",
}
local NASTY_FREE = {
  "a\0b", "a\nb", "a\27[31mb", "a\127", "", ("a"):rep(300), ("a"):rep(2 ^ 20),
}

local function text_cases(schema, add)
  for _, text in ipairs(schema.format == "text" and NASTY_FREE or NASTY) do add(quote(text)) end
  if schema.enum then add(quote(schema.enum[1] .. "x")) end
end

local function number_cases(schema, add)
  add "-1"
  add "-0.5"
  add "1e300"
  add "-1e300"
  add "99999999999999999999999"
  add(("%.0f"):format(schema.maximum + 1))
  if schema.type ~= "number" and not (type(schema.type) == "table"
    and schema.type[1] == "number") then
    add "1.5"
    add "9007199254740993.5"
    if schema.minimum > 0 then add "0" end
  end
end

local cases_of -- of any schema

local function array_cases(schema, add)
  if schema.minItems and schema.minItems > 0 then add "[]" end
  local items, good = {}, schema.items.format == "budget" and '"$1/day"' or '"a"'
  for i = 1, schema.maxItems + 1 do items[i] = good end
  add("[" .. table.concat(items, ",") .. "]")
  cases_of(schema.items, function(value) add("[" .. value .. "]") end)
end

local function map_cases(schema, add)
  local items = {}
  for i = 1, schema.maxProperties + 1 do items[i] = ('"n%d":"a"'):format(i) end
  add("{" .. table.concat(items, ",") .. "}")
  add '{"a":"1","a":"2"}'
  cases_of(schema.additionalProperties, function(value) add('{"a":' .. value .. "}") end)
  for _, name in ipairs { "", "a b", "x'; --", "team", ("a"):rep(65), "a\nb" } do
    add("{" .. quote(name) .. ':"a"}')
  end
end

-- JSON texts that the schema must refuse.
function cases_of(schema, add)
  local taken = types_of(schema)
  for kind, value in pairs(KINDS) do
    local fits = taken[kind] or (kind == "integer" and taken.number)
      or (kind == "number" and taken.integer)
    if not fits then
      add(kind == "array" and "[]" or kind == "object" and "{}" or json.encode(value))
    end
  end
  if not taken.null then add "null" end
  local text = of_type(schema, "string")
  if text then text_cases(text, add) end
  if taken.integer or taken.number then number_cases(schema, add) end
  local list, map = of_type(schema, "array"), of_type(schema, "object")
  if list then array_cases(list, add) end
  if map and map.additionalProperties then map_cases(map, add) end
end

-- Text that a field takes, so that one other field alone is wrong.
local GOOD = {
  name = '"n"', key = '"k3vq7m2xw4ta"', keys = '["k3vq7m2xw4ta"]', team_id = '"t"',
}

local function body_with(op, name, value)
  local parts = {}
  for _, needed in ipairs(op.body.required or {}) do
    if needed ~= name then parts[#parts + 1] = quote(needed) .. ":" .. GOOD[needed] end
  end
  if op.id == "litellmTeamNew" and name ~= "team_id" then
    parts[#parts + 1] = '"team_id":"t"'
  end
  parts[#parts + 1] = quote(name) .. ":" .. value
  return "{" .. table.concat(parts, ",") .. "}"
end

local function target_of(op)
  return (op.path:gsub("{id}", "k3vq7m2xw4ta"):gsub("{team}", "t"))
end

local function escaped(text)
  return (text:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))
end

describe("bad input to the admin API", function()
  local a
  before_each(function()
    a = admin_world.new {
      answers = {
        ["keys.show"] = admin_world.key(), ["teams.show"] = { name = "t", tags = {} },
      },
    }
  end)

  -- Refused, naming the field; nothing was changed.
  local function refused(op, request, name, what)
    local shown = op.id .. " " .. what:sub(1, 100)
    assert.equal(400, request.status, shown .. ": " .. tostring(request.answer):sub(1, 300))
    local err = request.json.error
    assert.equal("invalid_request_error", err.type, shown)
    local param = err.param ~= json.null and err.param or ""
    assert.equal(name, param:match "^[%w_]+" or "", shown .. ": " .. err.message)
    assert.is_nil(err.message:find "%c", shown)
    assert.is_true(#request.answer < 2000, shown)
    assert.equal(0, a.changes, shown)
  end

  it("S-17: refuses every field of every body, wrong in every way", function()
    local n = 0
    for _, op in ipairs(registry()) do
      for name, schema in pairs(op.body and op.body.properties or {}) do
        cases_of(schema, function(value)
          n = n + 1
          local body = body_with(op, name, value)
          refused(op, a.ask(op.method, target_of(op), body), name, name .. " = " .. value)
        end)
      end
    end
    assert.is_true(n > 1000, n .. " cases")
  end)

  it("refuses every field that comes twice", function()
    for _, op in ipairs(registry()) do
      for name in pairs(op.body and op.body.properties or {}) do
        local body = ('{%s:null,%s:null}'):format(quote(name), quote(name))
        local request = a.ask(op.method, target_of(op), body)
        refused(op, request, name, name .. " twice")
        assert.equal("duplicate_parameter", request.json.error.code)
      end
    end
  end)

  it("refuses a body that lacks what it needs", function()
    for _, op in ipairs(registry()) do
      for _, name in ipairs(op.body and op.body.required or {}) do
        local request = a.ask(op.method, target_of(op), "{}")
        refused(op, request, name, "without " .. name)
        assert.equal("missing_required_parameter", request.json.error.code)
      end
    end
  end)

  it("S-15: refuses fields that are not the caller's to set, and those of nobody", function()
    for _, op in ipairs(registry()) do
      for _, name in ipairs {
        "spend", "id", "hash", "team_id", "role", "created", "within", "said", "x'; --", "",
        "__proto__", "a\nb", ("a"):rep(5000),
      } do
        if op.body and not op.body.properties[name] then
          local request = a.ask(op.method, target_of(op), body_with(op, name, '"x"'))
          assert.equal(400, request.status, op.id .. " " .. name)
          assert.equal("unknown_parameter", request.json.error.code)
          assert.equal(name:gsub("%c", "?"):sub(1, 64), request.json.error.param)
          assert.equal(0, a.changes)
        end
      end
    end
  end)

  it("refuses every parameter of every query, wrong in every way", function()
    local n = 0
    for _, op in ipairs(registry()) do
      for name, schema in pairs(op.query or {}) do
        local needed = {}
        for _, other in ipairs(op.needs or {}) do
          if other ~= name then needed[#needed + 1] = other .. "=x&" end
        end
        local function try(text)
          n = n + 1
          local query = table.concat(needed) .. name .. "=" .. escaped(text)
          refused(op, a.ask(op.method, target_of(op) .. "?" .. query), name, query)
        end
        if schema.type == "string" then
          text_cases(schema, function(value) try(json.decode(value)) end)
        else
          for _, text in ipairs { "", "x", "-1", "1.5", "1e3", "99999999999999999", "null" } do
            try(text)
          end
        end
        local twice = ("%s?%s=1&%s=1"):format(target_of(op), name, name)
        local request = a.ask(op.method, twice)
        if request.json.error.code == "duplicate_parameter" then
          refused(op, request, name, twice)
        end
      end
      local request = a.ask(op.method, target_of(op) .. "?nonsense=1", op.body and "{}")
      if op.who ~= "open" then refused(op, request, "nonsense", "?nonsense") end
    end
    assert.is_true(n > 200, n .. " cases")
  end)

  it("S-36: holds bodies to the limits of all JSON", function()
    local deep = ('{"tags":%s1%s}'):format(('{"a":'):rep(100), ("}"):rep(100))
    for code, body in pairs {
      too_deep = deep, invalid_json = '{"name":', body_not_object = "[]",
      invalid_utf8 = '{"name":"\255"}',
      too_many_nodes = '{"models":[' .. ("1,"):rep(3e5) .. "1]}",
    } do
      local request = a.ask("POST", "/admin/keys", body)
      assert.equal(400, request.status, code)
      assert.equal(code, request.json.error.code)
    end
    assert.same({}, a.asked)
  end)

  it("takes JSON alone, and none where none is meant", function()
    for _, headers in ipairs {
      { ["content-type"] = "text/plain" }, { ["content-type"] = false },
      { ["content-type"] = "application/x-www-form-urlencoded" },
      { ["content-encoding"] = "gzip" },
    } do
      local request = a.ask("POST", "/admin/keys", '{"name":"x"}', headers)
      assert.equal(415, request.status)
      assert.equal("unsupported_media_type", request.json.error.code)
    end
    assert.equal(400, a.ask("POST", "/admin/keys/k3vq7m2xw4ta/disable", "{}").status)
    assert.equal(400, a.ask("DELETE", "/admin/keys/k3vq7m2xw4ta", '{"a":1}').status)
    assert.same({}, a.asked)
  end)

  it("S-16: knows no object by a name that no object can have", function()
    for _, id in ipairs { "%27%20OR%201=1", "a%00b", "%2e%2e", ("a"):rep(65), "a%2Fb", "*" } do
      assert.equal(404, a.ask("GET", "/admin/keys/" .. id).status, id)
    end
    for _, team in ipairs { "%27;--", "a%00b", "%0A", ("a"):rep(65), "%20x" } do
      assert.equal(404, a.ask("GET", "/admin/teams/" .. team).status, team)
    end
    for _, path in ipairs { "/admin/keys/", "//admin/keys", "/admin//keys", "/ADMIN/keys" } do
      assert.equal(404, a.ask("GET", path).status, path)
    end
    assert.same({}, a.asked)
  end)
end)
