-- Golden cases: folders of what a client sends (call.json), what a provider answers
-- (response.json or .sse, and the status of an error), and what must come of both.

local file = require "support.file"
local lfs = require "lfs"
local luassert = require "luassert"

local golden = {}

local WRITE = os.getenv "GOLDEN" == "write"

--- What is expected, in a file; GOLDEN=write writes it instead.
function golden.check(path, actual)
  if WRITE then
    lfs.mkdir((path:match "^(.*)/"))
    local out = assert(io.open(path, "wb"))
    out:write(actual)
    out:close()
  end
  luassert.equal(file.read(path), actual)
end

local function case_of(folder, name)
  local dir = ("%s/%s/"):format(folder, name)
  return {
    name = name, dir = dir, call = file.read(dir .. "call.json"),
    sse = file.read(dir .. "response.sse"), json = file.read(dir .. "response.json"),
    status = file.read(dir .. "status"),
  }
end

--- The cases in a folder: { name, dir, call, sse, json, status }, each with what it has.
function golden.cases(folder)
  local list = {}
  for i, name in ipairs(file.names(folder)) do list[i] = case_of(folder, name) end
  return list
end

return golden
