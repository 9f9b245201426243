"""tests/check_includes.py finds what it is for."""

import sys
import unittest

from programs import ROOT

sys.path.insert(0, str(ROOT / "tests"))
import check_includes  # noqa: E402


class Layers(unittest.TestCase):
    def problems(self, path, *includes):
        return check_includes.problems_of(path, "".join(f"#include {i}\n" for i in includes))

    def test_what_is_allowed(self):
        for path, included in (
            ("bank/registry.cpp", '"bank/registry.h"'),
            ("bank/registry.cpp", '"common/core/node.h"'),
            ("bank/main.cpp", '"common/runtime/driver.h"'),
            ("bank/main.cpp", '"bank/bank.h"'),
            ("customer/account.h", '"common/base/money.h"'),
            ("common/runtime/loop.cpp", "<asio.hpp>"),
            ("common/wire/convert.cpp", '"common/wire/messages.pb.h"'),
            ("simulator/world.cpp", '"customer/customer.h"'),
            ("common/base/money.cpp", "<string>"),
            ("tests/unit/test_money.cpp", '"common/base/money.h"'),
        ):
            self.assertEqual(self.problems(path, included), [], (path, included))

    def test_what_is_not(self):
        for path, included in (
            ("bank/registry.cpp", '"customer/account.h"'),
            ("customer/account.cpp", '"bank/bank.h"'),
            ("customer/main.cpp", '"bank/bank.h"'),
            ("customer/account.cpp", '"common/runtime/clock.h"'),
            ("common/runtime/loop.cpp", '"bank/bank.h"'),
            ("common/runtime/loop.cpp", '"common/wire/messages.pb.h"'),
            ("common/base/money.h", '"common/core/node.h"'),
            ("common/wire/convert.cpp", '"common/stable/table.h"'),
            ("common/stable/journal.cpp", '"common/core/effects.h"'),
            ("simulator/world.cpp", '"common/runtime/clock.h"'),
            ("bank/registry.cpp", "<asio.hpp>"),
            ("customer/account.cpp", "<unistd.h>"),
            ("customer/account.cpp", "<thread>"),
            ("common/core/courier.cpp", "<fstream>"),
            ("common/stable/journal.cpp", "<fcntl.h>"),
            ("bank/registry.cpp", '"registry.h"'),
            ("bank/registry.cpp", '"../customer/account.h"'),
            ("extras/thing.cpp", '"common/base/money.h"'),
        ):
            self.assertEqual(len(self.problems(path, included)), 1, (path, included))

    def test_a_problem_names_file_and_line(self):
        text = '#pragma once\n\n  #  include "customer/account.h"\n'
        (problem,) = check_includes.problems_of("bank/registry.h", text)
        self.assertEqual(problem, 'bank/registry.h:3: bank must not include "customer/account.h"')


if __name__ == "__main__":
    unittest.main()
