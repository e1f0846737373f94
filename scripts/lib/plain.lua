-- Text that may be stored, shown and logged as it is: UTF-8 without control characters.

local plain = {}

-- Lead bytes → how many follow, the least and the most the first of them may be.
local function following(lead)
  if lead < 0x80 then return 0 end
  if lead >= 0xC2 and lead <= 0xDF then return 1, 0x80, 0xBF end
  if lead == 0xE0 then return 2, 0xA0, 0xBF end
  if lead == 0xED then return 2, 0x80, 0x9F end
  if lead >= 0xE1 and lead <= 0xEF then return 2, 0x80, 0xBF end
  if lead == 0xF0 then return 3, 0x90, 0xBF end
  if lead >= 0xF1 and lead <= 0xF3 then return 3, 0x80, 0xBF end
  if lead == 0xF4 then return 3, 0x80, 0x8F end
  return nil
end

local function is_utf8(text)
  local at = 1
  while at <= #text do
    local more, least, most = following(text:byte(at))
    if not more or at + more > #text then return false end
    for i = 1, more do
      local byte = text:byte(at + i)
      if byte < (i == 1 and least or 0x80) or byte > (i == 1 and most or 0xBF) then
        return false
      end
    end
    at = at + 1 + more
  end
  return true
end

-- C0, DEL, C1, and the line and paragraph separators.
local function has_control(text)
  return text:find("[%z\1-\31\127]") or text:find("\194[\128-\159]")
    or text:find("\226\128[\168\169]")
end

--- Is this text of 1 to `most` bytes, all of it fit to be shown?
function plain.is(text, most)
  return type(text) == "string" and #text >= 1 and #text <= most and not has_control(text)
    and is_utf8(text)
end

return plain
