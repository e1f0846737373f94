-- Files as tests read them.

local lfs = require "lfs"

local file = {}

--- Its bytes; nil where there is no such file.
function file.read(path)
  local handle = io.open(path, "rb")
  if not handle then return nil end
  local bytes = handle:read "*a"
  handle:close()
  return bytes
end

--- The same, of a file that must be there.
function file.text(path)
  local bytes = file.read(path)
  return bytes or error(path .. " is not there", 2)
end

--- The names in a folder, sorted, but for hidden ones.
function file.names(folder)
  local list = {}
  for name in lfs.dir(folder) do
    if name:sub(1, 1) ~= "." then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

return file
