-- What a piece of an answer rests on, in every dialect's words. One citation is
--
--   { start, stop, text, url, title, id, source }
--
-- `start` and `stop` are places in the answer's text, in characters from 0, `stop` after the
-- last; `text` is what stands there. A page has a `url`, a document of the client's own an
-- `id`; `source` is what the document says. All may be missing but one of `url` and `id`.

local json = require "engine.json"
local values = require "lib.values"

local citations = {}

local text_of = values.text

local function number_of(value)
  return type(value) == "number" and value >= 0 and value % 1 == 0 and value or nil
end

--- How many characters a text has.
function citations.length(text)
  local _, n = text:gsub("[^\128-\191]", "")
  return n
end

--- A citation with the members that are what they should be; nil where it names nothing.
function citations.new(t)
  local one = {
    start = number_of(t.start), stop = number_of(t.stop), text = text_of(t.text),
    url = text_of(t.url), title = text_of(t.title), id = text_of(t.id),
    source = text_of(t.source),
  }
  return (one.url or one.id) and one or nil
end

-- OpenAI's ---------------------------------------------------------------------------

local PAGE = { "start_index", "end_index", "url", "title" }

local function page(one)
  return {
    start_index = one.start or 0, end_index = one.stop or 0, url = one.url,
    title = one.title or "",
  }
end

--- An annotation of a chat's message. That of a document is as OpenAI's Assistants have it:
--- chats know pages only.
function citations.chat(one)
  if one.url then
    return json.object({ "type", "url_citation" }, {
      type = "url_citation", url_citation = json.object(PAGE, page(one)),
    })
  end
  return json.object({ "type", "text", "start_index", "end_index", "file_citation" }, {
    type = "file_citation", text = one.text or "", start_index = one.start or 0,
    end_index = one.stop or 0,
    file_citation = json.object({ "file_id", "filename" }, {
      file_id = one.id, filename = one.title,
    }),
  })
end

--- One of a text in Responses.
function citations.responses(one)
  if one.url then
    local out = page(one)
    out.type = "url_citation"
    return json.object({ "type", unpack(PAGE) }, out)
  end
  return json.object({ "type", "file_id", "filename", "index" }, {
    type = "file_citation", file_id = one.id, filename = one.title or one.id,
    index = one.stop or 0,
  })
end

--- An annotation of either; nil for what cites nothing.
function citations.of_openai(said)
  if type(said) ~= "table" then return nil end
  if said.type == "url_citation" then
    local at = type(said.url_citation) == "table" and said.url_citation or said
    return citations.new {
      start = at.start_index, stop = at.end_index, url = at.url, title = at.title,
    }
  end
  if said.type ~= "file_citation" and said.type ~= "container_file_citation" then return nil end
  local at = type(said.file_citation) == "table" and said.file_citation or said
  return citations.new {
    start = said.start_index, stop = said.end_index or said.index, id = at.file_id,
    title = at.filename, text = said.text,
  }
end

--- Say a list of such annotations.
function citations.tell(list, reply)
  for _, said in ipairs(type(list) == "table" and list or {}) do
    reply:cite(citations.of_openai(said))
  end
end

-- Anthropic's --------------------------------------------------------------------------

local FOUND = { "type", "cited_text", "url", "title", "encrypted_index" }
local PLACE = {
  "type", "cited_text", "document_index", "document_title", "start_char_index",
  "end_char_index",
}

-- Documents are counted there; ours are named for their number (lib/cohere_messages.lua).
local function number_in(id)
  return tonumber(id:match("^doc:(%d+)$")) or 0
end

--- A citation of a block of text. What is encrypted there nobody else has.
function citations.messages(one)
  if one.url then
    return json.object(FOUND, {
      type = "web_search_result_location", cited_text = one.text or "", url = one.url,
      title = one.title or json.null, encrypted_index = "",
    })
  end
  local source = one.source or one.text or ""
  return json.object(PLACE, {
    type = "char_location", cited_text = source, document_index = number_in(one.id),
    document_title = one.title or json.null, start_char_index = 0,
    end_char_index = citations.length(source),
  })
end

--- One of a block that stands from `start` to `stop`.
function citations.of_messages(said, start, stop)
  if type(said) ~= "table" then return nil end
  local id = type(said.document_index) == "number" and ("doc:%d"):format(said.document_index)
    or text_of(said.source)
  return citations.new {
    start = start, stop = stop, url = said.url, id = id, source = said.cited_text,
    title = said.title or said.document_title,
  }
end

-- Gemini's -----------------------------------------------------------------------------

--- The metadata of a candidate; nil where there is nothing to cite.
function citations.gemini(list)
  if not list then return nil end
  local out = json.array {}
  for i, one in ipairs(list) do
    out[i] = json.object({ "startIndex", "endIndex", "uri", "title" }, {
      startIndex = one.start, endIndex = one.stop, uri = one.url, title = one.title or one.id,
    })
  end
  return { citationSources = out }
end

-- Google counts bytes. Of a long text nothing is kept but whether that is the same, and of one
-- piece the piece: where both are unlike, the place is not told.
local function characters(said, bytes)
  if not bytes or not said.is_wide then return bytes end
  return said.only and citations.length(said.only:sub(1, bytes)) or nil
end

--- Remember of a piece of text what places in it take.
function citations.note(said, text)
  if not said.is_wide and text:find("[\128-\255]") then said.is_wide = true end
  said.only = said.only == nil and text
end

local function table_of(value) return type(value) == "table" and value or {} end

local function add_support(support, chunks, said, out)
  local at = table_of(support.segment)
  local stop = number_of(at.endIndex)
  for _, index in ipairs(table_of(support.groundingChunkIndices)) do
    local chunk = table_of(number_of(index) and chunks[index + 1])
    local where = table_of(chunk.web or chunk.retrievedContext)
    out[#out + 1] = citations.new {
      start = stop and characters(said, number_of(at.startIndex) or 0),
      stop = characters(said, stop), text = at.text, url = where.uri, title = where.title,
    }
  end
end

local function grounded(found, said, out)
  local chunks = table_of(found.groundingChunks)
  for _, support in ipairs(table_of(found.groundingSupports)) do
    if type(support) == "table" then add_support(support, chunks, said, out) end
  end
end

--- Those of a candidate, given what was noted of its text: a list, perhaps empty.
function citations.of_gemini(candidate, said)
  local out = {}
  if type(candidate.groundingMetadata) == "table" then
    grounded(candidate.groundingMetadata, said, out)
  end
  local cited = table_of(candidate.citationMetadata)
  for _, one in ipairs(table_of(cited.citationSources or cited.citations)) do
    if type(one) == "table" then
      out[#out + 1] = citations.new {
        start = characters(said, number_of(one.startIndex) or 0), url = one.uri,
        stop = characters(said, number_of(one.endIndex)), title = one.title,
      }
    end
  end
  return out
end

return citations
