"""What a person sees: the demo's report in a real browser. The CI tier runs `make demo` first, which writes it."""

import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import pytest

pytestmark = pytest.mark.ci

REPORT = Path(__file__).resolve().parents[2] / "build" / "report" / "report.html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browse(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    found = [browser for browser in BROWSERS if shutil.which(browser)]
    assert found, f"no browser on the path (looked for {', '.join(BROWSERS)}): install the package chromium"
    command = [
        found[0],
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        *options,
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def page() -> Path:
    assert REPORT.is_file(), f"{REPORT} does not exist: run make demo first"
    return REPORT


def test_the_verdict_stands_in_the_rendered_page_and_nothing_is_reported_broken(page: Path, tmp_path: Path) -> None:
    done = browse(page, tmp_path / "profile", "--dump-dom")
    assert "Equal" in done.stdout
    assert "0 differing bits" in done.stdout
    for name in ("ort", "torch", "probe", "jpype", "py4j", "http"):
        assert f">{name}<" in done.stdout.replace("\n", "").replace(" ", ""), f"route {name} is not on the page"
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "ERR_" in line]
    assert not console, console


def test_the_page_shows_colour_and_plots_down_to_its_foot(page: Path, tmp_path: Path) -> None:
    shot = tmp_path / "report.png"
    browse(page, tmp_path / "profile", f"--screenshot={shot}", "--window-size=1200,2000", "--hide-scrollbars")
    pixels = matplotlib.image.imread(shot)[..., :3]
    assert pixels.shape[:2] == (2000, 1200)
    bands = pixels.reshape(5, 400, 1200, 3)
    for number, band in enumerate(bands):
        assert band.std() > 0.01, f"band {number} of the page, 400 pixels high, is blank"
