-- JSON that nobody thought of: values and bodies of any shape, made of a dialect's words.

local wild = {}

--- A row of numbers for each seed, so that a failure is found again: random(n) is 1 … n.
function wild.random(seed)
  local state = seed
  return function(n)
    state = (state * 16807) % 2147483647
    return state % n + 1
  end
end

local Words = {}
Words.__index = Words

local function pick(random, list) return list[random(#list)] end

--- words: names of members; atoms, values as JSON; types, what members named type and role are,
--- where there are such; members that a body may have, one in `one_in` (6) of them, as deep as
--- `depth` (3).
function wild.words(words)
  local self = setmetatable({ leaves = { words.atoms } }, Words)
  for name, value in pairs(words) do self[name] = value end
  if not words.types then return self end
  local quoted = {}
  for i, name in ipairs(words.types) do quoted[i] = '"' .. name .. '"' end
  self.leaves[2] = quoted
  return self
end

local function member(self, random, name, depth)
  local quoted = self.leaves[2]
  if quoted and (name == "type" or name == "role") and random(6) > 1 then
    return pick(random, quoted)
  end
  return self:value(random, depth)
end

--- An object with some of the names; its values are as deep as that, less one.
function Words:object(random, depth)
  local parts, seen = {}, {}
  for _ = 1, random(5) do
    local name = pick(random, self.names)
    if not seen[name] then
      seen[name] = true
      parts[#parts + 1] = ('"%s":%s'):format(name, member(self, random, name, depth - 1))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- An atom, a type, a list or an object.
function Words:value(random, depth)
  local leaves = self.leaves
  local kind = random(depth > 0 and 6 or #leaves)
  if leaves[kind] then return pick(random, leaves[kind]) end
  if kind > #leaves + 2 then return self:object(random, depth) end
  local list = {}
  for i = 1, random(4) - 1 do list[i] = self:value(random, depth - 1) end
  return "[" .. table.concat(list, ",") .. "]"
end

--- A body that begins with this, and has some of the members.
function Words:body(random, first)
  local parts = { first }
  for _, name in ipairs(self.members) do
    if random(self.one_in or 6) == 1 then
      parts[#parts + 1] = ('"%s":%s'):format(name, self:value(random, self.depth or 3))
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return wild
