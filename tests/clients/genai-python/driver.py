"""Google's official client for Python."""

from google import genai
from google.genai import types

from cases import parameters, plan, run, step, weather

client = genai.Client(api_key=plan.key, http_options=types.HttpOptions(base_url=plan.root))
tool = types.Tool(function_declarations=[types.FunctionDeclaration(
    name=plan.tool.name, description=plan.tool.description, parameters_json_schema=parameters)])


def streamed(asked):
    parts, last = [], None
    for piece in client.models.generate_content_stream(**asked):
        parts += piece.candidates[0].content.parts or []
        last = piece
    last.candidates[0].content = types.Content(role="model", parts=parts)
    return last


def ask(model, case):
    config = types.GenerateContentConfig(
        system_instruction=plan.system, tools=[tool] if case.tools else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
    contents = [types.Content(role="user", parts=[types.Part(text=plan.question)])]
    steps = []
    while len(steps) < 3:
        asked = {"model": model, "contents": contents, "config": config}
        heard = streamed(asked) if case.stream else client.models.generate_content(**asked)
        candidate, usage = heard.candidates[0], heard.usage_metadata
        parts = candidate.content.parts
        calls = [part.function_call for part in parts if part.function_call]
        steps.append(step(
            "".join(part.text or "" for part in parts if not part.thought),
            [(call.name, call.args) for call in calls],
            (usage.prompt_token_count, usage.candidates_token_count), candidate.finish_reason.name))
        if not calls:
            break
        results = [types.Part(function_response=types.FunctionResponse(
            id=call.id, name=call.name, response={"output": weather(call.args)}))
            for call in calls]
        contents += [candidate.content, types.Content(role="user", parts=results)]
    return steps


run(ask)
