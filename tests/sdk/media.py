"""The official clients for Python: images, speech, transcripts, moderations, files and batches of
OpenAI's; batches of Anthropic's. Counts its checks."""

import io
import sys

import anthropic
import openai

ROOT = sys.argv[1]
client = openai.OpenAI(base_url=f"{ROOT}/v1", api_key="any", max_retries=0)
AT = {"x-moongate-model": "files"}
PICTURE = bytes([137, 80, 78, 71, 0, 13, 10])
counts = {True: 0, False: 0}


def check(what, holds):
    counts[bool(holds)] += 1
    if not holds:
        print(f"python-media: not so: {what}")


def sound():
    return ("a.mp3", io.BytesIO(b"\7" * 5000), "audio/mpeg")


def images():
    made = client.images.generate(model="paints", prompt="a moon", n=2)
    check("images are as many as asked", len(made.data) == 2)
    edited = client.images.edit(model="paints", prompt="more", image=("a.png", PICTURE, "image/png"))
    check("an image goes up byte for byte", edited.data[0].b64_json == "iVBORwANCg==")


def speech():
    with client.audio.speech.with_streaming_response.create(
            model="speaks", voice="alloy", input="hi") as answer:
        pieces = list(answer.iter_bytes())
    check("speech comes whole", len(b"".join(pieces)) == 16)


def transcripts():
    said = client.audio.transcriptions.create(model="hears", file=sound())
    check("a transcript is of the whole sound", said.text == "5000 bytes for whisper-1")
    said = client.audio.translations.create(model="hears", file=sound())
    check("so is a translation", said.text == "5000 bytes for whisper-1")
    events = list(client.audio.transcriptions.create(model="hears", file=sound(), stream=True))
    check("pieces come", [event.type for event in events] == [
        "transcript.text.delta", "transcript.text.delta", "transcript.text.done"])


def moderations():
    judged = client.moderations.create(model="judges", input="hello")
    check("a moderation has a result", judged.results[0].flagged is False)


def kept():
    lines = b'{"custom_id":"1"}\n'
    file = client.files.create(purpose="batch", file=("x.jsonl", lines), extra_headers=AT)
    check("a file is kept", file.bytes == len(lines))
    check("a file is read", client.files.content(file.id).read() == lines)
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                  completion_window="24h")
    done = client.batches.retrieve(batch.id)
    check("a batch ends", done.status == "completed")
    check("its output is read", client.files.content(done.output_file_id).read() == lines)
    check("a file is deleted", client.files.delete(file.id).deleted)
    try:
        client.files.retrieve("file-1")
        check("a foreign file is refused", False)
    except openai.NotFoundError:
        check("a foreign file is not found", True)


def messages():
    claude = anthropic.Anthropic(base_url=ROOT, api_key="any", max_retries=0)
    batch = claude.messages.batches.create(requests=[{
        "custom_id": "one",
        "params": {"model": "zz-batches", "max_tokens": 9,
                   "messages": [{"role": "user", "content": "hi"}]},
    }])
    results = list(claude.messages.batches.results(batch.id))
    check("results come through the gateway", [one.custom_id for one in results] == ["one"])


for part in (images, speech, transcripts, moderations, kept, messages):
    try:
        part()
    except Exception as error:  # pylint: disable=broad-except
        check(f"{part.__name__}: {error!r}", False)

print(f"{counts[True]} passed, {counts[False]} failed")
sys.exit(counts[False] != 0)
