-- Tables for people: the first column to the left, numbers to the right.

local table_text = {}

--- 1234567 → "1,234,567"
function table_text.count(n)
  local text = ("%.0f"):format(n)
  local head = text:sub(1, (#text - 1) % 3 + 1)
  return head .. text:sub(#head + 1):gsub("%d%d%d", ",%0")
end

--- 1, "request" → "1 request"; 2 → "2 requests"
function table_text.number(n, word)
  return ("%s %s%s"):format(table_text.count(n), word, n == 1 and "" or "s")
end

local function widths(head, lines)
  local out = {}
  for i, text in ipairs(head) do out[i] = #text end
  for _, line in ipairs(lines) do
    for i, text in ipairs(line) do out[i] = math.max(out[i], #text) end
  end
  return out
end

local function row(cells, width)
  local out = { cells[1] .. (" "):rep(width[1] - #cells[1]) }
  for i = 2, #cells do out[i] = (" "):rep(width[i] - #cells[i]) .. cells[i] end
  return (table.concat(out, "  "):gsub("%s+$", ""))
end

--- Head and lines, as text.
function table_text.of(head, lines)
  local width, out = widths(head, lines), {}
  out[1] = row(head, width):upper()
  for _, line in ipairs(lines) do out[#out + 1] = row(line, width) end
  return table.concat(out, "\n")
end

return table_text
