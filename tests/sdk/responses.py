"""The official OpenAI client for Python at the door of Responses: a chat, a stream, a tool loop of two turns, an
error, with an upstream of each family. Counts its checks."""

import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="any", max_retries=0)
TOOLS = [{
    "type": "function",
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
    },
    "strict": False,
}]
counts = {True: 0, False: 0}


def check(what, holds):
    counts[bool(holds)] += 1
    if not holds:
        print(f"python responses: not so: {what}")


def chat(model):
    data = client.responses.create(model=model, input="hello moon", max_output_tokens=100, store=False)
    check(f"{model}: a chat has text", data.output_text)
    check(f"{model}: a chat finishes", data.status == "completed")
    check(f"{model}: a chat has usage", data.usage.input_tokens > 0 and data.usage.output_tokens > 0)


def stream(model):
    text = ""
    with client.responses.stream(model=model, input="hello moon", max_output_tokens=100) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                text += event.delta
        data = events.get_final_response()
    check(f"{model}: a stream has text", text and data.output_text == text)
    check(f"{model}: a stream finishes", data.status == "completed")
    check(f"{model}: a stream has usage", data.usage.input_tokens > 0 and data.usage.output_tokens > 0)


def loop(model):
    asking = [{"role": "user", "content": "hello moon"}]
    first = client.responses.create(model=model, input=asking, tools=TOOLS, store=False)
    call = next((item for item in first.output if item.type == "function_call"), None)
    check(f"{model}: a tool is called", call and call.name == "weather" and "city" in json.loads(call.arguments))
    asking += [item.model_dump(exclude_none=True) for item in first.output]
    asking.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    second = client.responses.create(model=model, input=asking, tools=TOOLS, store=False)
    check(f"{model}: its result is answered", "sunny" in second.output_text)


def error():
    seen = None
    try:
        client.responses.create(model="no-such-model", input="hello")
    except openai.OpenAIError as caught:
        seen = caught
    check("an error is the client's own", isinstance(seen, openai.NotFoundError))
    check("an error has its code", getattr(seen, "code", None) == "model_not_found")


def attempt(what, body, *given):
    try:
        body(*given)
    except Exception as caught:  # whatever a client raises is a check that failed
        check(f"{what}: {caught!r}", False)


for name in sys.argv[2:]:
    attempt(f"{name}: a chat", chat, name)
    attempt(f"{name}: a stream", stream, name)
    attempt(f"{name}: tools", loop, name)
attempt("an error", error)
print(f"{counts[True]} passed, {counts[False]} failed")
sys.exit(0 if counts[False] == 0 else 1)
