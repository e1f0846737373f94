"""OpenAI's Agents SDK for Python, which runs the loop of tools itself, over Responses and chats."""

import asyncio

from agents import (
    Agent, FunctionTool, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig,
    Runner, set_tracing_disabled)
from openai import AsyncOpenAI

from cases import parameters, plan, run, step, weather as report

set_tracing_disabled(True)
client = AsyncOpenAI(base_url=f"{plan.root}/v1", api_key=plan.key, max_retries=0)
MODELS = {
    "agents-python-responses": OpenAIResponsesModel,
    "agents-python-chat": OpenAIChatCompletionsModel,
}


async def weather(_context, arguments):
    return report(arguments)


tool = FunctionTool(
    name=plan.tool.name, description=plan.tool.description, params_json_schema=parameters,
    on_invoke_tool=weather)


def heard(response):
    text = "".join(
        part.text for item in response.output if item.type == "message" for part in item.content)
    calls = [(item.name, item.arguments) for item in response.output if item.type == "function_call"]
    return step(text, calls, (response.usage.input_tokens, response.usage.output_tokens), None)


async def answers(name, case):
    agent = Agent(
        name="a", instructions=plan.system, tools=[tool] if case.tools else [],
        model=MODELS[plan.client](model=name, openai_client=client),
        model_settings=ModelSettings(include_usage=True))
    config = RunConfig(tracing_disabled=True)
    if not case.stream:
        return (await Runner.run(agent, plan.question, max_turns=3, run_config=config)).raw_responses
    result = Runner.run_streamed(agent, plan.question, max_turns=3, run_config=config)
    async for _ in result.stream_events():
        pass
    return result.raw_responses


loop = asyncio.new_event_loop()
run(lambda name, case: [heard(one) for one in loop.run_until_complete(answers(name, case))])
