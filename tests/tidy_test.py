#!/usr/bin/env python3
"""Breaks each rule of tidy.py once in a small tree, and sees that it is found, at its line, and nothing else with it."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy  # noqa: E402


class Tidy(unittest.TestCase):
    def problems(self, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return [str(problem) for problem in tidy.problems(root)]

    def expect(self, files: dict[str, str], *beginnings: str) -> None:
        problems = self.problems(files)
        self.assertEqual(len(problems), len(beginnings), problems)
        for problem, beginning in zip(problems, sorted(beginnings)):
            self.assertTrue(problem.startswith(beginning), f"{problem!r} should begin with {beginning!r}")

    def test_an_arrow_that_the_architecture_lacks(self):
        tree = {"core/event.h": "", "router/rule.h": "", "state/journal.h": "", "state/rows.h": "", "daemon/wiring.h": ""}
        self.expect({**tree, "core/a.cpp": '#include <vector>\n\n#include "router/rule.h"\n'}, "core/a.cpp:3: core may not include router/rule.h")
        self.expect({**tree, "sources/a.cpp": '#include "core/event.h"\n#include "router/rule.h"\n'}, "sources/a.cpp:2: sources may not")
        self.expect({**tree, "executor/a.cpp": '#include "state/journal.h"\n#include "state/rows.h"\n'}, "executor/a.cpp:2: executor may not")
        self.expect({**tree, "cli/a.cpp": '#include "daemon/wiring.h"\n#include "state/journal.h"\n#include "state/rows.h"\n'},
                    "cli/a.cpp:3: cli may not")
        self.expect({**tree, "tests/core/a_test.cpp": '#include "router/rule.h"\n#include "daemon/wiring.h"\n'})
        self.expect({**tree, "core/a.cpp": '// #include "router/rule.h"\n/*\n#include "router/rule.h"\n*/\n'})

    def test_an_include_that_is_not_written_from_the_top(self):
        self.expect({"core/a.h": "", "core/a.cpp": '#include "a.h"\n', "core/b.cpp": '#include "../core/a.h"\n'},
                    'core/a.cpp:1: "a.h" is no file', 'core/b.cpp:1: "../core/a.h" is no file')

    def test_a_clock_outside_platform(self):
        for line in ("auto now = std::chrono::steady_clock::now();", "using C = X; C::now ();", "time(nullptr);", "std::time(0);",
                     "gettimeofday(&t, 0);", "clock_gettime(CLOCK_REALTIME, &t);"):
            self.expect({"router/a.cpp": "\n" + line + "\n"}, "router/a.cpp:2: `")
            self.expect({"platform/a.cpp": line, "tests/router/a_test.cpp": line})
        self.expect({"router/a.cpp": "clock.now(); // steady_clock::now()\nauto t = \"time(0)\"; /* time(0) */ int n = 1'000; uptime(0);\n"})

    def test_a_library_met_twice_or_in_a_header(self):
        self.expect({"state/a.cpp": "#include <sqlite3.h>\n", "state/b.cpp": "\n#include <sqlite3.h>\n"}, "state/b.cpp:2: SQLite is met in state/a.cpp")
        self.expect({"sources/a.h": "#include <git2.h>\n"}, "sources/a.h:1: libgit2 in a header")
        self.expect({"sources/a.cpp": "#include <git2.h>\n", "sources/b.cpp": "#include <git2/remote.h>\n#include <git2/oid.h>\n"})
        self.expect({"platform/a.cpp": "#include <openssl/ssl.h>\n", "sources/a.cpp": "#include <openssl/evp.h>\n#include <openssl/crypto.h>\n"})

    def test_a_sleep_in_a_test(self):
        self.expect({"tests/core/a_test.cpp": "\n// no sleep_for here\nstd::this_thread::sleep_for(1s);\n", "platform/a.cpp": "usleep(1);"},
                    "tests/core/a_test.cpp:3: `sleep_for`")
        self.expect({"tests/support/eventually.h": "std::this_thread::sleep_for(1ms);"})
        self.expect({"tests/core/a_test.cpp": 'run("sleep 5; usleep 3");'})

    def test_a_dead_link(self):
        self.expect({"docs/a.md": "[there](b.md#part) [top](/README.md) [web](https://x.example/y) [here](#part)\n\n[gone](c.md)\n![p](<d e.png>)\n",
                     "docs/b.md": "[r]: ../README.md\n", "README.md": "`[code](x.md)`\n```\n[code](y.md)\n```\n[r]: nowhere.md \"title\"\n"},
                    "README.md:5: the link to nowhere.md", "docs/a.md:3: the link to c.md", "docs/a.md:4: the link to d e.png")

    def test_a_drawer(self):
        self.expect({"core/util.h": "", "state/helpers/rows.cpp": "", "scripts/common": "", "core/utilization.h": ""},
                    "core/util.h:1: «util.h»", "scripts/common:1: «common»", "state/helpers/rows.cpp:1: «helpers»")


if __name__ == "__main__":
    unittest.main()
