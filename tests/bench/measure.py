# SPDX-License-Identifier: MIT
"""What all sets of the bench share: the time that an emulator's threads had a CPU, ratios of rounds,
tables and bars.
"""

import math
import os
import statistics


def geomean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


def ratio(times, numerator, denominator):
    """Median over the rounds of one side's time by another's; None where there is none."""
    pairs = zip(times.get(numerator, []), times.get(denominator, []))
    ratios = [a / b for a, b in pairs if a and b]
    return statistics.median(ratios) if ratios else None


# -- Threads -------------------------------------------------------------------------------------


def thread_times(process):
    """By thread of a process: nanoseconds that it ran, and that it waited for a CPU."""
    folder = f"/proc/{process.pid}/task"
    stats = {}
    for thread in os.listdir(folder):
        with open(f"{folder}/{thread}/schedstat", encoding="ascii") as file:
            stats[thread] = [int(field) for field in file.read().split()[:2]]
    return stats


def times_since(process, before):
    return [(run - before.get(thread, (0, 0))[0], wait - before.get(thread, (0, 0))[1])
            for thread, (run, wait) in thread_times(process).items()]


def busiest(process, before):
    """The busiest thread's seconds since `before`, thread_times() of then: running, waiting."""
    run, wait = max(times_since(process, before))
    return run / 1e9, wait / 1e9


def cpu_share(process, before):
    """Of the time that the busiest thread wanted a CPU, the part in which it had one."""
    run, wait = busiest(process, before)
    return run / (run + wait)


# -- Tables --------------------------------------------------------------------------------------


def cell(value, form=".2f"):
    return "–" if value is None else format(value, form)


def print_table(rows):
    """Rows of texts as a Markdown table; the first is its head, the first column is words."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [[row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
             for row in rows]
    lines.insert(1, ["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]])
    for line in lines:
        print("| " + " | ".join(line) + " |")


def print_bar(text, value, limit, at_least=False):
    good = value >= limit if at_least else value <= limit
    print(f"- {text}: {value:.2f}, goal {'≥' if at_least else '≤'} {limit}: "
          f"{'reached' if good else 'falls short'}")
