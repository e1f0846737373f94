-- Images, speech and transcripts in the real gateway: forms and sound pass byte for byte, are
-- billed by what was made, and take nothing past a budget.

local is_refused = require "support.refusal"
local pair = require "support.pair"

local KEY = "mg-test-sound-0123456789abcdef"
local BOUNDARY = "---x=?y"

-- A form of { name, content, more of the disposition, content-type }.
local function form_of(parts)
  local out = {}
  for _, part in ipairs(parts) do
    local kind = part[4] and "\r\nContent-Type: " .. part[4] or ""
    out[#out + 1] = ('--%s\r\nContent-Disposition: form-data; name="%s"%s%s\r\n\r\n%s\r\n')
      :format(BOUNDARY, part[1], part[3] or "", kind, part[2])
  end
  return table.concat(out) .. "--" .. BOUNDARY .. "--\r\n"
end

describe("images and sound:", function()
  local function routes(up)
    return ([[
defaults { retries = 0, cooldown = { allowed_fails = 1000, within = "1s", time = "1s" } }
local open = provider "openai_compatible" { name = "open", base_url = "%s/v1" }
local openai = provider "openai" { api_key = "k", base_url = "%s/v1" }
local mistral = provider "mistral" { api_key = "k", base_url = "%s/v1" }
local groq = provider "groq" { api_key = "k", base_url = "%s/v1" }
model "gpt-image" { openai "gpt-image-1" }
model "dall-e" { openai "dall-e-3" }
model "paint" { open { "paint", price = {
  input = 0, output = 0, image = { ["high_1024x1024"] = 0.2, ["512x512"] = 0.01 } } } }
model "tts" { openai "tts-1" }
model "mini-tts" { openai "gpt-4o-mini-tts" }
model "voxtral" { mistral { "voxtral", price = { input = 0, output = 0,
  character_input = 0.001 } } }
model "ocr" { mistral { "mistral-ocr", price = { input = 0, output = 0, page = 0.001 } } }
model "whisper" { openai "whisper-1" }
model "whisper-1" { openai { "whisper-1", name = "same" } }
model "hears" { openai "gpt-4o-transcribe" }
model "silent" { groq "g" }
model "twice" { openai { "whisper-1", name = "first" }, open "second", retries = 1,
  balance = function(list) return best(list, function(d)
    return d.name == "first" and 2 or 1 end) end }
virtual_key "k" { token = env.KEY }
virtual_key "b" { token = env.PAYS, budget = "$0.5/day" }
]]):format(up:url "open", up:url "openai", up:url "mistral", up:url "groq")
  end

  local up, gw = pair.each(function(up)
    return { env = { KEY = KEY, PAYS = KEY .. "pays" }, routes = routes(up) }
  end)

  local function post(path, body, key, kind)
    return gw:chat(body,
      { path = path, key = key or KEY, headers = { ["content-type"] = kind } })
  end

  local function post_form(path, parts, key)
    local body = type(parts) == "string" and parts or form_of(parts)
    return post(path, body, key, 'multipart/form-data; boundary="' .. BOUNDARY .. '"')
  end

  local function last(kind) return gw:last_row(kind) end

  describe("images", function()
    local ANSWER = '{"created":1, "data":[{"b64_json":"aGk="},{"b64_json":"aGk="}],'
      .. '"quality":"high","size":"1024x1536","usage":{"input_tokens":22,'
      .. '"input_tokens_details":{"image_tokens":0,"text_tokens":22},"output_tokens":12480,'
      .. '"output_tokens_details":{"image_tokens":12480,"text_tokens":0},'
      .. '"total_tokens":12502}}'

    it("B-29: go by as they came, and are billed by the token", function()
      up:reply("openai", { body = ANSWER })
      local body = '{"prompt":"a stop sign", "model":"gpt-image","n":2,"size":"1024x1536"}'
      for _, path in ipairs { "/v1/images/generations", "/images/generations" } do
        local response = post(path, body)
        assert.same({ 200, ANSWER }, { response.status, response.body })
      end
      local asked = up:last "openai"
      assert.equal("/openai/v1/images/generations", asked.path)
      assert.equal((body:gsub('"gpt%-image"', '"gpt-image-1"')), asked.body)
      local row = last "usage"
      assert.same({ "images", 22, 12480, 22 * 5000 + 12480 * 40000, { image = 2 } }, {
        row.dialect, row.tokens.input, row.tokens.output, row.cost_nano, row.units,
      })
      assert.equal(12480, row.tokens.image_output)
    end)

    it("B-29: are billed by quality and size where they are sold so", function()
      local one = '{"created":1,"data":[{"url":"https://x/1"}]}'
      up:reply("openai", { body = one })
      for words, nano in pairs {
        [""] = 40e6, [',"quality":"hd"'] = 80e6, [',"size":"1792x1024"'] = 80e6,
        [',"size":"1024x1792","quality":"hd","n":1'] = 120e6,
      } do
        assert.equal(200, post("/v1/images/generations",
          '{"model":"dall-e","prompt":"x"' .. words .. "}", KEY .. "pays").status)
        assert.same({ nano, false }, { last("usage").cost_nano, last("usage").estimated })
      end
      up:reply("open", { body = '{"data":[{"url":"1"},{"url":"2"}],"quality":"high"}' })
      assert.equal(200, post("/v1/images/generations",
        '{"model":"paint","prompt":"x","n":3,"size":"1024x1024"}').status)
      assert.same({ 400e6, { image = 2 } }, { last("usage").cost_nano, last("usage").units })
    end)

    it("S-33: set aside what they can cost at most", function()
      for _, words in ipairs {
        '"model":"gpt-image","n":10', '"model":"gpt-image","size":"4096x4096"',
        '"model":"paint","n":3', '"model":"dall-e","n":5,"size":"auto"',
      } do
        is_refused(post("/v1/images/generations", '{"prompt":"x",' .. words .. "}",
          KEY .. "pays"), 429, "budget_exceeded")
      end
      assert.equal(0, (up:stats()))
      up:reply("open", { body = '{"data":[{"url":"1"}]}' })
      assert.equal(200, post("/v1/images/generations",
        '{"model":"paint","prompt":"x","n":3,"size":"512x512"}', KEY .. "pays").status)
      assert.equal(10e6, last("usage").cost_nano)
    end)

    it("come piece by piece, as events", function()
      local events = 'event: image_generation.partial_image\ndata: {"type":'
        .. '"image_generation.partial_image","b64_json":"' .. ("A"):rep(5 * 2 ^ 20) .. '"}\n\n'
        .. 'event: image_generation.completed\ndata: {"type":"image_generation.completed",'
        .. '"b64_json":"aGk=","usage":{"input_tokens":5,"output_tokens":100,"total_tokens":'
        .. '105}}\n\n'
      up:reply("openai", { body = events, stream = "whole" })
      local response = post("/v1/images/generations",
        '{"model":"gpt-image","prompt":"x","stream":true,"partial_images":1}')
      assert.equal(200, response.status)
      assert.is_true(response.body == events)
      assert.equal("text/event-stream", response.headers["content-type"])
      assert.same({ 5, 100, true },
        { last("usage").tokens.input, last("usage").tokens.output, last("usage").stream })
    end)

    it("come whole where a provider streams none", function()
      up:reply("openai", { body = ANSWER })
      local response = post("/v1/images/generations",
        '{"model":"gpt-image","prompt":"x","n":2,"stream":true}')
      assert.same({ 200, ANSWER, "application/json" },
        { response.status, response.body, response.headers["content-type"] })
      assert.equal(12480, last("usage").tokens.output)
    end)

    it("are edited and varied by form: byte for byte, but for the model", function()
      up:reply("openai", { body = ANSWER })
      local png = "\137PNG\r\n\26\n\0\r\n--" .. BOUNDARY:sub(1, -2) .. "\r\n\255"
      local function parts(model)
        return {
          { "image[]", png, '; filename="a b\\c.png"', "image/png" },
          { "prompt", "h\195\169 \r\n\tx" }, { "model", model },
          { "image[]", png, "; filename=x; filename*=utf-8''x%20y", "image/png" }, { "n", "2" },
        }
      end
      for path, dialect in pairs {
        ["/v1/images/edits"] = "image_edits", ["/v1/images/variations"] = "image_variations",
      } do
        local response = post_form(path, parts "gpt-image")
        assert.same({ 200, ANSWER }, { response.status, response.body })
        local asked = up:last "openai"
        assert.equal("/openai" .. path, asked.path)
        assert.is_true(form_of(parts "gpt-image-1") == asked.body)
        assert.equal('multipart/form-data; boundary="' .. BOUNDARY .. '"',
          asked.headers["content-type"])
        assert.same({ dialect, { image = 2, image_read = 2 } },
          { last("usage").dialect, last("usage").units })
      end
      local body = '{"model":"gpt-image","prompt":"x","images":[{"file_id":"f"}]}'
      assert.equal(200, post("/v1/images/edits", body).status)
      assert.equal((body:gsub("gpt%-image", "gpt-image-1")), up:last("openai").body)
    end)

    it("say which member is wrong", function()
      for body, param in pairs {
        ['{"prompt":"x"}'] = "model", ['{"model":"dall-e"}'] = "prompt",
        ['{"model":"dall-e","prompt":"x","n":0}'] = "n",
        ['{"model":"dall-e","prompt":"x","n":1000}'] = "n",
        ['{"model":"dall-e","prompt":"x","n":"2"}'] = "n",
        ['{"model":"dall-e","prompt":"x","size":1}'] = "size",
        ['{"model":"dall-e","prompt":"x","Size":"1"}'] = "size",
        ['{"model":"dall-e","prompt":"x","stream":1}'] = "stream",
      } do
        local response = post("/v1/images/generations", body)
        assert.same({ 400, param }, { response.status, response.json.error.param }, body)
      end
      is_refused(post("/v1/images/generations", '{"model":"silent","prompt":"x"}'), 400,
        "unsupported_endpoint", "model")
      is_refused(post_form("/v1/images/generations", { { "model", "dall-e" } }), 415,
        "unsupported_media_type")
    end)
  end)

  describe("speech", function()
    local SOUND = ("ID3\0\255\r\n0\r\n\r\n"):rep(30000) -- more than is held back

    it("B-29: comes as it is made, and is billed by the character", function()
      local head = { ["content-type"] = "audio/mpeg" }
      for i, path in ipairs { "/v1/audio/speech", "/audio/speech" } do
        local sound = i == 1 and SOUND or "ID3"
        up:reset()
        up:reply("openai", { body = sound, headers = head, stream = { 1, 100000, 7 } })
        local response = post(path, '{"model":"tts","input":"h\195\169llo","voice":"v"}',
          KEY .. "pays")
        assert.equal(200, response.status)
        assert.is_true(response.body == sound)
        assert.equal("audio/mpeg", response.headers["content-type"])
      end
      assert.equal('{"model":"tts-1","input":"h\195\169llo","voice":"v"}',
        up:last("openai").body)
      local row = last "usage"
      assert.same({ "speech", 5 * 15000, false, { character_input = 5 } },
        { row.dialect, row.cost_nano, row.estimated, row.units })
    end)

    it("is billed by about its length where it is sold so, or as events tell", function()
      up:reply("openai", { body = SOUND, headers = { ["content-type"] = "audio/wav" } }, 1)
      assert.equal(200, post("/v1/audio/speech", '{"model":"mini-tts","input":"hello"}').status)
      assert.same({ 5 * 67 * 250, true }, { last("usage").cost_nano, last("usage").estimated })
      local events = 'data: {"type":"speech.audio.delta","audio":"aGk="}\n\n'
        .. 'data: {"type":"speech.audio.done","usage":{"input_tokens":3,"output_tokens":50,'
        .. '"total_tokens":53}}\n\n'
      up:reply("openai", { body = events, stream = "drip" }, 1)
      local response = post("/v1/audio/speech",
        '{"model":"mini-tts","input":"hello","stream_format":"sse"}')
      assert.same({ 200, events }, { response.status, response.body })
      assert.same({ 3 * 2500 + 50 * 12000, false },
        { last("usage").cost_nano, last("usage").estimated })
    end)

    it("comes in a document from some", function()
      local body = '{"audio_data":"' .. ("QUJD"):rep(100000) .. '"}'
      up:reply("mistral", { body = body })
      local response = post("/v1/audio/speech", '{"model":"voxtral","input":"four"}')
      assert.is_true(response.body == body)
      assert.equal("application/json", response.headers["content-type"])
      assert.equal(4e6, last("usage").cost_nano)
    end)

    it("S-33: sets aside what a text can cost; asks for what it needs", function()
      is_refused(post("/v1/audio/speech",
        '{"model":"voxtral","input":"' .. ("a"):rep(501) .. '"}', KEY .. "pays"), 429,
        "budget_exceeded")
      is_refused(post("/v1/audio/speech", '{"model":"mini-tts","speed":0.25,"input":"'
        .. ("a"):rep(1500) .. '"}', KEY .. "pays"), 429, "budget_exceeded")
      for body, param in pairs {
        ['{"model":"tts"}'] = "input", ['{"model":"tts","input":["x"]}'] = "input",
        ['{"model":"tts","input":"x","speed":9}'] = "speed",
      } do
        local response = post("/v1/audio/speech", body)
        assert.same({ 400, param }, { response.status, response.json.error.param }, body)
      end
      assert.equal(0, (up:stats()))
    end)

    it("breaks off where its provider does; before that, another may answer", function()
      up:reply("openai", { headers = { ["content-type"] = "audio/mpeg" }, stream = { 5 },
        body = "hello", after = "gate go\nfin\n" })
      local body = '{"model":"tts","input":"x"}'
      local connection = gw:raw(("POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nAuthorization: "
        .. "Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s")
        :format(KEY, #body, body))
      local response = connection:head()
      assert.equal("hello", connection:chunk())
      up:open "go"
      connection:body(response)
      assert.same({ "", true }, { response.body, response.cut })
      connection:close()
      assert.equal("upstream_error", last("usage").outcome)
      up:reset()
      up:reply("openai", { headers = { ["content-type"] = "text/html" }, body = "<p>" })
      is_refused(post("/v1/audio/speech", '{"model":"tts","input":"x"}'), 502,
        "upstream_invalid_response")
    end)
  end)

  describe("transcripts", function()
    local WAVE = "RIFF\0\0\0\0WAVEfmt \16\0\0\0\1\0\1\0\64\31\0\0\128\62\0\0\2\0\16\0data"
      .. "\0\0\0\0" .. ("\1\2"):rep(8000 - 22) -- one second of 8 kHz, head and all
    local function parts(model, sound, ...)
      return { { "file", sound or WAVE, '; filename="a.wav"', "audio/wav" },
        { "model", model }, ... }
    end

    it("B-29: of a form go by as they came, and are billed by the second", function()
      local answer = '{"text":"hi", "usage":{"type":"duration","seconds":3}}'
      up:reply("openai", { body = answer })
      for path, dialect in pairs {
        ["/v1/audio/transcriptions"] = "transcriptions",
        ["/v1/audio/translations"] = "translations",
      } do
        local response = post_form(path, parts "whisper", KEY .. "pays")
        assert.same({ 200, answer, "0.0003" },
          { response.status, response.body, response.headers["x-moongate-cost"] })
        local asked = up:last "openai"
        assert.equal("/openai" .. path, asked.path)
        assert.is_true(form_of(parts "whisper-1") == asked.body)
        assert.same({ dialect, { ms_input = 3000 }, 100000 },
          { last("usage").dialect, last("usage").units, last("intent").reserve.nano })
      end
      assert.equal(200, post_form("/audio/transcriptions", parts "whisper-1").status)
      assert.is_true(form_of(parts "whisper-1") == up:last("openai").body)
    end)

    it("are billed by the token where those are counted", function()
      up:reply("openai", {
        body = '{"text":"hi","usage":{"type":"tokens","total_tokens":16,"input_tokens":11,'
          .. '"input_token_details":{"text_tokens":1,"audio_tokens":10},"output_tokens":5}}',
      })
      assert.equal(200, post_form("/v1/audio/transcriptions", parts "hears").status)
      assert.same({ 11 * 2500 + 5 * 10000, 10 },
        { last("usage").cost_nano, last("usage").tokens.audio_input })
    end)

    it("are text, subtitles or events, too", function()
      local srt = "1\n00:00:00,000 --> 00:00:02,500\nhi\n\n"
        .. "2\n00:00:02,500 --> 00:01:02,25\nyou\n"
      local vtt = "WEBVTT\n\n00:00.000 --> 00:02.000\nhi\n"
      for kind, want in pairs {
        ["text/plain; charset=utf-8"] = { srt, 62250 * 100 }, ["text/vtt"] = { vtt, 200000 },
        ["text/plain"] = { "hi\n", 100000 },
      } do
        up:reset()
        up:reply("openai", { body = want[1], headers = { ["content-type"] = kind } })
        local response = post_form("/v1/audio/transcriptions",
          parts("whisper", nil, { "response_format", "srt" }))
        assert.same({ 200, want[1], kind },
          { response.status, response.body, response.headers["content-type"] })
        assert.same({ want[2], false }, { last("usage").cost_nano, last("usage").estimated })
      end
      up:reset()
      local events = 'data: {"type":"transcript.text.delta","delta":"h"}\r\n\r\n'
        .. 'data: {"type":"transcript.text.done","text":"h","usage":{"type":"tokens",'
        .. '"input_tokens":4,"output_tokens":1,"total_tokens":5}}\r\n\r\ndata: [DONE]\r\n\r\n'
      up:reply("openai", { body = events, stream = "drip" })
      local response = post_form("/v1/audio/transcriptions",
        parts("hears", nil, { "stream", "true" }))
      assert.same({ 200, events }, { response.status, response.body })
      assert.same({ 4, 1, true },
        { last("usage").tokens.input, last("usage").tokens.output, last("usage").stream })
    end)

    it("of a sound that does not say how long it is are billed by its size", function()
      up:reply("openai", { body = "hi", headers = { ["content-type"] = "text/plain" } })
      local sound = ("\255\251"):rep(8000)
      assert.equal(200, post_form("/v1/audio/transcriptions",
        parts("whisper", sound), KEY .. "pays").status)
      assert.same({ 2000 * 100, true }, { last("usage").cost_nano, last("usage").estimated })
      assert.equal(16000 * 100, last("intent").reserve.nano)
      is_refused(post_form("/v1/audio/transcriptions", parts("whisper", ("x"):rep(6000000)),
        KEY .. "pays"), 429, "budget_exceeded")
    end)

    it("are asked of the next where the first fails", function()
      up:reply("openai", { status = 500, body = "{}" })
      up:reply("open", { body = '{"text":"hi"}' })
      local response = post_form("/v1/audio/transcriptions", parts "twice")
      assert.equal(200, response.status, response.body)
      assert.is_true(form_of(parts "second") == up:last("open").body)
      assert.is_true(form_of(parts "whisper-1") == up:last("openai").body)
    end)

    it("B-29: pages are billed by the page", function()
      up:reply("mistral", {
        body = '{"pages":[{"index":0,"markdown":"#"}],"usage_info":{"pages_processed":29}}',
      })
      local body = '{"model":"ocr","document":{"type":"document_url","document_url":"data:x"}}'
      assert.equal("0.029", post("/v1/ocr", body).headers["x-moongate-cost"])
      is_refused(post("/v1/ocr", body, KEY .. "pays"), 429, "budget_exceeded")
    end)

    it("T20: of forms that two servers may read differently are refused", function()
      local good = form_of(parts "whisper")
      local function swapped(from, to) return (good:gsub(from, to, 1)) end
      local model = '%-%-%-%-%-x=%?y\r\nContent%-Disposition: form%-data; name="model"\r\n\r\n'
      local field = model:gsub("%%", "")
      local bodies = {
        "", "{}", good:sub(1, -5), good .. "more", "before\r\n" .. good,
        swapped("\r\n%-%-%-%-%-x=%?y%-%-", "\n-----x=?y--"),
        swapped("WAVEfmt", "\n-----x=?y\nContent"), swapped("name=\"file\"", "name=\"fi\\le\""),
        swapped(model .. "whisper", field .. "whisper\r\n" .. field .. "hears"),
        swapped('name="model"', 'name="Model"'), swapped('name="model"', 'name="model[]"'),
        swapped('name="model"', 'name=" model"'),
        swapped('name="model"', 'name="model";name=a'),
        swapped('name="model"', 'name="x"; name*=utf-8\'\'model'),
        swapped('name="model"', 'name="model"; filename="x"'),
        swapped('name="model"', 'name="model"\r\nContent-Type: application/json'),
        swapped('name="model"',
          'name="model"\r\nContent-Type: text/plain; charset=utf-16'),
        swapped('name="model"', 'name="model"\r\nContent-Transfer-Encoding: base64'),
        swapped('name="file"', 'name="_charset_"'),
        swapped("whisper\r\n", "\255\r\n"), swapped("whisper\r\n", "\r\n"),
        swapped("whisper\r\n", ("w"):rep(300 * 1024) .. "\r\n"),
        ("--" .. BOUNDARY .. "\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n")
          :rep(200),
      }
      for i, body in ipairs(bodies) do
        local response = post_form("/v1/audio/transcriptions", body)
        assert.equal(400, response.status, i .. ": " .. response.body)
      end
      for _, kind in ipairs {
        "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a",
        'multipart/form-data; boundary=a; boundary="b"', "text/plain",
      } do
        local response = post("/v1/audio/transcriptions", good, KEY, kind)
        assert.is_true(response.status == 400 or response.status == 415, kind)
      end
      is_refused(post_form("/v1/chat/completions", good), 415, "unsupported_media_type")
      assert.equal(0, (up:stats()))
    end)
  end)

  it("T20: a name that leads elsewhere is refused as it is everywhere", function()
    is_refused(post_form("/v1/audio/transcriptions", { { "model", "nobody" },
      { "file", "x", '; filename="x"' } }), 404, "model_not_found", "model")
  end)
end)
