#!/usr/bin/env python3
"""Holds report.html against bench.json in a real browser. Started by tools/check-report.

Chromium is driven by its DevTools protocol over a pipe (--remote-debugging-pipe: file descriptors 3
and 4, each message ended by a zero byte), so neither a port nor a library is needed.

Every figure of a table is an element with `data-at`, the JSON pointer of what it shows in bench.json,
and `data-as`, how that is written. FORMATS writes it again, independently of the program; the text must
be the same. A cell of a table of figures in which a digit stands outside of such an element is a fault.
"""

import base64
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path

# Chosen: a machine that builds meanwhile takes a minute; one that never answers is told from it.
DEADLINE_S = 300


# --- how figures are written -------------------------------------------------------------------


def span(ns):
    """850 ns, 14.2 us, 2.05 ms, 1.50 s."""
    ns = int(ns)
    for limit, scale, unit in ((10**6, 1e3, "us"), (10**9, 1e6, "ms"), (None, 1e9, "s")):
        if ns < 1_000:
            return f"{ns} ns"
        if limit is None or ns < limit:
            value = ns / scale
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def rounded(ns):
    """Half away from zero, as Rust's f64::round."""
    return int(abs(ns) + 0.5)


def signed(ns):
    return ("-" if ns < 0 else "+") + span(rounded(ns))


def ranged(low, high, join):
    """Two figures, their unit once if it is the same."""
    number, _, unit = low.partition(" ")
    if unit == high.partition(" ")[2]:
        low = number
    return f"{low}{join}{high}"


def longest(bench, pointer):
    """What an infinite figure is longer than: beside the quantiles."""
    parts = pointer.split("/")
    while parts:
        spreads = resolve(bench, "/".join(parts))
        if isinstance(spreads, dict) and "longest_observed" in spreads:
            return spreads["longest_observed"]
        parts.pop()
    return None


def latency(value, bench, pointer):
    if value is not None:
        return span(value)
    most = longest(bench, pointer)
    return "never" if most is None else f"> {span(most)}"


def spread(each, bench, pointer):
    texts = [
        latency(value, bench, pointer)
        for value in sorted(each, key=lambda ns: float("inf") if ns is None else ns)
    ]
    return "" if texts[0] == texts[-1] else ranged(texts[0], texts[-1], "-")


ERRORS = {
    "status": "wrong status or size",
    "malformed": "malformed",
    "reset": "reset",
    "timeout": "timeout",
    "connect": "not connected",
}


def lost(kind, *_):
    return str(sum(kind["errors"].values()) + kind["unfinished"] + kind.get("skipped", 0))


def losses(kind, *_):
    counts = [(kind["errors"][key], words) for key, words in ERRORS.items()]
    counts.append((kind["unfinished"], "unfinished"))
    counts.append((kind.get("skipped", 0), "skipped by the pacer"))
    return ", ".join(f"{count} {words}" for count, words in counts if count)


def verdicts(summary):
    given = [(summary["verdicts"].count(word), word) for word in ("VALID", "SUSPECT", "INVALID")]
    given.append((summary["failed"], "failed"))
    return [f"{count} {word}" for count, word in given if count]


def side(ns):
    return "infinite" if ns is None else span(rounded(max(ns, 0)))


def shift(of):
    if of["base_ns"] is None and of["target_ns"] is None:
        return "-"
    return "infinite" if of["difference_ns"] is None else signed(of["difference_ns"])


def interval(of):
    found = of["interval"]
    if found is None or (of["base_ns"] is None and of["target_ns"] is None):
        return "-"
    low = "-infinite" if found["low_ns"] is None else signed(found["low_ns"])
    high = "+infinite" if found["high_ns"] is None else signed(found["high_ns"])
    return f"{ranged(low, high, ' to ')}, {int(100 * found['confidence'] + 1e-9)} %"


def finding(of):
    kind = of["finding"]
    if kind in ("higher", "lower"):
        base, difference = of["base_ns"], of["difference_ns"]
        if not base or base <= 0 or difference is None:
            return kind
        percent = 100 * abs(difference) / base
        return f"{percent:.{1 if percent < 10 else 0}f} % {kind}"
    error = "infinite" if of["error_ns"] is None else side(of["error_ns"])
    why = {
        "holds_zero": "",
        "within_error": f" (error {error})",
        "infinite": " (some repeats infinite)",
        "too_few_repeats": " (few repeats)",
        "too_few_requests": " (few requests)",
        "invalid": " (INVALID)",
    }
    return "cannot tell apart" + why[kind]


def spans(each, *_):
    return ", ".join(span(rounded(seconds * 1e9)) for seconds in each)


def knee(target, bench, _):
    plan = bench["plan"]["knee"]
    ends = {"below_range": f"< {plan['from']}/s", "above_range": f">= {plan['to']}/s"}
    return ends.get(target["ending"], f"{target['passed']}/s")


def probe_figure(probe, *_):
    figure = probe["figure_ns"]["median"]
    if figure is not None:
        return span(figure)
    most = probe["summary"]["total"]["response_ns"]["longest_observed"]
    return "never" if most is None else f"> {span(most)}"


FORMATS = {
    "latency": latency,
    "range": spread,
    "count": lambda value, *_: str(value),
    "word": lambda value, *_: value,
    "joined": lambda value, *_: "; ".join(value),
    "verdicts": lambda summary, *_: ", ".join(verdicts(summary)),
    "lost": lost,
    "losses": losses,
    "decimals-0": lambda value, *_: f"{value:.0f}",
    "decimals-1": lambda value, *_: f"{value:.1f}",
    "decimals-2": lambda value, *_: f"{value:.2f}",
    "percent": lambda value, *_: f"{value:.1f} %",
    "seconds": lambda value, *_: f"{value:.1f} s",
    "megabytes": lambda value, *_: f"{value / 1e6:.1f} MB",
    "difference-base": lambda of, *_: side(of["base_ns"]),
    "difference-target": lambda of, *_: side(of["target_ns"]),
    "difference-shift": lambda of, *_: shift(of),
    "interval": lambda of, *_: interval(of),
    "finding": lambda of, *_: finding(of),
    "spans": spans,
    "knee": knee,
    "probe-rate": lambda probe, *_: f"{probe['rate']}/s",
    "probe-figure": probe_figure,
    "probes": lambda target, *_: str(len(target["probes"])),
    "probe-runs": lambda target, *_: str(sum(probe["of"] for probe in target["probes"])),
}


def resolve(document, pointer):
    """RFC 6901, without its escapes: no key of a bench has a slash or a tilde."""
    for part in pointer.split("/")[1:]:
        document = document[int(part) if isinstance(document, list) else part]
    return document


# --- the page ----------------------------------------------------------------------------------


class Figures(HTMLParser):
    """Every figure of the page, and the cells of tables of figures in which a digit has no source."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.figures = []
        self.stray = []
        self.tables = 0
        self.in_figures = False
        self.cell = None
        self.figure = None
        self.figure_tag = None
        self.depth = 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "table":
            self.in_figures = attributes.get("class") == "figures"
            self.tables += self.in_figures
        if tag == "td":
            self.cell = ""
        if tag == "i" and self.cell is not None:
            self.depth += 1
        if "data-at" in attributes:
            self.figure = [attributes["data-at"], attributes["data-as"], ""]
            self.figure_tag = tag

    def handle_endtag(self, tag):
        if self.figure and tag == self.figure_tag:
            self.figures.append(tuple(self.figure))
            self.figure = None
        if tag == "i" and self.depth:
            self.depth -= 1
        if tag == "td":
            if self.in_figures and re.search(r"\d", self.cell):
                self.stray.append(self.cell)
            self.cell = None

    def handle_data(self, text):
        if self.figure:
            self.figure[2] += text
        elif self.cell is not None and not self.depth:
            self.cell += text


def check_figures(markup, bench):
    page = Figures()
    page.feed(markup)
    faults = [f"a digit without its place in bench.json: {cell!r}" for cell in page.stray]
    for pointer, how, text in page.figures:
        try:
            expected = FORMATS[how](resolve(bench, pointer), bench, pointer)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            faults.append(f"{pointer} as {how}: {error!r}")
            continue
        if text != expected:
            faults.append(f"{pointer}: the page says {text!r}, bench.json {expected!r}")
    if bench["summaries"] and not page.figures:
        faults.append("there is no figure on the page")
    missing = {
        f"/summaries/{nth}/total/response_ns/{quantile}/median"
        for nth, summary in enumerate(bench["summaries"])
        for quantile in ("p50", "p95", "p99", "p99_9", "max")
        if summary["total"]["response_ns"]["count_least"] > 0
    }
    # Older benches lack some of these.
    for nth, summary in enumerate(bench["summaries"]):
        for key in ("steady_after_s", "instructions_per_request", "cycles_per_request"):
            if summary.get(key, {}).get("each"):
                missing.add(f"/summaries/{nth}/{key}/{'each' if key == 'steady_after_s' else 'median'}")
        if summary.get("unsteady"):
            missing.add(f"/summaries/{nth}/unsteady")
    for nth, target in enumerate((bench.get("knee") or {}).get("targets", [])):
        missing |= {f"/knee/targets/{nth}"} if target["probes"] else set()
    missing -= {pointer for pointer, _, _ in page.figures}
    faults += [f"{pointer} is not on the page" for pointer in sorted(missing)]
    return faults, len(page.figures), page.tables


# --- the browser -------------------------------------------------------------------------------


class Chromium:
    """A headless browser with one page."""

    def __init__(self, profile):
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()

        def as_3_and_4():
            # By way of numbers that are neither.
            read, write = os.dup(to_read), os.dup(from_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [
                "chromium",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--disable-background-networking",
                "--disable-component-update",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=as_3_and_4,
            close_fds=False,
        )
        os.close(to_read)
        os.close(from_write)
        self.out, self.into = to_write, from_read
        self.pending = b""
        self.number = 0
        self.session = None
        self.events = []
        self.deadline = time.monotonic() + DEADLINE_S
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Network.emulateNetworkConditions", offline=True, latency=0,
                  downloadThroughput=0, uploadThroughput=0)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def read(self):
        while b"\0" not in self.pending:
            left = max(0, self.deadline - time.monotonic())
            if not select.select([self.into], [], [], left)[0]:
                raise RuntimeError(f"Chromium did not answer within {DEADLINE_S} s")
            read = os.read(self.into, 1 << 20)
            if not read:
                raise RuntimeError("Chromium ended")
            self.pending += read
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def wait_for(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read())

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def of(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (RuntimeError, OSError):
            self.process.kill()
        self.process.wait()


def check_hands(browser, has_figures):
    """A point shows its value when it is pointed at or focused, and the arrow keys go on from it."""
    focus = "document.querySelector('.points > *').focus()"
    if not browser.evaluate("!!document.querySelector('.points > *')"):
        return ["no chart has a point to look at"] if has_figures else []
    faults = []
    # What scrolled tells so in the frame after.
    drawn = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    tip = "document.getElementById('tip')"
    browser.evaluate(focus)
    browser.evaluate(drawn)
    first = browser.evaluate("document.activeElement.getAttribute('aria-label')")
    if browser.evaluate(f"{tip}.hidden") or browser.evaluate(f"{tip}.textContent") != first:
        faults.append("a point that has the focus does not show its value")
    browser.key("ArrowRight")
    second = browser.evaluate("document.activeElement.getAttribute('aria-label')")
    if second in (None, first) or browser.evaluate(f"{tip}.textContent") != second:
        faults.append("the right arrow does not move the focus to the next point")
    browser.key("Escape")
    if not browser.evaluate(f"{tip}.hidden"):
        faults.append("Escape does not hide the value")
    place = browser.evaluate(
        "(() => { const mark = document.querySelector('.points > *'); mark.scrollIntoView({block: 'center',"
        " behavior: 'instant'}); const box = mark.getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
    )
    browser.evaluate("document.activeElement.blur()")
    browser.evaluate(drawn)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    if browser.evaluate(f"{tip}.hidden"):
        faults.append("a point that is pointed at does not show its value")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
    browser.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    return faults


# Every drawing has a name and a table; ids are unique; links lead somewhere; tables have heads.
SHAPE = """(() => {
  const faults = [];
  const ids = [...document.querySelectorAll('[id]')].map((of) => of.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`two ids ${id}`);
  for (const of of document.querySelectorAll('a[href^="#"]'))
    if (!document.getElementById(of.hash.slice(1))) faults.push(`${of.hash} leads nowhere`);
  for (const of of document.querySelectorAll('figure')) {
    const svg = of.querySelector('svg[role]');
    if (!svg?.querySelector('title')?.textContent) faults.push(`${of.id} has no title`);
    if (!svg?.querySelector('desc')?.textContent) faults.push(`${of.id} has no description`);
    if (!of.querySelector('details table tbody tr')) faults.push(`${of.id} has no data`);
  }
  for (const of of document.querySelectorAll('table'))
    if (!of.caption?.textContent || !of.querySelector('th[scope=col]')) faults.push('a table without heads');
  for (const of of document.querySelectorAll('svg path, svg circle, svg rect, svg text'))
    for (const name of of.getAttributeNames())
      if (/NaN|Infinity|inf\\b/.test(of.getAttribute(name))) faults.push(`${of.outerHTML} is nowhere`);
  return [...new Set(faults)];
})()"""

# On a narrow screen tables and drawings scroll by themselves and the page does not.
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"


def view(browser, width, scheme, height=900):
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", media="", features=features)


def screenshots(browser, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, width, scheme in (("light", 1000, "light"), ("dark", 1000, "dark"), ("narrow", 400, "light")):
        view(browser, width, scheme)
        height = min(browser.evaluate("document.documentElement.scrollHeight"), 16_000)
        view(browser, width, scheme, height)
        shot = browser.call("Page.captureScreenshot", format="png")
        (directory / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))
    view(browser, 1000, "light")
    end = browser.evaluate(
        "document.querySelector('#percentiles ~ section')?.getBoundingClientRect().top + scrollY"
    )
    if end:
        clip = {"x": 0, "y": 0, "width": 1000, "height": end - 20, "scale": 1}
        shot = browser.call("Page.captureScreenshot", format="png", clip=clip,
                            captureBeyondViewport=True)
        (directory / "report.png").write_bytes(base64.b64decode(shot["data"]))
    paper = browser.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True,
                         paperWidth=8.27, paperHeight=11.69)
    (directory / "print.pdf").write_bytes(base64.b64decode(paper["data"]))


def check_in_browser(path, pictures, has_figures):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(profile)
        try:
            browser.call("Page.navigate", url=path.as_uri())
            browser.wait_for("Page.loadEventFired")
            faults = browser.evaluate(SHAPE) + check_hands(browser, has_figures)
            for width in (1000, 400):
                view(browser, width, "light")
                if browser.evaluate(TOO_WIDE):
                    faults.append(f"at {width} px the page is wider than its window")
            markup = browser.evaluate("document.documentElement.outerHTML")
            if pictures:
                screenshots(browser, pictures)
        finally:
            browser.close()
    for entry in browser.of("Log.entryAdded"):
        faults.append(f"console: {entry['entry']['text']}")
    for said in browser.of("Runtime.consoleAPICalled"):
        faults.append(f"console: {said['args']}")
    for thrown in browser.of("Runtime.exceptionThrown"):
        faults.append(f"exception: {thrown['exceptionDetails']}")
    for request in browser.of("Network.requestWillBeSent"):
        if request["request"]["url"] != path.as_uri():
            faults.append(f"fetched: {request['request']['url']}")
    return faults, markup


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: tools/check-report DIR [SCREENSHOTS]")
    directory = Path(sys.argv[1]).resolve()
    pictures = Path(sys.argv[2]) if len(sys.argv) == 3 else None
    bench = json.loads((directory / "bench.json").read_text())
    faults, markup = check_in_browser(directory / "report.html", pictures, bool(bench["summaries"]))
    wrong, figures, tables = check_figures(markup, bench)
    faults += wrong
    for fault in faults[:20]:
        print(fault)
    if faults:
        sys.exit(f"{directory / 'report.html'}: {len(faults)} faults")
    print(f"report.html: {figures} figures in {tables} tables are those of bench.json")


if __name__ == "__main__":
    main()
