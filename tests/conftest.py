"""What all tests share: no screen, a cache of compiled programs, and CmdStan where it is there."""

from __future__ import annotations

import functools
import os
import signal

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment, for the processes that tests start too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["MPLBACKEND"] = "Agg"
    # Compiling takes CmdStan 20 seconds a program: one cache for all test runs of this checkout.
    # `pytest --cache-clear` empties it.
    os.environ.setdefault("HIERSTAN_CACHE", str(config.cache.mkdir("hierstan-programs")))
    for setting in ("HIERSTAN_ENGINE", "HIERSTAN_TEMPLATES"):  # the user's, not the tests'
        os.environ.pop(setting, None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked `cmdstan` where there is none, or fail them where there has to be one."""
    if item.get_closest_marker("cmdstan") and (lack := _lack_of_cmdstan()):
        if os.environ.get("HIERSTAN_REQUIRE_CMDSTAN") == "1":
            pytest.fail(f"HIERSTAN_REQUIRE_CMDSTAN=1 is set, but there is no CmdStan: {lack}")
        pytest.skip(f"no CmdStan: {lack}")


@functools.cache
def _lack_of_cmdstan() -> str:
    import cmdstanpy
    from cmdstanpy.utils.cmdstan import stanc_path

    try:
        cmdstanpy.cmdstan_path()
        stanc_path()
    except ValueError as error:
        return str(error)
    return ""
