"""The official Anthropic client for Python: a chat, a stream, a tool loop of two turns, an error, with an
upstream of each family. Counts its checks."""

import sys

import anthropic

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="any", max_retries=0)
MESSAGES = [{"role": "user", "content": "hello moon"}]
TOOLS = [{
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
    },
}]
counts = {True: 0, False: 0}


def check(what, holds):
    counts[bool(holds)] += 1
    if not holds:
        print(f"python messages: not so: {what}")


def chat(model):
    data = client.messages.create(model=model, max_tokens=100, messages=MESSAGES)
    check(f"{model}: a chat has text", data.content[0].text)
    check(f"{model}: a chat finishes", data.stop_reason == "end_turn")
    check(f"{model}: a chat has usage", data.usage.input_tokens > 0 and data.usage.output_tokens > 0)


def stream(model):
    with client.messages.stream(model=model, max_tokens=100, messages=MESSAGES) as events:
        text = "".join(events.text_stream)
        data = events.get_final_message()
    check(f"{model}: a stream has text", text and data.content[-1].text == text)
    check(f"{model}: a stream finishes", data.stop_reason == "end_turn")
    check(f"{model}: a stream has usage", data.usage.input_tokens > 0 and data.usage.output_tokens > 0)


def tools(model):
    first = client.messages.create(model=model, max_tokens=100, messages=MESSAGES, tools=TOOLS)
    call = next(block for block in first.content if block.type == "tool_use")
    check(f"{model}: a tool is called", call.name == "weather" and isinstance(call.input["city"], str))
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    second = client.messages.create(model=model, max_tokens=100, tools=TOOLS, messages=[
        *MESSAGES, {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ])
    check(f"{model}: its result is answered", "sunny" in second.content[-1].text)


def error():
    try:
        client.messages.create(model="no-such-model", max_tokens=9, messages=MESSAGES)
        check("an error is raised", False)
    except anthropic.NotFoundError as seen:
        check("an error has its type", seen.body["error"]["type"] == "not_found_error")


for name in sys.argv[2:]:
    for body in (chat, stream, tools):
        try:
            body(name)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is counted
            check(f"{name}: {body.__name__}: {problem!r}", False)
error()
print(f"{counts[True]} passed, {counts[False]} failed")
sys.exit(0 if counts[False] == 0 else 1)
