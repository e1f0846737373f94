"""LangChain for Python, with its classes for OpenAI (chat and Responses) and Anthropic."""

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI

from cases import parameters, plan, run, step, weather

openai = {"base_url": f"{plan.root}/v1", "api_key": plan.key, "max_retries": 0}
MODELS = {
    "langchain-python-openai":
        lambda name: ChatOpenAI(model=name, stream_usage=True, **openai),
    "langchain-python-responses":
        lambda name: ChatOpenAI(model=name, use_responses_api=True, **openai),
    "langchain-python-anthropic": lambda name: ChatAnthropic(
        model=name, base_url=plan.root, api_key=plan.key, max_retries=0, max_tokens=1000),
}
tool = {"type": "function", "function": {
    "name": plan.tool.name, "description": plan.tool.description, "parameters": parameters}}


def streamed(model, messages):
    whole = None
    for chunk in model.stream(messages):
        whole = chunk if whole is None else whole + chunk
    return whole


def finish(message):
    said = message.response_metadata
    return said.get("finish_reason") or said.get("stop_reason") or said.get("status")


def ask(name, case):
    model = MODELS[plan.client](name)
    if case.tools:
        model = model.bind_tools([tool])
    messages = [SystemMessage(plan.system), HumanMessage(plan.question)]
    steps = []
    while len(steps) < 3:
        heard = streamed(model, messages) if case.stream else model.invoke(messages)
        usage = heard.usage_metadata or {}
        steps.append(step(
            str(heard.text), [(call["name"], call["args"]) for call in heard.tool_calls],
            (usage.get("input_tokens"), usage.get("output_tokens")), finish(heard)))
        if not heard.tool_calls:
            break
        messages += [heard] + [ToolMessage(weather(call["args"]), tool_call_id=call["id"])
                               for call in heard.tool_calls]
    return steps


run(ask)
