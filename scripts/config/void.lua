-- What stands where something is missing: it can be called, indexed, joined and passed on, so
-- that one mistake is reported once and loading goes on to find the next.

local void = {}

local function same() return void end

setmetatable(void, {
  __index = same, __call = same, __concat = same, __newindex = function() end,
  __add = same, __sub = same, __mul = same, __div = same, __unm = same, __mod = same,
  __pow = same, __metatable = false,
})

return void
