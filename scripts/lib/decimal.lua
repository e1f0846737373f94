-- Decimal text ↔ whole numbers, exactly. What is read here is never rounded by a float.

local decimal = {}

local EXACT = 2 ^ 53 -- beyond it a double skips integers

-- Mantissa digits and power of ten of "12.5", "1.5e-07"; nil where it is no such text.
local function parts(text)
  local whole, dot, part, tail = text:match("^(%d+)(%.?)(%d*)(.*)$")
  if not whole or (dot == "." and part == "") then return nil end
  local power = tail == "" and "0" or tail:match("^[eE]([+-]?%d%d?%d?)$")
  if not power then return nil end
  return (whole .. part):gsub("^0+", ""), tonumber(power) - #part
end

-- Digits with the last `cut` of them taken away, half to even; were they all zeros?
local function rounded(digits, cut)
  local kept = cut < #digits and digits:sub(1, #digits - cut) or ""
  local lost = ("0"):rep(cut - #digits) .. digits:sub(#kept + 1)
  local n, half = tonumber(kept == "" and "0" or kept), "5" .. ("0"):rep(cut - 1)
  if lost > half or (lost == half and n % 2 == 1) then n = n + 1 end
  return n, lost:find("[^0]") == nil
end

--- A decimal text times ten to the power of `places` as a whole number, half to even:
--- ("1.5e-07", 15) → 150000000, true; false where digits were lost. nil where it is no such
--- text, negative, or too large to be exact.
function decimal.scaled(text, places)
  if type(text) ~= "string" or #text > 64 then return nil end
  local digits, power = parts(text)
  if not digits then return nil end
  power = power + places
  if digits == "" then return 0, true end
  if #digits + power > 16 then return nil end
  if #digits + power < -1 then return 0, false end
  local n, exact
  if power >= 0 then
    n, exact = tonumber(digits .. ("0"):rep(power)), true
  else
    n, exact = rounded(digits, -power)
  end
  if n >= EXACT then return nil end
  return n, exact
end

--- a × b / c of whole numbers, half to even; nil where that is too large to be exact. c is at
--- most 2^52.
function decimal.ratio(a, b, c)
  local q, r = 0, 0
  local ra = a % c
  local qa = (a - ra) / c
  local bit = 2 ^ 52
  while bit >= 1 do -- q × c + r is a × (the bits of b so far)
    q, r = q * 2, r * 2
    if b >= bit then b, q, r = b - bit, q + qa, r + ra end
    while r >= c do q, r = q + 1, r - c end
    if q >= EXACT then return nil end
    bit = bit / 2
  end
  if r * 2 > c or (r * 2 == c and q % 2 == 1) then q = q + 1 end
  return q
end

--- "2.50" or 2.5 (dollars) → integer nano-dollars; nil where it is no such amount, finer
--- than a nano-dollar, or too large to be exact.
function decimal.nano(amount)
  local text = amount
  if type(amount) == "number" then
    text = ("%.14g"):format(amount)
    if text:find("e", 1, true) then text = ("%.12f"):format(amount) end
  end
  if type(text) ~= "string" or #text > 32 then return nil end
  if not text:find("^%d+%.?%d*$") then return nil end
  local nano, exact = decimal.scaled(text, 9)
  return exact and nano or nil
end

--- A whole number of units of ten to the minus `places` as decimal text, without zeros at the
--- end: (13000000, 9) → "0.013".
function decimal.text(n, places)
  local digits = ("%.0f"):format(n)
  digits = ("0"):rep(places + 1 - #digits) .. digits
  local whole, part = digits:sub(1, -places - 1), digits:sub(-places):gsub("0+$", "")
  return part == "" and whole or whole .. "." .. part
end

return decimal
