-- An in-house server: takes a flat prompt, wants the body signed, streams JSON lines.

local chat = require "lib.chat"
local crypto = require "engine.crypto"

local function encode(call, dep)
  local turns = {}
  for i, m in ipairs(call.body.messages) do
    turns[i] = ("<%s>%s"):format(m.role, chat.text(m.content))
  end
  return {
    engine = dep.model,
    prompt = table.concat(turns, "\n"),
    limit  = call.body.max_tokens or 1024,
    live   = call.stream,
  }
end

local function finish(last, reply)
  reply:finish(last.cut and "length" or "stop")
  reply:usage { input_tokens = last.n_in, output_tokens = last.n_out }
end

local function decode(body, reply)
  reply:text(body.out)
  finish(body, reply)
end

local function stream(upstream, reply)
  for line in upstream:jsonl() do
    if line.done then finish(line, reply) else reply:text(line.piece) end
  end
end

return chat.adapter {
  path   = "/generate",
  encode = encode, decode = decode, stream = stream,
  sign   = function(request, dep) -- last of all: sees the bytes that will be sent
    request.headers["x-acme-mac"] = crypto.hmac_sha256(dep.provider.secret, request.body)
  end,
}
