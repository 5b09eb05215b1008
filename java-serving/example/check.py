"""Starts the service of films as a process, talks to it over loopback, and compares its answers with goldens."""

import http.client
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from pathlib import Path

HEADER = "item\tyear\tgenres\tpopularity\tpopularity_30d\tpopularity_7d"
COUNTS = ("popularity", "popularity_30d", "popularity_7d")
UNHURRIED = "60000"
TERMINATED = 128 + signal.SIGTERM
CALLERS = 4
SWAPS = 3
ENOUGH = 15
PATIENCE = 1000

Json = dict[str, object]


class Golden:
    """A request of a bundle as a form and a table of items, and the answer that is due."""

    def __init__(self, request: Json, ranking: Json) -> None:
        """Take a golden that has scores."""
        self.context: Json = request["context"]
        self.candidates: list[Json] = request["candidates"]
        k = request.get("k")
        self.form = {name: str(value) for name, value in self._fields().items() if value is not None}
        self.due = [self._film(ranking, index) for index in ranking["order"][:k]]
        if k is not None:
            self.form["k"] = str(k)

    def _fields(self) -> Json:
        context = self.context
        return {
            "user": context.get("user_id"),
            "age": context.get("age"),
            "gender": context.get("gender"),
            "occupation": context.get("occupation"),
            "time": context.get("request_time"),
            "seen": ",".join(context["history_item"]),
            "seen_at": ",".join(map(str, context["history_time"])),
            "items": ",".join(each["item_id"] for each in self.candidates),
        }

    def _film(self, ranking: Json, index: int) -> Json:
        bits = {"score": ranking["score"][index]} | {head: column[index] for head, column in ranking["heads"].items()}
        return {"item": self.candidates[index]["item_id"]} | {name: value(each) for name, each in bits.items()}

    def table(self) -> str | None:
        """Return the table of the items that this request ranks; None if it would hold one item twice."""
        rows = {}
        for each in self.candidates:
            genres = "|".join(each.get("genres") or [])
            year = "" if each.get("year") is None else each["year"]
            row = "\t".join(map(str, [each["item_id"], year, genres, *(each[name] for name in COUNTS)]))
            if rows.setdefault(each["item_id"], row) != row:
                return None
        return "\n".join([HEADER, *rows.values()])


def value(bits: str) -> float:
    """Return the number with these bits, of a float32 or a float64."""
    return struct.unpack(">f" if len(bits) == 8 else ">d", bytes.fromhex(bits))[0]


def goldens(bundle: Path) -> list[Golden]:
    """Return the goldens that such a service can be sent: scored, and no item with two sets of features in one."""
    requests = (bundle / "goldens/requests.jsonl").read_bytes().split(b"\n")
    rankings = [json.loads(line) for line in (bundle / "goldens/rankings.jsonl").read_text("utf-8").splitlines()]
    scored = [Golden(json.loads(requests[each["golden"]]), each) for each in rankings if "error" not in each]
    return [golden for golden in scored if golden.table()]


class Service:
    """The process."""

    def __init__(self, class_path: str, models: Path, name: str, table: Path, deadline: str = UNHURRIED) -> None:
        """Start it and wait until it says where it listens."""
        self.temporary = table.parent / f"tmp{deadline}"
        self.temporary.mkdir()
        command = ["java", f"-Djava.io.tmpdir={self.temporary}", "-cp", class_path, "org.acme.films.FilmService"]
        command += [str(models), name, "1", str(table), deadline]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=self.temporary)
        lines = [self.process.stdout.readline().split() for _ in range(2)]
        if [line[:1] for line in lines] != [["customers"], ["operators"]]:
            raise SystemExit(f"FAILED  the service did not start: {lines}")
        self.customers, self.operators = (line[1] for line in lines)

    def post(self, base: str, path: str, body: str) -> tuple[int, str]:
        """Return the status and the text of an answer."""
        connection = http.client.HTTPConnection(base.removeprefix("http://"))
        connection.request("POST", path, body.encode())
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def rank(self, form: dict[str, str]) -> tuple[int, Json]:
        """Return the status of a ranking and what it says."""
        status, text = self.post(self.customers, "/rank", urllib.parse.urlencode(form))
        return status, json.loads(text)

    def operate(self, path: str, body: str = "") -> tuple[int, str]:
        """Do what an operator does."""
        return self.post(self.operators, path, body)

    def stop(self) -> int:
        """Ask it to end, and return the status that a shell would see."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        return status if status >= 0 else 128 - status


class Checks:
    """Counts what was as it should be."""

    def __init__(self) -> None:
        """Begin with none."""
        self.failed = 0

    def same(self, what: str, expected: object, found: object) -> None:
        """Compare, and say so."""
        if expected == found:
            sys.stdout.write(f"ok      {what}\n")
        else:
            self.failed += 1
            sys.stdout.write(f"FAILED  {what}\n  expected: {expected!r:.600}\n  found:    {found!r:.600}\n")


def replay(checks: Checks, service: Service, all_goldens: list[Golden], version: int) -> None:
    """Send every golden to the version that is active."""
    for number, golden in enumerate(all_goldens):
        service.operate("/items", golden.table())
        status, answer = service.rank(golden.form)
        found = (status, answer.get("version"), answer.get("films", answer))
        checks.same(f"golden {number}, version {version}: {len(golden.due)} films", (200, version, golden.due), found)


def swap_under_load(checks: Checks, service: Service, due: dict[int, list[Json]], form: dict[str, str]) -> None:
    """Activate and roll back while callers rank; every answer must be one version's, whole."""
    wrong: list[Json] = []
    seen: set[int] = set()
    done = threading.Event()

    def call() -> None:
        while not done.is_set():
            status, answer = service.rank(form)
            if status != 200 or answer["films"] != due[answer["version"]]:
                wrong.append(answer)
            else:
                seen.add(answer["version"])

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    statuses = []
    for _ in range(SWAPS):
        statuses.append(service.operate("/activate", "version=2")[0])
        statuses.append(service.rank(form)[1]["version"])
        for _ in range(PATIENCE):
            if 2 in seen:
                break
            service.rank(form)
        statuses.append(service.operate("/rollback")[0])
    done.set()
    for caller in callers:
        caller.join()
    checks.same("activated and rolled back under load", [200, 2, 200] * SWAPS, statuses)
    checks.same("every answer under load was one version's, to the bit", [], wrong[:1])
    checks.same("callers saw both versions", {1, 2}, seen)


def counted(text: str, line: str) -> float:
    """Return the value of a line of the metrics; one that is not there fails."""
    return float(next(each for each in text.splitlines() if each.startswith(line)).rsplit(" ", 1)[1])


def serve(checks: Checks, service: Service, first: list[Golden], second: list[Golden]) -> None:
    """Do with a service what its customers and operators do."""
    checks.same("healthy", 200, service.post(service.customers, "/health", "")[0])
    replay(checks, service, first, 1)
    _, text = service.operate("/metrics")
    years = sum(each.get("year") is None for golden in first for each in golden.candidates)
    checks.same("requests are counted", len(first), counted(text, 'films_requests_total{version="1"}'))
    missing = counted(text, 'films_feature_missing_total{version="1",feature="year"}')
    checks.same("missing years are counted", years, missing)

    golden = first[0]
    service.operate("/items", golden.table())
    without = {name: each for name, each in golden.form.items() if name != "user"}
    status, answer = service.rank(without)
    checks.same("a missing feature is named", (400, "missing_feature", True),
                (status, answer["code"], "user_id" in answer["message"]))  # fmt: skip
    checks.same("an unknown film is named", 404, service.rank(golden.form | {"items": "no such"})[0])
    status, text = service.operate("/activate", "version=9")
    checks.same("a version that is not there", (409, "file_missing"), (status, json.loads(text)["code"]))
    checks.same("nothing to roll back to", 409, service.operate("/rollback")[0])

    due = {1: golden.due, 2: second[0].due}
    checks.same("the two versions differ", False, due[1] == due[2])
    swap_under_load(checks, service, due, golden.form)
    service.operate("/activate", "version=2")
    replay(checks, service, second, 2)
    status, text = service.operate("/verify")
    checks.same("the goldens pass on the serving model", 200, status)


def main(class_path: str, bundles: list[Path]) -> int:
    """Run all checks and return the exit status."""
    checks = Checks()
    name = json.loads((bundles[0] / "manifest.json").read_text("utf-8"))["name"]
    first, second = (goldens(bundle) for bundle in bundles)
    checks.same("enough goldens can be sent", True, min(len(first), len(second)) >= ENOUGH)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        for version, bundle in enumerate(bundles, 1):
            shutil.copytree(bundle, models / name / str(version))
        table = Path(folder) / "items.tsv"
        table.write_text(first[0].table(), "utf-8")
        service = Service(class_path, models, name, table)
        try:
            serve(checks, service, first, second)
            checks.same("ended by the signal", TERMINATED, service.stop())
            checks.same("left nothing behind", [], os.listdir(service.temporary))
        finally:
            service.process.kill()

        hurried = Service(class_path, models, name, table, "0")
        try:
            status, answer = hurried.rank(first[0].form)
            checks.same("no time left", (504, "deadline_exceeded"), (status, answer["code"]))
            checks.same("and healthy", 200, hurried.post(hurried.customers, "/health", "")[0])
            checks.same("ended by the signal", TERMINATED, hurried.stop())
        finally:
            hurried.process.kill()
    sys.stdout.write("all as expected\n" if checks.failed == 0 else f"{checks.failed} failed\n")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], [Path(each) for each in sys.argv[2:]]))
