-- The admin listener on a ledger made of tables: what it was asked is written down, and it
-- answers what a test says.

local json = require "engine.json"
local world = require "unit.world"

local admin_world = {}

local ROUTES = [[
local mock = provider "mock" {}
model "m" { mock "mock" }
virtual_key "me" { token = "secret-key" }]]

local READS = { show = true, list = true, report = true, logs = true, run = true, spent = true }

--- A listener. `answers[verb]` is a result, or a function(args) → result, err; `token` is the
--- admin token, where one is configured.
function admin_world.new(want)
  want = want or {}
  local self = { asked = {}, changes = 0, answers = want.answers or {} }
  local w = world.new(want.routes or ROUTES)
  self.world = w
  package.loaded["engine.time"].iso = function(seconds)
    return os.date("!%Y-%m-%dT%H:%M:%S.000Z", seconds)
  end
  package.loaded["engine.admin"] = {
    status = function()
      return { generation = 3, draining = false, admin_remote = want.remote, boot = 7 }
    end,
    generation = function() return 3 end, metrics = function() return want.metrics or "" end,
    reload = function() return true end,
    is_token = function(text)
      if not want.token then return nil end
      return text == want.token
    end,
  }
  package.loaded["engine.ledger"] = {
    ask = function(verb, args)
      self.asked[#self.asked + 1] = { verb = verb, args = json.decode(json.encode(args)) }
      if not READS[verb:match "%.(%l+)$"] then self.changes = self.changes + 1 end
      local answer = self.answers[verb]
      if type(answer) == "function" then return answer(args) end
      return answer or nil, { status = 404, code = "not_found", message = "there is none" }
    end,
  }
  package.loaded["pipeline.admin"] = nil
  self.admin = require "pipeline.admin"

  --- One request; its status, json (engine.json's) and headers. Body: text, or a table.
  function self.ask(method, target, body, headers)
    local path, query = target:match "^([^?]*)%??(.*)$"
    local request = world.request(w, {
      method = method, path = path, query = query, body = body,
      headers = setmetatable({ host = "127.0.0.1", authorization = false }, nil),
    })
    for name, value in pairs(headers or {}) do request.headers[name] = value or nil end
    self.admin.serve(request, w.cfg)
    request.json = type(request.answer) == "string" and json.decode(request.answer)
    return request
  end

  --- The arguments of the last question.
  function self.last() return self.asked[#self.asked].args, self.asked[#self.asked].verb end

  return self
end

--- A key's record, as the ledger tells it.
function admin_world.key(more)
  local out = {
    id = "k3vq7m2xw4ta", name = "search", role = "client", disabled = false, tags = {},
    created_at = 1790000000, updated_at = 1790000000,
  }
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

return admin_world
