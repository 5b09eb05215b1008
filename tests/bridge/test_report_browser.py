"""What a person sees: the demo's report in a real browser. The CI tier runs `make demo` first, which writes it."""

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from twinrank.bridge._html import render

sys.path.insert(0, str(Path(__file__).parent))
import report_runs

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


# A browser's window has a least width, a frame has none. The page itself stays without a script.
FRAME = """<!doctype html><meta charset="utf-8">
<iframe width="{width}" height="900" style="border:0" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const view = document.querySelector("iframe").contentWindow, page = view.document;
  const wide = element => element.getBoundingClientRect().right > view.innerWidth;
  document.body.textContent = JSON.stringify({{
    inner: view.innerWidth,
    scroll: page.documentElement.scrollWidth,
    cut: [...page.querySelectorAll("h2, h3, .verdict *, .tiles *, pre, summary, dd")].filter(wide).length,
    resources: view.performance.getEntriesByType("resource").length,
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    paper: view.getComputedStyle(page.body).backgroundColor,
    text: page.body.innerText,
    links: [...page.querySelectorAll("a")].every(link => page.querySelector(link.hash)),
  }});
}});
</script>
"""


def measured(name: str, width: int, scheme: str, folder: Path) -> dict[str, Any]:
    """What a browser of this width and scheme makes of a made run's page."""
    shell = folder / "shell.html"
    page = html.escape(render(report_runs.RUNS[name]()))
    shell.write_text(FRAME.format(width=width, page=page), encoding="utf-8")
    blink = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    done = browse(shell, folder / "profile", "--dump-dom", "--window-size=1400,900", "--hide-scrollbars", blink)
    body = re.search(r"<body>(.*)</body>", done.stdout, re.DOTALL)
    assert body is not None
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "ERR_" in line]
    assert not console, console
    told: dict[str, Any] = json.loads(html.unescape(body.group(1)))
    return told


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("explained", 400, "dark"), ("wide", 400, "light"), ("wide", 1280, "dark"), ("split", 400, "light")],
)
def test_nothing_overflows_and_nothing_comes_from_elsewhere(name: str, width: int, scheme: str, tmp_path: Path) -> None:
    told = measured(name, width, scheme, tmp_path)
    assert told["inner"] == width, "the browser took another width, so this proves nothing"
    assert told["scroll"] <= width, "the page scrolls sideways; only tables and plots may, inside their frames"
    assert told["cut"] == 0
    assert told["resources"] == 0
    assert told["links"], "a link of the page leads nowhere"
    assert told["dark"] == (scheme == "dark")
    assert told["paper"] == {"dark": "rgb(20, 24, 28)", "light": "rgb(251, 250, 247)"}[scheme]


def test_a_narrow_screen_shows_every_word(tmp_path: Path) -> None:
    text = measured("explained", 400, "light", tmp_path)["text"]
    for part in (
        "Differs",
        "runs ONNX Runtime 1.23.0, the baseline 1.29.0 (proven)",
        "twinrank verify build/models/shop/7 --route probe --requests build/report/difference-probe.json",
        "40029e6b",
        "Install ONNX Runtime 1.29.0 there",
        "dense_1/out",
        "exit code 134",
        "22 November 2026, 17:01:02 UTC",
    ):
        assert part in text
    assert "\u202e" not in text, "a request must not turn the page's writing round"


def test_it_prints_with_every_table_open(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(report_runs.explained()), encoding="utf-8")
    paper = tmp_path / "report.pdf"
    browse(page, tmp_path / "profile", f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    assert paper.read_bytes().startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) in range(2, 12)
