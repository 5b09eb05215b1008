"""The JPype route shares a process and memory with its caller: neither may show. Each test has a process of its own."""

import subprocess
import sys
from pathlib import Path

SECONDS = 120

HELD = """
import sys
from pathlib import Path
from twinrank.bridge import RouteOptions, RouteScores
from twinrank.bridge.routes import route
from twinrank.export.bundle import open_bundle

raws = [golden.request for golden in open_bundle(Path(sys.argv[1])).goldens]
held = []
with route("jpype").open(Path(sys.argv[1]), RouteOptions()) as scorer:
    for turn in range(40):
        # Another size each time, so that memory is let go, grown and used again.
        part = raws[turn % 7 :] * (1 + turn % 3 * 200)
        answers = [each.answer for each in scorer.score_batch(part)]
        answers.append(scorer.score(raws[turn % len(raws)]))
        if turn % 2:
            held += [
                (answer, {name: values.tobytes() for name, values in answer.outputs.items()})
                for answer in answers[:20] + answers[-1:]
                if isinstance(answer, RouteScores)
            ]
        blocks = scorer.pack(raws[0])
    for answer, copy in held:
        assert {name: values.tobytes() for name, values in answer.outputs.items()} == copy
for answer, copy in held:
    assert {name: values.tobytes() for name, values in answer.outputs.items()} == copy, "after closing"
print(len(held))
"""

RELEASED = """
import threading
from twinrank.bridge import _frames
from twinrank.bridge.routes import jpype as route

transport = route.transport()
import jpype
threads = jpype.JClass("java.lang.Thread")
answers = []
# This thread of Python holds the testee, so the call waits inside Java. Did it keep the interpreter's lock meanwhile,
# nobody could see it wait, nor let the testee go.
with jpype.synchronized(transport._testee):
    ask = lambda: answers.append(transport.exchange(_frames.encode({"op": "hello"}), 60.0))
    asking = threading.Thread(target=ask)
    asking.start()
    while not any(str(each.getState()) == "BLOCKED" for each in threads.getAllStackTraces().keySet()):
        pass
    assert answers == []
asking.join()
print(answers[0][0]["ok"])
transport.close()
"""


def said(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_memory_that_is_used_again_changes_no_answer_that_somebody_holds(tiny: Path) -> None:
    assert int(said(HELD, str(tiny))) > 50


def test_other_threads_run_while_java_computes() -> None:
    assert said(RELEASED) == "True"
