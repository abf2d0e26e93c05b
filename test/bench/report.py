"""Medians and ratios of the runs that compare.py wrote down, as Markdown."""
import statistics

GIGA = 1e9


def get_rate(run, phase):
    """Tokens per second: of CPU time with one thread, of wall time with more.
    None where there is none."""
    time = ((run or {}).get("output") or {}).get(phase)
    if not time:
        return None
    seconds = time["cpu_seconds" if run["threads"] == 1 else "seconds"]
    return time["tokens"] / seconds if seconds > 0 else None


def get_limits(run):
    """(bytes, floating-point operations) per second that the machine gave."""
    output = (run or {}).get("output")
    if not output:
        return None, None
    clock = "cpu_seconds" if run["threads"] == 1 else "seconds"
    reads = max(read["bytes"] / read[clock] for read in output["reads"])
    return reads, output["fma"]["flops"] / output["fma"][clock]


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def divide(a, b):
    return a / b if a is not None and b else None


def show(pattern, value):
    return "-" if value is None else pattern % value


def describe_run(run):
    """One line about a run, for who waits."""
    if "error" in run:
        return f"{run['engine']} failed: {run['error']}"
    rates = [f"{phase} {rate:.2f}" for phase in ("prefill", "decode")
             if (rate := get_rate(run, phase)) is not None]
    rates = rates or [f"{run['cpu_seconds']:.2f} CPU s"]
    return (f"{run['engine']} {', '.join(rates)}; others took "
            f"{run['other_cores']:.2f} cores")


class Case:
    """The rounds of one model, variant, test and number of threads."""

    def __init__(self, runs, model):
        self.runs, self.model = runs, model
        self.engines = []
        self.rounds = {}
        for run in runs:
            self.rounds.setdefault(run["round"], {})[run["engine"]] = run
            if run["engine"] not in ("limits", *self.engines):
                self.engines.append(run["engine"])

    def over_rounds(self, function):
        """The median of function(runs of a round by engine)."""
        return median(function(runs) for runs in self.rounds.values())

    def rate(self, engine, phase):
        return self.over_rounds(lambda runs: get_rate(runs.get(engine), phase))

    def share(self, engine, phase):
        """Of what the machine gave in the same round: of its reads when
        decoding, of its multiply-adds with a prompt."""
        def get(runs):
            reads, flops = get_limits(runs.get("limits"))
            rate = get_rate(runs.get(engine), phase)
            if rate is None:
                return None
            if phase == "prefill":
                return divide(rate * self.model["prefill_flops"], flops)
            size = runs[engine].get("token_bytes")
            return divide(rate * size, reads) if size else None
        return self.over_rounds(get)

    def ratio(self, phase):
        """Quern against the fastest peer by medians: (peer, median of the
        ratios of the rounds)."""
        rates = {engine: rate for engine in self.engines if engine != "quern"
                 and (rate := self.rate(engine, phase)) is not None}
        if not rates:
            return None, None
        peer = max(rates, key=rates.get)
        return peer, self.over_rounds(
            lambda runs: divide(get_rate(runs.get("quern"), phase),
                                get_rate(runs.get(peer), phase)))


def make_table(head, rows):
    """A Markdown table; all columns but the first few texts are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def print_rates(cases, threads):
    """The table of one model and number of threads."""
    engines = []
    for _, case in cases:
        engines += [name for name in case.engines if name not in engines]
    engines.sort(key=lambda name: name != "quern")
    rows = []
    for (variant, test), case in cases:
        prefill, _, decode = test.partition(":")
        for phase, name in (("prefill", f"prefill {prefill}"),
                            ("decode", f"decode {decode} behind {prefill}")):
            row = [variant, name]
            for engine in engines:
                share = case.share(engine, phase)
                row.append(show("%.2f", case.rate(engine, phase))
                           + ("" if share is None else f" ({share:.2f})"))
            peer, ratio = case.ratio(phase)
            row.append("-" if ratio is None else f"**{ratio:.2f}** {peer}")
            rows.append(row)
    unit = "CPU second" if threads == 1 else "second"
    return (f"Tokens per {unit}, {threads} thread{'s' * (threads > 1)}; in "
            "brackets the share of the limit.\n\n"
            + make_table(["Weights", "Phase", *engines, "quern / fastest peer"],
                         rows))


def print_starts(cases):
    rows = []
    for (variant, threads), case in cases:
        for engine in case.engines:
            def over(key, engine=engine):
                return case.over_rounds(
                    lambda runs: None if "error" in runs.get(engine, {"error":
                                                                      0})
                    else runs[engine][key])
            resident = over("resident_bytes")
            rows.append([variant, str(threads), engine,
                         show("%.3f", over("cpu_seconds")),
                         show("%.3f", over("seconds")),
                         show("%.0f", divide(resident, 1e6))])
    return ("From the start of the process to the end after one token, 4 tokens "
            "of prompt, files in the page cache.\n\n"
            + make_table(["Weights", "Threads", "Engine", "CPU s", "Wall s",
                          "Resident MB"], rows))


def print_limits(runs):
    rows = []
    for threads in sorted({run["threads"] for run in runs}):
        limits = [get_limits(run) for run in runs
                  if run["threads"] == threads and run["engine"] == "limits"]
        others = [run["other_cores"] for run in runs
                  if run["threads"] == threads]
        rows.append([str(threads),
                     show("%.1f", divide(median(x for x, _ in limits), GIGA)),
                     show("%.1f", divide(median(x for _, x in limits), GIGA)),
                     f"{median(others):.2f}", f"{max(others):.2f}"])
    return ("Limits, medians over the rounds; with 1 thread per CPU second. The "
            "last columns are the cores that other work took during a run: with "
            "more than a few hundredths, wall times tell little.\n\n"
            + make_table(["Threads", "Reads GB/s", "f32 FMA GFLOP/s",
                          "Others, median", "Others, most"], rows))


def group(runs, *keys):
    groups = {}
    for run in runs:
        groups.setdefault(tuple(run[key] for key in keys), []).append(run)
    return groups


def print_failures(results):
    lines = [f"- {key}: {text}" for key, text in results["failures"].items()]
    errors = group([run for run in results["runs"] if "error" in run],
                   "engine", "model", "variant", "test", "threads")
    for (engine, model, variant, test, threads), runs in errors.items():
        lines.append(f"- {engine} {model} {variant} {test}, {threads} threads, "
                     f"{len(runs)} runs: {runs[0]['error']}")
    return "What failed:\n\n" + "\n".join(lines) if lines else ""


def print_report(results):
    machine = results["machine"]
    parts = [f"{machine['cpu']}, {machine['cores']} cores, {machine['date']}, "
             f"commit {machine['commit']}.",
             "\n".join(f"- {name}: {version}"
                       for name, version in results["engines"].items())]
    if results["runs"]:
        parts.append(print_limits(results["runs"]))
    for (model,), runs in group(results["runs"], "model").items():
        parts.append(f"### {model}")
        facts = results["models"][model]
        rated = [run for run in runs if run["test"] != "start"]
        for (threads,), of_threads in sorted(group(rated, "threads").items()):
            cases = [(key, Case(value, facts)) for key, value in
                     group(of_threads, "variant", "test").items()]
            parts.append(print_rates(cases, threads))
        starts = [run for run in runs if run["test"] == "start"]
        if starts:
            parts.append(print_starts(
                [(key, Case(value, facts)) for key, value in
                 group(starts, "variant", "threads").items()]))
    parts.append(print_failures(results))
    return "\n\n".join(part for part in parts if part) + "\n"
