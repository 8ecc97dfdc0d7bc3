"""Compares a run's .hlog, .hgrm and .csv with its JSON; called by tools/check-hdr.

Prints one line per check and ends with 1 if one failed.
"""

import csv
import json
import math
import re
import sys
from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

# Both sides keep three significant digits, and neither says which end of a bucket it means.
TOLERANCE = 0.001
LONGEST_NS = 3_600_000_000_000
QUANTILES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p99_9": 99.9, "p99_99": 99.99, "max": 100}

directory = Path(sys.argv[1])
run = json.loads((directory / "run.json").read_text())
failures = 0


def check(what, is_right, detail=""):
    global failures
    failures += not is_right
    print(("ok   " if is_right else "FAIL ") + what + (f": {detail}" if detail else ""))


def is_near(actual, expected):
    return abs(actual - expected) <= max(1, TOLERANCE * expected)


def percent_of_rank(percent, count):
    """The percent that asks for our rank, ceil(q * count): hdrh rounds where we round up."""
    return 100 * max(1, math.ceil(percent * count / 100 - 1e-9)) / count


def merged_by_tag(path):
    """Every tag's histogram over all intervals, and how many intervals it has."""
    reference = HdrHistogram(1, LONGEST_NS, 3)
    reader = HistogramLogReader(str(path), reference)
    tags = {}
    while (interval := reader.get_next_interval_histogram()) is not None:
        total, count = tags.get(interval.get_tag(), (HdrHistogram(1, LONGEST_NS, 3), 0))
        total.add(interval)
        tags[interval.get_tag()] = (total, count + 1)
    reader.close()
    return tags


def rows_of_hgrm(path):
    rows = []
    for line in path.read_text().splitlines():
        cells = line.split()
        if cells and re.fullmatch(r"[\d.]+", cells[0]):
            rows.append([float(cell) for cell in cells])
    return rows


def at_quantile(rows, q):
    """The first row at or beyond the quantile, as the plotter reads it."""
    return next((row[0] for row in rows if row[1] >= q - 1e-12), rows[-1][0])


tags = merged_by_tag(directory / "run.hlog")
check("a tag per request kind", set(tags) == {kind["name"] for kind in run["requests"]}, sorted(tags))
for kind in run["requests"]:
    name, figures = kind["name"], kind["response_ns"]
    total, intervals = tags[name]
    finite = figures["count"] - figures["infinite"]
    check(f"{name}: counts of the log", total.get_total_count() == finite, f"{finite} requests")
    check(f"{name}: an interval per second", intervals >= int(run["duration_s"]), intervals)
    if figures["infinite"] == 0:
        for key, percent in QUANTILES.items():
            actual = total.get_value_at_percentile(percent_of_rank(percent, finite))
            check(f"{name}: {key} of the log", is_near(actual, figures[key]), f"{actual} ns")
    rows = rows_of_hgrm(directory / "hgrm" / f"{name}.response.hgrm")
    is_rising = all(a[:3] <= b[:3] for a, b in zip(rows, rows[1:]))
    check(f"{name}: the percentile text rises", is_rising and rows[-1][2] == finite)
    for key, percent in QUANTILES.items():
        if figures[key] is None:
            continue
        actual = at_quantile(rows, percent / 100) * 1e6
        # Between two rows the text says only that the value lies between theirs.
        below = max((row[0] for row in rows if row[1] <= percent / 100), default=0) * 1e6
        is_within = below * (1 - TOLERANCE) - 1 <= figures[key] <= actual * (1 + TOLERANCE) + 1
        check(f"{name}: {key} of the percentile text", is_within, f"{below:.0f}-{actual:.0f} ns")

sum_of_two = json.loads((directory / "merged.json").read_text())
for kind, twice in zip(run["requests"], sum_of_two["requests"], strict=True):
    name, figures = kind["name"], kind["response_ns"]
    whole = HdrHistogram.decode(kind["histograms"]["response"]["v2"])
    finite = figures["count"] - figures["infinite"]
    check(f"{name}: counts of the JSON's histogram", whole.get_total_count() == finite, finite)
    if figures["infinite"] == 0:
        for key, percent in QUANTILES.items():
            actual = whole.get_value_at_percentile(percent_of_rank(percent, finite))
            check(f"{name}: {key} of the JSON's histogram", is_near(actual, figures[key]), f"{actual} ns")
    # A run added to itself: twice the counts, the same quantiles, by their arithmetic as by ours.
    whole.add(HdrHistogram.decode(kind["histograms"]["response"]["v2"]))
    merged = HdrHistogram.decode(twice["histograms"]["response"]["v2"])
    is_same = whole.get_total_count() == merged.get_total_count() == 2 * finite
    for percent in QUANTILES.values():
        is_same &= whole.get_value_at_percentile(percent) == merged.get_value_at_percentile(percent)
    check(f"{name}: a run merged with itself", is_same, f"{2 * finite} requests")

with open(directory / "run.csv", newline="") as file:
    rows = list(csv.DictReader(file))
for kind in run["requests"]:
    own = [row for row in rows if row["kind"] == kind["name"]]
    count = sum(int(row["count"]) for row in own)
    check(f"{kind['name']}: counts of the CSV", count == kind["planned"], count)
    longest = max((float(row["max_ns"]) for row in own if row["max_ns"]), default=0.0)
    expected = kind["response_ns"]["max"]
    check(f"{kind['name']}: max of the CSV", longest == (float("inf") if expected is None else expected))

print(f"{failures} checks failed")
sys.exit(min(failures, 1))
