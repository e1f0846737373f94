-- Documents that are tested: their examples, and what each must print. A `console` block is a
-- conversation: each line that begins with `$ ` is a command, and the lines that follow must be
-- among those it prints, where … stands for any text.

local conversation = {}

--- The bodies of a document's blocks in a language.
function conversation.blocks(text, language)
  local list = {}
  for code in text:gmatch("```" .. language .. "\n(.-)```") do list[#list + 1] = code end
  return list
end

--- { command, output = expected lines } pairs of a console block.
function conversation.steps(code)
  local list = {}
  for line in code:gmatch "(.-)\n" do
    local command = line:match "^%$ (.*)$"
    local last = list[#list]
    if command then
      list[#list + 1] = { command = command, output = {} }
    elseif last and last.command:sub(-1) == "\\" then
      last.command = last.command:sub(1, -2) .. " " .. line
    elseif last and line ~= "" then
      last.output[#last.output + 1] = line
    end
  end
  return list
end

--- The first of a step's expected lines that is not among what was printed; nil: all are.
function conversation.missing(step, printed)
  for _, expected in ipairs(step.output) do
    local pattern, found = "^" .. expected:gsub("%p", "%%%0"):gsub("…", ".-") .. "%s*$", false
    for line in printed:gmatch "[^\r\n]+" do found = found or line:find(pattern) end
    if not found then return expected end
  end
end

return conversation
