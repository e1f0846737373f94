"""The official OpenAI client for Python: a chat, a stream, a tool call, an error. Counts its checks."""

import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="any", max_retries=0)
MESSAGES = [{"role": "user", "content": "hello moon"}]
TOOLS = [{
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        },
    },
}]
counts = {True: 0, False: 0}


def check(what, holds):
    counts[bool(holds)] += 1
    if not holds:
        print(f"python: not so: {what}")


def chat():
    raw = client.chat.completions.with_raw_response.create(model="mock", messages=MESSAGES)
    data = raw.parse()
    check("a chat has text", data.choices[0].message.content)
    check("a chat finishes", data.choices[0].finish_reason == "stop")
    check("a chat has usage", data.usage.total_tokens > 0)
    check("a chat says who answered", raw.headers.get("x-moongate-deployment"))


def stream():
    text, finish, usage = "", None, None
    for chunk in client.chat.completions.create(
            model="mock", messages=MESSAGES, stream=True, stream_options={"include_usage": True}):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
        usage = chunk.usage or usage
    check("a stream has text", text)
    check("a stream finishes", finish == "stop")
    check("a stream has usage", usage and usage.total_tokens > 0)


def tool_call():
    data = client.chat.completions.create(model="mock", messages=MESSAGES, tools=TOOLS)
    call = data.choices[0].message.tool_calls[0]
    check("a tool call names the tool", call.function.name == "weather")
    check("a tool call has arguments", isinstance(json.loads(call.function.arguments), dict))
    check("a tool call finishes so", data.choices[0].finish_reason == "tool_calls")


def streamed_tool_call():
    with client.chat.completions.stream(
            model="mock", messages=MESSAGES, tools=TOOLS) as events:
        data = events.get_final_completion()
    call = data.choices[0].message.tool_calls[0]
    check("a streamed tool call names the tool", call.function.name == "weather")
    check("a streamed tool call has arguments", isinstance(json.loads(call.function.arguments), dict))


def embeddings():
    data = client.embeddings.create(model="mock", input=["moon", "gate"])
    plain = client.embeddings.create(model="mock", input="gate", encoding_format="float")
    near = zip(data.data[1].embedding, plain.data[0].embedding)
    check("embeddings are one a text", len(data.data) == 2)
    check("embeddings say the same as bytes and as numbers", all(abs(a - b) < 1e-6 for a, b in near))
    check("embeddings have usage", data.usage.total_tokens > 0)


def completion():
    data = client.completions.create(model="mock", prompt="hello moon")
    check("a completion has text", "hello" in data.choices[0].text)
    check("a completion has usage", data.usage.total_tokens > 0)
    text = "".join(chunk.choices[0].text for chunk in client.completions.create(
        model="mock", prompt="hello moon", stream=True) if chunk.choices)
    check("a streamed completion says the same", text == data.choices[0].text)


def error():
    try:
        client.chat.completions.create(model="no-such-model", messages=MESSAGES)
        check("an unknown model is an error", False)
    except openai.NotFoundError as seen:
        check("an error has our code", seen.code == "model_not_found")


def models():
    check("the list of models has mock", "mock" in [model.id for model in client.models.list()])


for part in (chat, stream, tool_call, streamed_tool_call, embeddings, completion, error, models):
    try:
        part()
    except Exception as seen:  # one broken part must not hide the others
        check(f"{part.__name__}: {seen!r}", False)

print(f"{counts[True]} passed, {counts[False]} failed")
sys.exit(0 if counts[False] == 0 else 1)
