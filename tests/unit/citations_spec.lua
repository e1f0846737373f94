-- What answers rest on, from every provider's words into every dialect's.

require "engine"

local cjson = require "cjson"
local json = require "engine.json"
local natives = require "lib.natives"
local recorded = require "tools.recorded"
local stub = require "tools.stub"

local WRITERS = {
  openai = "dialects.openai_writer", responses = "dialects.responses_writer",
  anthropic = "dialects.anthropic_writer", gemini = "dialects.gemini_writer",
}

-- What a client of a dialect hears of an answer: its bytes.
local function heard(provider, answer, dialect, more)
  local stream = answer:find "^event:" or answer:find "^data:"
  local question = '{"model":"m","stream":%s,"messages":[{"role":"user","content":"a"}]}'
  local call = stub.call(question:format(stream and "true" or "false"))
  local dep = stub.deployment(provider, "m", more)
  local reply, client = stub.reply(call, dep)
  reply.writer = require(WRITERS[dialect])
  local face = natives.of("openai", dep) or dep.provider.adapter
  local upstream = stub.upstream(answer)
  if stream then
    face.stream(upstream, reply)
  elseif face.dialect then
    -- of the same dialect it would pass: another's is told in verbs
    reply.writer = setmetatable({ dialect = "other" }, { __index = reply.writer })
    face.decode(upstream:document(), reply)
  else
    face.decode(upstream:json(), reply)
  end
  reply:close()
  return client:bytes()
end

local function sse(list)
  local out = {}
  for i, one in ipairs(list) do out[i] = "data: " .. cjson.encode(one) .. "\n\n" end
  return table.concat(out)
end

-- One page for "Paris" in "It is Paris." and one document, as each provider says it.
local function cohere_one(more)
  local one = { start = 6, ["end"] = 11, text = "Paris", type = "TEXT_CONTENT",
    content_index = 0, sources = {} }
  one.sources[1] = more
  return one
end

local PAGE = cohere_one { type = "tool", id = "1",
  tool_output = { url = "https://x/p", title = "P", text = "words" } }
local DOCUMENT = cohere_one { type = "document", id = "doc:2",
  document = { id = "doc:2", title = "notes", text = "Paris é" } }

local function cohere(citations)
  return cjson.encode {
    id = "1", finish_reason = "COMPLETE",
    message = { content = { { type = "text", text = "It is Paris." } }, citations = citations },
  }
end

describe("a citation", function()
  local both = cohere { PAGE, DOCUMENT }

  it("is an annotation of a chat", function()
    local message = cjson.decode(heard("cohere", both, "openai")).choices[1].message
    assert.same({
      { type = "url_citation", url_citation = {
        start_index = 6, end_index = 11, url = "https://x/p", title = "P" } },
      { type = "file_citation", text = "Paris", start_index = 6, end_index = 11,
        file_citation = { file_id = "doc:2", filename = "notes" } },
    }, message.annotations)
  end)

  it("is one of a response's text", function()
    local part = cjson.decode(heard("cohere", both, "responses")).output[1].content[1]
    assert.same({
      { type = "url_citation", start_index = 6, end_index = 11, url = "https://x/p",
        title = "P" },
      { type = "file_citation", file_id = "doc:2", filename = "notes", index = 11 },
    }, part.annotations)
  end)

  it("stands in a block of Messages", function()
    local block = cjson.decode(heard("cohere", both, "anthropic")).content[1]
    assert.same({
      { type = "web_search_result_location", cited_text = "Paris", url = "https://x/p",
        title = "P", encrypted_index = "" },
      { type = "char_location", cited_text = "Paris é", document_index = 2,
        document_title = "notes", start_char_index = 0, end_char_index = 7 },
    }, block.citations)
  end)

  it("stands beside a candidate of Gemini's", function()
    local candidate = cjson.decode(heard("cohere", both, "gemini")).candidates[1]
    assert.same({
      { startIndex = 6, endIndex = 11, uri = "https://x/p", title = "P" },
      { startIndex = 6, endIndex = 11, title = "notes" },
    }, candidate.citationMetadata.citationSources)
  end)

  it("comes when its text has come, in streams", function()
    local stream = sse {
      { type = "message-start", id = "1" },
      { type = "content-start", index = 0, delta = { message = { content = {
        type = "thinking", thinking = "Hm" } } } },
      { type = "content-start", index = 1, delta = { message = { content = {
        type = "text", text = "" } } } },
      { type = "content-delta", index = 1, delta = { message = { content = {
        text = "Né. " } } } },
      { type = "content-start", index = 2, delta = { message = { content = {
        type = "text", text = "" } } } },
      { type = "content-delta", index = 2, delta = { message = { content = {
        text = "Paris" } } } },
      { type = "citation-start", index = 0, delta = { message = { citations = {
        start = 0, ["end"] = 5, text = "Paris", content_index = 2, type = "TEXT_CONTENT",
        sources = { { type = "document", id = "d", document = { url = "https://x" } } } } } } },
      { type = "citation-start", index = 1, delta = { message = { citations = {
        start = 0, ["end"] = 2, text = "Hm", content_index = 0, type = "THINKING_CONTENT",
        sources = { { type = "document", id = "d", document = { url = "https://y" } } } } } } },
      { type = "message-end", delta = { finish_reason = "COMPLETE" } },
    }
    local want = { start_index = 4, end_index = 9, url = "https://x", title = "" }
    local found
    for _, chunk in ipairs(recorded.events(heard("cohere", stream, "openai"))) do
      local delta = chunk.choices[1] and chunk.choices[1].delta
      if delta and delta.annotations then found = delta.annotations end
    end
    assert.same({ { type = "url_citation", url_citation = want } }, found)

    local events, last = recorded.events(heard("cohere", stream, "responses")), nil
    for _, event in ipairs(events) do
      if event.type == "response.output_text.annotation.added" then last = event end
    end
    want.type = "url_citation"
    assert.same(want, last.annotation)
    assert.same({ 1, 0, 0 }, { last.output_index, last.content_index, last.annotation_index })
    local whole = events[#events].response.output[2].content[1]
    assert.same({ want }, whole.annotations)

    local cited
    for _, event in ipairs(recorded.events(heard("cohere", stream, "anthropic"))) do
      if event.delta and event.delta.type == "citations_delta" then cited = event end
    end
    assert.same({ "https://x", 1 }, { cited.delta.citation.url, cited.index })

    events = recorded.events(heard("cohere", stream, "gemini"))
    assert.equal("https://x",
      events[#events].candidates[1].citationMetadata.citationSources[1].uri)
  end)

  it("names a page or a document, or is none", function()
    local citations = require "lib.citations"
    assert.is_nil(citations.new { title = "a", start = 1 })
    assert.is_nil(citations.new { url = "", id = 5 })
    assert.same({ url = "u" }, citations.new { url = "u", start = -1, stop = 0.5, title = {} })
  end)
end)

-- By provider: an answer that says "It is Paris." and cites https://x/p for "Paris.".
local ANSWERS = {
  openai_compatible = { { choices = { { index = 0, finish_reason = "stop", message = {
    role = "assistant", content = "It is Paris.", annotations = { { type = "url_citation",
      url_citation = { start_index = 6, end_index = 12, url = "https://x/p", title = "P" } } },
  } } } } },
  openai = { { id = "r", status = "completed", output = { { type = "message", content = { {
    type = "output_text", text = "It is Paris.", annotations = { { type = "url_citation",
      start_index = 6, end_index = 12, url = "https://x/p", title = "P" } } } } } } },
    { api = "responses" } },
  anthropic = { { type = "message", id = "m", stop_reason = "end_turn", content = {
    { type = "text", text = "It is " },
    { type = "text", text = "Paris.", citations = { { type = "web_search_result_location",
      url = "https://x/p", title = "P", cited_text = "…", encrypted_index = "E" } } } } } },
  gemini = { { responseId = "g", candidates = { { finishReason = "STOP",
    content = { parts = { { text = "It is Paris." } } }, groundingMetadata = {
      groundingChunks = { { web = { uri = "https://x/p", title = "P" } } },
      groundingSupports = { { segment = { startIndex = 6, endIndex = 12, text = "Paris." },
        groundingChunkIndices = { 0 } } } } } } } },
}

describe("citations of", function()
  for provider, one in pairs(ANSWERS) do
    for dialect in pairs(WRITERS) do
      it(("%s reach clients of %s"):format(provider, dialect), function()
        local bytes = heard(provider, cjson.encode(one[1]), dialect, one[2])
        local said = bytes:gsub("\\/", "/")
        assert.truthy(said:find('"https://x/p"', 1, true), said)
        if dialect ~= "anthropic" then
          assert.truthy(said:find("%f[%d]6,") and said:find("%f[%d]12[,}]"), said)
        end
      end)
    end
  end

  it("Gemini's are counted in characters where that can be known", function()
    local function places(...)
      local list = {}
      for i, text in ipairs { ... } do
        local content = { parts = { { text = text } } }
        list[i] = { responseId = "g", candidates = { { content = content } } }
      end
      local last = list[#list].candidates[1]
      last.finishReason = "STOP"
      last.citationMetadata = { citationSources = {
        { startIndex = 3, endIndex = 8, uri = "https://x" } } }
      for _, chunk in ipairs(recorded.events(heard("gemini", sse(list), "openai"))) do
        local delta = chunk.choices[1] and chunk.choices[1].delta
        local found = delta and delta.annotations and delta.annotations[1].url_citation
        if found then return { found.start_index, found.end_index } end
      end
    end
    assert.same({ 2, 7 }, places "é Paris")
    assert.same({ 3, 8 }, places("a: ", "Paris"))
    assert.same({ 0, 0 }, places("é ", "Paris"))
  end)

  it("Anthropic's streams count the whole block", function()
    local stream = sse {
      { type = "message_start", message = { id = "m", usage = { input_tokens = 1 } } },
      { type = "content_block_start", index = 0,
        content_block = { type = "text", text = "" } },
      { type = "content_block_delta", index = 0,
        delta = { type = "text_delta", text = "C'est é " } },
      { type = "content_block_stop", index = 0 },
      { type = "content_block_start", index = 1,
        content_block = { type = "text", text = "" } },
      { type = "content_block_delta", index = 1, delta = { type = "citations_delta",
        citation = { type = "char_location", document_index = 3, document_title = "D",
          cited_text = "Paris" } } },
      { type = "content_block_delta", index = 1,
        delta = { type = "text_delta", text = "Pa" } },
      { type = "content_block_delta", index = 1,
        delta = { type = "text_delta", text = "ris" } },
      { type = "content_block_stop", index = 1 },
      { type = "message_delta", delta = { stop_reason = "end_turn" },
        usage = { output_tokens = 1 } },
    }
    local found
    for _, chunk in ipairs(recorded.events(heard("anthropic", stream, "openai"))) do
      local delta = chunk.choices[1] and chunk.choices[1].delta
      if delta and delta.annotations then found = delta.annotations[1] end
    end
    assert.same({ 8, 13, "doc:3" },
      { found.start_index, found.end_index, found.file_citation.file_id })
  end)

  it("the gateway's own making are not shown to Anthropic", function()
    local passing = require "lib.messages_pass"
    local body = '{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":['
      .. '{"type":"text","text":"Paris","citations":[{"type":"web_search_result_location",'
      .. '"cited_text":"Paris","url":"https://x/p","title":"P","encrypted_index":""}]}]},'
      .. '{"role":"user","content":"and?"}]}'
    local sent = passing.encode({ doc = assert(json.index(body)) }, { model = "m" }):bytes()
    assert.is_nil(sent:find("encrypted_index", 1, true))
    assert.same({ { type = "text", text = "Paris" } },
      cjson.decode(sent).messages[1].content)
  end)
end)
