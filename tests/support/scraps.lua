-- Objects made of a list of names and a list of scalars (as JSON), at random: math.randomseed
-- repeats them.

local scraps = {}

--- One of a list.
function scraps.pick(list) return list[math.random(#list)] end

local Scraps = {}
Scraps.__index = Scraps

--- What is made of these scalars.
function scraps.of(scalars) return setmetatable({ scalars = scalars }, Scraps) end

local function value(self, names, depth)
  local kind = depth > 0 and math.random(4) or 1
  if kind <= 2 then return scraps.pick(self.scalars) end
  local parts, seen = {}, {}
  for _ = 1, math.random(0, 3) do
    local name = scraps.pick(names)
    if kind == 3 then
      parts[#parts + 1] = value(self, names, depth - 1)
    elseif not seen[name] then
      seen[name] = true
      parts[#parts + 1] = ('"%s":%s'):format(name, value(self, names, depth - 1))
    end
  end
  local inside = table.concat(parts, ",")
  return kind == 3 and "[" .. inside .. "]" or "{" .. inside .. "}"
end

--- An object that begins with `first`, if anything, and has so many more members at the least.
function Scraps:object(names, first, least)
  local parts, seen = { first }, {}
  for _ = 1, math.random(least or 0, 6) do
    local name = scraps.pick(names)
    if not seen[name] then
      seen[name] = true
      parts[#parts + 1] = ('"%s":%s'):format(name, value(self, names, 3))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return scraps
