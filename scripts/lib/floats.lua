-- Numbers as the four bytes of a float, the least first: embeddings in base64.

local bit = require "bit"

local floats = {}

local AT_ONCE = 64 -- numbers a piece: each is four arguments of one call
local INFINITE = 0x7f800000
local char, frexp, floor = string.char, math.frexp, math.floor
local band, rshift = bit.band, bit.rshift

-- To the nearest whole number, halves to the even one, as processors do.
local function nearest(x)
  local whole = floor(x)
  local rest = x - whole
  if rest > 0.5 or rest == 0.5 and whole % 2 == 1 then return whole + 1 end
  return whole
end

-- The bits of a float, as a number.
local function bits(x)
  if x == 0 then return 1 / x < 0 and 0x80000000 or 0 end
  local sign = 0
  if x < 0 then sign, x = 0x80000000, -x end
  local m, e = frexp(x)
  if e < -125 then return sign + nearest(x * 2 ^ 149) end -- too small for a whole mantissa
  local value = (e + 125) * 0x800000 + nearest(m * 0x1000000) -- which may carry
  return sign + math.min(value, INFINITE)
end

local function four(x)
  local b = bits(x)
  return band(b, 255), band(rshift(b, 8), 255), band(rshift(b, 16), 255), rshift(b, 24)
end

--- A list of numbers as bytes.
function floats.pack(list)
  local out, piece, n = {}, {}, 0
  for i = 1, #list do
    piece[n + 1], piece[n + 2], piece[n + 3], piece[n + 4] = four(list[i])
    n = n + 4
    if n == AT_ONCE * 4 or i == #list then
      out[#out + 1] = char(unpack(piece, 1, n))
      n = 0
    end
  end
  return table.concat(out)
end

return floats
