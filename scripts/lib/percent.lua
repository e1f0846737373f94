-- Texts as parts of an address.

local percent = {}

local ODD = "[^%w%-._~]"

local function escaped(c) return ("%%%02X"):format(c:byte()) end

--- A text as a segment of a path or a value in a query: every byte that is `odd` (a pattern of
--- one; all but letters, digits and -._~ where none is given) as its number.
function percent.encode(text, odd)
  return (text:gsub(odd or ODD, escaped))
end

return percent
