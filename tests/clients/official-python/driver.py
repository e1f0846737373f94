"""The official clients of OpenAI (chat and Responses) and Anthropic, for Python."""

from anthropic import Anthropic
from openai import OpenAI

from cases import parameters, plan, run, step, weather

# Each gives the answers of a conversation, one after another.


def chat(model, case):
    client = OpenAI(base_url=f"{plan.root}/v1", api_key=plan.key, max_retries=0)
    messages = [{"role": "system", "content": plan.system},
                {"role": "user", "content": plan.question}]
    asked = {"model": model, "messages": messages}
    if case.tools:
        asked["tools"] = [{"type": "function", "function": {
            "name": plan.tool.name, "description": plan.tool.description,
            "parameters": parameters}}]
    while True:
        if case.stream:
            more = {"stream_options": {"include_usage": True}}
            with client.chat.completions.stream(**asked, **more) as events:
                data = events.get_final_completion()
        else:
            data = client.chat.completions.create(**asked)
        message, usage = data.choices[0].message, data.usage
        calls = message.tool_calls or []
        messages.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
        messages.extend(
            {"role": "tool", "tool_call_id": call.id, "content": weather(call.function.arguments)}
            for call in calls)
        yield step(
            message.content, [(call.function.name, call.function.arguments) for call in calls],
            (usage.prompt_tokens, usage.completion_tokens), data.choices[0].finish_reason)


def responses(model, case):
    client = OpenAI(base_url=f"{plan.root}/v1", api_key=plan.key, max_retries=0)
    items = [{"role": "user", "content": plan.question}]
    asked = {"model": model, "instructions": plan.system, "input": items, "store": False}
    if case.tools:
        asked["tools"] = [{
            "type": "function", "name": plan.tool.name, "description": plan.tool.description,
            "parameters": parameters, "strict": True}]
    while True:
        if case.stream:
            with client.responses.stream(**asked) as events:
                data = events.get_final_response()
        else:
            data = client.responses.create(**asked)
        calls = [item for item in data.output if item.type == "function_call"]
        items.extend(item.model_dump(exclude_none=True, exclude={"parsed_arguments"})
                     for item in data.output)
        items.extend({"type": "function_call_output", "call_id": call.call_id,
                      "output": weather(call.arguments)} for call in calls)
        yield step(data.output_text, [(call.name, call.arguments) for call in calls],
                   (data.usage.input_tokens, data.usage.output_tokens), data.status)


def messages(model, case):
    client = Anthropic(base_url=plan.root, api_key=plan.key, max_retries=0)
    turns = [{"role": "user", "content": plan.question}]
    asked = {"model": model, "max_tokens": 1000, "system": plan.system, "messages": turns}
    if case.tools:
        asked["tools"] = [{"name": plan.tool.name, "description": plan.tool.description,
                           "input_schema": parameters}]
    while True:
        if case.stream:
            with client.messages.stream(**asked) as events:
                data = events.get_final_message()
        else:
            data = client.messages.create(**asked)
        calls = [block for block in data.content if block.type == "tool_use"]
        turns.append({"role": "assistant", "content": data.content})
        turns.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": weather(call.input)}
            for call in calls]})
        yield step(
            "".join(block.text for block in data.content if block.type == "text"),
            [(call.name, call.input) for call in calls],
            (data.usage.input_tokens, data.usage.output_tokens), data.stop_reason)


KINDS = {
    "openai-python": chat, "openai-python-responses": responses, "anthropic-python": messages,
}


def ask(name, case):
    steps = []
    for heard in KINDS[plan.client](name, case):
        steps.append(heard)
        if not heard["calls"] or len(steps) > 2:
            return steps


run(ask)
