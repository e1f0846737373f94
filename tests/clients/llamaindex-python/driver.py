"""LlamaIndex for Python: OpenAILike, its class for servers that speak OpenAI's dialect."""

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.llms.openai_like import OpenAILike

from cases import parameters, plan, run, step, weather


class Metadata(ToolMetadata):
    def get_parameters_dict(self):
        return parameters


tool = FunctionTool(
    fn=lambda city: weather({"city": city}),
    metadata=Metadata(name=plan.tool.name, description=plan.tool.description))


def model_of(name, case):
    more = {"additional_kwargs": {"stream_options": {"include_usage": True}}} if case.stream else {}
    return OpenAILike(
        model=name, api_base=f"{plan.root}/v1", api_key=plan.key, max_retries=0,
        is_chat_model=True, is_function_calling_model=True, **more)


def streamed(chunks):
    """The last chunk has the whole answer and its usage, the one before it how it ended."""
    last, finish = None, None
    for last in chunks:
        finish = (last.raw.choices and last.raw.choices[0].finish_reason) or finish
    return last, finish


def heard_of(model, messages, case):
    if case.stream:
        return streamed(model.stream_chat_with_tools([tool], chat_history=messages)
                        if case.tools else model.stream_chat(messages))
    heard = model.chat_with_tools([tool], chat_history=messages) if case.tools \
        else model.chat(messages)
    return heard, heard.raw.choices[0].finish_reason


def ask(name, case):
    model = model_of(name, case)
    messages = [ChatMessage(role="system", content=plan.system),
                ChatMessage(role="user", content=plan.question)]
    steps = []
    while len(steps) < 3:
        heard, finish = heard_of(model, messages, case)
        calls = model.get_tool_calls_from_response(heard, error_on_no_tool_call=False) \
            if case.tools else []
        usage = heard.raw.usage
        steps.append(step(
            heard.message.content or "", [(call.tool_name, call.tool_kwargs) for call in calls],
            (usage and usage.prompt_tokens, usage and usage.completion_tokens), finish))
        if not calls:
            break
        messages += [heard.message] + [ChatMessage(
            role="tool", content=weather(call.tool_kwargs),
            additional_kwargs={"tool_call_id": call.tool_id}) for call in calls]
    return steps


run(ask)
