-- Where a body's tokens are: the members of every dialect's requests that a model is shown, as
-- an outline for engine.tokens. A body is recognised by its shape: it has `messages`, `input`
-- or `contents`, and what means nothing in one dialect does not stand in the others.
--
-- A rule: `text` it counts; `into` the place of an object, or of an array's objects; `raw` an
-- object counts as the JSON it is; `named` the member's own name counts; `add` so many tokens
-- where it is there, `each` for an element, `alone` where it is a string; `before`
-- and `after` what stands around the text; `image` an image or a file, `detail` how closely it
-- is looked at.

local tokens = require "engine.tokens"

local shapes = {}

local TEXT = { text = true }
local ORDER = {
  "body", "message", "part", "picture", "call", "asked", "answer", "tool", "declared", "schema",
  "properties", "property", "nested", "inner", "choice", "format", "named", "option",
}

-- Messages of chats, items of Responses, contents of Gemini.
local function message(frame)
  return { add = frame.message, members = {
    role = not frame.roleless and TEXT or nil, parts = { into = "part" },
    content = { text = true, into = "part" },
    name = { text = true, add = 1 }, refusal = TEXT,
    tool_calls = { into = "call" }, function_call = { into = "asked", add = frame.call },
    arguments = { text = true, add = frame.item },
    output = { text = true, into = "part" },
    input = { text = true, raw = true },
  } }
end

local PART = { members = {
  text = TEXT, refusal = TEXT, content = { text = true, into = "part" },
  name = TEXT, input = { raw = true }, title = TEXT, context = TEXT,
  image_url = { image = true, into = "picture" }, source = { into = "picture" },
  input_audio = { into = "picture" }, file = { into = "picture" },
  video_url = { into = "picture" }, audio_url = { into = "picture" },
  inlineData = { into = "picture" }, inline_data = { into = "picture" },
  fileData = { into = "picture" }, file_data = { image = true, into = "picture" },
  file_id = { image = true }, file_url = { image = true }, detail = { detail = true },
  functionCall = { into = "asked" }, function_call = { into = "asked" },
  functionResponse = { into = "answer" }, function_response = { into = "answer" },
} }

local PICTURE = { members = {
  url = { image = true }, data = { image = true }, file_data = { image = true },
  file_id = { image = true }, fileUri = { image = true }, file_uri = { image = true },
  detail = { detail = true }, content = { text = true, into = "part" },
} }

-- A schema as lines of a type: names, types and, at the top, descriptions.
local function typed(frame, described, inside)
  local members = {
    enum = { text = true, each = frame.enum },
    items = { into = inside.items }, properties = { into = inside.properties },
    anyOf = { into = "option" }, oneOf = { into = "option" }, allOf = { into = "option" },
  }
  if described then
    members.description = { text = true, before = " ", after = "\n", add = frame.described }
  end
  return { members = members }
end

local function names(frame, inside)
  return { members = { ["*"] = { named = true, into = inside, add = frame.property } } }
end

-- Tools: as types where the frame knows what those add, else as the JSON they are.
local function declared(frame)
  local schema = frame.property and { into = "schema" } or { raw = true }
  return {
    name = { text = true, before = " ", add = frame.tool },
    description = { text = true, before = " ", after = "\n", add = frame.description },
    parameters = schema, input_schema = schema, parametersJsonSchema = schema,
    parameters_json_schema = schema, inputSchema = schema,
  }
end

local function tool(frame)
  local members = declared(frame)
  members["function"] = { into = "declared" }
  members.functionDeclarations, members.function_declarations =
    { into = "declared" }, { into = "declared" }
  return { members = members }
end

-- A schema that the answer must have.
local function format(frame)
  if frame.formatless then return { members = {} } end
  return { members = {
    schema = { raw = true, add = frame.schema },
    json_schema = { into = "named", add = frame.format },
    format = { into = "format" },
  } }
end

local function named(frame)
  return { members = {
    name = TEXT, description = TEXT, schema = { raw = true, add = frame.schema },
  } }
end

local function body(frame)
  local one = frame.message + (frame.roleless and 0 or 1)
  local said = { text = true, into = "part", add = one }
  return { members = {
    messages = { into = "message" }, contents = { into = "message", text = true },
    input = { text = true, into = "message", alone = one },
    system = said, instructions = said, prompt = { text = true, ruled = true },
    systemInstruction = { into = "message" }, system_instruction = { into = "message" },
    content = { into = "message" }, requests = { into = "body" }, -- of embedContent
    generateContentRequest = { into = "body" },
    tools = { into = "tool", add = frame.tools, ruled = true },
    functions = { into = "declared", add = frame.tools, ruled = true },
    tool_choice = { into = "choice" },
    response_format = { into = "format", ruled = true },
    text = { into = "format", ruled = true }, previous_response_id = { ruled = true },
    output_config = { into = "format", ruled = true },
    output_format = { into = "format", ruled = true },
    thinking = { add = frame.thinking },
  } }
end

--- The outline of a frame (lib/token_models.lua), and the weights of a family.
function shapes.outline(frame, family)
  local top = { items = "property", properties = "nested" }
  local low = { items = "inner", properties = "nested" }
  return tokens.outline {
    order = ORDER, weights = family.weights, otherwise = family.ratio,
    places = {
      body = body(frame), message = message(frame), part = PART, picture = PICTURE,
      call = { members = {
        ["function"] = { into = "asked", add = frame.call }, custom = { into = "asked" },
      } },
      asked = { members = {
        name = TEXT, input = TEXT,
        arguments = { text = true, raw = true }, args = { raw = true },
      } },
      answer = { members = { name = TEXT, response = { raw = true } } },
      tool = tool(frame), declared = { members = declared(frame) },
      schema = { members = { properties = { into = "properties" } } },
      properties = names(frame, "property"), property = typed(frame, true, top),
      nested = names(frame, "inner"), inner = typed(frame, false, low),
      option = typed(frame, false, low),
      choice = { members = {
        ["function"] = { into = "asked", add = frame.choice },
        name = { text = true, add = frame.choice }, tools = { into = "asked" },
      } },
      format = format(frame), named = named(frame),
    },
  }
end

--- The same of bodies that hold texts, and no messages: embeddings, legacy completions.
function shapes.plain(family)
  return tokens.outline {
    order = { "body", "content", "part" }, weights = family.weights, otherwise = family.ratio,
    places = {
      body = { members = {
        input = TEXT, prompt = TEXT, suffix = TEXT, title = TEXT,
        content = { into = "content" }, requests = { into = "body" },
      } },
      content = { members = { parts = { into = "part" } } },
      part = { members = { text = TEXT } },
    },
  }
end

return shapes
