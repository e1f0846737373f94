"""What every driver shares: it is told a plan, does each case with each family of providers, and
prints what its client said it heard, a line of JSON each."""

import json
import sys
from types import SimpleNamespace

plan = json.loads(sys.argv[1], object_hook=lambda members: SimpleNamespace(**members))
parameters = json.loads(sys.argv[1])["tool"]["parameters"]
RESULTS = json.loads(sys.argv[1])["tool"]["results"]


def weather(asked):
    """What the tool gives for its arguments, an object or the text of one."""
    return RESULTS[(json.loads(asked) if isinstance(asked, str) else asked)["city"]]


def describe(error):
    status = getattr(error, "status_code", None)
    if status is None:
        status = getattr(error, "code", None)
    return {
        "classes": [kind.__name__ for kind in type(error).__mro__],
        "status": status, "message": str(error),
    }


def step(text, calls, usage, finish):
    """An answer as it was heard; `calls` are pairs of name and arguments, `usage` in and out."""
    return {
        "text": text, "calls": [{"name": name, "arguments": said} for name, said in calls],
        "usage": {"input": usage[0], "output": usage[1]}, "finish": finish,
    }


def run(ask):
    for family in plan.families:
        for case in plan.cases:
            line = {"family": family, "case": case.name}
            try:
                line["steps"] = ask(f"{family}-{case.name}", case)
            except Exception as error:  # what the client raised is what is asked for
                line["error"] = describe(error)
            print(json.dumps(line), flush=True)
