#!/usr/bin/env python3
"""bench/compare.py with Tutti's own model and a peer that answers at once: rows, ratios, plot, errors.

  compare_test.py SOURCE_DIR TUTTI
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest
import xml.etree.ElementTree

SOURCE, TUTTI = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)

# Speaks like llama-bench and, under the other name, like llama-batched-bench.
PEER = textwrap.dedent("""\
    #!/usr/bin/env python3
    import json, pathlib, sys
    a = sys.argv[1:]
    pathlib.Path(__file__).with_suffix(".log").open("a").write(" ".join(a) + "\\n")
    print("load_backend: loaded CPU backend")
    print(json.dumps({"speed_pp": 1.0, "speed_tg": 44.0}) if "-npl" in a else json.dumps([{"avg_ts": 22.0}], indent=2))
    """)


class CompareTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        for name in ("llama-bench", "llama-batched-bench"):
            (self.path / name).write_text(PEER)
            (self.path / name).chmod(0o755)

    def compare(self, *arguments):
        command = [sys.executable, SOURCE / "bench/compare.py", "--tutti", TUTTI, *arguments, "story"]
        return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)

    def test_one_row_per_test_with_ratios(self):
        done = self.compare("--peer", f"fake={self.path}/llama-bench -v", "--peer-file", "/models/{name}.gguf", "--tests",
                            "pp16,pp16@8,tg4x3@8", "--turns", "2", "--threads", "1", "--json", self.path / "out.json",
                            "--plot", self.path / "out.svg")
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads((self.path / "out.json").read_text())
        self.assertEqual([row["test"] for row in answer["rows"]], ["pp16", "pp16@8", "tg4x3@8"])
        for row, speed in zip(answer["rows"], (22.0, 22.0, 44.0)):
            self.assertEqual(row["programs"]["fake"]["tokens_per_s"], speed)
            self.assertEqual(len(row["programs"]["Tutti"]["turns"]), 2)
            self.assertAlmostEqual(row["programs"]["fake"]["of_limit"], speed / row["limit_tokens_per_s"])
            self.assertAlmostEqual(row["tutti_to_best_peer"], row["programs"]["Tutti"]["tokens_per_s"] / speed)
        self.assertEqual(len([line for line in done.stdout.splitlines() if line.startswith("| story |")]), 3)
        asked = (self.path / "llama-bench.log").read_text().splitlines()
        self.assertEqual(asked, ["-v -m /models/story.gguf -t 1 -p 16 -n 0 -r 1 -o json"] * 2 +
                         ["-v -m /models/story.gguf -t 1 -p 16 -n 0 -d 8 -r 1 -o json"] * 2)
        asked = (self.path / "llama-batched-bench.log").read_text().splitlines()
        self.assertEqual(asked[0], "-v -m /models/story.gguf -t 1 -c 39 -npp 8 -ntg 4 -npl 3 --output-format jsonl")
        plot = xml.etree.ElementTree.parse(self.path / "out.svg")
        texts = [e.text for e in plot.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("tg4x3@8", texts)
        self.assertTrue(any(text.startswith("22.0 tok/s") for text in texts), texts)

    def test_the_type_of_keys_and_values_is_said(self):
        for arguments, types in (([], {"f16", "bf16"}), (["--kv-type", "q8_0"], {"q8_0"})):
            done = subprocess.run([TUTTI, "bench", "story", "--tests", "tg2", "--repetitions", "1", "--threads", "1",
                                   "--json", *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(json.loads(done.stdout)["model"]["kv_type"], types)

    def test_a_failing_program_is_one_error(self):
        done = self.compare("--peer", "nosuchprogram-llama-bench", "--tests", "tg2", "--turns", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nosuchprogram-llama-bench", done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        done = self.compare("--tests", "tg2000", "--turns", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("256 tokens of context", done.stderr)

    def test_arguments_are_checked(self):
        for arguments in (["--tests", "xx"], ["--turns", "0"], ["--busy-core", "100000"]):
            done = self.compare(*arguments)
            self.assertEqual(done.returncode, 2, arguments)

    def test_a_busy_core(self):
        core = min(os.sched_getaffinity(0))
        done = self.compare("--tests", "tg4", "--turns", "1", "--busy-core", core, "--json", self.path / "out.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"| tg4, core {core} busy |", done.stdout)
        idle, busy = (row["programs"]["Tutti"] for row in json.loads((self.path / "out.json").read_text())["rows"])
        self.assertAlmostEqual(busy["kept"], busy["tokens_per_s"] / idle["tokens_per_s"])


if __name__ == "__main__":
    unittest.main()
