#!/usr/bin/env python3
"""Compares the speed of Quern with other engines on the same weights.

Usage: compare.py CHECKPOINT... [options]     --help lists them
       compare.py --report RESULTS.json       prints the report of a run again

For each model, type of weights, test and number of threads, rounds of: limits
of the machine, the other engines, Quern; every second round in the other order.
Each is a process of its own, so that none profits from what another left. Other
work on the machine is measured and reported: run it when there is none.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import threading
import time
import engines
import peers
import report
import weights

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_PROMPT = 4


def read_busy_seconds():
    """CPU seconds that all processes of the machine took, since it started."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
    idle = int(fields[4]) + int(fields[5])
    return ((sum(map(int, fields[1:9])) - idle)
            / os.sysconf("SC_CLK_TCK"))


def run_timed(command, limit=3600):
    """Runs a program. Returns what it took, with its last line as `output`."""
    environment = dict(os.environ, OMP_WAIT_POLICY="PASSIVE",
                       TOKENIZERS_PARALLELISM="false")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        busy, begin = read_busy_seconds(), time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=out,
                                   stderr=err, env=environment)
        timer = threading.Timer(limit, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
        seconds = time.perf_counter() - begin
        cpu_seconds = usage.ru_utime + usage.ru_stime
        others = read_busy_seconds() - busy - cpu_seconds
        out.seek(0)
        err.seek(0)
        lines = out.read().decode(errors="replace").strip()
        result = {"seconds": seconds, "cpu_seconds": cpu_seconds,
                  "resident_bytes": usage.ru_maxrss * 1024,
                  "other_cores": max(0.0, others / seconds)}
        if process.returncode != 0:
            text = err.read().decode(errors="replace").strip().splitlines()
            result["error"] = (f"exit status {process.returncode}: "
                               f"{text[-1] if text else 'no message'}")
            return result
    try:
        result["output"] = json.loads(lines[lines.find("{"):])
    except ValueError:
        result["output"] = None
    return result


def describe_machine():
    model = platform.processor()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always",
                             "--dirty"], capture_output=True, text=True)
    return {"cpu": model, "cores": os.cpu_count(),
            "system": platform.platform(), "commit": commit.stdout.strip(),
            "date": datetime.datetime.now().isoformat(timespec="minutes")}


def parse_test(text):
    """"PREFILL:DECODE" or "start" as (prefill, decode, whether cold)."""
    if text == "start":
        return START_PROMPT, 1, True
    prefill, _, decode = text.partition(":")
    if not (prefill.isdigit() and decode.isdigit() and int(prefill)
            and int(decode)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither start nor PREFILL:DECODE")
    return int(prefill), int(decode), False


def split(kind):
    return lambda text: [kind(part) for part in text.split(",")]


def one_variant(text):
    if text not in engines.VARIANTS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of {', '.join(engines.VARIANTS)}")
    return text


def parse_options():
    parser = argparse.ArgumentParser(
        prog="compare.py", description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("checkpoints", nargs="*", type=pathlib.Path, metavar="CHECKPOINT")
    add("--work", type=pathlib.Path, default=pathlib.Path("bench-work"),
        help="folder for converted weights, peers and results")
    add("--build", type=pathlib.Path, default=ROOT / "build",
        help="build folder of Quern")
    add("--target", default="cpu", help="as of quern compile")
    add("--llama-build", type=pathlib.Path,
        help="build folder of llama.cpp (default: the one in --work)")
    add("--python", type=pathlib.Path,
        help="Python with torch and transformers (default: the one in --work)")
    add("--openvino-python", type=pathlib.Path,
        help="Python with openvino-genai and optimum-intel (likewise)")
    add("--get-peers", action="store_true",
        help="download and build what is missing of them, from PyPI")
    add("--engines", type=split(str), default=list(peers.PEERS),
        help="which peers, separated by commas")
    add("--variants", type=split(one_variant), default=["bf16", "int8", "q4"],
        help="types of weights: " + ", ".join(engines.VARIANTS))
    add("--tests", type=split(str), default=["128:32", "512:8", "start"],
        help="PREFILL:DECODE tokens, or start")
    add("--threads", type=split(int),
        default=sorted({1, os.cpu_count() or 1}))
    add("--rounds", type=int, default=5)
    add("--limits-mib", type=int, default=1024,
        help="size of the array whose reads are timed")
    add("--prepare-only", action="store_true", help="convert, measure nothing")
    add("--results", type=pathlib.Path, help="default: WORK/results.json; the "
        "report lies beside it as .md")
    add("--report", type=pathlib.Path, metavar="RESULTS",
        help="print the report of these results and stop")
    options = parser.parse_args()
    for test in options.tests:
        try:
            parse_test(test)
        except argparse.ArgumentTypeError as error:
            parser.error(str(error))
    if not options.report and not options.checkpoints:
        parser.error("no checkpoint given")
    return options


def prepare_cases(options, found, results):
    """Converts the weights. Returns the cases: for each model, variant and
    test the engines with their paths and bytes of a token."""
    tests = {test: parse_test(test) for test in options.tests}
    longest = max(prefill + decode for prefill, decode, _ in tests.values())
    context = max(4096, -(-longest // 1024) * 1024)
    cases = []
    for checkpoint in options.checkpoints:
        checkpoint = checkpoint.resolve()
        layers, head = weights.count_weights(checkpoint)
        results["models"][checkpoint.name] = {
            "prefill_flops": 2 * layers, "layer_weights": layers,
            "head_weights": head}
        for variant in options.variants:
            users = []
            for engine in found:
                if engine.name not in engines.VARIANTS[variant]:
                    continue
                key = f"{engine.name} {checkpoint.name} {variant}"
                try:
                    path = engine.prepare(checkpoint, variant, context)
                    size = engine.token_bytes(path, checkpoint, variant)
                    users.append((engine, path, size))
                except (RuntimeError, OSError, ValueError) as error:
                    engines.say(f"{key}: {error}")
                    results["failures"][key] = str(error).split("\n", 1)[0]
            cases += [(checkpoint.name, variant, test, sizes, users)
                      for test, sizes in tests.items()]
    return cases


def measure(options, cases, results, save):
    limits = options.build / "bin" / "bench-limits"
    for model, variant, test, (prefill, decode, cold), users in cases:
        for threads in options.threads:
            key = {"model": model, "variant": variant, "test": test,
                   "threads": threads}
            for turn in range(options.rounds):
                record = dict(key, round=turn, engine="limits")
                record.update(run_timed([limits, threads, options.limits_mib]))
                results["runs"].append(record)
                for engine, path, size in users[::-1 if turn % 2 else 1]:
                    record = dict(key, round=turn, engine=engine.name,
                                  token_bytes=size)
                    record.update(run_timed(engine.command(
                        path, variant, threads, prefill, decode, cold)))
                    if cold:
                        record.pop("output", None)
                    results["runs"].append(record)
                    engines.say(f"{model} {variant} {test} {threads} threads, "
                                f"round {turn}: "
                                + report.describe_run(record))
                save()


def main():
    options = parse_options()
    if options.report:
        print(report.print_report(json.loads(options.report.read_text())))
        return 0
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    results = {"machine": describe_machine(), "engines": {}, "models": {},
               "failures": {}, "runs": []}
    found = peers.find_engines(options, results["engines"])
    path = options.results or options.work / "results.json"

    def save():
        path.write_text(json.dumps(results, indent=1) + "\n")
        path.with_suffix(".md").write_text(report.print_report(results))

    cases = prepare_cases(options, found, results)
    if options.prepare_only:
        return 1 if results["failures"] else 0
    if not (options.build / "bin" / "bench-limits").exists():
        print(f"bench: error: no bench-limits in {options.build}/bin; build it",
              file=sys.stderr)
        return 2
    measure(options, cases, results, save)
    print(report.print_report(results))
    return 1 if results["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
