-- The matrix' rows, what was decided about some, and which tests carry their ids.

local lfs = require "lfs"

local rows = {}

local ID = "%f[%w]([AULCSB]%-%d%d)%f[^%w]"

rows.groups = {
  A = "Bad input of clients", U = "Upstream faults", L = "Load", C = "Lifecycle",
  S = "Security", B = "Accounting",
}
rows.order = { "A", "U", "L", "C", "S", "B" }

local read = require("support.file").text

--- The ids in a text, each once: id → true.
function rows.ids(text)
  local found = {}
  for id in text:gmatch(ID) do found[id] = true end
  return found
end

--- A list of { id, priority, title, decision? }.
function rows.read(folder)
  local decisions, known, list = dofile(folder .. "/decisions.lua"), {}, {}
  for line in read(folder .. "/rows.tsv"):gmatch "[^\n]+" do
    local id, priority, title = line:match "^(%S+)\t(%d)\t(.+)$"
    assert(id, "rows.tsv: " .. line)
    known[id] = true
    list[#list + 1] =
      { id = id, priority = tonumber(priority), title = title, decision = decisions[id] }
  end
  for id in pairs(decisions) do assert(known[id], "decisions.lua: there is no row " .. id) end
  return list
end

--- Files that carry an id of `wanted` (id → true): a list of { path, ids }.
function rows.files(folders, pattern, wanted)
  local list = {}
  for _, folder in ipairs(folders) do
    for name in lfs.dir(folder) do
      local ids = name:find(pattern) and rows.ids(read(folder .. "/" .. name)) or {}
      for id in pairs(ids) do
        if not wanted[id] then ids[id] = nil end
      end
      if next(ids) then list[#list + 1] = { path = folder .. "/" .. name, ids = ids } end
    end
  end
  table.sort(list, function(a, b) return a.path < b.path end)
  return list
end

return rows
