"""Verifies the service of films in place, while it serves: its live model against a bundle, through the gateway."""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from check import CALLERS, Checks, Golden, Json, Service, goldens

EQUAL, DIFFERS, COULD_NOT_TELL = 0, 1, 2
OWNER_ONLY, OPEN_TO_ALL = 0o600, 0o644


@dataclass(frozen=True)
class Verified:
    """What one `twinrank verify --gateway FILE` ended with and said of its one route."""

    code: int
    said: str
    route: Json

    @property
    def proof(self) -> tuple[object, ...]:
        """Exit code, status and the bits that differ."""
        return self.code, self.route["status"], sum(head["differing_bits"] for head in self.route["heads"])


def verify(bundle: Path, connection_file: Path, folder: Path) -> Verified:
    """Compare the model behind a connection file with a bundle."""
    report = Path(tempfile.mkdtemp(dir=folder))
    command = [str(Path(sys.executable).with_name("twinrank")), "verify", str(bundle), "--route", "py4j"]
    command += ["--gateway", str(connection_file), "--report", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    document = json.loads((report / "report.json").read_text("utf-8"))
    return Verified(done.returncode, done.stdout + done.stderr, document["routes"][0])


class Traffic:
    """Customers who rank without a pause, and check what they get."""

    def __init__(self, service: Service, golden: Golden, due: dict[int, list[Json]]) -> None:
        """Take a request, and what each version must answer."""
        self.served = {version: 0 for version in due}
        self.wrong: list[object] = []
        self._service, self._golden, self._due = service, golden, due
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._rank) for _ in range(CALLERS)]

    def _rank(self) -> None:
        while not self._done.is_set():
            status, answer = self._service.rank(self._golden.form)
            if status == 200 and answer["films"] == self._due[answer["version"]]:
                self.served[answer["version"]] += 1
            else:
                self.wrong.append((status, answer))

    def __enter__(self) -> "Traffic":
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, when every customer has an answer."""
        self._done.set()
        for thread in self._threads:
            thread.join()


def digest(bundle: Path) -> str:
    """Return the bundle's digest as reports write it."""
    return "sha256:" + (bundle / "manifest.sha256").read_text("ascii").strip()


def says(checks: Checks, what: str, found: Verified, code: int, reason: str, words: str) -> None:
    """Check that a verification that proves nothing says why."""
    failure = found.route["failure"] or {"reason": None, "detail": ""}
    told = failure["detail"] if words not in failure["detail"] else words
    checks.same(what, (code, reason, words), (found.code, failure["reason"], told))


def in_place(checks: Checks, service: Service, bundles: list[Path], folder: Path) -> None:
    """Verify while customers are served; swap; verify again."""
    door = folder / "gateway.json"
    golden, other = goldens(bundles[0])[0], goldens(bundles[1])[0]
    service.operate("/items", golden.table())
    checks.same("an operator opens the gateway", 200, service.operate("/gateway", f"file={door}")[0])
    checks.same("only its owner may read the file", OWNER_ONLY, door.stat().st_mode & 0o777)
    with Traffic(service, golden, {1: golden.due, 2: other.due}) as traffic:
        checks.same("verified in place, under load", (EQUAL, "equal", 0), verify(bundles[0], door, folder).proof)
        during = dict(traffic.served)
        checks.same("customers were served meanwhile", True, during[1] > 0)
        swapped = service.operate("/activate", "version=2")[0]
        checks.same("another version is activated", 200, swapped)
        found = verify(bundles[0], door, folder)
        says(checks, "the gateway leads to the other bundle", found, DIFFERS, "refused", digest(bundles[1]))
        checks.same("which it is equal to", (EQUAL, "equal", 0), verify(bundles[1], door, folder).proof)
    checks.same("every answer was one version's, to the bit", [], traffic.wrong[:1])
    checks.same("both versions served", True, min(traffic.served.values()) > 0)

    void = folder / "void.json"
    void.write_text(json.dumps(json.loads(door.read_text("ascii")) | {"token": "0" * 64}), "ascii")
    void.chmod(OWNER_ONLY)
    says(checks, "a wrong token", verify(bundles[1], void, folder), COULD_NOT_TELL, "unavailable", "token")
    void.write_bytes(door.read_bytes())
    void.chmod(OPEN_TO_ALL)
    says(checks, "a file that others read", verify(bundles[1], void, folder), COULD_NOT_TELL, "unavailable", "others")
    void.chmod(OWNER_ONLY)
    checks.same("a copy for its owner alone opens", EQUAL, verify(bundles[1], void, folder).code)
    checks.same("an operator closes the gateway", 200, service.operate("/gateway")[0])
    checks.same("the file is gone", False, door.exists())
    found = verify(bundles[1], void, folder)
    says(checks, "a gateway that is closed", found, COULD_NOT_TELL, "unavailable", "nothing listens")
    checks.same("and the service goes on", 200, service.rank(golden.form)[0])


def dead(checks: Checks, service: Service, bundle: Path, folder: Path) -> None:
    """Kill the service while its gateway is open: its file stays behind, and says nothing that is true."""
    door = folder / "gateway.json"
    service.operate("/gateway", f"file={door}")
    service.process.kill()
    service.process.wait()
    checks.same("a killed service leaves its file", True, door.exists())
    says(checks, "a dead service", verify(bundle, door, folder), COULD_NOT_TELL, "unavailable", "nothing listens")


def main(class_path: str, bundles: list[Path]) -> int:
    """Run all checks and return the exit status."""
    checks = Checks()
    name = json.loads((bundles[0] / "manifest.json").read_text("utf-8"))["name"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o700)
        for version, bundle in enumerate(bundles, 1):
            shutil.copytree(bundle, folder / "models" / name / str(version))
        table = folder / "items.tsv"
        table.write_text(goldens(bundles[0])[0].table(), "utf-8")
        service = Service(class_path, folder / "models", name, table)
        try:
            in_place(checks, service, bundles, folder)
            dead(checks, service, bundles[1], folder)
        finally:
            service.process.kill()
    sys.stdout.write("all as expected\n" if checks.failed == 0 else f"{checks.failed} failed\n")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], [Path(each) for each in sys.argv[2:]]))
