-- Recorded chats for the tests without a gateway: tests/support/recorded.lua loads them,
-- tests/support/meaning/ says what a client has to hear of them.

local http = require "support.http"
local lfs = require "lfs"
local meaning = require "support.meaning"
local source = require "support.recorded"

local recorded = { kind = meaning.fault }

local APIS = {
  chat_completions = "openai", messages = "anthropic", generate_content = "gemini",
  stream_generate_content = "gemini", chat_v2 = "cohere", responses = "responses",
}

--- Where the recordings are; nil when they are not here.
function recorded.folder()
  return lfs.attributes(source.folder, "mode") == "directory" and source.folder or nil
end

local function exchange_of(path)
  local one = source.load(path)
  return {
    path = source.folder .. "/" .. path, provider = one.provider, dialect = APIS[one.api],
    status = one.response.status, headers = one.response.headers or {},
    answer = one.response.text, asked = one.request.text, stream = one.stream,
    features = one.has,
  }
end

--- Every chat exchange of every provider.
function recorded.all()
  local list = {}
  for i, path in ipairs(source.list(APIS)) do list[i] = exchange_of(path) end
  return list
end

--- The events of a stream.
function recorded.events(bytes)
  local list = {}
  for _, data in ipairs(http.events(bytes)) do
    if data:find "^%s*{" then list[#list + 1] = require("cjson").decode(data) end
  end
  return list
end

local function told(said)
  return {
    text = said.text, thought = said.thought, refusal = said.refusal, finish = said.finish,
    object = said.object, total = said.total, tools = said.calls,
    usage = said.prompt and {
      input = said.prompt, output = said.completion, cached = said.cached or 0,
      reasoning = said.reasoning or 0,
    } or {},
  }
end

-- recorded.openai(bytes), .anthropic …: what an answer in that shape says.
for _, shape in ipairs { "openai", "anthropic", "gemini", "cohere", "responses" } do
  recorded[shape] = function(bytes)
    return told(require("support.meaning." .. shape).read(bytes))
  end
end

return recorded
