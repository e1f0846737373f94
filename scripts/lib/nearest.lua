-- The nearest right word: Damerau-Levenshtein distance over the names that are known.

local nearest = {}

local FAR = 2

--- How many insertions, deletions, changes and swaps of neighbours lead from `a` to `b`.
function nearest.distance(a, b)
  local before
  local last, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    before, last, row = last, row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local cost = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        cost = math.min(cost, before[j - 2] + 1)
      end
      row[j] = cost
    end
  end
  return row[#b]
end

-- Two changes turn any three letters into a stranger.
local function allowed(word)
  if #word <= 2 then return 0 end
  return #word <= 4 and 1 or FAR
end

--- The name in `names` (a list) that `word` was probably meant to be, or nil.
function nearest.find(word, names)
  if type(word) ~= "string" or #word > 100 then return nil end
  local best, least = nil, allowed(word) + 1
  local low = word:lower()
  for _, name in ipairs(names) do
    local d = math.abs(#name - #word) <= FAR and nearest.distance(low, name:lower()) or 100
    if name ~= word and (d < least or (d == least and best and name < best)) then
      best, least = name, d
    end
  end
  return best
end

--- The end of a message: `; did you mean "x"?`, or nothing.
function nearest.hint(word, names)
  local name = nearest.find(word, names)
  return name and ('; did you mean "%s"?'):format(name) or ""
end

return nearest
