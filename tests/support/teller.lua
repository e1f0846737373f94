-- Answers as providers may cut them into pieces, told to a reply.

local teller = {}

local PIECES = { '{"a"', ':"', "b\\n", '"}', "{", "}", "{}", '{"a":1}', "" }

local VERBS = {
  function(reply, random) reply:text(("word "):rep(random(3) - 1)) end,
  function(reply) reply:refusal "no" end,
  function(reply) reply:reasoning "hm" end,
  function(reply) reply:reasoning("", { signature = "S" }) end,
  function(reply) reply:reasoning("", { redacted = "D" }) end,
  function(reply, random)
    local n = random(3)
    reply:tool_call { index = n, id = "call_" .. n, name = "f", arguments = PIECES[random(9)] }
  end,
  function(reply, random)
    local n, piece = random(3), PIECES[random(#PIECES)]
    local known = reply.tool_calls and reply.tool_calls.by_index[n]
    if known then reply:tool_call { index = n, arguments = piece } end
  end,
  function(reply, random)
    reply:tool_call {
      id = "own_" .. random(9), name = "g", arguments = PIECES[random(#PIECES)],
      extra = { extra_content = { google = { thought_signature = "c2ln" } } },
    }
  end,
}

--- An answer of any verbs in any order, to its end.
function teller.say(reply, random)
  reply:start { id = "x", model = "m" }
  for _ = 1, random(12) do VERBS[random(#VERBS)](reply, random) end
  reply:finish(({ "stop", "length", "tool_calls", "content_filter", "odd" })[random(5)])
  reply:usage { input_tokens = 9, output_tokens = random(50), cache_read_tokens = 4 }
  reply:close()
end

--- Three calls whose pieces come in turns, and a word; what each of them says.
function teller.say_at_once(reply)
  reply:tool_call { index = 0, id = "a", name = "f", arguments = '{"x":' }
  reply:tool_call { index = 1, id = "b", name = "g", arguments = '{"y"' }
  reply:tool_call { index = 0, arguments = "1}" }
  reply:tool_call { index = 2, id = "c", name = "h", arguments = "" }
  reply:tool_call { index = 1, arguments = ":2}" }
  reply:text "and"
  reply:finish "tool_calls"
  reply:close()
  return { '{"x":1}', '{"y":2}', "", "and" }
end

return teller
