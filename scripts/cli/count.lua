-- moongate count: how many tokens a text has.

local args = require "cli.args"
local json = require "engine.json"
local models = require "lib.token_models"
local nearest = require "lib.nearest"
local tokens = require "lib.tokens"

local VERB = {
  flags = { json = true, chat = true, encoding = "NAME", model = "NAME" }, most = 1,
  usage = [[
moongate count [--encoding NAME | --model NAME] [--chat] [--json] [FILE|-]

Prints how many tokens the text of FILE, or of standard input, has: exactly where the
vocabulary is public, else an estimate (--json says which).

  --encoding NAME     o200k_base (the default), o200k_harmony, cl100k_base, p50k_base, r50k_base
  --model NAME        the encoding of a model; an estimate where its vocabulary is not public
  --chat              FILE is the body of a request: messages with their frames, tools, images
  --json              how it was found, and the bounds of an estimate
  --vocabularies DIR  where the vocabularies are; beside the binary

Exit code: 0 counted, 1 the file cannot be read, or is no body, 2 wrong words.]],
}

local ORDER = { "tokens", "exact", "method", "low", "high", "encoding", "bytes" }
local NAMES = { "o200k_base", "o200k_harmony", "cl100k_base", "p50k_base", "r50k_base" }

local function read(path)
  if not path or path == "-" then return io.stdin:read "*a" end
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local text
  text, why = file:read "*a"
  file:close()
  return text, why
end

local function print_json(host, text, n, found)
  host.print(json.encode(json.object(ORDER, {
    tokens = n, exact = found.exact, method = found.method, low = found.low, high = found.high,
    encoding = found.encoding, bytes = #text,
  })))
end

-- What is wrong with the words, if anything.
local function objection(parsed)
  if parsed.encoding and parsed.model then return "--encoding or --model, not both" end
  if parsed.encoding and not models.is_encoding(parsed.encoding) then
    local hint = nearest.hint(parsed.encoding, NAMES)
    return ("no encoding %s%s"):format(parsed.encoding,
      hint ~= "" and hint or "; there are " .. table.concat(NAMES, ", "))
  end
end

-- Of a text, or of a request's body for the model that it or --model names. nil, why not
local function count(text, parsed)
  local name = parsed.encoding or parsed.model
  if not parsed.chat then return tokens.count(text, name or "o200k_base") end
  local doc, err = json.index(text)
  if not doc then return nil, "no body of a request: " .. err.message end
  local model = doc:get "model"
  return tokens.count_messages(doc, name or type(model) == "string" and model or "o200k_base")
end

return function(list, host)
  local parsed, code = args.read(list, VERB, host)
  if not parsed then return code end
  local wrong = objection(parsed)
  if wrong then
    host.complain(wrong)
    return 2
  end
  local text, why = read(parsed[1])
  if not text then
    host.complain(why)
    return 1
  end
  local n, found = count(text, parsed)
  if not n then
    host.complain(found)
    return 1
  end
  if parsed.json then
    print_json(host, text, n, found)
  else
    host.print(("%d"):format(n))
  end
  if found.missing then host.complain("an estimate: " .. found.missing) end
  return 0
end
