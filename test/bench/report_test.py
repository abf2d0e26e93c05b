#!/usr/bin/env python3
"""Tests what compare.py computes and prints, on stored outputs: no peers, no
times. data/results.json has round numbers, so that the report can be checked by
hand: CPU time gives the rates of 1 thread, wall time is half of it."""
import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(FOLDER))
import compare  # noqa: E402
import engines  # noqa: E402
import report  # noqa: E402
import weights  # noqa: E402


def load_results():
    return json.loads((FOLDER / "data" / "results.json").read_text())


def select(results, **keys):
    return [run for run in results["runs"]
            if all(run[key] == value for key, value in keys.items())]


class ReportTest(unittest.TestCase):
    maxDiff = None

    def test_command_prints_stored_results(self):
        run = subprocess.run(
            [sys.executable, "-B", FOLDER / "compare.py", "--report",
             FOLDER / "data" / "results.json"], check=True,
            capture_output=True, text=True)
        expected = (FOLDER / "data" / "report.md").read_text()
        self.assertEqual(run.stdout, expected)

    def test_ratio_is_median_of_rounds(self):
        results = load_results()
        case = report.Case(select(results, variant="bf16", test="128:32",
                                  threads=1), results["models"]["tiny"])
        # 16 / 8, 15 / 10 and 20 / 9: not the ratio of the medians 16 and 9.
        self.assertEqual(case.ratio("decode"), ("llama.cpp", 2.0))
        self.assertAlmostEqual(case.rate("torch", "prefill"), 40)

    def test_share_compares_within_a_round(self):
        results = load_results()
        case = report.Case(select(results, variant="bf16", test="128:32",
                                  threads=1), results["models"]["tiny"])
        # 0.8 GB a token: 12.8 of 16, 12 of 20, 16 of 18 GB/s.
        self.assertAlmostEqual(case.share("quern", "decode"), 0.8)
        # A GFLOP a token: 100 of 100, 60 of 80, 90 of 90 GFLOP/s.
        self.assertAlmostEqual(case.share("quern", "prefill"), 1.0)

    def test_fastest_stream_is_the_limit(self):
        run = select(load_results(), engine="limits")[0]
        self.assertEqual(report.get_limits(run), (16e9, 100e9))

    def test_no_runs(self):
        results = dict(load_results(), runs=[], failures={})
        text = report.print_report(results)
        self.assertIn("openvino: not found", text)
        self.assertNotIn("Limits", text)

    def test_only_quern(self):
        results = load_results()
        results["runs"] = [run for run in results["runs"]
                           if run["engine"] in ("limits", "quern")]
        self.assertIn("| bf16 | prefill 128 | 90.00 (1.00) | - |",
                      report.print_report(results))


class TimedRunTest(unittest.TestCase):
    def run_python(self, code):
        return compare.run_timed([sys.executable, "-c", code])

    def test_output(self):
        run = self.run_python("print('noise'); print('{\"a\": [1]}')")
        self.assertEqual(run["output"], {"a": [1]})
        self.assertGreater(run["resident_bytes"], 0)

    def test_failure_is_recorded(self):
        run = self.run_python("raise SystemExit('no weights')")
        self.assertEqual(run["error"], "exit status 1: no weights")

    def test_crash_is_recorded(self):
        run = self.run_python("import os; os.abort()")
        self.assertEqual(run["error"], "exit status -6: no message")

    def test_no_object(self):
        self.assertIsNone(self.run_python("print('done')")["output"])


class OptionsTest(unittest.TestCase):
    def test_parse_test(self):
        self.assertEqual(compare.parse_test("128:32"), (128, 32, False))
        self.assertEqual(compare.parse_test("start"), (4, 1, True))
        for text in ("128", "0:3", "a:b", "3:", "-1:2"):
            with self.assertRaises(argparse.ArgumentTypeError):
                compare.parse_test(text)

    def test_unknown_engine(self):
        run = subprocess.run(
            [sys.executable, "-B", FOLDER / "compare.py", "model", "--engines",
             "mlc", "--work", tempfile.gettempdir()],
            capture_output=True, text=True)
        self.assertIn("no engine 'mlc'", run.stderr)
        self.assertEqual(run.returncode, 1)

    def test_every_variant_names_known_engines(self):
        for variant in engines.VARIANTS.values():
            self.assertLessEqual(set(variant), {"quern", "llama.cpp", "torch",
                                                "openvino"})


def write_safetensors(path, shapes):
    head = json.dumps({name: {"dtype": "BF16", "shape": shape}
                       for name, shape in shapes.items()}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)


def write_gguf(path, sizes):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    values = [text("a.text") + struct.pack("<I", 8) + text("b"),
              text("a.number") + struct.pack("<II", 4, 7),
              text("a.numbers") + struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3),
              text("a.texts") + struct.pack("<IIQ", 9, 8, 2) + text("c")
              + text("de")]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(sizes), len(values))
    head += b"".join(values)
    offset = 0
    for name, size in sizes.items():
        head += text(name) + struct.pack("<IQQIQ", 2, 4, 4, 0, offset)
        offset += size
    head += bytes(-len(head) % 32)
    path.write_bytes(head + bytes(offset))


class WeightsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write_config(self, **values):
        (self.folder / "config.json").write_text(json.dumps(values))

    def test_dense_tied(self):
        self.write_config(model_type="qwen3")
        write_safetensors(self.folder / "model.safetensors", {
            "model.embed_tokens.weight": [100, 8],
            "model.layers.0.input_layernorm.weight": [8],
            "model.layers.0.self_attn.q_proj.weight": [16, 8],
            "mtp.layers.0.mlp.up_proj.weight": [16, 8]})
        self.assertEqual(weights.count_weights(self.folder), (128, 800))

    def test_experts(self):
        self.write_config(num_experts=8, num_experts_per_tok=2)
        write_safetensors(self.folder / "model.safetensors", {
            "lm_head.weight": [50, 8], "model.embed_tokens.weight": [100, 8],
            "model.layers.0.mlp.gate.weight": [8, 8],
            "model.layers.0.linear_attn.conv1d.weight": [8, 1, 4],
            "model.layers.0.mlp.experts.0.up_proj.weight": [16, 8]})
        self.assertEqual(weights.count_weights(self.folder), (64 + 32, 400))

    def test_gguf(self):
        self.write_config(num_experts=8, num_experts_per_tok=2)
        path = self.folder / "model.gguf"
        write_gguf(path, {"token_embd.weight": 320, "output.weight": 640,
                          "blk.0.attn_q.weight": 64,
                          "blk.0.ffn_up_exps.weight": 1280})
        self.assertEqual(weights.read_gguf_sizes(path)["output.weight"], 640)
        self.assertEqual(weights.count_gguf_bytes(path, self.folder),
                         640 + 64 + 1280 / 4)

    def test_not_gguf(self):
        path = self.folder / "model.gguf"
        path.write_bytes(b"something")
        with self.assertRaisesRegex(ValueError, "not a GGUF file"):
            weights.read_gguf_sizes(path)

    def test_bundle(self):
        self.write_config(num_experts=8, num_experts_per_tok=2)
        manifest = {"weights": [
            {"size": 100, "sources": ["model.embed_tokens.weight"]},
            {"size": 50, "sources": ["lm_head.weight"]},
            {"size": 80, "sources": ["model.layers.0.mlp.experts.0.up.weight"]},
            {"size": 7, "sources": ["mtp.fc.weight"]},
            {"size": 1}]}
        self.assertEqual(weights.count_bundle_bytes(manifest, self.folder),
                         50 + 80 / 4 + 1)
        del manifest["weights"][1]
        self.assertEqual(weights.count_bundle_bytes(manifest, self.folder),
                         100 + 80 / 4 + 1)


if __name__ == "__main__":
    unittest.main()
