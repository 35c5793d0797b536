import os
import signal
import subprocess
import sys
import threading

import pytest

from bench.core.interrupts import REQUESTS, Stopped, stop_requests


@pytest.mark.parametrize("number", REQUESTS)
def test_a_signal_becomes_a_request(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_requests() as request:
        assert request.number == 0
        os.kill(os.getpid(), number)
        assert request.number == number
    assert signal.getsignal(number) == before


def test_a_second_interrupt_is_obeyed_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), stop_requests():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_another_thread_works_without_requests() -> None:
    seen: list[int] = []

    def work() -> None:
        with stop_requests() as request:
            seen.append(request.number)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0]


def test_the_exit_code_tells_ctrl_c_from_a_scheduler() -> None:
    assert Stopped("", signal.SIGINT).code == 130
    assert Stopped("", signal.SIGTERM).code == Stopped("", signal.SIGUSR1).code == 75


def test_ctrl_c_during_an_import_is_one_line_and_code_130() -> None:
    # `import bench.cli.parser` inside `main` sends the signal: a module there is replaced.
    program = (
        "import os, signal, sys, bench.__main__\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'bench.cli.parser':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.exit(bench.__main__.main())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 130
    assert result.stderr.split("\n")[1:-1] == [
        "interrupted; the same command goes on with what is finished"
    ]
