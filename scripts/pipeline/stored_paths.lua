-- Paths of files and batches: /v1/files/ID/content and the like, with and without /v1.

local store = require "pipeline.store"

local stored_paths = {}

-- Behind a noun: what it is, by method.
local NOUN = { POST = "create", GET = "list" }
local ONE = { GET = "show", DELETE = "delete" }
local PARTS = {
  files = { content = { GET = "content" } }, batches = { cancel = { POST = "cancel" } },
  ["messages/batches"] = { cancel = { POST = "cancel" }, results = { GET = "results" } },
}
local ALL = {
  files = ONE, batches = { GET = "show" }, ["messages/batches"] = ONE,
}

local function endpoint(part, ops, method)
  local allow = {}
  for name in pairs(ops) do allow[#allow + 1] = name end
  table.sort(allow)
  local op = ops[method]
  return {
    method = op and method or "none", allow = table.concat(allow, ", "),
    door = "dialects.stored", part = part,
    choose = store.choose, op = op, bodiless = op ~= "create",
  }
end

local function part_of(noun, request)
  if noun == "messages/batches" then return "message_batches" end
  if noun == "batches" then return "batches" end
  return request:header("anthropic-version") and "message_files" or "files"
end

local function split(path)
  path = path:match("^/anthropic/v1(/.*)$") or path:match("^/v1(/.*)$") or path
  for _, noun in ipairs { "messages/batches", "batches", "files" } do
    local rest = path:match("^/" .. noun .. "(.*)$")
    if rest == "" then return noun end
    local id, part = (rest or ""):match("^/([%w_-]+)/?(%l*)$")
    if id and (part ~= "" or rest:sub(-1) ~= "/") then return noun, id, part end
  end
end

--- The endpoint of a request's path, and the id in it; nil where it is none of these.
function stored_paths.find(request)
  local noun, id, part = split(request.path)
  if not noun then return nil end
  local ops = not id and NOUN or part == "" and ALL[noun] or PARTS[noun][part]
  if not ops then return nil end
  return endpoint(part_of(noun, request), ops, request.method), id
end

return stored_paths
